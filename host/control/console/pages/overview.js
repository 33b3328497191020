// The overview: is it well, how full is it, what happened lately.
import { html, useEffect, useMemo, useRef, useState } from '../lib.js';
import { usePoll } from '../api.js';
import { Plot } from '../plot.js';
import { Instead, Meter, Prose, Section, Segmented, Table, Tag, UserLink, means, Empty } from '../parts.js';
import { bytes, count, num, percent } from '../format.js';
import { href, refine } from '../route.js';
import { faults, outcomes } from '../metrics.js';

const SPANS = [['10m', '10 minutes'], ['1d', 'A day']];
/** How often the history is asked for, ms. */
const EVERY = { '10m': 4000, '1d': 20000 };
/** Looks of our own that are kept where the server keeps no history. */
const KEPT_MAX = 600;

export function Overview({ status, asked }) {
  const span = asked.span === '1d' ? '1d' : '10m';
  const history = usePoll(`v1/history?span=${span}`, EVERY[span], { holds: true });
  const metrics = usePoll('metrics', 10000);
  const stats = usePoll('v1/policies', 10000);
  const is = status.data;
  const own = useOwnHistory(is, Boolean(history.error?.isAbsent));
  const drawn = useMemo(() => (history.data ? read(history.data) : null), [history.data]) ?? own;
  if (!is) return html`<${Hello} /><${Instead} of=${status} rows=${10} what="The overview" />`;
  const blank = history.error?.isAbsent ? 'This server keeps no history; it is drawn from now on' : 'Nothing yet';
  return html`<${Verdict} is=${is} /><${Figures} is=${is} />
    <${Section} title="Lately" aside=${html`<${Segmented} label="Span" options=${SPANS} value=${span} set=${(to) => refine({ span: to === '10m' ? null : to })} />`}>
      <${Plots} of=${drawn} blank=${blank} /></${Section}>
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
function Verdict({ is }) {
  const stops = is.problems.some((problem) => problem.startsWith('the server stops'));
  const kind = is.well ? 'good' : stops ? 'warn' : 'bad';
  const said = is.well ? 'It is well.' : is.problems.length === 1 ? 'One thing is wrong.' : `${is.problems.length} things are wrong.`;
  return html`<header class="head"><div>
    <div class=${`verdict ${kind}`}><span class="sign" aria-hidden="true"></span><h1 tabindex="-1">${said}</h1></div>
    <p class="lead">${count(is.users, 'user')} ${is.users === 1 ? 'holds' : 'hold'} ${count(is.managers, 'manager')} over ${count(is.connections, 'connection')}. ${is.queued ? `${count(is.queued, 'client')} wait for a slot.` : 'Nobody waits for a slot.'}</p>
    ${!is.well && html`<ul class="problems">${is.problems.map((problem) => html`<li class=${`note ${stops ? 'warn' : 'bad'}`} key=${problem}><${Prose} text=${`${problem[0].toUpperCase()}${problem.slice(1)}.`} /></li>`)}</ul>`}
  </div></header>`;
}

function Figures({ is }) {
  const cells = [
    ['Connections', num(is.connections), 'attached to managers'],
    ['Managers', num(is.managers), `of ${num(is.managers_limit)}`, is.managers, is.managers_limit],
    ['Users', num(is.users), 'who hold one'],
    ['Refused', num(is.refused), 'since the start'],
    ['Descriptors', num(is.open_fds), `of ${num(is.open_fds_limit)}`, is.open_fds ?? 0, is.open_fds_limit ?? 0],
    ['Memory', bytes(is.rss_bytes), 'resident'],
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

/** What this page has seen itself, where the server keeps no history: gauges only. */
function useOwnHistory(is, wanted) {
  const seen = useRef([]);
  const [drawn, set] = useState(() => read({ step_ms: 1000, end_unix_ms: 0, series: {} }));
  useEffect(() => {
    if (!wanted || !is) return;
    seen.current = [...seen.current, { at: Date.now() / 1000, is }].slice(-KEPT_MAX);
    const looks = seen.current;
    const of = (name) => looks.map((look) => look.is[name] ?? null);
    const x = looks.map((look) => look.at);
    const grown = looks.map(({ is: now }, at) => (at ? Math.max(0, now.refused - looks[at - 1].is.refused) : 0));
    const none = x.map(() => null);
    set({ x, series: { ...Object.fromEntries(NAMES.map((name) => [name, of(name)])), refused: grown, admitted: none, evicted: none, live_kills: none } });
  }, [is, wanted]);
  return drawn;
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
