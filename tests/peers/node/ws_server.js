// Node's `ws`, on the path of a room. Prints where it listens.
const { WebSocketServer } = require("ws");

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, path: "/chat/echo" });
server.on("listening", () => console.log(`listening ${server.address().port}`));
server.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("message", (data, isBinary) => {
    if (!isBinary && data.toString() === "dismiss") socket.close(4321, "dismissed");
    else socket.send(data, { binary: isBinary });
  });
});
