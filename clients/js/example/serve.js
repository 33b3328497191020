// Starts wastegate with three places for a user, and serves the example page. `npm run example`; the program is
// the one that WASTEGATE names, or `wastegate` on the path.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

const FILES = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/page.js": ["page.js", "text/javascript"],
  "/client.js": ["../dist/index.js", "text/javascript"],
};
const SETTINGS = {
  "limits.managers_per_user": 3,
  "limits.temporary_slots.count": 0, // no loans, so that the fourth tab displaces one at once
  "gateway.drain_spread_ms": 0, // and at its end nothing to wait for
  "gateway.drain_readyz_ms": 0,
  "gateway.refusal": "close", // a page can read close codes, and no refusal over HTTP
};

const gateway = spawn(
  process.env.WASTEGATE ?? "wastegate",
  [
    ...["serve", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
    ...Object.entries(SETTINGS).flatMap(([key, value]) => ["--set", `${key}=${value}`]),
  ],
  { stdio: ["ignore", "pipe", "inherit"] },
);
gateway.on("error", (error) => {
  console.error(`error: ${error.message}; name the program in WASTEGATE`);
  process.exit(1);
});
gateway.on("exit", (code) => process.exit(code ?? 0));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => gateway.kill(signal));

const [line] = await once(createInterface({ input: gateway.stdout }), "line");
const { url, admin } = JSON.parse(line);

const server = createServer(async (request, answer) => {
  try {
    if (request.url === "/gateway") {
      answer.end(JSON.stringify({ url }));
    } else if (request.url === "/slots") {
      // What operators see of the user. Pages may not ask the operators' listener themselves.
      const asked = await fetch(`http://${admin}/v1/users/ann`);
      answer.end(await asked.text());
    } else if (request.url in FILES) {
      const [name, type] = FILES[request.url];
      answer.setHeader("content-type", type);
      answer.end(await readFile(new URL(name, import.meta.url)));
    } else answer.writeHead(404).end();
  } catch (error) {
    answer.writeHead(500).end(`${error}`);
  }
});
server.listen(Number(process.env.PORT ?? 8088), "127.0.0.1");
await once(server, "listening");
console.log(`open http://127.0.0.1:${server.address().port}/`);
