// A real browser without a window, driven by its own protocol (DevTools), and a server for its pages.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { until, within } from "./gateway.js";

const FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"];
const TYPES = { js: "text/javascript", html: "text/html; charset=utf-8" };
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Serves this package's files, and an empty page at `/`. Returns its origin. */
export async function pages(t) {
  const server = createServer(async ({ url }, answer) => {
    const { pathname } = new URL(url, "http://localhost");
    try {
      const body = pathname === "/" ? "<!doctype html><title>page</title>" : await readFile(join(ROOT, pathname));
      answer.setHeader("content-type", TYPES[pathname.split(".").pop()] ?? TYPES.html);
      answer.end(body);
    } catch {
      answer.writeHead(404).end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** One tab. */
class Tab {
  constructor(browser, target, session) {
    Object.assign(this, { browser, target, session });
  }

  ask(method, params) {
    return this.browser.ask(method, params, this.session);
  }

  /** The value of an expression, or of the promise that it is. */
  async value(expression) {
    const asked = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
    const { result, exceptionDetails } = await this.ask("Runtime.evaluate", asked);
    if (exceptionDetails) {
      throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    }
    return result.value;
  }

  until(expression) {
    return until(`${expression} in the page`, () => this.value(expression));
  }

  /** Without this the browser takes the tab that was opened last for the visible one. */
  show() {
    return this.browser.ask("Target.activateTarget", { targetId: this.target });
  }

  close() {
    return this.browser.ask("Target.closeTarget", { targetId: this.target });
  }
}

class Browser {
  #socket;
  #number = 0;
  #waiting = new Map();

  constructor(socket) {
    this.#socket = socket;
    socket.on("message", (text) => {
      const { id, error, result } = JSON.parse(text);
      const { resolve, reject, method } = this.#waiting.get(id) ?? {};
      this.#waiting.delete(id);
      if (error) reject?.(new Error(`${method}: ${error.message}`));
      else resolve?.(result);
    });
  }

  ask(method, params = {}, sessionId = undefined) {
    const id = ++this.#number;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject, method }));
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return within(answer, () => `the browser's answer to ${method}`);
  }

  async attach(targetId) {
    const { sessionId } = await this.ask("Target.attachToTarget", { targetId, flatten: true });
    const tab = new Tab(this, targetId, sessionId);
    await tab.until("document.readyState === 'complete' && location.href !== 'about:blank'");
    return tab;
  }

  /** A tab with a page, once it is there. */
  async open(url) {
    const { targetId } = await this.ask("Target.createTarget", { url });
    return this.attach(targetId);
  }

  /** The tabs that show pages of an origin. */
  async tabs(origin) {
    const { targetInfos } = await this.ask("Target.getTargets");
    return targetInfos.filter(({ type, url }) => type === "page" && url.startsWith(origin));
  }
}

/** A browser with a profile of its own, which ends with the test. */
export async function chromium(t) {
  const profile = await mkdtemp(join(tmpdir(), "wastegate-client-"));
  const program = process.env.CHROMIUM ?? "chromium";
  const child = spawn(program, [...FLAGS, `--user-data-dir=${profile}`, "about:blank"], { stdio: "ignore" });
  const ended = once(child, "exit");
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
    // Its own helpers may still write.
    await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  });
  const address = await until("the browser to listen", async () => {
    const text = await readFile(join(profile, "DevToolsActivePort"), "utf8").catch(() => "");
    const [port, path] = text.trim().split("\n");
    return path && `ws://127.0.0.1:${port}${path}`;
  });
  const socket = new WebSocket(address, { perMessageDeflate: false });
  await within(once(socket, "open"), () => "the browser's socket");
  t.after(() => socket.terminate());
  return new Browser(socket);
}
