// The real server as a process, and a TCP proxy before it that cuts and silences connections.
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { createInterface } from "node:readline";

/** How long anything may take that a test waits for. */
export const PATIENCE_MS = 30_000;

const PROGRAM = process.env.WASTEGATE;
if (!PROGRAM) throw new Error("set WASTEGATE to the server's program");

/** A promise that fails with what it waited for. */
export function within(promise, what, ms = PATIENCE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what()}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks again and again until the answer is one, for what sends no event. */
export async function until(what, ask) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${PATIENCE_MS} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Starts a server with these settings; the test stops it, or its end does. */
export async function gateway(t, settings = {}, { listen = "127.0.0.1:0", env = {} } = {}) {
  const options = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const child = spawn(
    PROGRAM,
    ["serve", "--listen", listen, "--admin", "127.0.0.1:0", "--json", ...options],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } },
  );
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  const ended = once(child, "exit");
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const lines = createInterface({ input: child.stdout });
  const failed = ended.then(([code]) => {
    throw new Error(`the server ended with ${code}: ${log}`);
  });
  failed.catch(() => {}); // the race below rejects with it
  const [line] = await within(Promise.race([once(lines, "line"), failed]), () => `the server: ${log}`);
  const { listen: address, admin, url } = JSON.parse(line);
  const ask = async (method, path, body) => {
    const response = await fetch(`http://${admin}${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
    return response.status === 204 ? undefined : await response.json();
  };
  return {
    url,
    address,
    admin,
    ask,
    /** What the server knows of a user. */
    user: (name) => ask("GET", `/v1/users/${name}`),
    /** How many managers were evicted since the start, all causes. */
    async evictions() {
      const response = await fetch(`http://${admin}/metrics`);
      const counts = (await response.text()).matchAll(/^wastegate_cleanup_evictions_total\{.*\} (\d+)$/gm);
      return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
    },
    /** Asks it to stop, as an operator does, and waits until it has. */
    async stop() {
      child.kill("SIGTERM");
      await within(ended, () => `the server to stop: ${log}`);
    },
  };
}

function sendHead(near, far, bytes) {
  const end = bytes.indexOf("\r\n\r\n") + 4;
  far.pause();
  near.write(bytes.subarray(0, end));
  if (end < bytes.length) far.unshift(bytes.subarray(end));
}

/**
 * A proxy of TCP connections. `url` is the server's, through the proxy. With `headFirst` the client gets the head
 * of the first connection's response, and the rest at `resume`.
 */
export async function proxy(t, server, { headFirst = false } = {}) {
  const [host, port] = server.address.split(":");
  const pairs = new Set();
  /** When each connection was made. */
  const made = [];
  const listener = net.createServer((near) => {
    made.push(performance.now());
    const far = net.connect(Number(port), host);
    const pair = [near, far];
    pairs.add(pair);
    near.pipe(far);
    if (headFirst && made.length === 1) far.once("data", (bytes) => sendHead(near, far, bytes));
    else far.pipe(near);
    for (const socket of pair) {
      socket.on("error", () => {}); // cut connections end in errors, as they should
      socket.on("close", () => {
        near.destroy();
        far.destroy();
        pairs.delete(pair);
      });
    }
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const cut = () => pairs.forEach(([near, far]) => (near.destroy(), far.destroy()));
  t.after(() => {
    cut();
    listener.close();
  });
  return {
    url: server.url.replace(`:${port}`, `:${listener.address().port}`),
    made,
    /** Ends what is there, without a Close. */
    cut,
    /** Nothing passes any more on what is there; both sides stay connected. */
    silence: () => pairs.forEach(([near, far]) => (near.unpipe(far), far.unpipe(near))),
    /** The client receives nothing any more on what is there; the server receives everything. */
    deafen: () => pairs.forEach(([near, far]) => far.unpipe(near)),
    /** What waited passes again. */
    resume: () => pairs.forEach(([near, far]) => (near.pipe(far), far.pipe(near))),
  };
}
