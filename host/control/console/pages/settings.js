// Settings in force, and where each comes from.
import { html, useMemo, useStore } from '../lib.js';
import { ended, linkable, request, session, usePoll } from '../api.js';
import { Empty, Head, Instead, Prose, WHY_BACK, confirm } from '../parts.js';
import { num } from '../format.js';
import { refine } from '../route.js';

/** Ends every session of the console, this one too. */
const signOut = () => confirm({
  title: 'Sign everybody out', action: 'Sign everybody out', danger: true,
  about: 'Every session of the console ends, this one too, and so do copies of their cookies. Tokens stay valid.', fields: [WHY_BACK],
  run: async ({ reason }) => {
    await request('v1/sessions', { method: 'DELETE', body: { ...(reason && { reason }) } });
    ended('Everybody is signed out.');
    return 'Everybody is signed out.';
  },
});

export function Settings({ asked, readOnly }) {
  const is = useStore(session);
  const of = usePoll('v1/config', 15000);
  const keys = of.data?.keys;
  const changed = asked.changed === '1';
  const rows = useMemo(() => (keys ?? []).filter((one) => (!changed || one.from !== 'default') && (!asked.filter || `${one.key} ${one.about}`.toLowerCase().includes(asked.filter.toLowerCase()))), [keys, asked.filter, changed]);
  return html`<${Head} title="Settings" lead="What is in force. A flag goes before the environment, that before the file, and that before the default.">
      ${is.state === 'in' && linkable() && !readOnly && html`<button type="button" class="danger" onClick=${signOut}>Sign everybody out…</button>`}</${Head}>
    ${!keys ? html`<${Instead} of=${of} rows=${12} />` : html`<div class="toolbar" role="search"><label class="field"><span>Key or text contains</span><input type="search" value=${asked.filter ?? ''} maxlength="100" onInput=${(event) => refine({ filter: event.currentTarget.value })} /></label>
      <label class="check"><input type="checkbox" checked=${changed} onChange=${() => refine({ changed: changed ? null : '1' })} />Only what is not the default</label></div>
    <div class="card">${rows.length ? html`<ul class="settings">${rows.map((one) => html`<li key=${one.key}>
      <div><code class="name">${one.key}</code><p class="small soft"><${Prose} text=${one.about} /></p></div>
      <div><code>${one.value === '' ? '–' : one.value}</code></div>
      <div>${one.from === 'default' ? html`<span class="soft">default</span>` : html`<span class="tag accent from">${one.from}</span>`}<p class="small soft">${one.live ? 'changes at SIGHUP' : 'changes at a restart'}</p></div></li>`)}</ul>`: html`<${Empty} title="None fits">No setting fits.</${Empty}>`}<div class="foot">${num(rows.length)} of ${num(keys.length)} settings</div></div>`}`;
}
