/** What can be set, with its defaults. Every wait, queue and count that the client has is one of these. */

/** A `WebSocket`, or a class like it, such as that of the package `ws`. */
export type SocketClass = new (
  url: string,
  protocols?: string | string[],
  ...more: any[]
) => any;

/** Control lines by which the application knows whether the user sees the page. */
export interface VisibilityHints {
  /** Sent when the page is shown, and on each new connection of a page that is shown. */
  visible: string;
  /** Sent when the page is hidden, and on each new connection of a page that is hidden. */
  hidden: string;
  /** What the application answers to each. It is taken out and never reaches `onmessage`. */
  answer?: string;
}

/** The control lines of wastegate's built-in application. */
export const BUILT_IN_HINTS: VisibilityHints = {
  visible: "/visible",
  hidden: "/hidden",
  answer: "ok",
};

/** A message that the application answers, to see whether the connection lives. */
export interface Heartbeat {
  /** The question. The gateway counts it as activity of the user, as any message. */
  message: string;
  /** Which texts are the answer. They never reach `onmessage`. */
  answer?: string | RegExp;
}

/** Names, all of which the gateway's operator can change too (`identity.*`). */
export interface Names {
  /** The query parameter of the key; "" sends none. */
  keyParam: string;
  /** The query parameter of the device; "" sends none. */
  deviceParam: string;
  /** The query parameter of the token, with `tokenIn: "query"`. */
  tokenParam: string;
  /** What stands before the token, with `tokenIn: "subprotocol"`. */
  tokenPrefix: string;
}

/** Limits and times. A name that ends in `Ms` is in milliseconds. */
export interface Limits {
  /** The ceiling of the first pause. Each further one is twice as high, and a pause is a random share of it. */
  backoffMs: number;
  /** The highest ceiling of a pause. */
  backoffMsMax: number;
  /** A connection that lasted this long starts the pauses anew. */
  stableMs: number;
  /** The least pause after a refusal by a close code (4429 to 4436), which does not carry the time to wait. */
  refusedMs: number;
  /** The longest wait that a refusal may ask for. */
  retryAfterMsMax: number;
  /** Attempts in a row that fail before the client gives up. */
  attemptsMax: number;
  /** How long an attempt may take. The gateway may hold an answer back for `admission.queue.wait_ms`, 30 s. */
  connectMsMax: number;
  /** How long the token provider may take. */
  tokenMsMax: number;
  /** How long a client may wait at one place in the queue. */
  queuedMsMax: number;
  /** How long a new connection is watched for the notice `queued` before it counts as open. */
  noticeMs: number;
  /** After this long without a word from the server the connection counts as gone; 0 for never. */
  silenceMs: number;
  /** Messages that are kept while there is no connection; 0 for none. */
  bufferMessagesMax: number;
  /** Bytes of such messages; characters of a text count as one. */
  bufferBytesMax: number;
}

export interface Options extends Partial<Names & Limits> {
  /** The manager's name. Default: one for each tab and socket, which a reload keeps; elsewhere one for each socket. */
  key?: string;
  /** The client's name. Default: one for each browser profile; elsewhere one for each process. */
  device?: string;
  /** Gives a token before each attempt. */
  token?: () => string | Promise<string>;
  /** Where the token goes. Default: `subprotocol`. */
  tokenIn?: "subprotocol" | "query";
  /** Offer `wastegate.v1` and get notices. Not in front of a backend, where no notices exist. Default: false. */
  notices?: boolean;
  /** Tell the application whether the page is visible. Default: no. */
  visibility?: VisibilityHints;
  /** A question for a connection that is silent for half of `silenceMs`. Default: a ping where scripts can send one. */
  heartbeat?: Heartbeat;
  /** Decides on a close code instead of the rules: true to connect again, undefined for the rules. */
  mayReturn?: (code: number, reason: string) => boolean | undefined;
  /** The class to connect with, where there is no global `WebSocket` (Node 20). */
  WebSocket?: SocketClass;
  /** A third argument for that class: for `ws`, its options, such as headers. */
  socketOptions?: unknown;
}

export const NAMES: Names = {
  keyParam: "key",
  deviceParam: "device",
  tokenParam: "token",
  tokenPrefix: "wastegate.bearer.",
};

export const LIMITS: Limits = {
  backoffMs: 1_000,
  backoffMsMax: 30_000,
  stableMs: 5_000,
  refusedMs: 5_000,
  retryAfterMsMax: 3_600_000,
  attemptsMax: Infinity,
  connectMsMax: 40_000,
  tokenMsMax: 10_000,
  queuedMsMax: 3_600_000,
  noticeMs: 100,
  silenceMs: 0,
  bufferMessagesMax: 0,
  bufferBytesMax: 1_048_576,
};
