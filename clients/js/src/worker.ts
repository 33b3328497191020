/**
 * `@wastegate/client/worker`: the SharedWorker of `@wastegate/client/shared`. It has one socket, which it opens
 * for the first tab, and passes its events on to every tab.
 */
import type { FromTab, FromWorker, Hello } from "./port.js";
import { WastegateSocket } from "./socket.js";
import type { SocketCloseEvent } from "./surface.js";

/** Events that are passed on as they are; their `detail` can be cloned. */
const PASSED = ["queued", "admitted", "pressure", "evicting", "notice"] as const;

interface Tab {
  post(message: FromWorker): void;
  visible: boolean;
  hasToken: boolean;
  /** Questions for a token that the tab has not answered. */
  asked: Map<number, { resolve(token: string): void; reject(error: Error): void }>;
}

const tabs = new Set<Tab>();
let socket: WastegateSocket | undefined;
let asks = 0;

function state(event: string, detail: unknown): FromWorker {
  const { readyState, protocol, extensions, bufferedAmount } = socket!;
  return { event, detail, state: readyState, protocol, extensions, bufferedAmount };
}

function broadcast(event: string, detail: unknown): void {
  const message = state(event, detail);
  for (const tab of tabs) tab.post(message);
}

/** A token of whichever tab answers first. */
function token(): Promise<string> {
  const able = [...tabs].filter((tab) => tab.hasToken);
  if (!able.length) return Promise.reject(new Error("no tab is there that has a token"));
  const answers = able.map((tab) => {
    const ask = ++asks;
    return new Promise<string>((resolve, reject) => {
      tab.asked.set(ask, { resolve, reject });
      tab.post({ ask });
    });
  });
  return Promise.any(answers).catch(({ errors }: AggregateError) => {
    throw errors[0];
  });
}

function open({ url, protocols, options, hasToken }: Hello): WastegateSocket {
  const opened = new WastegateSocket(url, protocols, { ...options, ...(hasToken && { token }) });
  opened.addEventListener("open", () => broadcast("open", undefined));
  opened.addEventListener("message", ({ data, origin }) => broadcast("message", { data, origin }));
  opened.addEventListener("error", ({ detail }) => broadcast("error", `${detail}`));
  opened.addEventListener("lost", ({ detail }) => {
    const { error, ...rest } = detail;
    broadcast("lost", error === undefined ? rest : { ...rest, error: `${error}` });
  });
  opened.addEventListener("close", ({ code, reason, wasClean, unsent }: SocketCloseEvent) => {
    broadcast("close", { code, reason, wasClean, unsent });
  });
  for (const type of PASSED) {
    opened.addEventListener(type, ({ detail }) => broadcast(type, detail));
  }
  return opened;
}

function see(): void {
  if (tabs.size) socket?.setVisible([...tabs].some((tab) => tab.visible));
}

/** A tab is no more. If it was the last one, the browser ends the worker, and the gateway keeps the manager a while. */
function leave(tab: Tab): void {
  tabs.delete(tab);
  for (const { reject } of tab.asked.values()) reject(new Error("the tab is gone"));
  tab.asked.clear();
  see();
}

function join(tab: Tab, hello: Hello): void {
  tabs.add(tab);
  tab.hasToken = hello.hasToken;
  if (hello.lock) navigator.locks.request(hello.lock, () => leave(tab));
  if (!socket) socket = open(hello);
  // A new tab connects, as it would with a socket of its own.
  else if (socket.readyState > 1) socket.reconnect();
  else if (socket.readyState === 1) tab.post(state("open", undefined));
}

function receive(tab: Tab, message: FromTab): void {
  if ("hello" in message) join(tab, message.hello);
  else if ("visible" in message) {
    tab.visible = message.visible;
    see();
  } else if ("send" in message) {
    try {
      socket!.send(message.send);
    } catch (error) {
      tab.post(state("error", `${error}`));
    }
  } else if ("close" in message) {
    leave(tab);
    if (!tabs.size) socket!.close(...message.close);
  } else if ("gone" in message) leave(tab);
  else if ("reconnect" in message) socket!.reconnect();
  else {
    const asked = tab.asked.get(message.ask);
    tab.asked.delete(message.ask);
    if ("token" in message) asked?.resolve(message.token);
    else asked?.reject(new Error(message.failed));
  }
}

addEventListener("connect", (event) => {
  const port = (event as MessageEvent).ports[0]!;
  const tab: Tab = {
    post: (message) => port.postMessage(message),
    visible: true,
    hasToken: false,
    asked: new Map(),
  };
  port.onmessage = ({ data }) => receive(tab, data);
});
