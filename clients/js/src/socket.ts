/**
 * A `WebSocket` that comes back. Its connections follow one another; at most one of them counts, and events of
 * earlier ones are ignored.
 */
import { deviceName, OwnKey } from "./identity.js";
import { listenInNode } from "./node.js";
import { readNotice, SUBPROTOCOL } from "./notices.js";
import { LIMITS, NAMES, type Limits, type Names, type Options, type SocketClass } from "./options.js";
import {
  checkCode,
  notSent,
  SocketCloseEvent,
  socketUrl,
  Surface,
  type Lost,
  type Refusal,
} from "./surface.js";
import { isRefusal, mayRetry, mayReturn, pauseMs } from "./verdict.js";

type Data = string | ArrayBufferLike | Blob | ArrayBufferView<ArrayBufferLike>;
/** What ended: a connection or an attempt. */
type Ending = Omit<Lost, "retryInMs"> & { wasClean?: boolean };

/** How often the watch for the notice `queued` is doubled after failures. */
const NOTICE_DOUBLINGS_MAX = 5;

const now = () => performance.now();

function sizeOf(data: any): number {
  return data.byteLength ?? data.size ?? data.length;
}

/** A promise with a deadline. */
function within<T>(promise: T | Promise<T>, ms: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * Use it as a `WebSocket`. While it is between two connections its `readyState` is `CONNECTING`; `open` comes
 * for each connection, and `close` once, when the client does not come back by itself.
 */
export class WastegateSocket extends Surface implements WebSocket {
  /** The URL that was asked for, without what this package adds. */
  readonly url: string;
  /** The manager's name, once the first attempt has begun. */
  key: string | undefined;
  /** The client's name. */
  readonly device: string;

  #options: Options & Names & Limits;
  #protocols: string[];
  #class: SocketClass;
  #state: 0 | 1 | 2 | 3 = 0;
  #raw: any;
  /** A connection that fell silent. It is closed when the next one is open: a Close would end its manager. */
  #stale: any;
  /** Grows with each attempt, so that what belongs to an earlier one is known. */
  #turn = 0;
  /** Attempts and connections in a row that came to nothing. */
  #failures = 0;
  #unauthorized = 0;
  #openedAt = 0;
  /** Before this time no attempt is made, whatever happens: a refusal asked for it. */
  #notBefore = 0;
  #queued = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #receivedAt = 0;
  #buffer: Data[] = [];
  #bufferedBytes = 0;
  #discardedBytes = 0;
  #answersDue = 0;
  #visible: boolean | undefined;
  #ownKey = new OwnKey();
  #hasOwnKey: boolean;
  #binaryType: BinaryType = "blob";
  #stopListening: (() => void) | undefined;

  constructor(url: string | URL, protocols: string | string[] = [], options: Options = {}) {
    super();
    this.#options = { ...NAMES, ...LIMITS, ...options };
    this.url = socketUrl(url).href;
    this.#protocols = [protocols].flat();
    this.#class = options.WebSocket ?? (globalThis as { WebSocket?: SocketClass }).WebSocket!;
    if (!this.#class) {
      throw new TypeError("there is no WebSocket here: give a class as the option `WebSocket`");
    }
    const named = new URL(this.url).searchParams;
    this.key = options.key ?? named.get(this.#options.keyParam) ?? undefined;
    this.#hasOwnKey = this.key === undefined;
    this.device = options.device ?? named.get(this.#options.deviceParam) ?? deviceName();
    this.reconnect();
  }

  get readyState(): 0 | 1 | 2 | 3 {
    return this.#state;
  }

  /** How binary messages arrive. */
  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(type: BinaryType) {
    this.#binaryType = type;
    if (this.#raw) this.#raw.binaryType = type;
  }

  /** The subprotocol of this connection. */
  get protocol(): string {
    return this.#raw?.protocol ?? "";
  }

  get extensions(): string {
    return this.#raw?.extensions ?? "";
  }

  /** Bytes that are not sent yet: of the connection and of the buffer. */
  get bufferedAmount(): number {
    return (this.#raw?.bufferedAmount ?? 0) + this.#bufferedBytes + this.#discardedBytes;
  }

  /**
   * Sends a message. Without a connection it is kept if there is room in the buffer (`bufferMessagesMax`);
   * otherwise this throws, `InvalidStateError` without a buffer and `QuotaExceededError` if it is full.
   */
  send(data: Data): void {
    if (this.#state === 1) {
      this.#raw.send(data);
      return;
    }
    const bytes = sizeOf(data);
    if (this.#state > 1) {
      this.#discardedBytes += bytes; // as in `WebSocket`
      return;
    }
    const { bufferMessagesMax, bufferBytesMax } = this.#options;
    if (!bufferMessagesMax) notSent("there is no connection at the moment");
    if (this.#buffer.length >= bufferMessagesMax || this.#bufferedBytes + bytes > bufferBytesMax) {
      notSent("the buffer of messages is full", "QuotaExceededError");
    }
    this.#buffer.push(data);
    this.#bufferedBytes += bytes;
  }

  /** Closes for good. The gateway ends the manager at once if this is its last connection. */
  close(code = 1000, reason = ""): void {
    checkCode(code);
    if (this.#state > 1) return;
    if (this.#state === 1) {
      this.#state = 2;
      clearTimeout(this.#timer);
      this.#raw.close(code, reason);
      return;
    }
    this.#state = 2;
    this.#drop()?.close();
    queueMicrotask(() => this.#end({ code, reason, wasClean: true }));
  }

  /** Tries at once: in a pause, or after the event `close`. */
  reconnect(): void {
    if (this.#state === 1 || this.#state === 2 || this.#raw) return;
    this.#state = 0;
    this.#listen();
    this.#attempt();
  }

  /** Tells the application whether the user sees it. A page does so by itself, with the option `visibility`. */
  setVisible(visible: boolean): void {
    if (visible === this.#visible) return;
    this.#visible = visible;
    if (this.#state === 1) this.#hint();
  }

  async #attempt(): Promise<void> {
    clearTimeout(this.#timer);
    const turn = ++this.#turn;
    const isOver = () => turn !== this.#turn || this.#state !== 0;
    let asked: { url: string; protocols: string[] };
    try {
      asked = await this.#request();
    } catch (error) {
      if (!isOver()) this.#lost({ code: 1006, reason: "there is no token", error });
      return;
    }
    if (isOver()) return;
    const { socketOptions, connectMsMax } = this.#options;
    let raw: any;
    try {
      const more = socketOptions === undefined ? [] : [socketOptions];
      raw = new this.#class(asked.url, asked.protocols, ...more);
    } catch (error) {
      // The same request would fail for ever.
      this.#end({ code: 1006, reason: `${error}`, error });
      return;
    }
    this.#raw = raw;
    const when = (handler: (event: any) => void) => (event?: any) => {
      if (raw === this.#raw) handler(event);
    };
    let failure: unknown;
    raw.binaryType = this.binaryType;
    raw.onopen = when(() => this.#upgraded());
    raw.onmessage = when((event) => this.#received(event));
    raw.onerror = (event: any) => {
      failure = event.error ?? event.message;
    };
    raw.onclose = when(({ code, reason, wasClean }) => {
      this.#drop();
      this.#lost({ code, reason, wasClean, ...(failure !== undefined && { error: failure }) });
    });
    if (raw.on) {
      const refused = when((refusal: Refusal) => {
        this.#drop();
        const reason = refusal.message ?? `refused with status ${refusal.status}`;
        this.#lost({ code: 1006, reason, refusal });
      });
      listenInNode(raw, when(() => this.#touch()), refused);
    }
    this.#timer = setTimeout(() => {
      this.#drop()?.close();
      this.#lost({ code: 1006, reason: `no connection within ${connectMsMax} ms` });
    }, connectMsMax);
  }

  /** What to ask for this time: with a fresh token. */
  async #request(): Promise<{ url: string; protocols: string[] }> {
    const options = this.#options;
    const url = new URL(this.url);
    const add = (name: string, value: string) => {
      if (name && !url.searchParams.has(name)) url.searchParams.set(name, value);
    };
    if (this.#hasOwnKey) this.key = await this.#ownKey.take();
    add(options.keyParam, this.key!);
    add(options.deviceParam, this.device);
    const protocols = [...new Set([...(options.notices ? [SUBPROTOCOL] : []), ...this.#protocols])];
    if (options.token) {
      const token = await within(options.token(), options.tokenMsMax, "the token provider");
      if (options.tokenIn === "query") url.searchParams.set(options.tokenParam, token);
      else protocols.push(options.tokenPrefix + token);
    }
    return { url: url.href, protocols };
  }

  /** The upgrade is done. Whether the client is admitted, or has to wait, shows the next notice. */
  #upgraded(): void {
    clearTimeout(this.#timer);
    if (this.protocol !== SUBPROTOCOL) {
      this.#opened();
      return;
    }
    // The gateway closes a client that sends something while it waits in the queue. It sends `queued` at once
    // and nothing to a client that is admitted at once, so the client has to wait for what may not come.
    const patience = this.#options.noticeMs * 2 ** Math.min(this.#failures, NOTICE_DOUBLINGS_MAX);
    this.#timer = setTimeout(() => this.#opened(), patience);
  }

  #opened(): void {
    clearTimeout(this.#timer);
    this.#queued = false;
    this.#state = 1;
    this.#openedAt = now();
    this.#unauthorized = 0;
    this.#stale?.close();
    this.#stale = undefined;
    this.#touch();
    this.#answersDue = 0;
    this.#hint();
    this.#watch();
    const raw = this.#raw;
    this.dispatchEvent(new Event("open"));
    // A listener may have closed the socket.
    while (raw === this.#raw && this.#state === 1 && this.#buffer.length) {
      const data = this.#buffer.shift()!;
      this.#bufferedBytes -= sizeOf(data);
      raw.send(data);
    }
  }

  #received({ data, origin }: MessageEvent): void {
    this.#touch();
    const notice = this.protocol === SUBPROTOCOL ? readNotice(data) : undefined;
    if (notice?.event === "queued") {
      // Back to waiting, if the notice came too late to be waited for.
      this.#state = this.#state === 1 ? 0 : this.#state;
      this.#queued = true;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        this.#drop()?.close();
        this.#lost({ code: 1006, reason: "waited too long in the queue" });
      }, this.#options.queuedMsMax);
    }
    if (notice) this.report(notice.event, notice.detail);
    // Anything but a place in the queue is for a client that is in. A listener may have closed the socket.
    if (this.#state === 0 && notice?.event !== "queued" && this.#raw) this.#opened();
    if (notice || this.#isAnswer(data) || this.#state !== 1) return;
    this.dispatchEvent(new MessageEvent("message", { data, origin: origin ?? "" }));
  }

  /** Whether a message answers a hint or the heartbeat. Of two equal messages it does not matter which is taken. */
  #isAnswer(data: unknown): boolean {
    if (this.#answersDue && data === this.#options.visibility?.answer) {
      this.#answersDue--;
      return true;
    }
    const answer = this.#options.heartbeat?.answer;
    return answer instanceof RegExp ? typeof data === "string" && answer.test(data) : data === answer;
  }

  #hint(): void {
    const { visibility } = this.#options;
    if (!visibility || this.#visible === undefined) return;
    this.#raw.send(this.#visible ? visibility.visible : visibility.hidden);
    if (visibility.answer !== undefined) this.#answersDue++;
  }

  #touch(): void {
    this.#receivedAt = now();
  }

  /** Waits for half of the allowed silence, then asks, then waits for the other half. */
  #watch(): void {
    const { silenceMs } = this.#options;
    clearTimeout(this.#timer);
    if (!silenceMs || this.#state !== 1) return;
    const left = this.#receivedAt + silenceMs / 2 - now();
    this.#timer = setTimeout(() => (now() < this.#receivedAt + silenceMs / 2 ? this.#watch() : this.#ask()), left);
  }

  /** Asks a connection that is silent for an answer. */
  #ask(isRepeated = false): void {
    const { heartbeat, silenceMs } = this.#options;
    if (heartbeat) this.#raw.send(heartbeat.message);
    else this.#raw.ping?.();
    const askedAt = now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#receivedAt >= askedAt) this.#watch();
      // The process was away, asleep perhaps, and has not read yet what came meanwhile.
      else if (now() - askedAt > silenceMs && !isRepeated) this.#ask(true);
      else {
        this.#stale?.close();
        this.#stale = this.#drop();
        this.#lost({ code: 1006, reason: `the server sent nothing for ${silenceMs} ms` });
      }
    }, silenceMs / 2);
  }

  /** Takes its connection away from this socket. */
  #drop(): any {
    clearTimeout(this.#timer);
    this.#turn++;
    const raw = this.#raw;
    this.#raw = undefined;
    return raw;
  }

  /** A connection or an attempt is over: is it for good, and if not, when does the next one begin? */
  #lost(ending: Ending): void {
    const { code, reason, refusal } = ending;
    const wasQueued = this.#queued;
    this.#queued = false;
    if (this.#openedAt && now() - this.#openedAt >= this.#options.stableMs) this.#failures = 0;
    this.#openedAt = 0;
    if (this.#state > 1 || !this.#returns(ending, wasQueued) || this.#failures >= this.#options.attemptsMax) {
      this.#end(ending);
      return;
    }
    const { refusedMs, retryAfterMsMax } = this.#options;
    const least = refusal ? (refusal.retryAfterMs ?? 0) : isRefusal(code) ? refusedMs : 0;
    const floor = Math.min(least, retryAfterMsMax);
    const retryInMs = pauseMs(this.#failures++, floor, this.#options);
    this.#state = 0;
    this.#notBefore = now() + floor;
    this.#timer = setTimeout(() => this.#attempt(), retryInMs);
    const { error } = ending;
    this.report("lost", {
      code,
      reason,
      retryInMs,
      ...(refusal && { refusal }),
      ...(error !== undefined && { error }),
    });
  }

  #returns({ code, reason, refusal }: Ending, wasQueued: boolean): boolean {
    const { mayReturn: own, token } = this.#options;
    const status = refusal?.status;
    // A fresh token may do better, once.
    if (status === 401) return !!token && this.#unauthorized++ === 0;
    if (status) return mayRetry(status);
    // It sent something before it knew that it waits; nothing was delivered.
    if (wasQueued && code === 1008) return true;
    return own?.(code, reason) ?? mayReturn(code);
  }

  #end(ending: Ending): void {
    const { code, reason, wasClean = false, refusal, error } = ending;
    this.#drop();
    this.#stale?.close();
    this.#stale = undefined;
    this.#state = 3;
    this.#failures = 0;
    this.#unauthorized = 0;
    this.#ownKey.release();
    this.#stopListening?.();
    this.#stopListening = undefined;
    const unsent = this.#buffer.length;
    this.#discardedBytes += this.#bufferedBytes;
    this.#buffer = [];
    this.#bufferedBytes = 0;
    if (!wasClean) this.report("error", error ?? reason);
    this.dispatchEvent(new SocketCloseEvent(code, reason, wasClean, refusal, unsent));
  }

  /** Listens to the page: is the network back, and does the user see it? */
  #listen(): void {
    if (this.#stopListening || typeof addEventListener !== "function") return;
    const online = () => {
      if (this.#state === 1 && this.#options.silenceMs) this.#ask();
      else if (this.#state === 0 && now() >= this.#notBefore) this.reconnect();
    };
    addEventListener("online", online);
    const page = typeof document === "undefined" ? undefined : document;
    const seen = () => this.setVisible(page!.visibilityState === "visible");
    if (page) seen();
    page?.addEventListener("visibilitychange", seen);
    this.#stopListening = () => {
      removeEventListener("online", online);
      page?.removeEventListener("visibilitychange", seen);
    };
  }
}
