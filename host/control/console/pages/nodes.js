// The nodes of a cluster as this node sees them: what they publish, with its age. No other node is asked.
import { html } from '../lib.js';
import { Prose, Section, Table, Tag } from '../parts.js';
import { brief, count, num } from '../format.js';
import { href } from '../route.js';

/** A node beats each second. What is older than two beats, and half a one for the way, is marked with its age, ms. */
const LATE_MS = 2500;

const isLate = (node) => node.beat_age_ms > LATE_MS;
const ago = (ms) => `${brief(ms)} ago`;
/** Of a node's problem others know the first bytes. */
const PROBLEM_BYTES_MAX = 200;
const bytesOf = (text) => new TextEncoder().encode(text).length;

/** Why a node does not follow, in its words; what was cut off is marked, and no code is left open. */
export function whyNot({ problem }) {
  if (bytesOf(problem) < PROBLEM_BYTES_MAX - 3) return problem;
  const isOpen = problem.split('`').length % 2 === 0;
  return `${problem}${isOpen ? '`' : ''}…`;
}

/** The cluster of an answer of `v1/nodes`; null on a node that is in none, and of a server that knows no cluster. */
export const clusterOf = (nodes) => nodes.data?.cluster ?? null;

/** The newest number of the shared document that a node follows. */
const newest = (cluster) => Math.max(0, ...cluster.nodes.map((node) => node.shared));

/** Every node, those that fell silent last: `state` is `up`, `draining`, `late`, `unknown` or `gone`. */
function rowsOf(cluster) {
  const state = (node) => {
    if (!cluster.engine_up) return node.this ? 'up' : 'unknown';
    if (isLate(node)) return 'late';
    return node.draining ? 'draining' : 'up';
  };
  return [...cluster.nodes.map((node) => ({ ...node, state: state(node) })), ...(cluster.gone ?? []).map((node) => ({ ...node, state: 'gone' }))];
}

/** How the cluster is, in a few words: `3 of 3 nodes, engine up`. */
export function summary(cluster) {
  const rows = rowsOf(cluster);
  if (!cluster.engine_up) return `Engine away; ${count(rows.length, 'node')} when it last answered`;
  const here = rows.filter((row) => ['up', 'draining'].includes(row.state));
  const draining = rows.filter((row) => row.state === 'draining').length;
  return `${num(here.length)} of ${count(rows.length, 'node')}${draining ? `, ${num(draining)} draining` : ''}, engine up`;
}

/**
 * What is wrong, as sentences: `{ id, kind, text, isTold }`, with a kind of `bad` or `warn`. What `isTold` is among
 * the server's own problems too.
 */
export function concerns(cluster) {
  const found = [];
  const add = (id, kind, text, isTold = false) => found.push({ id, kind, text, isTold });
  if (!cluster.engine_up) add('engine', 'bad', `The cluster's engine does not answer${cluster.engine_problem ? ` (${cluster.engine_problem})` : ''}: \`cluster.away\` decides about new managers. What is shown of other nodes is from before.`, true);
  else if (!cluster.nodes.some((node) => node.this)) add('out', 'bad', 'This node is not in the cluster: another live node has its name, or its first beat is on its way.');
  for (const row of rowsOf(cluster)) {
    if (row.state === 'gone') add(`gone ${row.name}`, 'bad', `${row.name} is gone: its last beat came ${ago(row.beat_age_ms)}.`);
    if (row.state === 'late') add(`late ${row.name}`, 'warn', `${row.name} is late: its last beat came ${ago(row.beat_age_ms)}.`);
    if (row.other_secret) add(`secret ${row.name}`, 'bad', `${row.name} has another \`cluster.secret\` than this node: the two count users apart.`, true);
    if (row.problem) add(`problem ${row.name}`, 'bad', `${row.name} does not follow the shared policies: ${whyNot(row)}`);
  }
  return found;
}

/** One line for the overview, and a link to the nodes. */
export function Line({ cluster }) {
  const all = concerns(cluster);
  const kind = all.some((one) => one.kind === 'bad') ? 'bad' : all.length ? 'warn' : 'good';
  return html`<p class="cluster-line"><${Tag} word=${{ good: 'well', warn: 'look', bad: 'alarm' }[kind]} as=${kind} /> <a href=${href(['node'])}>${summary(cluster)}</a></p>`;
}

/** What another node says of itself as a link, if it is one that a browser may follow; text otherwise. */
function Admin({ at }) {
  if (!at) return html`<span class="soft">–</span>`;
  let url = null;
  try { url = new URL(at); } catch { /* then it is text */ }
  return url && ['http:', 'https:'].includes(url.protocol) ? html`<a class="mono" href=${url.href} rel="noopener noreferrer">${at}</a>` : html`<span class="mono">${at}</span>`;
}

export const Name = ({ name }) => html`<span class="mono node-name" title=${name}>${name}</span>`;

/** A value that a node published; with its age where that is more than two beats. */
const Said = ({ row, value }) => html`${num(value)}${value !== null && value !== undefined && isLate(row) ? html` <span class="soft">${ago(row.beat_age_ms)}</span>` : ''}`;

/** Whether a node ranks by the shared document. */
export function Follows({ row, cluster }) {
  if (row.state === 'gone') return html`<span class="soft">–</span>`;
  if (row.problem) return html`<${Tag} word="not followed" as="bad" title=${whyNot(row)} />`;
  if (row.shared < newest(cluster)) return html`<${Tag} word=${row.shared ? `still no. ${row.shared}` : 'not yet'} as="warn" />`;
  return row.shared ? html`no. ${num(row.shared)}` : html`<span class="soft">its own</span>`;
}

const STATES = { up: 'good', draining: 'warn', late: 'warn', unknown: '', gone: 'bad' };

export function Cluster({ cluster }) {
  const all = concerns(cluster);
  const over = cluster.over_limit;
  return html`<${Section} title="Cluster" aside="What each node published last; other nodes are not asked">
    <div class="stack">
      ${all.length > 0 && html`<ul class="problems" aria-label="What is wrong in the cluster">${all.map((one) => html`<li class=${`note ${one.kind}`} key=${one.id}><${Prose} text=${one.text} /></li>`)}</ul>`}
      <div class="card pad"><dl class="pairs">
        <dt>Engine</dt><dd data-engine=${cluster.engine_up ? 'up' : 'away'}><${Tag} word=${cluster.engine_up ? 'up' : 'away'} /></dd>
        <dt>Over the limit</dt><dd>${over ? `${count(over, 'manager')}, as far as this node knows; they leave by rank` : 'none, as far as this node knows'}</dd>
        <dt>Shared policies</dt><dd><a href=${href(['policies'])}>${newest(cluster) ? `no. ${num(newest(cluster))}` : 'none: each node ranks by its own'}</a></dd>
      </dl></div>
      <div class="card"><${Table} caption="Nodes of the cluster" rows=${rowsOf(cluster)} id=${(row) => `${row.name} ${row.state === 'gone'}`} className=${(row) => (row.state === 'gone' ? 'gone' : '')} columns=${[
        { name: 'Node', cell: (row) => html`<${Name} name=${row.name} />${row.this ? html` <span class="tag accent this-node">this one</span>` : ''}` },
        { name: 'State', cell: (row) => html`<${Tag} word=${row.state} as=${STATES[row.state]} />${row.draining && row.state !== 'draining' ? html` <${Tag} word="draining" />` : ''}${row.other_secret ? html` <${Tag} word="another secret" as="bad" />` : ''}<span class="only-narrow small soft">${ago(row.beat_age_ms)}</span>` },
        { name: 'Last beat', num: true, narrow: false, cell: (row) => html`<span class=${isLate(row) ? '' : 'soft'}>${ago(row.beat_age_ms)}</span>` },
        { name: 'Managers', num: true, cell: (row) => html`<${Said} row=${row} value=${row.managers} />` },
        { name: 'Connections', num: true, narrow: false, cell: (row) => html`<${Said} row=${row} value=${row.connections} />` },
        { name: 'Policies', cell: (row) => html`<${Follows} row=${row} cluster=${cluster} />` },
        { name: 'Version', narrow: false, cell: (row) => row.version || html`<span class="soft">–</span>` },
        { name: 'Console', cell: (row) => html`<${Admin} at=${row.admin} />` },
      ]} /></div>
    </div></${Section}>`;
}
