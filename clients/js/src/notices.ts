/** Notices of the gateway: short JSON texts on connections of the subprotocol `wastegate.v1`. */

/** The subprotocol of clients that want notices. */
export const SUBPROTOCOL = "wastegate.v1";
const BEGINNING = '{"wastegate":"';
const KNOWN = ["queued", "admitted", "pressure", "evicting"];

export interface Notice {
  /** The event that reports it: its own name, or `notice` for one that this version does not know. */
  event: string;
  detail: Record<string, unknown>;
}

/** Reads a message as a notice, if it is one. */
export function readNotice(data: unknown): Notice | undefined {
  if (typeof data !== "string" || !data.startsWith(BEGINNING)) return undefined;
  let notice;
  try {
    notice = JSON.parse(data);
  } catch {
    return undefined; // the application's own text
  }
  const { wastegate, ...detail } = notice;
  return KNOWN.includes(wastegate)
    ? { event: wastegate, detail }
    : { event: "notice", detail: notice };
}
