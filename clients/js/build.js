// Types by `tsc`, and one minified file for each entry by `esbuild`, into `dist/`.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

execFileSync(here("node_modules/.bin/tsc"), ["-p", here("tsconfig.json")], { stdio: "inherit" });
const entries = ["index", "shared", "worker"];
await build({
  entryPoints: entries.map((name) => here(`src/${name}.ts`)),
  outdir: here("dist"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
});
const sizes = entries.map((name) => `${name} ${gzipSync(readFileSync(here(`dist/${name}.js`)), { level: 9 }).length}`);
console.log(`bytes, minified and compressed: ${sizes.join(", ")}`);
