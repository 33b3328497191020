/**
 * What this package's sockets have in common with `WebSocket`: its constants, `on…` properties and typed
 * events. Not here: connections.
 */

/** Why a request to connect was refused, where this can be read: not in browsers. */
export interface Refusal {
  /** The status of the HTTP response. */
  status: number;
  /** The word that stays: `user-limit`, `displaced`, `blocked` and the others of docs/protocol.md. */
  error?: string;
  /** The same in a sentence. */
  message?: string;
  /** How long the gateway asks the client to wait. */
  retryAfterMs?: number;
  /** The whole JSON body, if there was one. */
  body?: unknown;
}

/** A connection is gone, or an attempt failed, and the client tries again by itself. */
export interface Lost {
  /** The close code, or 1006 where there was none. */
  code: number;
  /** The reason in words. */
  reason: string;
  /** The pause before the next attempt. */
  retryInMs: number;
  /** The refusal, where it could be read. */
  refusal?: Refusal;
  /** What failed on this side: the token provider, or the network. */
  error?: unknown;
}

/** The user's pressure level changed. */
export interface Pressure {
  level: "normal" | "info" | "warning" | "critical" | "emergency";
  held: number;
  limit: number;
}

/** The event `close`: the client does not connect again by itself. */
export class SocketCloseEvent extends Event implements CloseEvent {
  constructor(
    /** The close code; 1006 if the server sent none. */
    readonly code: number,
    /** The reason in words. */
    readonly reason: string,
    /** Whether both ends sent a Close. */
    readonly wasClean: boolean,
    /** The refusal, where it could be read. */
    readonly refusal?: Refusal,
    /** Messages of the buffer that were never sent. */
    readonly unsent = 0,
  ) {
    super("close");
  }
}

/** Events of `WebSocket`, and those of the gateway. */
export interface SocketEventMap {
  /** A connection is open: for the first time, or again. */
  open: Event;
  message: MessageEvent;
  /** Comes before a `close` that is not clean; its `detail` is what failed. */
  error: CustomEvent<unknown>;
  close: SocketCloseEvent;
  /** A connection is gone; the next attempt comes after a pause. */
  lost: CustomEvent<Lost>;
  /** The client waits for a slot, at this place; 1 is next. */
  queued: CustomEvent<{ position: number }>;
  /** The client that waited has a slot. */
  admitted: CustomEvent<object>;
  pressure: CustomEvent<Pressure>;
  /** The server is about to close the connection to make room. */
  evicting: CustomEvent<{ cause: string }>;
  /** A notice of a kind that this version does not know. */
  notice: CustomEvent<{ wastegate: string }>;
}

type Handler<E> = ((this: any, event: E) => unknown) | null;

const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const;

/** The face of `WebSocket`. */
export abstract class Surface extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  declare readonly CONNECTING: 0;
  declare readonly OPEN: 1;
  declare readonly CLOSING: 2;
  declare readonly CLOSED: 3;

  declare onopen: Handler<Event>;
  declare onmessage: Handler<MessageEvent>;
  declare onerror: Handler<Event>;
  // What is beyond `CloseEvent` is optional here, so that this is a `WebSocket` for the compiler too.
  declare onclose: Handler<CloseEvent & Partial<Pick<SocketCloseEvent, "refusal" | "unsent">>>;

  override addEventListener<K extends keyof SocketEventMap>(
    type: K,
    listener: (this: this, event: SocketEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    listener: any,
    options?: boolean | AddEventListenerOptions,
  ): void {
    super.addEventListener(type, listener, options);
  }

  override removeEventListener<K extends keyof SocketEventMap>(
    type: K,
    listener: (this: this, event: SocketEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  override removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
  override removeEventListener(
    type: string,
    listener: any,
    options?: boolean | EventListenerOptions,
  ): void {
    super.removeEventListener(type, listener, options);
  }

  protected report(type: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

Object.assign(Surface.prototype, STATES);
for (const type of ["open", "message", "error", "close"]) {
  const handlers = new WeakMap<Surface, unknown>();
  Object.defineProperty(Surface.prototype, `on${type}`, {
    get(this: Surface) {
      return handlers.get(this) ?? null;
    },
    set(this: Surface, handler: unknown) {
      // One listener for good, so that a handler that is replaced keeps its turn, as in `WebSocket`.
      if (!handlers.has(this)) {
        this.addEventListener(type, (event) => {
          const now = handlers.get(this);
          if (typeof now === "function") now.call(this, event);
        });
      }
      handlers.set(this, handler);
    },
  });
}

/** The URL that a `WebSocket` would ask for: absolute, `ws` or `wss`, without a fragment. */
export function socketUrl(url: string | URL): URL {
  let asked;
  try {
    asked = new URL(url, globalThis.location?.href);
  } catch {
    throw new DOMException(`${url} is not a URL`, "SyntaxError");
  }
  asked.protocol = asked.protocol.replace(/^http/, "ws");
  if (!/^wss?:$/.test(asked.protocol) || asked.hash) {
    throw new DOMException(`${url} is not a URL of a WebSocket`, "SyntaxError");
  }
  return asked;
}

/** What `send` throws while there is no connection and the message cannot be kept. */
export function notSent(why: string, name = "InvalidStateError"): never {
  throw new DOMException(why, name);
}

/** The codes that `close` takes, as in `WebSocket`. */
export function checkCode(code: number | undefined): void {
  if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
    notSent(`${code} is no code that a client may close with`, "InvalidAccessError");
  }
}
