/**
 * `@wastegate/client/shared`: one connection for all tabs. The connection is in a SharedWorker
 * (`@wastegate/client/worker`); this is a tab's side of it, with the face of `WebSocket`.
 */
import { deviceName, randomName } from "./identity.js";
import { LIMITS, type Options } from "./options.js";
import { checkCode, notSent, SocketCloseEvent, socketUrl, Surface } from "./surface.js";
import type { FromTab, FromWorker } from "./port.js";

/** As for `WastegateSocket`, less what cannot be handed to a worker. */
export interface SharedOptions
  extends Omit<Options, "mayReturn" | "WebSocket" | "socketOptions"> {
  /** Where `@wastegate/client/worker` is served. */
  worker: string | URL;
}

export class SharedSocket extends Surface implements WebSocket {
  readonly url: string;
  readonly device: string;
  /** The manager's name, the same in all tabs. */
  readonly key: string;
  /** How binary messages arrive. All tabs get what the first one has set when it connected. */
  readonly binaryType: BinaryType = "blob";
  protocol = "";
  extensions = "";
  /** Bytes that the worker had not sent at its last event. */
  bufferedAmount = 0;
  #state: 0 | 1 | 2 | 3 = 0;
  #port: MessagePort;
  #token: Options["token"];
  #hasBuffer: boolean;
  #stopListening: () => void;

  constructor(url: string | URL, protocols: string | string[] = [], options: SharedOptions) {
    super();
    const { token, worker, ...rest } = options;
    this.url = socketUrl(url).href;
    this.device = options.device ?? deviceName();
    this.key = options.key ?? this.device;
    this.#token = token;
    this.#hasBuffer = (options.bufferMessagesMax ?? LIMITS.bufferMessagesMax) > 0;
    // Tabs that name the same worker by the same script share it.
    const name = `wastegate ${this.url} ${[protocols].flat()} ${this.key}`;
    this.#port = new SharedWorker(worker, { type: "module", name }).port;
    this.#port.onmessage = ({ data }) => this.#received(data);

    const seen = () => this.#post({ visible: document.visibilityState === "visible" });
    const gone = () => this.#post({ gone: true });
    const hello = (lock?: string) => {
      this.#post({
        hello: {
          url: this.url,
          protocols: [protocols].flat(),
          options: { ...rest, key: this.key, device: this.device },
          hasToken: !!token,
          ...(lock && { lock }),
        },
      });
      seen();
    };
    const back = (event: PageTransitionEvent) => {
      if (event.persisted) hello();
    };
    document.addEventListener("visibilitychange", seen);
    addEventListener("pagehide", gone);
    addEventListener("pageshow", back);
    let release = () => {};
    this.#stopListening = () => {
      document.removeEventListener("visibilitychange", seen);
      removeEventListener("pagehide", gone);
      removeEventListener("pageshow", back);
      release();
    };
    if (!navigator.locks) hello();
    else {
      // The worker waits for this lock: it gets it when the tab ends, however it ends.
      const lock = `wastegate.port.${randomName()}`;
      navigator.locks.request(lock, () => {
        hello(lock);
        return new Promise<void>((resolve) => (release = resolve));
      });
    }
  }

  get readyState(): 0 | 1 | 2 | 3 {
    return this.#state;
  }

  /** As that of `WastegateSocket`. If the worker's buffer is full, an event `error` reports it. */
  send(data: string | ArrayBufferLike | Blob | ArrayBufferView<ArrayBufferLike>): void {
    if (this.#state > 1) return;
    if (this.#state === 0 && !this.#hasBuffer) notSent("there is no connection at the moment");
    this.#post({ send: data });
  }

  /** Leaves. The connection closes when the last tab has left. */
  close(code = 1000, reason = ""): void {
    checkCode(code);
    if (this.#state > 1) return;
    this.#state = 2;
    this.#post({ close: [code, reason] });
    this.#stopListening();
    queueMicrotask(() => this.#ended(new SocketCloseEvent(code, reason, true)));
  }

  /** Tries at once, for all tabs. */
  reconnect(): void {
    if (this.#state === 3) this.#state = 0;
    this.#post({ reconnect: true });
  }

  #post(message: FromTab): void {
    this.#port.postMessage(message);
  }

  #ended(event: SocketCloseEvent): void {
    this.#state = 3;
    this.dispatchEvent(event);
  }

  #received(message: FromWorker): void {
    if ("ask" in message) {
      this.#answer(message.ask);
      return;
    }
    if (this.#state === 2 || (this.#state === 3 && message.state === 3)) return;
    const { event, detail, state } = message;
    this.protocol = message.protocol;
    this.extensions = message.extensions;
    this.bufferedAmount = message.bufferedAmount;
    this.#state = state;
    if (event === "message") {
      const { data, origin } = detail as { data: unknown; origin: string };
      this.dispatchEvent(new MessageEvent("message", { data, origin }));
    } else if (event === "close") {
      const { code, reason, wasClean, unsent } = detail as SocketCloseEvent;
      this.#ended(new SocketCloseEvent(code, reason, wasClean, undefined, unsent));
    } else if (event === "open") this.dispatchEvent(new Event("open"));
    else this.report(event, detail);
  }

  async #answer(ask: number): Promise<void> {
    try {
      this.#post({ token: await this.#token!(), ask });
    } catch (error) {
      this.#post({ failed: `${error}`, ask });
    }
  }
}

export default SharedSocket;
export type { FromTab, FromWorker };
