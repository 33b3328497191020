// The few counters that are read from the text of `/metrics`.

const LINE = /^wastegate_admission_outcomes_total\{([^}]*)\} (\S+)$/;

/** `[{ name, value }]`, the most frequent outcome first. */
export function outcomes(text) {
  const sums = new Map();
  for (const line of text.split('\n')) {
    const [, labels, value] = LINE.exec(line) ?? [];
    const name = labels && /outcome="([^"]*)"/.exec(labels)?.[1];
    if (name) sums.set(name, (sums.get(name) ?? 0) + Number(value));
  }
  const rows = [...sums].map(([name, value]) => ({ name, value })).filter((row) => row.value > 0);
  return rows.sort((a, b) => b.value - a.value);
}
