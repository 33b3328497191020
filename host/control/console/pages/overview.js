// The overview: is it well, how full is it, what happened lately.
import { html, useMemo } from '../lib.js';
import { usePoll } from '../api.js';
import { Plot } from '../plot.js';
import { Instead, Meter, Prose, Section, Segmented, Table, Tag, UserLink, means, Empty } from '../parts.js';
import { bytes, count, num, percent } from '../format.js';
import { href, refine } from '../route.js';
import { faults, outcomes } from '../metrics.js';
import { State } from './node.js';
import { Line, clusterOf, concerns } from './nodes.js';

const SPANS = [['10m', '10 minutes'], ['1d', 'A day']];
/** How often the history is asked for, ms. */
const EVERY = { '10m': 3000, '1d': 20000 };
/** How often the state of the server is, ms: the more managers, the longer it takes, and the more seldom it is. */
const STATUS_MS = 2000;
/** Steps of a history that are kept, by how long a step is, ms: as many as the server keeps. */
const STEPS_MAX = { 1000: 600, 10000: 8640 };
/** Asks for what came since the last answer. */
const MORE = {
  path: (was) => `v1/history?span=${was.step_ms === 1000 ? '10m' : '1d'}&after_unix_ms=${was.end_unix_ms}`,
  join(was, next) {
    const length = Math.max(0, ...Object.values(next.series).map((values) => values.length));
    // Another process, or a tab that was hidden for longer than the server remembers.
    if (next.end_unix_ms < was.end_unix_ms || next.end_unix_ms - was.end_unix_ms > (length + 1) * next.step_ms) return next;
    const series = Object.entries(next.series).map(([name, values]) => [name, [...(was.series[name] ?? []), ...values].slice(-STEPS_MAX[next.step_ms])]);
    return { ...next, series: Object.fromEntries(series) };
  },
};

export function Overview({ nodes, asked }) {
  const span = asked.span === '1d' ? '1d' : '10m';
  const status = usePoll('v1/status', STATUS_MS);
  const history = usePoll(`v1/history?span=${span}`, EVERY[span], { holds: true, more: MORE });
  const metrics = usePoll('metrics', 10000);
  const stats = usePoll('v1/policies', 10000);
  const is = status.data;
  const drawn = useMemo(() => read(history.data ?? { step_ms: 1000, end_unix_ms: 0, series: {} }), [history.data]);
  if (!is) return html`<${Hello} /><${Instead} of=${status} rows=${10} what="The overview" />`;
  const [node] = nodes.data?.nodes ?? [];
  // What is held now is of the history, which is asked for more often than the status.
  const now = (name) => newest(drawn.series[name]) ?? is[name];
  return html`<${Verdict} is=${is} node=${node} cluster=${clusterOf(nodes)} now=${now} /><${Figures} is=${is} now=${now} />
    <${Section} title="Lately" aside=${html`<${Segmented} label="Span" options=${SPANS} value=${span} set=${(to) => refine({ span: to === '10m' ? null : to })} />`}>
      <${Plots} of=${drawn} blank="Nothing yet" /></${Section}>
    <div class="section cols">
      <${Health} is=${is} />
      <${Admissions} of=${metrics} />
      <${Ranking} is=${is} policies=${stats.data} metrics=${metrics.data} />
      <${Backends} is=${is} />
    </div>
    <${Section} title="Fullest users" aside=${html`<a href=${href(['users'])}>All users</a>`}><div class="card">${is.fullest.length
      ? html`<${Table} caption="Fullest users" rows=${is.fullest} id=${(row) => row.user} columns=${FULLEST} />`
      : html`<${Empty} title="Nobody is here">No user holds a manager.</${Empty}>`}</div></${Section}>`;
}

const Hello = () => html`<header class="head"><h1 tabindex="-1">Overview</h1></header>`;

const FULLEST = [
  { name: 'User', cell: (row) => html`<${UserLink} user=${row.user} />` },
  { name: 'Managers', num: true, cell: (row) => `${num(row.managers)} of ${num(row.limit)}` },
  { name: 'Fill', cell: (row) => html`<div style=${{ minWidth: '6rem' }}><${Meter} value=${row.managers} max=${row.limit} label=${`Managers of ${row.user}`} /></div>` },
  { name: 'Pressure', cell: (row) => html`<${Tag} word=${row.pressure} />` },
];

/** The answer to "is it well", in one sentence. */
function Verdict({ is, node, cluster, now }) {
  const [users, managers, connections, queued] = ['users', 'managers', 'connections', 'queued'].map(now);
  const draining = is.draining || node?.draining;
  // What the server does not say itself: it judges this node.
  const beside = cluster ? concerns(cluster).filter((one) => !one.isTold) : [];
  const wrong = is.problems.length + beside.length;
  const well = is.well && !wrong;
  const kind = draining ? 'warn' : well ? 'good' : is.well && beside.every((one) => one.kind === 'warn') ? 'warn' : 'bad';
  // That an operator drains it is what the one problem says.
  const said = node?.drain && wrong <= 1 ? 'It is drained.' : well ? 'It is well.' : wrong === 1 ? 'One thing is wrong.' : `${wrong} things are wrong.`;
  return html`<header class="head"><div>
    <div class=${`verdict ${kind}`}><span class="sign" aria-hidden="true"></span><h1 tabindex="-1">${said}</h1></div>
    <p class="lead">${count(users, 'user')} ${users === 1 ? 'holds' : 'hold'} ${count(managers, 'manager')} over ${count(connections, 'connection')}. ${queued ? `${count(queued, 'client')} ${queued === 1 ? 'waits' : 'wait'} for a slot.` : 'Nobody waits for a slot.'}</p>
    ${cluster && html`<${Line} cluster=${cluster} />`}
    ${!well && html`<ul class="problems">${is.problems.map((problem) => html`<li class=${`note ${draining ? 'warn' : 'bad'}`} key=${problem}><${Prose} text=${`${problem[0].toUpperCase()}${problem.slice(1)}.`} /></li>`)}${beside.map((one) => html`<li class=${`note ${one.kind}`} key=${one.id}><${Prose} text=${one.text} /></li>`)}</ul>`}
    ${node?.disconnecting && html`<div class="problems"><${State} is=${{ disconnecting: node.disconnecting }} /></div>`}
  </div><div class="row"><a class="button" href=${href(['node'])}>${cluster ? 'Nodes' : 'Node'}</a></div></header>`;
}

/** The newest value of a list that may end with what is not known. */
const newest = (values) => { for (let at = values.length - 1; at >= 0; at -= 1) if (values[at] !== null) return values[at]; return null; };

function Figures({ is, now }) {
  const cells = [
    ['Connections', num(now('connections')), 'attached to managers'],
    ['Managers', num(now('managers')), `of ${num(is.managers_limit)}`, now('managers'), is.managers_limit],
    ['Users', num(now('users')), 'who hold one'],
    ['Refused', num(is.refused), 'since the start'],
    ['Descriptors', num(now('open_fds')), `of ${num(is.open_fds_limit)}`, now('open_fds') ?? 0, is.open_fds_limit ?? 0],
    ['Memory', bytes(now('rss_bytes')), 'resident'],
  ];
  return html`<dl class="figures card">${cells.map(([name, value, of, used, max]) => html`<div key=${name}>
    <dt>${name}</dt><dd class="value" data-figure=${name.toLowerCase()}>${value}</dd><dd class="of">${of}</dd>
    ${max > 0 && html`<dd><${Meter} value=${used} max=${max} label=${`${name} in use`} /></dd>`}</div>`)}</dl>`;
}

function Plots({ of, blank }) {
  const { x, series: s } = of;
  return html`<div class="plots">
    <${Plot} title="Held" x=${x} blank=${blank} series=${[{ name: 'connections', values: s.connections }, { name: 'managers', values: s.managers }, { name: 'users', values: s.users }]} />
    <${Plot} title="Admissions" x=${x} blank=${blank} series=${[{ name: 'admitted', values: s.admitted }, { name: 'refused', values: s.refused, colour: 4 }, { name: 'queued', values: s.queued, colour: 3 }]} />
    <${Plot} title="Evictions" x=${x} blank=${blank} series=${[{ name: 'evicted', values: s.evicted, colour: 3 }, { name: 'live kills', values: s.live_kills, colour: 4 }]} />
    <${Plot} title="Memory" x=${x} blank=${blank} format=${bytes} series=${[{ name: 'resident', values: s.rss_bytes, colour: 2 }]} />
  </div>`;
}

const NAMES = ['connections', 'managers', 'users', 'queued', 'admitted', 'refused', 'evicted', 'live_kills', 'open_fds', 'rss_bytes'];

function read({ step_ms, end_unix_ms, series }) {
  const length = Math.max(...Object.values(series).map((values) => values.length), 0);
  const x = Array.from({ length }, (_, at) => (end_unix_ms - (length - 1 - at) * step_ms) / 1000);
  return { x, series: Object.fromEntries(NAMES.map((name) => [name, series[name] ?? x.map(() => null)])) };
}

const KINDS = ['alive', 'unknown', 'suspect', 'stalled', 'half-open', 'stuck', 'dead'];

function Health({ is }) {
  const known = KINDS.filter((kind) => is.health[kind]);
  const total = known.reduce((sum, kind) => sum + is.health[kind], 0);
  return html`<${Section} title="Health of managers"><div class="card pad">
    <div class="split" aria-hidden="true">${known.map((kind) => html`<i key=${kind} class=${`bg-${means(kind) || 'soft'}`} style=${{ flex: is.health[kind] }}></i>`)}</div>
    <ul class="legend">${known.length ? known.map((kind) => html`<li key=${kind}><i class=${`bg-${means(kind) || 'soft'}`} aria-hidden="true"></i>${kind} <b>${num(is.health[kind])}</b> ${percent(is.health[kind] / total, 0)}</li>`) : html`<li>No manager is held.</li>`}</ul>
  </div></${Section}>`;
}

function Admissions({ of }) {
  const rows = of.data ? outcomes(of.data) : [];
  const total = rows.reduce((sum, row) => sum + row.value, 0);
  return html`<${Section} title="Admissions by outcome" aside="since the start"><div class="card">
    ${!of.data ? html`<${Instead} of=${of} rows=${3} what="This list" />` : rows.length ? html`<${Table} caption="Admissions by outcome" rows=${rows} id=${(row) => row.name} columns=${[
      { name: 'Outcome', cell: (row) => row.name },
      { name: 'Count', num: true, cell: (row) => num(row.value) },
      { name: 'Share', num: true, cell: (row) => percent(row.value / total) },
    ]} />` : html`<${Empty} title="None yet">No client has asked for a manager.</${Empty}>`}</div></${Section}>`;
}

function Ranking({ is, policies, metrics }) {
  const failed = metrics ? faults(metrics) : [];
  const broken = (policies?.policies ?? []).flatMap((policy) => policy.revisions).filter((revision) => ['quarantined', 'shadow'].includes(revision.state));
  return html`<${Section} title="Who ranks" aside=${html`<a href=${href(['policies'])}>Policies</a>`}><div class="card pad stack">
    <ul class="row">${is.ranked_by.map((name) => html`<li key=${name}><span class="tag accent">${name}</span></li>`)}</ul>
    ${policies?.awaited && html`<p class="note warn">The configured policy is awaited: ${policies.awaited.why}</p>`}
    ${broken.length ? broken.map((revision) => html`<p class="note bad" key=${revision.revision}><b>${revision.policy} r${revision.revision}</b> ${revision.state}: ${revision.reason}</p>`) : html`<p class="soft">No policy is out of use after faults.</p>`}
    <p class="soft">${failed.length ? html`Failed calls since the start: ${failed.map((one) => `${one.name} ${num(one.value)}`).join(', ')}.` : 'No call of a policy has failed.'}</p>
  </div></${Section}>`;
}

function Backends({ is }) {
  return html`<${Section} title="Backends"><div class="card">${is.backends.length ? html`<${Table} caption="Backends" rows=${is.backends} id=${(row) => row.url} columns=${[
    { name: 'Address', cell: (row) => html`<span class="mono">${row.url}</span>` },
    { name: 'State', cell: (row) => html`<${Tag} word=${row.state} />` },
    { name: 'Connections', num: true, cell: (row) => num(row.connections) },
  ]} />` : html`<div class="pad soft">The built-in application answers; no backend is configured.</div>`}</div></${Section}>`;
}
