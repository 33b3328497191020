// Shadows: policies that are asked beside the active one, and change nothing.
import { html } from '../lib.js';
import { request, to, usePoll } from '../api.js';
import { Empty, Head, Instead, Section, Table, Tag, confirm } from '../parts.js';
import { count, duration, figure, micros, num, percent } from '../format.js';
import { href } from '../route.js';

export function Shadows({ readOnly }) {
  const of = usePoll('v1/shadows', 3000);
  const policies = usePoll('v1/policies', 0);
  const rows = of.data?.shadows;
  const start = () => {
    const known = policies.data;
    const names = known ? [...new Set([...known.policies.map((policy) => policy.name), ...known.shipped])].sort() : [];
    confirm({
      title: 'Start a shadow', action: 'Start', about: 'It is asked about the same decisions. No answer of it changes anything.',
      fields: [{ name: 'policy', label: 'Policy', options: names.map((name) => [name, name]), value: names[0] }, { name: 'sample', label: 'Share of decisions, 0 to 1', type: 'number', min: 0.001, max: 1, step: 'any', value: '1', required: true }],
      run: async ({ policy, sample }) => { await request('v1/shadows', { method: 'POST', body: { policy, sample: Number(sample) }, patience: 120000 }); of.refresh(); return `${policy} is asked as a shadow.`; },
    });
  };
  return html`<${Head} title="Shadows" lead="Policies that are asked beside the active one. Their answers change nothing.">${!readOnly && policies.data && html`<button type="button" onClick=${start}>Start…</button>`}</${Head}>
    ${!rows ? html`<${Instead} of=${of} rows=${8} />` : rows.length ? rows.map((one) => html`<${Shadow} key=${one.spec.name} is=${one} refresh=${of.refresh} readOnly=${readOnly} />`)
      : html`<div class="card"><${Empty} title="None">No policy is asked as a shadow.</${Empty}></div>`}`;
}

function Shadow({ is, refresh, readOnly }) {
  const { agreement: a, outcomes: o } = is;
  const name = is.spec.name || is.spec.policy;
  const stop = () => confirm({ title: `Stop ${name}`, action: 'Stop', about: 'Its figures go with it.', run: async () => { await request(`${to('v1', 'shadows', name)}/stop`, { method: 'POST', body: {} }); refresh(); return `${name} is stopped.`; } });
  const faults = Object.entries(is.faults);
  const verdict = o.live_only_wrong + o.shadow_only_wrong === 0 ? 'No disagreement has come out for one side yet.'
    : `${num(o.live_only_wrong)} times only the active policy was wrong, ${num(o.shadow_only_wrong)} times only the shadow; a split so uneven comes by chance with p = ${figure(is.mcnemar_p)}.`;
  return html`<${Section} title=${name} aside=${!readOnly && html`<button type="button" class="small" aria-label=${`Stop ${name}`} onClick=${stop}>Stop…</button>`}>
    <dl class="figures card">
      <div><dt>Asked</dt><dd class="value">${num(is.asked)}</dd><dd class="of">of ${count(is.decisions, 'decision')}</dd></div>
      <div><dt>Overlap at needed</dt><dd class="value">${percent(a.overlap_at_needed, 0)}</dd><dd class="of">of ${num(a.compared)} compared</dd></div>
      <div><dt>Same first choice</dt><dd class="value">${a.compared ? percent(a.same_first / a.compared, 0) : '–'}</dd><dd class="of">${num(a.same_first)} times</dd></div>
      <div><dt>Likeness (RBO)</dt><dd class="value">${a.rank_biased_overlap ? a.rank_biased_overlap[0].toFixed(2) : '–'}</dd><dd class="of">of whole orders</dd></div>
      <div><dt>Disagreements</dt><dd class="value">${num(o.partings)}</dd><dd class="of">${num(o.open)} open</dd></div>
      <div><dt>Mean call</dt><dd class="value">${micros(is.micros)}</dd><dd class="of">${num(is.fuel[0])} of fuel</dd></div></dl>
    <p class="soft below">${verdict} Started by ${is.by}, for ${duration(is.for_ms)}${is.dropped ? `; ${count(is.dropped, 'decision')} dropped` : ''}. ${faults.length ? html`<${Tag} word=${`faults: ${faults.map(([kind, n]) => `${kind} ${n}`).join(', ')}`} as="bad" />` : ''}</p>
    ${is.examples.length > 0 && html`<div class="card"><${Table} shown caption="Disagreements, the worst first" rows=${is.examples} id=${(one) => String(one.decision)} columns=${[
      { name: 'Decision', cell: (one) => html`<a href=${href(['decisions', String(one.decision)])}>${String(one.decision)}</a>` },
      { name: 'Active took', cell: (one) => choice(one.live) },
      { name: 'It was', cell: (one) => right(one.live) },
      { name: 'Shadow took', cell: (one) => choice(one.shadow) },
      { name: 'That would be', cell: (one) => right(one.shadow) },
    ]} /></div>`}</${Section}>`;
}

const choice = (one) => html`<${Tag} word=${one.health} /> ${one.standing}, idle ${duration(one.idle_ms)}`;
const right = (one) => (one.wrong === null ? html`<span class="soft">not known</span>` : one.wrong ? html`<${Tag} word="wrong" as="bad" /> ${one.wanted_after_ms !== null ? `wanted after ${duration(one.wanted_after_ms)}` : ''}` : html`<${Tag} word="right" as="good" />`);
