// Socket.IO's own client with its defaults, but that it does not come back by itself: a test wants to see
// each end. It is open once it has moved from polling to WebSocket.
const { io } = require("socket.io-client");
const { told, say } = require("./lines");

const socket = io(`http://${process.argv[2]}`, { reconnection: false });
let refused;
// Once the first answer to its polling is there. A transport may be refused after that was let in.
socket.io.on("open", () => {
  socket.io.engine.on("upgradeError", (error) => {
    refused = `refused ${error.description?.message ?? error.message}`;
    if (socket.connected) say(refused);
  });
});
socket.on("connect", () => {
  const { engine } = socket.io;
  if (refused) say(refused);
  else if (engine.transport.name === "websocket") say("open");
  else engine.once("upgrade", () => say("open"));
});
socket.on("connect_error", (error) => {
  say(`refused ${error.description ?? ""} ${error.message}`);
  process.exit(0);
});
socket.on("disconnect", (reason) => {
  say(`closed ${reason === "io server disconnect" ? 4321 : 1006} ${reason}`);
  process.exit(0);
});
told({
  text: (word) => socket.emit("echo", word, (heard) => say(`text ${heard}`)),
  binary: (length) =>
    socket.emit("echo", Buffer.alloc(Number(length), 7), (heard) => say(`binary ${heard.length}`)),
  dismiss: () => socket.emit("dismiss"),
  leave: () => socket.disconnect(),
});
