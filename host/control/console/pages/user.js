// One user: its slots, what would go next, the levers, and what happened to it.
import { html, useEffect, useMemo, useState } from '../lib.js';
import { query, request, to, usePoll } from '../api.js';
import { Dated, Empty, FOR, Head, Instead, Line, Meter, REASON, Section, Tag, Terms, Time, WHY_BACK, confirm, means, seconds } from '../parts.js';
import { brief, bytes, count, num, signal } from '../format.js';
import { href, refine } from '../route.js';
import { allow, revoke } from './tokens.js';

/** Classes as the host orders them, worst first; within one the active policy ranks. */
const CLASSES = ['dead', 'taken-over', 'expired', 'stuck', 'half-open', 'stalled', 'suspect', 'detached', 'responsive'];
const BY_KEY = new Intl.Collator('en', { numeric: true });
/** How many are said to go next. */
const NEXT = 3;
/** Slots that are drawn at once. */
const DRAWN = 60;

export function User({ name, asked, readOnly }) {
  const path = to('v1', 'users', name);
  const of = usePoll(path, 2000);
  const why = usePoll(`v1/why${query({ user: name, key: asked.key })}`, 5000, { holds: true });
  const revoked = usePoll('v1/revocations', 15000);
  const limits = usePoll('v1/limits', 60000);
  const is = of.data;
  const title = html`<span class="mono">${name}</span>`;
  // What stands above the slots comes with them, so that they stay where they are.
  const isWhole = is && [revoked, limits].every((one) => one.data || one.error);
  if (!isWhole) return html`<${Head} title=${title} /><${Instead} of=${is ? { data: null } : of} rows=${10} what="This page" />`;
  const after = (done) => { of.refresh(); why.refresh(); revoked.refresh(); return done; };
  const tokens = revoked.data?.revocations.find((one) => one.target === `user/${name}`);
  return html`<${Head} title=${title} lead=${html`<${Tag} word=${is.pressure} /> Holds ${count(is.held, 'manager')} of ${num(is.limit)}${is.lent ? `, and ${count(is.lent, 'temporary slot')} beside them` : ''}.`}>
      ${!readOnly && html`<${Levers} is=${is} path=${path} after=${after} tokens=${tokens} />`}</${Head}>
    <${Set} levers=${is.levers} tokens=${tokens} />
    <${Traffic} is=${is} limits=${limits.data?.limits} />
    <${Slots} is=${is} path=${path} chosen=${asked.slot} after=${after} readOnly=${readOnly} />
    <${Why} of=${why} keyed=${asked.key} />`;
}

function Levers({ is, path, after, tokens }) {
  const limit = () => confirm({
    title: `Limit ${is.user}`, action: 'Set the limit', about: 'No manager is evicted for a lower limit: a user above it shrinks when it asks for more.',
    fields: [{ name: 'managers', label: 'Managers', type: 'number', min: 1, required: true, value: String(is.limit) }, FOR, REASON],
    run: async ({ managers, minutes, reason }) => {
      await request(`${path}/limit`, { method: 'PUT', body: { managers: Number(managers), for_s: seconds(minutes), reason } });
      return after(`${is.user} may hold ${managers} managers.`);
    },
  });
  const block = () => confirm({
    title: `Block ${is.user}`, action: 'Block', danger: true, about: 'Closes every connection of the user and refuses new ones.',
    fields: [FOR, REASON],
    run: async ({ minutes, reason }) => {
      await request(`${path}/block`, { method: 'PUT', body: { for_s: seconds(minutes), reason } });
      return after(`${is.user} is blocked.`);
    },
  });
  const evict = () => confirm({
    title: `Evict all managers of ${is.user}`, action: 'Evict all', danger: true, about: 'Also pinned ones. The clients may connect again.',
    fields: [REASON],
    run: async ({ reason }) => {
      const { evicted } = await request(`${path}/evict`, { method: 'POST', body: { reason } });
      return after(`${count(evicted, 'manager')} of ${is.user} evicted.`);
    },
  });
  const back = (lever, done) => confirm({
    title: `Take back the ${lever} of ${is.user}`, action: 'Take back', fields: [WHY_BACK],
    run: async ({ reason }) => {
      await request(`${path}/${lever}`, { method: 'DELETE', body: { reason } });
      return after(done);
    },
  });
  return html`<button type="button" onClick=${limit}>Limit…</button>
    ${is.levers.limit && html`<button type="button" onClick=${() => back('limit', `The limit of ${is.user} is taken back.`)}>Take back limit…</button>`}
    ${is.levers.block ? html`<button type="button" onClick=${() => back('block', `${is.user} is let in again.`)}>Unblock…</button>` : html`<button type="button" class="danger" onClick=${block}>Block…</button>`}
    ${tokens ? html`<button type="button" onClick=${() => allow(tokens.target, after)}>Allow tokens…</button>` : html`<button type="button" class="danger" onClick=${() => revoke({ target: 'user', name: is.user }, after)}>Revoke tokens…</button>`}
    <button type="button" class="danger" onClick=${evict} disabled=${!is.managers.length}>Evict all…</button>`;
}

/** The levers that are set, with their reasons. */
function Set({ levers, tokens }) {
  const pins = Object.entries(levers.pins ?? {});
  if (!levers.block && !levers.limit && !tokens && !pins.length) return null;
  const told = (kind, what, terms) => html`<p class=${`note ${kind}`} key=${what}><b>${what}</b> <${Terms} of=${terms} /></p>`;
  return html`<div class="stack">${levers.block && told('bad', 'Blocked', levers.block)}${levers.limit && told('', `Limit ${levers.limit.managers}`, levers.limit)}
    ${tokens && html`<p class="note bad"><b>Tokens revoked</b> that were issued before <${Time} ms=${tokens.issued_before_unix_ms} />, <${Terms} of=${tokens} /></p>`}
    ${pins.map(([key, terms]) => html`<p class="note" key=${key}><b>Pinned: <span class="mono">${key}</span></b> <${Terms} of=${terms} /></p>`)}</div>`;
}

/** How much the user may send, where there is such a budget, and what of it can be seen. */
function Traffic({ is, limits }) {
  const of = (name) => limits?.find((one) => one.name === `limits.traffic.${name}`)?.value;
  const [messages, size] = [of('messages_per_s'), of('bytes_per_s')];
  if (!messages && !size) return null;
  const sent = is.managers.reduce((sum, manager) => sum + (manager.signals['activity-rate-1m'] ?? 0), 0) / 60;
  const may = [messages && `${count(messages, 'message')} a second`, size && `${bytes(size)} a second`].filter(Boolean).join(' and ');
  return html`<${Section} title="Traffic budget" aside=${html`<a href=${href(['node'], { limits: 'limits.traffic' })}>The limits</a>`}><div class="card pad">
    <p>Its clients may send ${may}, over all connections together.${messages ? ` Over the last minute they sent about ${num(Math.round(sent * 10) / 10)} a second.` : ''}</p>
    ${messages > 0 && html`<${Meter} value=${Math.round(sent * 10) / 10} max=${messages} label="Messages a second, of the budget" />`}</div></${Section}>`;
}

/** Pinned last, protected before them, the others by their class; of one class the longest idle. */
function ranked(managers) {
  const at = (manager) => [
    manager.protection.level === 'pinned' ? 2 : manager.protection.level === 'protected' ? 1 : 0,
    CLASSES.indexOf(manager.class),
    -(manager.signals['idle-ms'] ?? 0),
  ];
  return managers.map((manager) => ({ manager, at: at(manager) })).sort((a, b) => a.at[0] - b.at[0] || a.at[1] - b.at[1] || a.at[2] - b.at[2]).map(({ manager }) => manager);
}

function Slots({ is, path, chosen, after, readOnly }) {
  const [all, setAll] = useState(false);
  const order = useMemo(() => ranked(is.managers), [is.managers]);
  // By key, so that no slot changes its place.
  const sorted = useMemo(() => [...is.managers].sort((a, b) => BY_KEY.compare(a.key, b.key)), [is.managers]);
  const shown = all ? sorted : sorted.slice(0, DRAWN);
  const free = Math.max(0, is.limit - is.managers.length);
  const going = order.filter((manager) => manager.protection.level === 'evictable' && manager.class && manager.class !== 'responsive').slice(0, NEXT);
  const [worst] = going;
  const most = Math.max(1, ...is.managers.map((manager) => manager.signals['activity-rate-1m'] ?? 0));
  const picked = is.managers.find((manager) => manager.key === chosen);
  const next = worst ? html`Next to go by its class: <b class="mono">${worst.key}</b>, ${worst.class}` : is.managers.length ? 'All answer: only the tier force could take one, worst first' : '';
  return html`<${Section} title="Slots" aside=${next}>
    <ul class="slots">${shown.map((manager) => html`<li key=${manager.key}><${Slot} manager=${manager} rate=${(manager.signals['activity-rate-1m'] ?? 0) / most}
        rank=${going.indexOf(manager)} chosen=${manager.key === chosen} /></li>`)}
      ${is.managers.length > shown.length && html`<li><button type="button" class="slot empty" onClick=${() => setAll(true)}>Show ${num(is.managers.length - shown.length)} more</button></li>`}
      ${free > 0 && shown.length === is.managers.length && html`<li><div class="slot empty">${count(free, 'free slot')}</div></li>`}</ul>
    ${picked && html`<${Picked} manager=${picked} user=${is.user} path=${path} after=${after} readOnly=${readOnly} />`}</${Section}>`;
}

const GOES = ['next to go', 'then', 'then'];

function Slot({ manager, rate, rank, chosen }) {
  const { signals: s } = manager;
  const held = manager.protection.level;
  return html`<button type="button" class=${`slot ${means(manager.health)}`} style=${{ width: '100%' }} aria-pressed=${String(chosen)} onClick=${() => refine({ slot: chosen ? null : manager.key })}>
    <span class="key" title=${manager.key}>${manager.key}</span>
    <span class="facts"><${Tag} word=${manager.health} />${manager.standing !== 'attached' && html`<${Tag} word=${manager.standing} />`}${held !== 'evictable' && html`<${Tag} word=${held} />`}${rank >= 0 && html`<${Tag} word=${GOES[rank]} as="bad" />`}</span>
    <span class="pair"><span>idle <b>${brief(s['idle-ms'])}</b></span><span>silent <b>${brief(s['silence-ms'])}</b></span></span>
    <span class="pulse" aria-hidden="true"><i style=${{ width: `${Math.round(rate * 100)}%` }}></i></span>
    <span class="pair"><span>${count(s['activity-count'] ?? 0, 'message')}</span><span>${num(Math.round((s['activity-rate-1m'] ?? 0) * 10) / 10)}/min</span></span></button>`;
}

function Picked({ manager, user, path, after, readOnly }) {
  const own = `${path}/managers/${encodeURIComponent(manager.key)}`;
  const pinned = manager.protection.level === 'pinned';
  const pin = () => confirm({
    title: `Pin ${manager.key}`, action: 'Pin', about: `For a time nothing may evict ${manager.key} of ${user}.`,
    fields: [{ name: 'minutes', label: 'Minutes', type: 'number', min: 1, required: true, value: '10' }, REASON],
    run: async ({ minutes, reason }) => {
      await request(`${own}/pin`, { method: 'POST', body: { for_ms: Math.round(Number(minutes) * 60000), reason } });
      return after(`${manager.key} is pinned.`);
    },
  });
  const unpin = () => confirm({
    title: `Unpin ${manager.key}`, action: 'Unpin', fields: [WHY_BACK],
    run: async ({ reason }) => {
      await request(`${own}/pin`, { method: 'DELETE', body: { ...(reason && { reason }) } });
      return after(`${manager.key} is not pinned any more.`);
    },
  });
  const evict = () => confirm({
    title: `Evict ${manager.key} of ${user}`, action: 'Evict', danger: true, about: 'Its client is told so, and may connect again.', fields: [REASON],
    run: async ({ reason }) => {
      const { evicted } = await request(`${own}/evict`, { method: 'POST', body: { reason } });
      return after(evicted ? `${manager.key} is evicted.` : `${manager.key} was on its way out already.`);
    },
  });
  const rows = Object.entries(manager.signals);
  const why = manager.protection.reason ? ` (${manager.protection.reason})` : '';
  return html`<div class="section card"><div class="pad row" style=${{ justifyContent: 'space-between' }}>
      <div><h3 class="mono">${manager.key}</h3><p class="soft">${manager.standing}, ${manager.health}, class ${manager.class ?? 'none'}, ${manager.protection.level}${why}</p></div>
      <div class="row"><a href=${href(['users', user], { key: manager.key, slot: manager.key })}>Only its timeline</a>
      ${!readOnly && html`${pinned ? html`<button type="button" onClick=${unpin}>Unpin…</button>` : html`<button type="button" onClick=${pin}>Pin…</button>`}
        <button type="button" class="danger" onClick=${evict}>Evict…</button>`}</div></div>
    <dl class="signals" aria-label=${`Signals of ${manager.key}`}>${rows.map(([name, value]) => html`<div key=${name}><dt><code>${name}</code></dt><dd>${signal(name, value)}</dd></div>`)}</dl></div>`;
}

function Why({ of, keyed }) {
  const is = of.data;
  const lines = is ? [...is.lines].reverse() : [];
  return html`<${Section} title="What happened" aside=${keyed ? html`Of <span class="mono">${keyed}</span> only. <button type="button" class="plain small" onClick=${() => refine({ key: null })}>All managers</button>` : is && html`Remembered since <${Time} ms=${is.since_ms} />`}>
    ${!is ? html`<${Instead} of=${of} rows=${4} what="The timeline" />` : html`<div class="stack">
      ${is.answer && html`<p class="note"><${Dated} text=${is.answer} /></p>`}
      <div class="card">${lines.length ? html`<ol class="timeline">${lines.map((line, at) => html`<${Line} key=${`${line.unix_ms}-${lines.length - at}`} line=${line} />`)}</ol>`
        : html`<${Empty} title="Nothing yet">Nothing is remembered of this user.</${Empty}>`}</div></div>`}</${Section}>`;
}
