// The face of `WebSocket`, and what is beyond it: buffer, names, hints.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { BUILT_IN_HINTS, WastegateSocket } from "../dist/index.js";
import { client, QUICK, recorded, talk, WebSocketServer } from "./support/client.js";
import { gateway, proxy, until, within } from "./support/gateway.js";

test("it is used as a WebSocket is", async (t) => {
  const server = await gateway(t);
  const socket = new WastegateSocket(`${server.url}?user=ann`, [], QUICK);
  t.after(() => socket.close());
  const received = [];
  const end = new Promise((resolve) => {
    socket.onopen = () => {
      received.push(["open", socket.readyState === socket.OPEN]);
      socket.send("text");
    };
    socket.onmessage = ({ data }) => {
      received.push([typeof data, data.byteLength ?? data]);
      if (data === "text") {
        socket.binaryType = "arraybuffer";
        socket.send(new Uint8Array([1, 2, 3]));
      } else socket.close(1000, "done");
    };
    socket.onerror = () => received.push(["error"]);
    socket.onclose = ({ code, wasClean }) => resolve([code, wasClean]);
  });
  assert.equal(socket.readyState, WastegateSocket.CONNECTING);
  assert.equal(socket.url, `${server.url}?user=ann`);
  assert.deepEqual(await within(end, () => `the end; received ${received}`), [1000, true]);
  assert.deepEqual(received, [["open", true], ["string", "text"], ["object", 3]]);
  assert.deepEqual([socket.readyState, socket.CLOSED], [3, 3]);
  assert.equal(socket.bufferedAmount, 0);
  socket.send("unsent text"); // discarded and counted, as in WebSocket
  assert.equal(socket.bufferedAmount, 11);
});

test("a handler that is replaced or taken away is not called", async (t) => {
  const server = await gateway(t);
  const one = client(t, server.url);
  const received = [];
  one.socket.onmessage = () => received.push("old");
  one.socket.onmessage = () => received.push("new");
  await one.next("open");
  await talk(one, "a");
  one.socket.onmessage = null;
  await talk(one, "b");
  assert.deepEqual(received, ["new"]);
  assert.equal(one.socket.onmessage, null);
});

test("mistakes throw as in WebSocket", (t) => {
  assert.throws(() => new WastegateSocket("nonsense", [], QUICK), { name: "SyntaxError" });
  assert.throws(() => new WastegateSocket("ftp://localhost", [], QUICK), { name: "SyntaxError" });
  const { WebSocket: native } = globalThis;
  delete globalThis.WebSocket;
  assert.throws(() => new WastegateSocket("ws://127.0.0.1:9"), /give a class/);
  if (native) globalThis.WebSocket = native;
  const socket = new WastegateSocket("ws://127.0.0.1:9", [], QUICK);
  t.after(() => socket.close());
  assert.throws(() => socket.close(1001), { name: "InvalidAccessError" });
  assert.throws(() => socket.send("x"), { name: "InvalidStateError" });
});

test("closed before it was open, there is one event and no request", async (t) => {
  const server = await gateway(t);
  const between = await proxy(t, server);
  const one = client(t, between.url);
  one.socket.close();
  await one.next("close");
  assert.deepEqual(one.types(), ["close"]);
  assert.equal((await server.user("ann")).held, 0);
});

test("keys and devices stay, have the names that are set, and give way to those in the URL", async (t) => {
  const settings = { "identity.key": "query:tab", "identity.device": "query:box" };
  const server = await gateway(t, settings);
  const names = { keyParam: "tab", deviceParam: "box" };
  const one = client(t, server.url, { ...names, key: "k1", device: "d1" });
  await one.next("open");
  const two = client(t, `${server.url}?tab=k2`, names);
  await two.next("open");
  assert.equal(two.socket.key, "k2");
  const keys = (await server.user("ann")).managers.map((row) => row.key).sort();
  assert.deepEqual(keys, ["k1", "k2"]);
  const made = [client(t, server.url), client(t, server.url)].map(({ socket }) => socket);
  assert.equal(made[0].device, made[1].device);
  await until("keys", () => made[0].key && made[1].key);
  assert.notEqual(made[0].key, made[1].key);
});

test("messages without a connection are kept up to the limit, and a full buffer is an error", async (t) => {
  const server = await gateway(t);
  const between = await proxy(t, server);
  const one = client(t, between.url, { bufferMessagesMax: 2, bufferBytesMax: 10 });
  await one.next("open");
  between.cut();
  await one.next("lost");
  one.socket.send("first");
  assert.throws(() => one.socket.send("longer than that"), { name: "QuotaExceededError" });
  one.socket.send("next");
  assert.throws(() => one.socket.send(""), { name: "QuotaExceededError" });
  assert.equal(one.socket.bufferedAmount, 9);
  await one.next("open");
  const echoed = [await one.next("message"), await one.next("message")].map(({ data }) => data);
  assert.deepEqual(echoed, ["first", "next"]);
  assert.equal(one.socket.bufferedAmount, 0);
});

test("what was kept and never sent is counted at the end", async (t) => {
  const one = client(t, "ws://127.0.0.1:9", { bufferMessagesMax: 2 });
  one.socket.send("unsent text");
  one.socket.close();
  assert.equal((await one.next("close")).unsent, 1);
});

test("hints reach the built-in application, and their answers stay hidden", async (t) => {
  const server = await gateway(t);
  const between = await proxy(t, server);
  const one = client(t, between.url, { visibility: BUILT_IN_HINTS });
  one.socket.setVisible(false);
  await one.next("open");
  const visibility = async () => (await server.user("ann")).managers[0].signals.visibility;
  await until("hidden", async () => (await visibility()) === 0);
  one.socket.setVisible(true);
  await until("visible", async () => (await visibility()) === 1);
  await talk(one, "ok"); // the same text as the answers, from the application
  between.cut();
  await one.next("lost");
  one.socket.setVisible(false); // sent on the next connection
  await one.next("open");
  await until("hidden again", async () => (await visibility()) === 0);
  await talk(one, "again");
  assert.deepEqual(one.types(), ["open", "message", "lost", "open", "message"]);
});

test("a listener that closes the socket has the last word", async (t) => {
  const server = await gateway(t);
  const between = await proxy(t, server);
  const socket = new WastegateSocket(`${between.url}?user=ann`, [], { ...QUICK, bufferMessagesMax: 1 });
  t.after(() => socket.close());
  socket.send("kept");
  socket.addEventListener("lost", () => socket.close(1000, "enough"));
  const one = recorded(socket);
  await one.next("open");
  await one.next("message");
  between.cut();
  assert.equal((await one.next("close")).reason, "enough");
  assert.deepEqual(one.types(), ["open", "message", "lost", "close"]);
});

test("closed by its own side with a code that would bring it back, it stays closed", async (t) => {
  const server = await gateway(t);
  const one = client(t, server.url);
  await one.next("open");
  one.socket.close(4001, "enough");
  assert.equal((await one.next("close")).wasClean, true);
  assert.deepEqual(one.types(), ["open", "close"]);
});

test("an application's own code is its own decision", async (t) => {
  const backend = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  t.after(() => backend.close());
  await once(backend, "listening");
  const codes = [3001, 3002];
  backend.on("connection", (peer) => peer.close(codes.shift(), "closed by the application"));
  const { port } = backend.address();
  const one = client(t, `ws://127.0.0.1:${port}`, {
    mayReturn: (code) => (code === 3001 ? true : undefined),
  });
  assert.equal((await one.next("lost")).detail.code, 3001);
  assert.equal((await one.next("close")).code, 3002);
});
