/** What the class of the package `ws` shows and a browser hides: pings, and the response that refuses an upgrade. */
import type { Refusal } from "./surface.js";
import { readRefusal } from "./verdict.js";

/** The most of a refusal's body that is read. */
const REFUSAL_BYTES_MAX = 65_536;

/** Calls `alive` for each ping and pong of a connection, and `refused` if it is refused. */
export function listenInNode(raw: any, alive: () => void, refused: (refusal: Refusal) => void): void {
  raw.on("ping", alive);
  raw.on("pong", alive);
  raw.on("unexpected-response", (request: any, response: any) => {
    let text = "";
    const done = () => {
      refused(readRefusal(response.statusCode, response.headers["retry-after"], text));
      request.destroy();
    };
    response.setEncoding("utf8");
    response.on("data", (part: string) => {
      text += part;
      if (text.length > REFUSAL_BYTES_MAX) done();
    });
    response.on("end", done);
    response.on("error", done);
  });
}
