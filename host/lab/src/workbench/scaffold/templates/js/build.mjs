// Makes a component of the policy: `node build.mjs SOURCE OUTPUT`.

import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { componentize } from "@bytecodealliance/componentize-js";

const [source, output] = process.argv.slice(2);
const { component } = await componentize(await readFile(source, "utf8"), {
  sourceName: basename(source),
  witPath: "wit/policy.wit",
  worldName: "policy",
  // A policy may not use any of these, so the component need not ask for them.
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
});
await writeFile(output, component);
