// A server as applications are: a page, an API, a health check and a WebSocket on one port. Prints its
// address.

const http = require("http");
const { WebSocketServer } = require("ws");

const server = http.createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
        const { method, url, headers } = request;
        const body = Buffer.concat(parts).toString();
        response.setHeader("content-type", "application/json");
        response.setHeader("set-cookie", ["a=1", "b=2"]);
        response.end(JSON.stringify({ method, url, headers, body }));
    });
});

const sockets = new WebSocketServer({ server });
sockets.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});

server.listen(0, "127.0.0.1", () => {
    const { address, port } = server.address();
    console.log(`${address}:${port}`);
});
