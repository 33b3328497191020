// Tokens that are revoked before they expire: which, up to when, by whom and why.
import { html } from '../lib.js';
import { request, to, usePoll } from '../api.js';
import { Empty, FOR, Head, Instead, REASON, Table, Tag, Time, UserLink, WHY_BACK, confirm, seconds, zone } from '../parts.js';
import { count, num } from '../format.js';
import { refine } from '../route.js';

const TARGETS = [['token', 'One token, by its id (jti)'], ['user', 'The tokens of a user'], ['all', 'All tokens']];
/** Bytes of an id that the server takes. */
const NAME_MAX = 1024;

/** `user/ann` as `['user', 'ann']`; an id may have slashes. */
function parted(target) {
  const at = target.indexOf('/');
  return at < 0 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)];
}

function route(target, name) {
  if (target === 'all') return 'v1/revocations/all';
  return to('v1', 'revocations', target === 'token' ? 'tokens' : 'users', name);
}

const words = (target, name) => ({ token: `token ${name}`, user: `the tokens of ${name}`, all: 'all tokens' }[target]);
const start = (text) => text[0].toUpperCase() + text.slice(1);

/** Asks what is to be revoked and why, and revokes it. `given` may have the target and its name. */
export function revoke(given, after) {
  const isOpen = !given.target;
  confirm({
    title: isOpen ? 'Revoke tokens' : `Revoke ${words(given.target, given.name)}`, action: 'Revoke', danger: true,
    about: 'Connections of clients that came with such a token are closed with 4005, and it is refused from now on.',
    fields: [
      ...(isOpen ? [
        { name: 'target', label: 'What', options: TARGETS, value: 'token' },
        { name: 'id', label: 'Id of the token (jti)', required: true, maxlength: NAME_MAX, when: ({ target }) => target === 'token' },
        { name: 'user', label: 'User', required: true, when: ({ target }) => target === 'user' },
      ] : []),
      { name: 'before', label: `Issued before, in ${zone()} (empty: now)`, type: 'datetime-local', when: ({ target }) => (target ?? given.target) !== 'token' },
      FOR, REASON,
    ],
    run: async (values) => {
      const target = values.target ?? given.target;
      const name = given.name ?? (target === 'token' ? values.id : values.user);
      const before = target !== 'token' && values.before ? new Date(values.before).getTime() : undefined;
      const { closed, durable } = await request(route(target, name), { method: 'PUT', body: { reason: values.reason, for_s: seconds(values.minutes), issued_before_unix_ms: before } });
      return after(`${start(words(target, name))} ${target === 'token' ? 'is' : 'are'} revoked; ${count(closed, 'connection')} closed.${durable ? '' : ' It ends with the process.'}`);
    },
  });
}

/** Asks whether a revocation is to be taken back, and does it. */
export function allow(of, after) {
  const [target, name] = parted(of);
  confirm({
    title: `Allow ${words(target, name)} again`, action: 'Allow', about: 'Such a token is valid again until it expires.', fields: [WHY_BACK],
    run: async ({ reason }) => {
      await request(route(target, name), { method: 'DELETE', body: { ...(reason && { reason }) } });
      return after(`${start(words(target, name))} ${target === 'token' ? 'is' : 'are'} allowed again.`);
    },
  });
}

function What({ target }) {
  const [kind, name] = parted(target);
  if (kind === 'all') return html`<${Tag} word="all tokens" as="bad" />`;
  if (kind === 'user') return html`<span class="clip">all of <${UserLink} user=${name} /></span>`;
  return html`<span class="clip mono" title=${name}>${name}</span>`;
}

export function Tokens({ asked, readOnly }) {
  const of = usePoll('v1/revocations', 10000);
  const all = of.data?.revocations;
  const wanted = (asked.filter ?? '').toLowerCase();
  const rows = (all ?? []).filter((row) => `${row.target} ${row.reason} ${row.by}`.toLowerCase().includes(wanted));
  const after = (done) => { of.refresh(); return done; };
  const columns = [
    { name: 'What', cell: (row) => html`<${What} target=${row.target} /><span class="only-narrow small soft">${row.reason}</span>` },
    { name: 'Issued before', narrow: false, cell: (row) => (row.issued_before_unix_ms === undefined ? html`<span class="soft">any time</span>` : html`<${Time} ms=${row.issued_before_unix_ms} />`) },
    { name: 'Until', cell: (row) => (row.until_unix_ms ? html`<${Time} ms=${row.until_unix_ms} />` : html`<span class="soft">taken back</span>`) },
    { name: 'Set', narrow: false, cell: (row) => html`<${Time} ms=${row.set_unix_ms} />` },
    { name: 'By', narrow: false, cell: (row) => html`<span class="clip" title=${row.by}>${row.by}</span>` },
    { name: 'Reason', wrap: true, narrow: false, cell: (row) => html`<span class="reason">${row.reason}</span>` },
    ...(readOnly ? [] : [{ name: 'Change', num: true, cell: (row) => html`<button type="button" class="small" aria-label=${`Allow ${words(...parted(row.target))} again`} onClick=${() => allow(row.target, after)}>Allow…</button>` }]),
  ];
  return html`<${Head} title="Tokens" lead="Tokens that are refused although they have not expired.">${!readOnly && html`<button type="button" class="danger" onClick=${() => revoke({}, after)}>Revoke…</button>`}</${Head}>
    ${!all ? html`<${Instead} of=${of} rows=${6} what="The list" />` : html`${all.length > 0 && html`<div class="toolbar" role="search"><label class="field"><span>Id, user, reason or operator contains</span><input type="search" value=${asked.filter ?? ''} maxlength="256" onInput=${(event) => refine({ filter: event.currentTarget.value })} /></label></div>`}
    <div class="card">${rows.length ? html`<${Table} caption="Revoked tokens" rows=${rows} id=${(row) => row.target} columns=${columns} />`
      : all.length ? html`<${Empty} title="None fits">No revocation has that in its id, user, reason or operator.</${Empty}>` : html`<${Empty} title="No token is revoked">A token that got into wrong hands can be refused before it expires: by its id, those of a user, or all that were issued before a moment.</${Empty}>`}
      ${all.length > 0 && html`<div class="foot">${num(rows.length)} of ${num(all.length)} in force</div>`}</div>`}`;
}
