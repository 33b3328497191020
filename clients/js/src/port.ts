/** The messages between a tab and its SharedWorker. */
import type { Options } from "./options.js";

export interface Hello {
  url: string;
  protocols: string[];
  options: Options;
  /** Whether the tab has a token provider that can be asked. */
  hasToken: boolean;
  /** A lock that the tab holds as long as it lives. */
  lock?: string;
}

export type FromTab =
  | { hello: Hello }
  | { send: any }
  | { close: [number, string] }
  /** The page ends, or is put aside. */
  | { gone: true }
  | { visible: boolean }
  | { reconnect: true }
  | { token: string; ask: number }
  | { failed: string; ask: number };

export type FromWorker =
  | { ask: number }
  | {
      event: string;
      detail: unknown;
      state: 0 | 1 | 2 | 3;
      protocol: string;
      extensions: string;
      bufferedAmount: number;
    };
