// Decisions: what was decided lately, newest first.
import { html, useEffect, useRef, useState } from '../lib.js';
import { query, usePoll } from '../api.js';
import { Empty, Head, Instead, Pager, Table, Time, UserLink, useHold } from '../parts.js';
import { micros, num } from '../format.js';
import { href, refine } from '../route.js';

const PAGE = 50;
const REST_MS = 250;
let before = [];

export function Decisions({ asked }) {
  const [user, setUser] = useState(asked.user ?? '');
  useEffect(() => {
    if (user === (asked.user ?? '')) return undefined;
    const timer = setTimeout(() => { before = []; refine({ user, before: null }); }, REST_MS);
    return () => clearTimeout(timer);
  }, [user]);
  const [paused, setPaused] = useState(false);
  const [held, hold] = useHold();
  const loaded = useRef(null);
  const wanted = `v1/decisions${query({ user: asked.user, limit: PAGE, before: asked.before })}`;
  // A list that somebody reads stays; another one is asked for all the same.
  const waits = (paused || held) && loaded.current === wanted;
  const of = usePoll(waits ? null : wanted, asked.before ? 0 : 2000, { holds: true });
  if (of.data) loaded.current = of.path;
  const rows = of.data?.decisions;
  const next = of.data?.next_before;
  return html`<${Head} title="Decisions" lead="Each time room had to be made: who was asked, about how many managers, and how many went. The last 1,000 are in memory.">
      ${!asked.before && html`<span class=${`link-state ${waits ? 'rest' : ''}`}><i></i>${!waits ? 'Live' : paused ? 'Paused' : 'Waits while you read'}</span>
        <button type="button" aria-pressed=${String(paused)} onClick=${() => setPaused(!paused)}>${paused ? 'Go on' : 'Pause'}</button>`}</${Head}>
    <div class="toolbar" role="search"><label class="field"><span>User, the whole name</span><input type="search" value=${user} maxlength="256" onInput=${(event) => setUser(event.currentTarget.value)} /></label></div>
    ${!rows ? html`<${Instead} of=${of} rows=${12} what="The list" />` : html`<div class="card" ...${hold}>
      ${rows.length ? html`<${Table} caption="Decisions" rows=${rows} id=${(row) => row.id} className=${() => 'link'} columns=${rows.some((row) => row.fault) ? [...COLUMNS, FAULT] : COLUMNS} />`
        : html`<${Empty} title="None yet">${asked.user ? 'No decision about this user is remembered.' : 'Nobody has needed room so far.'}</${Empty}>`}
      <${Pager} back=${asked.before ? () => refine({ before: before.pop() ?? null }) : null} next=${next ? () => { before.push(asked.before ?? null); refine({ before: next }); } : null}>
        ${num(rows.length)} on this page, newest first</${Pager}></div>`}`;
}

export const policyOf = (row) => html`${row.policy}${row.revision !== null && row.revision !== undefined ? html` <span class="soft">r${row.revision}</span>` : ''}`;

const COLUMNS = [
  { name: 'Decision', cell: (row) => html`<a href=${href(['decisions', String(row.id)])}>${row.id}</a>` },
  { name: 'When', cell: (row) => html`<${Time} ms=${row.unix_ms} />` },
  { name: 'About', cell: (row) => (row.user === null ? html`<span class="soft">the node</span>` : html`<span class="clip"><${UserLink} user=${row.user} /></span>`) },
  { name: 'Tier', cell: (row) => row.tier },
  { name: 'Policy', narrow: false, cell: policyOf },
  { name: 'Held', num: true, narrow: false, cell: (row) => `${num(row.held)} of ${num(row.limit)}` },
  { name: 'Might go', num: true, narrow: false, cell: (row) => num(row.rows) },
  { name: 'Needed', num: true, narrow: false, cell: (row) => num(row.needed) },
  { name: 'Went', num: true, cell: (row) => num(row.victims) },
  { name: 'Rejected', num: true, narrow: false, cell: (row) => num(row.rejected) },
  { name: 'Call', num: true, narrow: false, cell: (row) => micros(row.call_us) },
];
const FAULT = { name: 'Fault', cell: (row) => (row.fault ? html`<span class="tag bad" title=${row.fault}><span class="clip">${row.fault}</span></span>` : html`<span class="soft">–</span>`) };
