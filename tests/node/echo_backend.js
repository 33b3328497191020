// A WebSocket server that knows nothing of any gateway: prints its address, echoes, and closes with the
// code and the reason that it is told: `close CODE REASON`.

const { WebSocketServer } = require("ws");

// However short a message is, it is compressed.
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: { threshold: 0 } });

server.on("listening", () => {
    const { address, port } = server.address();
    console.log(`${address}:${port}`);
});

server.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => {
        const told = isBinary ? null : /^close (\d+) (.*)$/.exec(data);
        if (told) {
            socket.close(Number(told[1]), told[2]);
        } else {
            socket.send(data, { binary: isBinary });
        }
    });
});
