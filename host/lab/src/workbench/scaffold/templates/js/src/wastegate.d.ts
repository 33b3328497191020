// The contract `wastegate:policy@1.0.0` as types, for your editor. The contract itself is in
// `wit/policy.wit`; names there have hyphens and here are in camel case. Nothing of this is built.

/** How hard the host is looking for room, mildest first. */
export type Tier = "proactive" | "conservative" | "moderate" | "aggressive" | "force";

/** Whose managers the rows are: one user's, or the whole node's. */
export type Scope = "user" | "node";

/** One decision to make. */
export interface Call {
  tier: Tier;
  scope: Scope;
  /** How many managers have to go. A shorter answer means that there are no more to propose. */
  needed: number;
  /** How many managers the scope may hold. */
  limit: number;
  /** How many managers the scope holds now. */
  held: number;
  /** Milliseconds on the host's monotonic clock. The answer must not depend on it. */
  nowMs: bigint;
  /** The only source of randomness. */
  seed: bigint;
  /** One value for each parameter of the manifest, in its order. */
  params: Float64Array;
}

/** One signal of all managers, in the order of the rows; NaN where the host does not know. */
export type Column = Float64Array;

/** One proposed victim. Only the order of the list counts. */
export interface Choice {
  /** The row, from 0. */
  manager: number;
  /** Kept in the record of the decision; must not be NaN. */
  score: number;
  /** Which of the manifest's reasons applies, from 0. */
  reason: number;
}

/** A number that the operator may set; the host keeps it between `min` and `max`. */
export interface Parameter {
  name: string;
  default: number;
  min: number;
  max: number;
  doc: string;
}

/** The signals of wastegate that a policy may ask for. */
export type Signal =
  | "age-ms"
  | "idle-ms"
  | "second-last-idle-ms"
  | "activity-count"
  | "activity-rate-1m"
  | "activity-decayed-1h"
  | "silence-ms"
  | "pong-age-ms"
  | "rtt-ms"
  | "missed-pongs"
  | "phi"
  | "health"
  | "probe-age-ms"
  | "connections"
  | "connections-alive"
  | "detached-ms"
  | "taken-over"
  | "queued-bytes"
  | "queue-head-age-ms"
  | "buffered-bytes"
  | "bytes-in"
  | "bytes-out"
  | "bytes-growth-1m"
  | "in-flight"
  | "errors"
  | "reconnects"
  | "evictions-before"
  | "returns-before"
  | "protection"
  | "priority"
  | "visibility"
  | "device-class"
  | "user-held"
  | "user-limit";

/** What a policy is, and what it wants to be told. */
export interface Manifest {
  /** Lower case words joined by hyphens. */
  name: string;
  /** `major.minor.patch`. */
  version: string;
  /** One sentence for the operator. */
  summary: string;
  /** The columns that it wants, in its order. */
  signals: Signal[];
  parameters: Parameter[];
  /** The phrases that choices refer to; at least one. */
  reasons: string[];
  /** At least one. */
  scopes: Scope[];
}

/** What a policy exports as `ranker`. */
export interface Ranker {
  /** Asked once, when the policy is loaded; always the same answer. */
  describe(): Manifest;
  /** The best victim first. An exception is a fault, and the host ranks by itself. */
  rank(call: Call, columns: Column[]): Choice[];
}
