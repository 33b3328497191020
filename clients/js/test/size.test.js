// What a page has to load.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const GZIP_BYTES_MAX = 5 * 1024;

test("the client has at most 5 KiB, minified and compressed", async () => {
  const file = await readFile(new URL("../dist/index.js", import.meta.url));
  const bytes = gzipSync(file, { level: 9 }).length;
  assert.ok(bytes <= GZIP_BYTES_MAX, `${bytes} bytes`);
});

test("it needs nothing else at run time", async () => {
  const { dependencies = {} } = JSON.parse(await readFile(new URL("../package.json", import.meta.url)));
  assert.deepEqual(dependencies, {});
});
