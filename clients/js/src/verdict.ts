/**
 * What a close code or a refusal asks of the client, and how long it pauses. Pure; docs/protocol.md is the
 * contract.
 */
import type { Refusal } from "./surface.js";

/** Codes of RFC 6455 and its registry that mean: connect again, after a pause. */
const AGAIN = [
  1001, // the server goes away
  1006, // lost without a Close
  1011, // internal error
  1012, // the server restarts
  1013, // the server is overloaded
  1014, // a proxy's backend failed
  1015, // TLS failed
];
/** The close codes of refusals (`gateway.refusal = "close"`): from the first to the last. */
const REFUSED = [4429, 4436] as const;

/** Whether a client may connect again by itself after this close code. */
export function mayReturn(code: number): boolean {
  return AGAIN.includes(code) || (code >= 4000 && code <= 4499);
}

/** Whether this close code is a refusal, whose length of wait a client cannot read. */
export function isRefusal(code: number): boolean {
  return code >= REFUSED[0] && code <= REFUSED[1];
}

/** Whether a client may try again after this status of a response that is no upgrade. */
export function mayRetry(status: number): boolean {
  return status === 429 || status === 408 || status >= 500;
}

/** The pause before attempt number `attempt` (from 0): at least `floorMs`, then full jitter. */
export function pauseMs(
  attempt: number,
  floorMs: number,
  limits: { backoffMs: number; backoffMsMax: number },
): number {
  const ceiling = Math.min(limits.backoffMsMax, limits.backoffMs * 2 ** attempt);
  return floorMs + Math.random() * ceiling;
}

/** Reads a response that is no upgrade: the JSON of the gateway, or only status and `Retry-After`. */
export function readRefusal(status: number, retryAfter: string | undefined, text: string): Refusal {
  const refusal: Refusal = { status };
  const seconds = Number(retryAfter);
  // `Retry-After` may also be a date (RFC 9110, section 10.2.3).
  const waitMs = Number.isNaN(seconds) ? Date.parse(retryAfter!) - Date.now() : seconds * 1000;
  if (retryAfter && waitMs >= 0) refusal.retryAfterMs = waitMs;
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return refusal; // a backend's page; the status is enough
  }
  refusal.body = body;
  if (typeof body?.error === "string") refusal.error = body.error;
  if (typeof body?.message === "string") refusal.message = body.message;
  if (body?.retry_after_ms >= 0) refusal.retryAfterMs = body.retry_after_ms;
  return refusal;
}
