// Users: who holds how much, a page at a time.
import { html, useEffect, useState } from '../lib.js';
import { query, usePoll } from '../api.js';
import { Empty, Head, Instead, Meter, Pager, Table, Tag, UserLink } from '../parts.js';
import { num } from '../format.js';
import { refine } from '../route.js';

const PAGE = 50;
const ORDERS = [['pressure', 'Most pressed first'], ['held', 'Fullest first'], ['name', 'By name']];
/** How long typing rests before the list is asked for, ms. */
const REST_MS = 250;

/** The pages before this one; on a page that was opened by its address they are not known. */
let before = [];

export function Users({ asked }) {
  const order = asked.order ?? 'pressure';
  const [text, setText] = useState(asked.filter ?? '');
  useEffect(() => {
    if (text === (asked.filter ?? '')) return undefined;
    const timer = setTimeout(() => { before = []; refine({ filter: text, cursor: null }); }, REST_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const of = usePoll(`v1/users${query({ order, filter: asked.filter, limit: PAGE, cursor: asked.cursor })}`, 3000, { holds: true });
  const page = of.data;
  const next = page?.next_cursor;
  const turn = (cursor) => refine({ cursor });
  return html`<${Head} title="Users" lead="Every user who holds a manager or has a lever set." />
    <div class="toolbar" role="search">
      <label class="field"><span>Name contains</span><input type="search" value=${text} maxlength="256" onInput=${(event) => setText(event.currentTarget.value)} /></label>
      <label class="field"><span>Order</span><select value=${order} onChange=${(event) => { before = []; refine({ order: event.currentTarget.value, cursor: null }); }}>
        ${ORDERS.map(([key, label]) => html`<option key=${key} value=${key}>${label}</option>`)}</select></label></div>
    ${!page ? html`<${Instead} of=${of} rows=${12} what="The list" />` : html`<div class="card">
      ${page.users.length ? html`<${Table} caption="Users" rows=${page.users} id=${(row) => row.user} className=${() => 'link'} columns=${COLUMNS} />`
        : html`<${Empty} title=${asked.filter ? 'Nobody fits' : 'Nobody is here'}>${asked.filter ? 'No user with that in its name holds a manager or has a lever set.' : 'No user holds a manager, and no lever is set.'}</${Empty}>`}
      <${Pager} back=${asked.cursor ? () => turn(before.pop() ?? null) : null} next=${next ? () => { before.push(asked.cursor ?? null); turn(next); } : null}>
        ${num(page.users.length)} of ${num(page.total)} users on this page</${Pager}></div>`}`;
}

const COLUMNS = [
  { name: 'User', cell: (row) => html`<span class="clip"><${UserLink} user=${row.user} /></span>` },
  { name: 'Held', num: true, cell: (row) => html`${num(row.held)} <span class="soft">of ${num(row.limit)}${row.lent ? ` + ${num(row.lent)} lent` : ''}</span>` },
  { name: 'Fill', narrow: false, cell: (row) => html`<div style=${{ minWidth: '7rem' }}><${Meter} value=${row.held} max=${row.limit + row.lent} label=${`Managers of ${row.user}`} /></div>` },
  { name: 'Pressure', cell: (row) => html`<${Tag} word=${row.pressure} />` },
  { name: 'Levers', narrow: false, cell: (row) => html`<span class="row">${row.levers.block && html`<${Tag} word="blocked" />`}${row.levers.limit && html`<${Tag} word=${`limit ${row.levers.limit.managers}`} as="accent" />`}${!row.levers.block && !row.levers.limit && html`<span class="soft">–</span>`}</span>` },
];
