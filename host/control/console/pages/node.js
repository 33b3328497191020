// The node: what operators do to all of it, who ranks, its backends, and every limit with what is used of it.
import { html, useMemo } from '../lib.js';
import { request, usePoll } from '../api.js';
import { Empty, FOR, Head, Instead, Meter, Prose, REASON, Section, Table, Tag, Terms, Time, WHY_BACK, confirm, seconds } from '../parts.js';
import { brief, bytes, count, duration, num } from '../format.js';
import { href, refine } from '../route.js';
import { ends, overBudget } from '../metrics.js';
import { Cluster, clusterOf, summary } from './nodes.js';

/** How many clients a second are asked to reconnect where nothing else is said. */
const PER_S = 50;
const PER_S_MAX = 10000;
const TRAFFIC = 'limits.traffic';

export function Node({ nodes, asked, readOnly }) {
  const [is] = nodes.data?.nodes ?? [];
  if (!is) return html`<${Head} title="Node" /><${Instead} of=${nodes} rows=${10} />`;
  const after = (done) => { nodes.refresh(); return done; };
  const cluster = clusterOf(nodes);
  const lead = html`Version ${is.version}, up for ${duration(is.uptime_ms)}${is.address ? html`, clients connect to <span class="mono">${is.address}</span>` : ''}. It holds ${count(is.managers, 'manager')} of ${count(is.users, 'user')}.`;
  const levers = !readOnly && html`<${Levers} is=${is} after=${after} />`;
  return html`${cluster ? html`<${Head} title="Nodes" lead=${`${summary(cluster)}.`} /><${Cluster} cluster=${cluster} />
      <${Section} title=${html`This node, <span class="mono">${cluster.node}</span>`}><div class="head"><div><p class="lead">${lead}</p></div>${levers && html`<div class="row">${levers}</div>`}</div></${Section}>`
      : html`<${Head} title=${html`Node <span class="mono">${is.name}</span>`} lead=${lead}>${levers}</${Head}>`}
    <${State} is=${is} />
    <${Ranking} is=${is} /><${Backends} /><${Budgets} /><${Limits} asked=${asked} />`;
}

function Levers({ is, after }) {
  const drain = () => confirm({
    title: `Drain ${is.name || 'the node'}`, action: 'Drain', danger: true, about: 'No new connection is taken, and load balancers are told so. Connections that are open stay.',
    fields: [FOR, REASON],
    run: async ({ minutes, reason }) => {
      const { durable } = await request('v1/node/drain', { method: 'PUT', body: { reason, for_s: seconds(minutes) } });
      return after(`No new connection is taken.${durable ? '' : ' That ends with the process.'}`);
    },
  });
  const undrain = () => confirm({
    title: 'End the drain', action: 'End the drain', about: 'New connections are taken again.', fields: [WHY_BACK],
    run: async ({ reason }) => {
      await request('v1/node/drain', { method: 'DELETE', body: { ...(reason && { reason }) } });
      return after('New connections are taken again.');
    },
  });
  const disconnect = () => confirm({
    title: 'Ask all clients to reconnect', action: 'Ask them', danger: true,
    about: `Closes the connections of ${count(is.managers, 'manager')} with 1012, so many managers a second; clients that behave come back. ${is.drain ? 'This node takes none of them while it drains.' : 'This node takes them again: drain it first to move them to others.'}`,
    fields: [{ name: 'per_s', label: 'Managers a second', type: 'number', min: 1, max: PER_S_MAX, required: true, value: String(PER_S) }, REASON],
    run: async ({ per_s: perS, reason }) => {
      const { disconnecting } = await request('v1/node/disconnect', { method: 'PUT', body: { per_s: Number(perS), reason } });
      return after(disconnecting ? `${count(disconnecting.left, 'manager')} will be asked to reconnect.` : 'No manager has a connection.');
    },
  });
  const stop = () => confirm({
    title: 'Stop asking clients to reconnect', action: 'Stop', about: 'Those that were asked already are not called back.', fields: [WHY_BACK],
    run: async ({ reason }) => {
      await request('v1/node/disconnect', { method: 'DELETE', body: { ...(reason && { reason }) } });
      return after('No more clients are asked to reconnect.');
    },
  });
  return html`${is.drain ? html`<button type="button" onClick=${undrain}>End the drain…</button>` : html`<button type="button" class="danger" disabled=${is.draining} onClick=${drain}>Drain…</button>`}
    ${is.disconnecting ? html`<button type="button" onClick=${stop}>Stop reconnecting…</button>` : html`<button type="button" class="danger" onClick=${disconnect}>Reconnect all…</button>`}`;
}

/** What operators have set for the whole node, with their reasons. */
export function State({ is }) {
  if (!is?.draining && !is?.disconnecting) return null;
  const { drain, disconnecting } = is;
  return html`<div class="stack">
    ${drain && html`<p class="note warn"><b>Drained</b> <${Terms} of=${drain} />. No new connection is taken; those that are open stay.</p>`}
    ${is.draining && !drain && html`<p class="note warn"><b>The server stops.</b> It takes no new connections and ends those that it has.</p>`}
    ${disconnecting && html`<p class="note warn"><b>Clients are asked to reconnect</b>, ${num(disconnecting.per_s)} a second; ${num(disconnecting.left)} are left, for about ${brief((disconnecting.left / disconnecting.per_s) * 1000)}: <${Terms} of=${{ ...disconnecting, until_unix_ms: undefined }} /></p>`}</div>`;
}

function Ranking({ is }) {
  return html`<${Section} title="Who ranks" aside=${html`<a href=${href(['policies'])}>Policies</a>`}><div class="card"><${Table} caption="Who ranks, tier by tier" rows=${is.policies} id=${(row) => row.tier} columns=${[
    { name: 'Tier', cell: (row) => row.tier },
    { name: 'Policy', cell: (row) => html`${row.policy}${row.revision !== null ? html` <span class="soft">r${row.revision}</span>` : ''}` },
    { name: 'SHA-256', narrow: false, cell: (row) => (row.digest ? html`<code title=${row.digest}>${row.digest.slice(0, 12)}</code>` : html`<span class="soft">–</span>`) },
  ]} /></div></${Section}>`;
}

function Backends() {
  const of = usePoll('v1/upstreams', 5000);
  const rows = of.data?.upstreams;
  const ago = (ms) => (ms === null ? html`<span class="soft">never</span>` : `${brief(ms)} ago`);
  return html`<${Section} title="Backends">${!rows ? html`<${Instead} of=${of} rows=${2} what="This list" />` : html`<div class="card">${rows.length ? html`<${Table} caption="Backends" rows=${rows} id=${(row) => `${row.route} ${row.url}`} columns=${[
    { name: 'Address', cell: (row) => html`<span class="mono">${row.url}</span>` },
    { name: 'Route', narrow: false, cell: (row) => html`<span class="mono">${row.route}</span>` },
    { name: 'State', cell: (row) => html`<${Tag} word=${row.state} />` },
    { name: 'For', num: true, cell: (row) => brief(row.since_ms) },
    { name: 'Connections', num: true, cell: (row) => num(row.connections) },
    { name: 'Last success', num: true, narrow: false, cell: (row) => ago(row.last_success_ms) },
    { name: 'Last failure', num: true, narrow: false, cell: (row) => ago(row.last_failure_ms) },
    { name: 'What failed', wrap: true, narrow: false, cell: (row) => row.last_error ?? html`<span class="soft">–</span>` },
  ]} />` : html`<div class="pad soft">The built-in application answers; no backend is configured.</div>`}</div>`}</${Section}>`;
}

/** How often a user passed its budget, and how many connections that closed. */
function Budgets() {
  const metrics = usePoll('metrics', 10000);
  const over = metrics.data ? overBudget(metrics.data) : [];
  const closed = metrics.data ? ends(metrics.data).find((one) => one.name === 'over-budget')?.value ?? 0 : 0;
  return html`<${Section} title="Traffic budgets" aside=${html`<a href=${href(['node'], { limits: TRAFFIC })} onClick=${(event) => { event.preventDefault(); refine({ limits: TRAFFIC }); document.getElementById('limits')?.scrollIntoView(); }}>What a user may send</a>`}><div class="card pad">
    ${!metrics.data ? '…' : over.length ? html`<p>Since the start users passed their budget: ${over.map((one) => `${one.name} ${num(one.value)}`).join(', ')}. ${closed ? html`${count(closed, 'connection')} ${closed === 1 ? 'was' : 'were'} closed for it with 4007 (<code>over-budget</code>).` : 'No connection was closed for it.'}</p>` : html`<p class="soft">No user has passed its budget since the start.</p>`}</div></${Section}>`;
}

const isBytes = (name) => /bytes/.test(name);

function Limits({ asked }) {
  const of = usePoll('v1/limits', 10000);
  const all = of.data?.limits;
  const wanted = (asked.limits ?? '').toLowerCase();
  const every = asked.every === '1';
  // What is counted now says most; a search goes over all.
  const rows = useMemo(() => (all ?? []).filter((one) => (every || wanted || one.used !== null) && `${one.name} ${one.about}`.toLowerCase().includes(wanted)), [all, wanted, every]);
  const figure = (one, value) => (isBytes(one.name) ? bytes(value) : num(value));
  return html`<${Section} title="Limits"><div class="toolbar" role="search" id="limits"><label class="field"><span>Name or text contains</span><input type="search" value=${asked.limits ?? ''} maxlength="100" onInput=${(event) => refine({ limits: event.currentTarget.value })} /></label>
      <label class="check"><input type="checkbox" checked=${every} onChange=${() => refine({ every: every ? null : '1' })} />Also those whose use is not counted</label></div>
    ${!all ? html`<${Instead} of=${of} rows=${8} what="This list" />` : html`<div class="card">${rows.length ? html`<ul class="settings limits">${rows.map((one) => html`<li key=${one.name}>
      <div><code class="name">${one.name}</code><p class="small soft"><${Prose} text=${one.about} /></p></div>
      <div class="small soft"><${Prose} text=${one.when_reached} /></div>
      <div class="num">${one.used !== null ? html`${figure(one, one.used)}<span class="soft">${one.value === null ? ', ' : ' of '}</span>` : ''}${one.value === null ? html`<span class="soft">no limit</span>` : figure(one, one.value)}${one.used !== null && one.value > 0 && html`<${Meter} value=${one.used} max=${one.value} label=${`${one.name} in use`} />`}</div></li>`)}</ul>`
      : html`<${Empty} title="None fits">No limit fits.</${Empty}>`}<div class="foot">${num(rows.length)} of ${num(all.length)} limits</div></div>`}</${Section}>`;
}
