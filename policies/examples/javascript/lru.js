// `lru-js`: what its user has left alone for longest goes first.
//
// The same policy as `policies/lru`, in JavaScript. Score: `idle-ms`, the time since the last user
// activity, or 0 where that is unknown. It looks at nothing else.

// Places of the signals and of the reasons in the manifest below.
const IDLE = 0;
const LEFT_ALONE = 0;

export const ranker = {
  // What the policy is and what it wants to be told. Asked once, when it is loaded.
  describe() {
    return {
      name: "lru-js",
      version: "1.0.0",
      summary: "Evicts the managers that their users have left alone for longest.",
      signals: ["idle-ms"],
      parameters: [],
      reasons: ["least recently used"],
      scopes: ["user", "node"],
    };
  },

  // Best victim first. `columns` has one `Float64Array` for each signal, in the order of the
  // manifest, and in it one number for each manager.
  rank(call, columns) {
    const idle = columns[IDLE];
    const rows = Array.from(idle.keys());
    rows.sort((a, b) => compare(idle[a], idle[b]) || a - b);
    return rows.slice(0, enough(call.needed, rows.length)).map((row) => ({
      manager: row,
      score: known(idle[row]) ? idle[row] : 0,
      reason: LEFT_ALONE,
    }));
  },
};

// The longer idle goes first and the unknown last; equals are left to the caller.
function compare(a, b) {
  if (known(a) && known(b)) return b - a;
  return known(b) - known(a);
}

// Unknown values are NaN.
function known(value) {
  return !Number.isNaN(value);
}

// How many choices do: the host strikes some, so a quarter more than it needs, at least 16 more.
function enough(needed, rows) {
  return rows <= 64 ? rows : Math.min(rows, needed + Math.max(16, Math.floor(needed / 4)));
}
