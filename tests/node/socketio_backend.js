// A Socket.IO server with its defaults: prints its address, echoes an event.

const http = require("http");
const { Server } = require("socket.io");

const server = http.createServer((request, response) => response.end("page"));
const io = new Server(server);
io.on("connection", (socket) => socket.on("say", (text, done) => done(text)));

server.listen(0, "127.0.0.1", () => {
    const { address, port } = server.address();
    console.log(`${address}:${port}`);
});
