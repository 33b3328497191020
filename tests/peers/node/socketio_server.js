// Socket.IO with its defaults: polling first, then the upgrade. Prints where it listens.
const http = require("node:http");
const { Server } = require("socket.io");

const server = http.createServer((request, response) => response.end("a page\n"));
const io = new Server(server);
io.on("connection", (socket) => {
  socket.on("echo", (what, answer) => answer(what));
  socket.on("dismiss", () => socket.disconnect(true));
});
server.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
