// Makes a component of `lru.js`: `node build.mjs OUTPUT.wasm`.

import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { componentize } from "@bytecodealliance/componentize-js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const output = process.argv[2];
if (!output) {
  console.error("usage: node build.mjs OUTPUT.wasm");
  process.exit(64);
}

const { component } = await componentize(await readFile(here("lru.js"), "utf8"), {
  sourceName: "lru.js",
  witPath: here("../../../wit/policy.wit"),
  worldName: "policy",
  // A policy has no use for them, and without them the component imports less.
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
});
await writeFile(output, component);
