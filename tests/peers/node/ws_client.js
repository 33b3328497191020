// Node's `ws` as a client; what it is told comes by line (README.md).
const WebSocket = require("ws");
const { told, say } = require("./lines");

const socket = new WebSocket(`ws://${process.argv[2]}/chat/echo`);
let refused = false;
socket.on("open", () => say("open"));
socket.on("unexpected-response", (request, response) => {
  refused = true;
  say(`refused ${response.statusCode}`);
  process.exit(0);
});
socket.on("error", (error) => console.error(error.message));
socket.on("message", (data, isBinary) =>
  say(isBinary ? `binary ${data.length}` : `text ${data}`),
);
socket.on("close", (code, reason) => {
  if (!refused) say(`closed ${code} ${reason}`);
  process.exit(0);
});
told({
  text: (word) => socket.send(word),
  binary: (length) => socket.send(Buffer.alloc(Number(length), 7)),
  dismiss: () => socket.send("dismiss"),
  leave: () => socket.close(1000),
});
