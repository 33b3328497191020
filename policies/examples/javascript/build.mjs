// Makes a component of `lru.js`: `node build.mjs WIT OUTPUT [FEATURE ...]`.
//
// Features of the runtime (stdio, random, clocks, http, fetch-event) are left out unless they are
// named: a policy has no use for them, and the fewer there are, the less the component imports.

import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { componentize } from "@bytecodealliance/componentize-js";

const FEATURES = ["stdio", "random", "clocks", "http", "fetch-event"];

const [wit, output, ...wanted] = process.argv.slice(2);
if (!wit || !output || !wanted.every((feature) => FEATURES.includes(feature))) {
  console.error(`usage: node build.mjs WIT OUTPUT [${FEATURES.join(" | ")} ...]`);
  process.exit(64);
}

const source = fileURLToPath(new URL("lru.js", import.meta.url));
const { component } = await componentize(await readFile(source, "utf8"), {
  sourceName: "lru.js",
  witPath: wit,
  worldName: "policy",
  disableFeatures: FEATURES.filter((feature) => !wanted.includes(feature)),
});
await writeFile(output, component);
