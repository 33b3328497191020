// The few counters that are read from the text of `/metrics`.

/** `[{ name, value }]`, the most frequent first: a counter's sums by one of its labels. */
function sums(text, metric, label) {
  const found = new Map();
  const value = new RegExp(`(?:^|,)${label}="([^"]*)"`);
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${metric}{`)) continue;
    const end = line.lastIndexOf('}');
    const name = value.exec(line.slice(metric.length + 1, end))?.[1];
    if (name) found.set(name, (found.get(name) ?? 0) + Number(line.slice(end + 1)));
  }
  const rows = [...found].map(([name, count]) => ({ name, value: count })).filter((row) => row.value > 0);
  return rows.sort((a, b) => b.value - a.value);
}

/** Admissions by outcome. */
export const outcomes = (text) => sums(text, 'wastegate_admission_outcomes_total', 'outcome');

/** How often users passed their traffic budget, by what was too much. */
export const overBudget = (text) => sums(text, 'wastegate_connection_over_budget_total', 'of');

/** Connections that ended, by reason. */
export const ends = (text) => sums(text, 'wastegate_gateway_closed_total', 'reason');

/** Failed calls of policies, by kind. */
export const faults = (text) => sums(text, 'wastegate_policy_faults_total', 'fault');
