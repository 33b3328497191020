// The policies that an operator has shared over all nodes of the cluster: which, by whom, and who does not follow.
import { html } from '../lib.js';
import { request, usePoll } from '../api.js';
import { Instead, Prose, REASON, Section, Table, Tag, Time, confirm } from '../parts.js';
import { num } from '../format.js';
import { Follows, Name, whyNot } from './nodes.js';

const PATH = 'v1/cluster/policies';

export function Shared({ cluster, tiers, readOnly, after }) {
  const of = usePoll(PATH, 3000);
  const is = of.data;
  if (!is) return html`<${Section} title="On all nodes"><${Instead} of=${of} rows=${4} what="What is shared" /></${Section}>`;
  const { number, shared } = is;
  const share = () => confirm({
    title: 'Share with all nodes', action: 'Share', danger: true,
    about: `Every node of the cluster is to rank as ${cluster.node} does now, at every tier. Each checks the policies by its own keys first; one that refuses keeps what it has.${number ? ` It replaces no. ${number}.` : ''}`,
    fields: [REASON],
    run: async ({ reason }) => {
      // Of two operators who share at once one is told.
      const done = await request(PATH, { method: 'PUT', body: { from: number, reason }, patience: 30000 });
      of.refresh();
      return after(`Shared as no. ${done.number}; the nodes take it over within seconds.`);
    },
  });
  const policy = (tier) => (shared.seats[tier] ? html`${shared.seats[tier].name} <span class="soft">${shared.seats[tier].version}</span>` : 'built-in');
  return html`<${Section} title="On all nodes" aside=${!readOnly && html`<button type="button" class="small" onClick=${share}>Share…</button>`}><div class="stack">
    ${!shared ? html`<p class="note">Nothing is shared: each node ranks by its own policies.</p>`
      : html`<p class="note">Shared as no. ${num(number)} by ${shared.by} at <${Time} ms=${shared.at_unix_ms} />, as <span class="mono">${shared.node}</span> ranked then: <span class="reason">${shared.reason}</span></p>`}
    ${is.problem && html`<p class="note bad">This node does not follow it: <${Prose} text=${is.problem} /></p>`}
    ${shared && !is.in_step && !is.problem && html`<p class="note warn">This node was changed by itself since: it ranks by its own policies until something is shared again.</p>`}
    ${shared && html`<div class="cols">
      <div class="card"><${Table} shown caption="What is shared" rows=${tiers} id=${(tier) => tier} columns=${[
        { name: 'Tier', cell: (tier) => tier },
        { name: 'Policy', cell: policy },
        { name: 'SHA-256', narrow: false, cell: (tier) => (shared.seats[tier] ? html`<code title=${shared.seats[tier].digest}>${shared.seats[tier].digest.slice(0, 12)}</code>` : html`<span class="soft">–</span>`) },
      ]} /></div>
      <div class="card"><${Table} shown caption="Who follows" rows=${cluster.nodes} id=${(row) => row.name} columns=${[
        { name: 'Node', cell: (row) => html`<${Name} name=${row.name} />` },
        { name: 'Follows', cell: (row) => (row.this && !is.in_step && !row.problem ? html`<${Tag} word="changed here" as="warn" />` : html`<${Follows} row=${row} cluster=${cluster} />`) },
        { name: 'Why not', wrap: true, cell: (row) => (row.problem ? html`<${Prose} text=${whyNot(row)} />` : html`<span class="soft">–</span>`) },
      ]} /></div></div>`}
  </div></${Section}>`;
}
