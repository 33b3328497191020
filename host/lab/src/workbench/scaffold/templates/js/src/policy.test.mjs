// Unit tests in plain Node.js, with its debugger: `npm test`, or `node --test`.
// @ts-check

import assert from "node:assert/strict";
import { test } from "node:test";

import { ranker } from "./policy.js";

/**
 * Asks the policy about managers of whom only the idle times are known.
 *
 * @param {number[]} idle
 */
function ranked(...idle) {
  assert.deepEqual(ranker.describe().signals, ["idle-ms"]);
  /** @type {import("./wastegate").Call} */
  const call = {
    tier: "force",
    scope: "user",
    needed: 1,
    limit: idle.length,
    held: idle.length,
    nowMs: 1_000_000_000n,
    seed: 1n,
    params: new Float64Array(),
  };
  return ranker.rank(call, [Float64Array.from(idle)]);
}

test("the longest idle goes first and the unknown last", () => {
  const choices = ranked(10, NaN, 30, 20);
  assert.deepEqual(choices.map((choice) => choice.manager), [2, 3, 0, 1]);
  assert.deepEqual(choices.map((choice) => choice.score), [30, 20, 10, 0]);
});

test("equals stay as they were", () => {
  assert.deepEqual(ranked(5, 5, 5).map((choice) => choice.manager), [0, 1, 2]);
});
