// `{{name}}`: what its user has left alone for longest goes first.

// @ts-check

// Places in the lists of the manifest.
const IDLE = 0;
const LEFT_ALONE = 0;

/** @type {import("./wastegate").Manifest} */
const MANIFEST = {
  name: "{{name}}",
  version: "0.1.0",
  summary: "Evicts the managers that their users have left alone for longest.",
  signals: ["idle-ms"],
  parameters: [],
  reasons: ["least recently used"],
  scopes: ["user", "node"],
};

/** @type {import("./wastegate").Ranker} */
export const ranker = {
  describe: () => MANIFEST,

  // Best victim first. There is a column for each signal, with a number for each manager in it.
  rank(call, columns) {
    const idle = columns[IDLE];
    // Unknown values are NaN: they go last. The sort is stable, so equals stay as they were.
    const key = (/** @type {number} */ row) => (Number.isNaN(idle[row]) ? -Infinity : idle[row]);
    const rows = Array.from({ length: idle.length }, (_, row) => row);
    rows.sort((a, b) => (key(a) === key(b) ? 0 : key(b) - key(a)));
    return rows.slice(0, enough(call.needed, rows.length)).map((row) => ({
      manager: row,
      score: Number.isNaN(idle[row]) ? 0 : idle[row],
      reason: LEFT_ALONE,
    }));
  },
};

/**
 * Up to 64 rows all of them; beyond, a quarter more than needed, since the host strikes some.
 *
 * @param {number} needed
 * @param {number} rows
 */
function enough(needed, rows) {
  return rows <= 64 ? rows : needed + Math.max(16, Math.floor(needed / 4));
}
