// Experiments: policies compared on users; the verdict, why, and the intervals over time.
import { html, useState } from '../lib.js';
import { linkable, request, to, usePoll } from '../api.js';
import { Empty, Head, Instead, Prose, Section, Table, Tag, Time, confirm } from '../parts.js';
import { count, duration, figure, num, percent } from '../format.js';
import { Plot } from '../plot.js';
import { href } from '../route.js';

const MEANING = { rollback: 'bad', hold: 'warn', continue: '', promotable: 'good' };
const SAYS = { rollback: 'An arm does harm', hold: 'The numbers cannot be trusted', continue: 'Nothing is certain yet', promotable: 'An arm is better, and no worse in anything guarded' };
const OF_A_HOLDOUT = { rollback: 'All changes together do harm; nothing is rolled back by itself', promotable: 'All changes together are better, and no worse in anything guarded' };

export function Experiments() {
  const of = usePoll('v1/experiments', 3000);
  const rows = of.data?.experiments;
  return html`<${Head} title="Experiments" lead="Policies compared on users, each user in one arm." />
    ${!rows ? html`<${Instead} of=${of} rows=${6} />` : html`<div class="card">${rows.length ? html`<${Table} caption="Experiments" rows=${[...rows].reverse()} id=${(one) => one.name} className=${() => 'link'} columns=${[
      { name: 'Experiment', cell: (one) => html`<a href=${href(['experiments', one.name])}>${one.name}</a>` },
      { name: 'State', cell: (one) => html`<${Tag} word=${one.state} />` },
      { name: 'Verdict', cell: (one) => html`<${Tag} word=${one.assessment.verdict} as=${MEANING[one.assessment.verdict]} />` },
      { name: 'Arms', narrow: false, cell: (one) => one.definition.arms.map((arm) => arm.name || arm.policy).join(', ') },
      { name: 'Primary metric', narrow: false, cell: (one) => one.definition.primary },
      { name: 'Users', num: true, cell: (one) => num(users(one)) },
      { name: 'Started', narrow: false, cell: (one) => html`<${Time} ms=${one.started_unix_ms} />` },
    ]} />` : html`<${Empty} title="None">No experiment was started. One is defined in a file and started by <code>wastegate experiment start FILE</code>.</${Empty}>`}</div>`}`;
}

const users = (one) => one.assessment.users.reduce((sum, arm) => sum + arm.users, 0);

export function Experiment({ name, readOnly }) {
  const path = to('v1', 'experiments', name);
  const of = usePoll(path, 3000);
  const is = of.data;
  if (!is) return html`<${Head} title=${name} /><${Instead} of=${of} rows=${10} />`;
  const { assessment: a, definition: d } = is;
  const stop = () => confirm({
    title: `Stop ${name}`, action: 'Stop', danger: true, about: 'Every user gets the active policy again. A stopped experiment is never resumed.',
    fields: [{ name: 'reason', label: 'Reason, for the audit log', required: true }],
    run: async ({ reason }) => { await request(`${path}/stop`, { method: 'POST', body: { reason } }); of.refresh(); return `${name} is stopped.`; },
  });
  return html`<${Head} title=${name} lead=${html`<${Tag} word=${is.state} /> ${d.question} By ${is.by}, for ${duration(is.seen_unix_ms - is.started_unix_ms)}.${is.reason ? html` <span class="reason">${is.reason}</span>` : ''}`}>
      ${linkable() && html`<a class="button" href=${`${path}/report`} target="_blank" rel="noopener">Report</a><a class="button" href=${`${path}/export`} download>Export</a>`}
      ${!readOnly && is.state === 'running' && html`<button type="button" class="danger" onClick=${stop}>Stop…</button>`}</${Head}>
    <div class=${`note ${MEANING[a.verdict]}`} data-verdict=${a.verdict}><p><b>${(d.holdout && OF_A_HOLDOUT[a.verdict]) || SAYS[a.verdict]}</b> <${Tag} word=${a.verdict} as=${MEANING[a.verdict]} />${a.arm ? html` in the arm <b>${a.arm}</b>` : ''}</p>
      <ul>${a.because.map((why) => html`<li key=${why}><${Prose} text=${why} /></li>`)}</ul></div>
    ${is.outdated.length > 0 && html`<p class="note warn">A newer revision is there for ${is.outdated.join(', ')}; <code>wastegate experiment renew</code> takes it.</p>`}
    <${Section} title="Arms" aside=${`Phase ${is.phase.number ?? 1}, ${d.holdout ? `a holdout: ${percent(d.arms[0].weight * d.coverage, 1)} of users keep ${d.arms[0].policy}` : `${percent(d.coverage, 0)} of users take part`}`}><div class="card"><${Table} caption="Arms" rows=${a.users} id=${(arm) => arm.arm} columns=${[
      { name: 'Arm', cell: (arm) => html`${arm.arm}${arm.arm === a.users[0].arm ? html` <span class="soft">control</span>` : ''}` },
      { name: 'Share', num: true, cell: (arm) => percent(arm.weight, 0) },
      { name: 'Exposed users', num: true, cell: (arm) => num(arm.users) },
      { name: 'Decisions', num: true, cell: (arm) => num(arm.decisions) },
      { name: 'Completed by built-in', num: true, narrow: false, cell: (arm) => num(arm.fallbacks) },
      { name: 'State', cell: (arm) => (arm.is_diluted ? html`<${Tag} word="diluted" as="warn" />` : html`<span class="soft">–</span>`) },
    ]} /></div></${Section}>
    ${a.comparisons.map((comparison) => html`<${Comparison} key=${comparison.arm} of=${comparison} control=${a.users[0].arm} />`)}
    <${Curve} is=${is} />`;
}

function Comparison({ of, control }) {
  return html`<${Section} title=${`${of.arm} against ${control}`} aside="Lower is better. Every interval holds at every look."><div class="card"><${Table} caption=${`${of.arm} against ${control}`} rows=${of.findings} id=${(one) => one.metric} columns=${[
    { name: 'Metric', cell: (one) => html`<span title=${one.about}>${one.metric}</span> ${one.margin === null ? html`<${Tag} word="primary" as="accent" />` : html`<span class="soft small">margin ${figure(one.margin)}</span>`}` },
    { name: control, num: true, cell: (one) => figure(one.control?.value) },
    { name: of.arm, num: true, cell: (one) => figure(one.treatment?.value) },
    { name: 'Difference', num: true, cell: (one) => (one.difference ? `${figure(one.difference.delta)} [${figure(one.difference.low)}, ${figure(one.difference.high)}]` : html`<span class="soft">${one.is_empty ? 'nothing to count' : `${figure(one.contributing)} users contribute`}</span>`) },
    { name: 'Interval', narrow: false, cell: (one) => html`<${Bar} of=${one.difference} margin=${one.margin} />` },
    { name: 'Users needed', num: true, narrow: false, cell: (one) => (one.users_needed === null ? '–' : num(Math.round(one.users_needed))) },
  ]} /></div></${Section}>`;
}

/** An interval on a scale of its own with zero in the middle. */
function Bar({ of, margin }) {
  if (!of || ![of.low, of.high].every(Number.isFinite)) return html`<span class="soft">–</span>`;
  const far = Math.max(Math.abs(of.low), Math.abs(of.high), margin ?? 0) || 1;
  const x = (value) => 100 + (value / far) * 92;
  const kind = of.low > 0 ? 'harm' : of.high < 0 ? 'better' : '';
  const said = of.low > 0 ? 'surely worse' : of.high < 0 ? 'surely better' : 'not certain';
  return html`<svg class="intervals" viewBox="0 0 200 28" style=${{ minWidth: '9rem' }} role="img" aria-label=${`${said}: from ${figure(of.low)} to ${figure(of.high)}`}>
    <line class="zero" x1="100" x2="100" y1="2" y2="26" />${margin ? html`<line class="zero" x1=${x(margin)} x2=${x(margin)} y1="6" y2="22" stroke-dasharray="2 2" />` : ''}
    <line class=${`span ${kind}`} x1=${x(of.low)} x2=${x(of.high)} y1="14" y2="14" /><circle class=${kind} cx=${x(of.delta)} cy="14" r="4" /></svg>`;
}

function Curve({ is }) {
  const arms = is.assessment.comparisons.map((one) => one.arm);
  const metrics = [is.definition.primary, ...is.definition.guardrails.map((one) => one.metric)];
  const [metric, setMetric] = useState(metrics[0]);
  return html`<${Section} title="Intervals over time" aside=${html`<label class="field"><span class="visually-hidden">Metric</span><select value=${metric} onChange=${(event) => setMetric(event.currentTarget.value)}>${metrics.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>`}>
    <div class="stack">${arms.map((arm) => {
    const points = is.curve.map((point) => ({ at: point.unix_ms / 1000, of: point.intervals.find((one) => one.arm === arm && one.metric === metric) }));
    const of = (name) => points.map((point) => point.of?.[name] ?? null);
    return html`<${Plot} key=${arm} tall title=${`${arm}, ${metric}`} from0=${false} gaps format=${figure} x=${points.map((point) => point.at)} blank=${`${count(is.curve.length, 'look')} kept; a curve needs two. One is kept each minute at the most.`}
      bands=${[[1, 0]]} series=${[{ name: 'low', values: of('low'), width: 1, dash: [], key: false, colour: 1 }, { name: 'high', values: of('high'), width: 1, dash: [], key: false, colour: 1 }, { name: 'difference', values: of('delta'), dash: [], colour: 1 }]} />`;
  })}</div></${Section}>`;
}
