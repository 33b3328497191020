// A client under test, and its events.
import { WebSocket, WebSocketServer } from "ws";
import { WastegateSocket } from "../../dist/index.js";
import { within } from "./gateway.js";

export { WebSocketServer };

const TYPES = [
  "open", "message", "error", "close", "lost", "queued", "admitted", "pressure", "evicting", "notice",
];

/** Short pauses, so that tests do not wait for long. */
export const QUICK = { WebSocket, backoffMs: 50, backoffMsMax: 400 };

/** Records the events of a socket; `next` waits for one that was not taken yet. */
export function recorded(socket) {
  const log = [];
  const taken = new Set();
  let wake = [];
  for (const type of TYPES) {
    socket.addEventListener(type, (event) => {
      log.push({ type, event, at: performance.now() });
      wake.forEach((look) => look());
    });
  }
  return {
    socket,
    log,
    count: (type) => log.filter((one) => one.type === type).length,
    types: () => log.map((one) => one.type),
    next(type, ms) {
      const found = new Promise((resolve) => {
        const look = () => {
          const one = log.find((one) => one.type === type && !taken.has(one));
          if (!one) return;
          taken.add(one);
          wake = wake.filter((other) => other !== look);
          resolve(one.event);
        };
        wake.push(look);
        look();
      });
      const events = () => log.map(({ type, event }) => `${type} ${event.code ?? ""}${JSON.stringify(event.detail ?? "")}`);
      return within(found, () => `"${type}"; events so far: ${events().join(", ") || "nothing"}`, ms);
    },
  };
}

/** Connects as a user. */
export function client(t, url, options = {}, protocols = []) {
  const asked = new URL(url);
  if (!options.token) asked.searchParams.set("user", options.user ?? "ann");
  const socket = new WastegateSocket(asked, protocols, { ...QUICK, ...options });
  t.after(() => socket.close());
  return recorded(socket);
}

/** Sends a text and waits until the built-in application has echoed it. */
export async function talk(one, text) {
  one.socket.send(text);
  for (;;) {
    const { data } = await one.next("message");
    if (data === text) return;
  }
}
