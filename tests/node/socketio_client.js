// A Socket.IO client with its defaults: connects to the URL, goes on by a WebSocket, is echoed, and prints
// by what it began and by what it talked.

const { io } = require("socket.io-client");

const socket = io(process.argv[2]);
// It may have gone on by a WebSocket before it says that it is connected.
const first = socket.io.engine.transport.name;
const upgraded = new Promise((done) => socket.io.engine.once("upgrade", done));
const said = [];
const say = async () => {
    const heard = await socket.timeout(10_000).emitWithAck("say", "hello");
    said.push([socket.io.engine.transport.name, heard]);
};

socket.on("connect_error", (error) => {
    console.log(JSON.stringify({ error: error.message }));
    process.exit(1);
});
socket.on("connect", async () => {
    await upgraded;
    await say();
    console.log(JSON.stringify({ first, said }));
    process.exit(0);
});
