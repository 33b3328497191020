// One decision, down to the values that the policy saw, and what another policy would have answered.
import { html, useMemo } from '../lib.js';
import { to, usePoll } from '../api.js';
import { Empty, Head, Instead, Section, Table, Tag, Time, UserLink } from '../parts.js';
import { duration, figure, micros, num, signal } from '../format.js';
import { policyOf } from './decisions.js';
import { Ask } from './ask.js';

export function Decision({ name, asked, readOnly }) {
  // Once: a decision is kept when its victims have ended, and does not change.
  const of = usePoll(to('v1', 'decisions', name), 0);
  const is = of.data;
  const title = `Decision ${name}`;
  if (!is) return html`<${Head} title=${title} /><${Instead} of=${of} rows=${10} what="This page" />`;
  return html`<${Head} title=${title} lead=${html`<${Sentence} is=${is} />`} />
    <div class="card pad"><dl class="pairs">
      <dt>Tier</dt><dd>${is.tier}</dd>
      <dt>Policy</dt><dd>${policyOf(is)} in ${micros(is.call_us)}${is.fuel !== null ? `, ${num(is.fuel)} units of fuel` : ''}</dd>
      ${is.params.length > 0 && html`<dt>Parameters</dt><dd>${is.params.map(({ name, value }) => `${name} ${figure(value)}`).join(', ')}</dd>`}
      ${is.experiment && html`<dt>Experiment</dt><dd>${is.experiment}</dd>`}
      ${is.fault && html`<dt>Fault</dt><dd>${is.fault}. The built-in ranking completed the decision.</dd>`}
    </dl></div>
    <${Evicted} is=${is} /><${Ranking} is=${is} /><${Rejected} is=${is} />
    <${Ask} is=${is} asked=${asked} readOnly=${readOnly} />`;
}

const Sentence = ({ is }) => html`<${Time} ms=${is.unix_ms} />: ${is.user === null ? 'the node' : html`<${UserLink} user=${is.user} />`} held ${num(is.held)} of ${num(is.limit)} and needed ${num(is.needed)}; ${num(is.rows)} might go, ${num(is.victims)} went.`;

/** Where each row stands in the ranking. */
export const places = (ranking) => new Map(ranking.map((entry, at) => [entry.row, { ...entry, at }]));

export const named = (is, row) => {
  const candidate = is.candidates.find((one) => one.row === row);
  if (!candidate) return html`<span class="soft">row ${row}</span>`;
  return html`<span class="mono">${is.user === null && candidate.user ? html`<span class="soft">${candidate.user} / </span>` : ''}${candidate.key}</span>`;
};

function Evicted({ is }) {
  return html`<${Section} title="What went"><div class="card">${is.evicted.length ? html`<${Table} caption="What went" rows=${is.evicted} id=${(row) => row.row} columns=${[
    { name: 'Manager', cell: (row) => named(is, row.row) },
    { name: 'Place', num: true, narrow: false, cell: (row) => num(row.place) },
    { name: 'Class', narrow: false, cell: (row) => row.class },
    { name: 'Reason', wrap: true, cell: (row) => html`<span class="reason">${row.reason || '–'}</span>` },
    { name: 'Put there by', narrow: false, cell: (row) => row.by },
    { name: 'Came to', cell: (row) => html`<${Tag} word=${row.outcome} as=${row.outcome === 'echoed' ? 'warn' : ''} title=${OUTCOMES[row.outcome]} />` },
    { name: 'After', num: true, cell: (row) => (row.after_ms === null ? '–' : duration(row.after_ms)) },
  ]} />` : html`<${Empty} title="Nothing went">No manager was evicted by this decision.</${Empty}>`}</div></${Section}>`;
}

const OUTCOMES = {
  echoed: 'Its client answered our Close: it was alive', gone: 'Nobody answered our Close', aborted: 'It was cut off', released: 'It had no connection',
  spared: 'It went by itself before', undecided: 'Not known yet',
};

function Ranking({ is }) {
  const at = useMemo(() => places(is.ranking), [is.ranking]);
  const rows = useMemo(() => {
    const last = is.ranking.length;
    return [...is.candidates].sort((a, b) => (at.get(a.row)?.at ?? last) - (at.get(b.row)?.at ?? last) || a.row - b.row);
  }, [is.candidates, at]);
  const went = new Set(is.evicted.map((row) => row.row));
  const columns = [
    { name: 'Manager', cell: (row) => named(is, row.row) },
    { name: 'Place', num: true, cell: (row) => (at.has(row.row) ? num(at.get(row.row).at + 1) : '–') },
    { name: 'Score', num: true, cell: (row) => figure(at.get(row.row)?.score) },
    { name: 'Health', cell: (row) => html`<${Tag} word=${row.health} />` },
    { name: 'Class', cell: (row) => row.class ?? '–' },
    { name: 'Protection', cell: (row) => (row.protection.level === 'evictable' ? html`<span class="soft">evictable</span>` : html`<${Tag} word=${row.protection.level} title=${row.protection.reason} />`) },
    ...is.signals.map((name, index) => ({ name, num: true, cell: (row) => signal(name, row.values[index]) })),
    { name: 'Why', cell: (row) => html`<span class="clip" title=${at.get(row.row)?.reason}>${at.get(row.row)?.reason || '–'}</span>` },
  ];
  return html`<${Section} title="Ranking" aside="Marked rows went. The values are those that the policy was shown."><div class="card">
    ${rows.length ? html`<${Table} caption="Ranking, with the signals that the policy read" rows=${rows} id=${(row) => row.row} className=${(row) => (went.has(row.row) ? 'marked' : '')} columns=${columns} />`
      : html`<${Empty} title="No candidate">No manager might be evicted at this tier.</${Empty}>`}</div></${Section}>`;
}

const REJECTED = {
  'no-such-row': 'it names no row of the question', repeated: 'it names a row a second time', 'score-not-a-number': 'its score is no number',
  newborn: 'its first connection is still on its way', pinned: 'it is pinned', protected: 'it is protected, and this is not the tier force',
  'not-at-this-tier': 'this tier may not touch its class', 'last-responsive': "it is the user's last responsive manager",
};

function Rejected({ is }) {
  if (!is.rejections.length) return null;
  return html`<${Section} title="Rejected by the guard"><div class="card"><${Table} caption="Rejected by the guard" rows=${is.rejections} id=${(row) => `${row.row}-${row.why}`} columns=${[
    { name: 'Row', cell: (row) => named(is, row.row) },
    { name: 'Why', cell: (row) => `${REJECTED[row.why] ?? row.why}` },
  ]} /></div></${Section}>`;
}
