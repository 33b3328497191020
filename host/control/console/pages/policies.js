// Policies: who answers at each tier, every revision, the way to another one and back, faults, and the audit log.
import { html, useState } from '../lib.js';
import { linkable, request, to, usePoll } from '../api.js';
import { Empty, Head, Instead, REASON, Section, Table, Tag, Time, confirm, say } from '../parts.js';
import { bytes, figure, num } from '../format.js';
import { clusterOf } from './nodes.js';
import { Shared } from './shared.js';

const TIERS = ['proactive', 'conservative', 'moderate', 'aggressive', 'force'];
const EVERYWHERE = [['', 'All tiers'], ...TIERS.map((tier) => [tier, tier])];
const TIER = { name: 'tier', label: 'Where', options: EVERYWHERE };
const AUDIT_SHOWN = 25;

export function Policies({ nodes, readOnly }) {
  const of = usePoll('v1/policies', 3000);
  const audit = usePoll(`v1/audit?max=${AUDIT_SHOWN}`, 5000);
  const is = of.data;
  if (!is) return html`<${Head} title="Policies" /><${Instead} of=${of} rows=${12} />`;
  const cluster = clusterOf(nodes);
  const after = (done) => { of.refresh(); audit.refresh(); return done; };
  const name = (id) => (id === null ? 'built-in' : `${is.policies.find((policy) => policy.revisions.some((one) => one.revision === id))?.name ?? 'unknown'} r${id}`);
  return html`<${Head} title="Policies" lead="A policy ranks the managers that may be evicted. A seat is the place of the active revision at one tier.">
      ${!readOnly && html`<${Back} after=${after} name=${name} />`}</${Head}>
    ${!is.durable && html`<p class="note warn">This server has no state directory: changes end with the process.</p>`}
    ${is.awaited && html`<p class="note warn">The configured policy (${is.awaited.source}) is awaited: ${is.awaited.why}</p>`}
    ${is.under_way.map((one) => html`<p class="note" key=${one.policy}>${one.policy} is on its way (${one.state}), ${bytes(one.size_bytes)} from ${one.origin}, by ${one.by}.</p>`)}
    <${Section} title="Seats"><div class="card"><${Table} caption="Seats" rows=${is.seats} id=${(seat) => seat.tier} columns=${[
      { name: 'Tier', cell: (seat) => seat.tier },
      { name: 'Answers', cell: (seat) => html`<b>${name(seat.answering)}</b>${seat.answering !== seat.active && html`<span class="only-narrow"><${Tag} word="fallback answers" as="bad" /></span>`}` },
      { name: 'Active', narrow: false, cell: (seat) => name(seat.active) },
      { name: 'Fallback', narrow: false, cell: (seat) => name(seat.fallback) },
      { name: 'State', narrow: false, cell: (seat) => (seat.answering === seat.active ? html`<${Tag} word="active" />` : html`<${Tag} word="fallback answers" as="bad" />`) },
    ]} /></div></${Section}>
    ${cluster && html`<${Shared} cluster=${cluster} tiers=${TIERS} readOnly=${readOnly} after=${after} />`}
    ${is.policies.map((policy) => html`<${One} key=${policy.name} policy=${policy} after=${after} readOnly=${readOnly} />`)}
    <${Section} title="Shipped too" aside="Accepted when they are first activated"><div class="card">${is.shipped.length ? html`<ul class="choices">${is.shipped.map((one) => html`<li key=${one}><span>${one}</span>
      ${!readOnly && html`<button type="button" class="small" aria-label=${`Activate ${one}`} onClick=${() => activate(one, null, after)}>Activate…</button>`}</li>`)}</ul>` : html`<div class="pad soft">Every shipped policy is in the list above.</div>`}</div></${Section}>
    <${Audit} of=${audit} />`;
}

function activate(policy, revision, after) {
  confirm({
    title: `Activate ${policy}${revision ? ` r${revision}` : ''}`, action: 'Activate', about: 'It is compiled and tried first; if that fails, what is active stays.', fields: [TIER, REASON],
    run: async ({ tier, reason }) => {
      const body = { reason, ...(tier && { tier }), ...(revision && { revision }) };
      const { moves, revision: is } = await request(`${to('v1', 'policies', policy)}/activate`, { method: 'POST', body, patience: 120000 });
      return after(moves.length ? `${policy} r${is} is active at ${moves.map((move) => move.tier).join(', ')}.` : `${policy} was active there already.`);
    },
  });
}

function Back({ after, name }) {
  const rollback = () => confirm({
    title: 'Roll back', action: 'Roll back', about: 'At all tiers: undoes the last change that is still in effect. At one tier: what was in that seat before.', fields: [TIER, REASON],
    run: async ({ tier, reason }) => {
      const { moves } = await request('v1/policies/rollback', { method: 'POST', body: { reason, ...(tier && { tier }) }, patience: 120000 });
      return after(`Rolled back: ${moves.map((move) => `${move.tier} to ${name(move.to)}`).join(', ')}.`);
    },
  });
  const disable = () => confirm({
    title: 'Let the built-in ranking answer', action: 'Disable policies', danger: true, about: 'Needs no compiler and no disk. At all tiers it stops every experiment too.', fields: [TIER, REASON],
    run: async ({ tier, reason }) => {
      await request('v1/policies/disable', { method: 'POST', body: { reason, ...(tier && { tier }) } });
      return after(`The built-in ranking answers${tier ? ` at ${tier}` : ''}.`);
    },
  });
  return html`<button type="button" onClick=${rollback}>Roll back…</button><button type="button" class="danger" onClick=${disable}>Disable…</button>`;
}

function One({ policy, after, readOnly }) {
  const { about } = policy;
  return html`<${Section} title=${policy.name} aside=${about?.summary}><div class="card">
    <${Table} caption=${`Revisions of ${policy.name}`} rows=${policy.revisions} id=${(one) => one.revision} columns=${[
      { name: 'Revision', cell: (one) => html`r${one.revision} <span class="soft hide-narrow">${one.version}</span>` },
      { name: 'State', cell: (one) => html`<${Tag} word=${one.state} title=${one.reason} />` },
      { name: 'At', wrap: true, cell: (one) => (one.active_at.length === TIERS.length ? 'every tier' : one.active_at.join(', ') || html`<span class="soft">–</span>`) },
      { name: 'Parameters', narrow: false, cell: (one) => Object.entries(one.params).map(([key, value]) => `${key} ${figure(value)}`).join(', ') || html`<span class="soft">as they come</span>` },
      { name: 'From', narrow: false, cell: (one) => one.origin },
      { name: 'By', narrow: false, cell: (one) => html`<span class="clip short" title=${one.by}>${one.by}</span>` },
      { name: 'When', narrow: false, cell: (one) => html`<${Time} ms=${one.at_unix_ms} />` },
      { name: 'Size', num: true, narrow: false, cell: (one) => bytes(one.size_bytes) },
      { name: 'Change', num: true, cell: (one) => !readOnly && html`<button type="button" class="small" aria-label=${`Activate ${policy.name} r${one.revision}`} disabled=${one.active_at.length === TIERS.length} onClick=${() => activate(policy.name, one.revision, after)}>Activate…</button>` },
    ]} />
    <${Faults} revisions=${policy.revisions} />
    ${about?.parameters.length > 0 && html`<${Table} shown caption="Parameters" rows=${about.parameters} id=${(one) => one.name} columns=${[
      { name: 'Parameter', cell: (one) => html`<code>${one.name}</code>` },
      { name: 'Value', num: true, cell: (one) => figure(one.value) },
      { name: 'Default', num: true, cell: (one) => figure(one.default) },
      { name: 'From', num: true, narrow: false, cell: (one) => figure(one.min) },
      { name: 'To', num: true, narrow: false, cell: (one) => figure(one.max) },
      { name: 'About', wrap: true, narrow: false, cell: (one) => one.doc },
    ]} />`}</div></${Section}>`;
}

/** The faults of a policy's revisions, on request: they are kept for each revision by itself. */
function Faults({ revisions }) {
  const [rows, setRows] = useState(null);
  const look = async () => {
    try {
      const of = revisions.filter((one) => one.warm || one.active_at.length || one.state === 'quarantined' || one.state === 'shadow');
      const all = await Promise.all(of.map(async (one) => (await request(`v1/revisions/${one.revision}/faults`)).faults.map((fault) => ({ ...fault, revision: one.revision }))));
      setRows(all.flat());
    } catch (failed) { say(failed.message); }
  };
  if (rows === null) return html`<div class="foot"><span>Captured faults are kept as test cases.</span><button type="button" class="small" onClick=${look}>Show faults</button></div>`;
  if (!rows.length) return html`<div class="foot">No fault was captured.</div>`;
  return html`<${Table} shown caption="Faults, newest first" rows=${rows} id=${(row) => `${row.revision}-${row.number}`} columns=${[
    { name: 'Fault', cell: (row) => html`<${Tag} word=${row.fault} as="bad" />` },
    { name: 'Revision', cell: (row) => `r${row.revision}` },
    { name: 'Tier', cell: (row) => row.tier },
    { name: 'Rows', num: true, cell: (row) => num(row.rows) },
    { name: 'Case', cell: (row) => (linkable() ? html`<a href=${row.href.replace(/^\//, '')} download>test case</a>` : html`<code>${row.href}</code>`) },
  ]} />`;
}

function Audit({ of }) {
  const entries = of.data ? [...of.data.entries].reverse() : null;
  const about = ({ note }) => [note.policy && `${note.policy}${note.revision ? ` r${note.revision}` : ''}`, note.user, note.experiment, note.name].filter(Boolean).join(', ');
  return html`<${Section} title="Audit log" aside=${`The last ${AUDIT_SHOWN} changes`}>${!entries ? html`<${Instead} of=${of} rows=${6} what="The audit log" />` : html`<div class="card">${entries.length ? html`<${Table} caption="Audit log" rows=${entries} id=${(one) => one.seq} columns=${[
    { name: 'When', cell: (one) => html`<${Time} ms=${one.unix_ms} />` },
    { name: 'Change', cell: (one) => html`<${Tag} word=${one.note.what} as=${/refused|quarantined|fell-back/.test(one.note.what) ? 'bad' : 'accent'} />` },
    { name: 'About', cell: about },
    { name: 'By', cell: (one) => one.by },
    { name: 'Reason', wrap: true, narrow: false, cell: (one) => html`<span class="reason">${one.note.reason ?? ''}</span>` },
  ]} />` : html`<${Empty} title="Empty">Nothing has been changed.</${Empty}>`}</div>`}</${Section}>`;
}
