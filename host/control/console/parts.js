// The parts that pages are made of: tags, moments, tables, states, dialogs.
import { html, Component, store, useStore, useState, useEffect, useLayoutEffect, useRef, useId, keep, kept } from './lib.js';
import { moment, when, offset, stamp } from './format.js';
import { href } from './route.js';
import { session } from './api.js';

/** Which colour a word has; the word is always shown. */
const MEANS = {
  alive: 'good', up: 'good', active: 'good', promotable: 'good', admitted: 'good', normal: 'good', none: 'good', running: 'accent', live: 'good',
  suspect: 'warn', stalled: 'warn', trying: 'warn', elevated: 'warn', high: 'warn', hold: 'warn', 'half-open': 'bad',
  dead: 'bad', stuck: 'bad', away: 'bad', warning: 'warn', critical: 'bad', emergency: 'bad', rollback: 'bad', 'rolled-back': 'bad', quarantined: 'bad', shadow: 'warn',
  evicted: 'warn', refused: 'bad', blocked: 'bad', revoked: 'bad', pressure: 'warn', change: 'accent', connected: 'good', draining: 'warn',
  pinned: 'accent', protected: 'accent',
};
export const means = (word) => MEANS[word] ?? '';
export const Tag = ({ word, as, title }) => html`<span class=${`tag ${as ?? means(word)}`} title=${title}>${word}</span>`;

/** A moment in the operator's zone; the title has the date and the offset from UTC. */
export const Time = ({ ms }) => (ms === null || ms === undefined ? html`<span>–</span>`
  : html`<time datetime=${new Date(ms).toISOString()} title=${moment(ms)}>${when(ms)}</time>`);
export const zone = () => offset(Date.now());

/** A sentence of the server: what stands between backticks is code. */
export const Prose = ({ text }) => text.split('`').map((part, at) => (at % 2 ? html`<code>${part}</code>` : part));

/** The same with moments of the last day as the operator's clock has them; the server says them in UTC. */
export const Dated = ({ text }) => text.split(/(\d\d:\d\d:\d\dZ)/).map((part, at) => (at % 2 ? html`<${Time} ms=${lately(part)} />` : html`<${Prose} text=${part} />`));

function lately(clock) {
  const now = Date.now();
  const at = Date.parse(`${new Date(now).toISOString().slice(0, 11)}${clock}`);
  // A clock of the server may be a little ahead.
  return at > now + 60000 ? at - 86400000 : at;
}

export const UserLink = ({ user }) => html`<a class="mono" href=${href(['users', user])}>${user}</a>`;

/** What happened, as an item of a timeline: in the words of the server, with links to what it is about. */
export class Line extends Component {
  // What has happened stays as it is, and there may be hundreds of them.
  shouldComponentUpdate({ line }) { return line.unix_ms !== this.props.line.unix_ms || line.text !== this.props.line.text; }

  render({ line }) {
    return html`<li><${Time} ms=${line.unix_ms} /><span><${Tag} word=${line.kind} /></span>
  <span>${line.user ? html`<${UserLink} user=${line.user} /> ` : ''}${line.key ? html`<span class="mono">${line.key}</span> ` : ''}<${Prose} text=${line.text} />
    ${line.decision !== undefined && line.decision !== null && html` <a class="nowrap" href=${href(['decisions', String(line.decision)])}>decision ${String(line.decision)}</a>`}
    ${line.reason === 'over-budget' && html` <a class="nowrap" href=${href(['node'], { limits: 'limits.traffic' })} title="What a user may send">over-budget</a>`}</span></li>`;
  }
}

export function Meter({ value, max, label }) {
  const share = max > 0 ? Math.min(value / max, 1) : 0;
  const kind = share >= 0.9 ? 'bad' : share >= 0.75 ? 'warn' : '';
  return html`<div class=${`meter ${kind}`} role="meter" aria-label=${label} aria-valuemin="0" aria-valuemax=${max} aria-valuenow=${value}>
    <i style=${{ width: `${(share * 100).toFixed(1)}%` }}></i></div>`;
}

export function Head({ title, lead, children }) {
  return html`<header class="head"><div><h1 tabindex="-1">${title}</h1>${lead && html`<p class="lead">${lead}</p>`}</div>
    ${children && html`<div class="row">${children}</div>`}</header>`;
}

export const Section = ({ title, aside, children }) => {
  const id = useId();
  return html`<section class="section" aria-labelledby=${id}><div class="section-head"><h2 id=${id}>${title}</h2>${aside && html`<div class="small soft">${aside}</div>`}</div>${children}</section>`;
};

export const Empty = ({ title, children }) => html`<div class="empty-state"><h3>${title}</h3><p>${children}</p></div>`;
export const Loading = ({ rows = 6 }) => html`<div class="pad" aria-busy="true"><span class="visually-hidden">Loading</span><span class="skeleton rows" style=${{ height: `${rows * 2.1}rem` }}></span></div>`;

/** What stands in a page's place: loading, not there, or wrong. Null where there are data to show. */
export function Instead({ of, rows, what = 'This page' }) {
  if (of.data !== null && of.data !== undefined) return null;
  if (!of.error || of.error.isAway) return html`<div class="card"><${Loading} rows=${rows} /></div>`;
  if (of.error.isAbsent) {
    return html`<div class="card"><${Empty} title="Not available">${what} needs a route of the API that this server does not have. A newer server has it.</${Empty}></div>`;
  }
  return html`<div class="card"><${Empty} title=${of.error.status === 404 ? 'Not found' : 'The server refused'}>${of.error.message}</${Empty}></div>`;
}

/** A choice of a few. */
export const Segmented = ({ label, options, value, set }) => html`<div class="segmented" role="group" aria-label=${label}>
  ${options.map(([key, text]) => html`<button type="button" key=${key} aria-pressed=${String(key === value)} onClick=${() => set(key)}>${text}</button>`)}</div>`;

const ROW_PX = 33;
const WINDOWED_FROM = 150;
const BEYOND = 12;

/**
 * A table: `columns` are `{ name, cell(row), num, narrow }`; the first cell of a row is its header. Beyond a number
 * of rows only those in view are in the document, and their elements are used again.
 */
export function Table({ caption, shown, columns, rows, id, className, windowed = rows.length > WINDOWED_FROM }) {
  const box = useRef(null);
  const [from, setFrom] = useState(0);
  const [seen, setSeen] = useState(24);
  // What is cut off at the right fades out there, until it is scrolled to; of the element itself, so that nothing is drawn for it.
  const cut = () => box.current?.classList.toggle('cut', box.current.scrollWidth - box.current.clientWidth - box.current.scrollLeft > 4);
  useLayoutEffect(() => {
    const fit = () => {
      if (windowed) setSeen(Math.ceil(box.current.clientHeight / ROW_PX) + 2 * BEYOND);
      cut();
    };
    const watch = new ResizeObserver(fit);
    watch.observe(box.current);
    watch.observe(box.current.firstElementChild);
    return () => watch.disconnect();
  }, [windowed]);
  const first = windowed ? Math.max(0, Math.min(from, rows.length - 1)) : 0;
  const last = windowed ? Math.min(rows.length, first + seen) : rows.length;
  const scrolled = (event) => {
    cut();
    if (windowed) setFrom(Math.max(0, Math.floor(event.currentTarget.scrollTop / ROW_PX) - BEYOND));
  };
  const space = (n) => n > 0 && html`<tr class="spacer" aria-hidden="true"><td colspan=${columns.length} style=${{ height: `${n * ROW_PX}px` }}></td></tr>`;
  const side = (column) => `${column.num ? 'num' : ''} ${column.wrap ? 'wrap' : ''} ${column.narrow === false ? 'hide-narrow' : ''}`;
  const cell = (column, row, at) => (at === 0
    ? html`<th scope="row" class=${side(column)}>${column.cell(row)}</th>`
    : html`<td class=${side(column)}>${column.cell(row)}</td>`);
  return html`<div class=${`scroll ${windowed ? 'windowed' : ''}`} ref=${box} tabindex="0" role="region" aria-label=${caption} onScroll=${scrolled}>
    <table aria-rowcount=${windowed ? rows.length + 1 : undefined}>
      <caption class=${shown ? 'shown' : ''}>${shown ? caption : html`<span class="visually-hidden">${caption}</span>`}</caption>
      <thead><tr>${columns.map((column) => html`<th scope="col" key=${column.name} class=${side(column)}>${column.name}</th>`)}</tr></thead>
      <tbody>${space(first)}
        ${rows.slice(first, last).map((row, at) => html`<tr key=${windowed ? at : id(row)} class=${className?.(row)} aria-rowindex=${windowed ? first + at + 2 : undefined}>${columns.map((column, place) => cell(column, row, place))}</tr>`)}
        ${space(rows.length - last)}</tbody>
    </table></div>`;
}

/** Whether somebody points at a list or is in it with the keyboard, and what the list needs to tell: what is new waits meanwhile. */
export function useHold() {
  const [held, set] = useState(false);
  const within = (event, other) => Boolean(other) && event.currentTarget.contains(other);
  return [held, {
    onMouseEnter: () => set(true),
    onMouseLeave: (event) => set(within(event, document.activeElement)),
    onFocusIn: () => set(true),
    onFocusOut: (event) => set(within(event, event.relatedTarget)),
  }];
}

/** Newer and older pages of a list with cursors. */
export const Pager = ({ back, next, children }) => html`<div class="foot"><span>${children}</span><span class="row">
  <button type="button" class="small" disabled=${!back} onClick=${back}>Back</button>
  <button type="button" class="small" disabled=${!next} onClick=${next}>Next</button></span></div>`;

const asked = store(null);
const said = store(null);

/** Says what was done, for a while, and to screen readers. */
let forget = null;
export function say(text) {
  clearTimeout(forget);
  said.set(text);
  forget = setTimeout(() => said.set(null), 6000);
}

/** The fields that most changes have. */
export const REASON = { name: 'reason', label: 'Reason, for the audit log', required: true };
export const WHY_BACK = { name: 'reason', label: 'Reason, for the audit log (optional)' };
export const FOR = { name: 'minutes', label: 'For how many minutes (empty: until it is taken back)', type: 'number', min: 1, max: 527040 };
export const seconds = (minutes) => (minutes === '' ? undefined : Math.round(Number(minutes) * 60));

/** By whom something was set, when, until when and why. */
export const Terms = ({ of }) => html`by ${of.by} at <${Time} ms=${of.set_unix_ms} />${of.until_unix_ms === undefined ? '' : of.until_unix_ms ? html`, until <${Time} ms=${of.until_unix_ms} />` : ', until it is taken back'}: <span class="reason">${of.reason}</span>`;

/**
 * Asks before something is changed: `{ title, about, fields, action, danger, run(values) }`. A field is
 * `{ name, label, type, value, options, required, min, when(values) }`. What `run` returns is said.
 */
export const confirm = (question) => asked.set(question);

/** A question is of its page: another page, by a link or the way back, has none. */
export const dismiss = () => asked.set(null);

export function Dialogs() {
  const question = useStore(asked);
  const text = useStore(said);
  return html`${question && html`<${Question} key=${question.title} ...${question} />`}
    <div role="status" class=${text ? 'toast' : 'visually-hidden'}>${text}</div>`;
}

function Question({ title, about, fields = [], action, danger, run }) {
  const box = useRef(null);
  const id = useId();
  const [wrong, setWrong] = useState(null);
  const [busy, setBusy] = useState(false);
  const [values, setValues] = useState(() => Object.fromEntries([...fields.map((field) => [field.name, field.value ?? '']), ['actor', kept('actor') ?? '']]));
  useEffect(() => {
    const dialog = box.current;
    dialog.showModal();
    dialog.querySelector('input, select, .row button')?.focus();
    return () => dialog.close();
  }, []);
  const set = (name) => (event) => setValues((was) => ({ ...was, [name]: event.currentTarget.value }));
  const submit = async (event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setWrong(null);
    // A token that has a name is worth more than what somebody says.
    if (!session.get().name) keep('actor', values.actor.trim());
    try {
      say(await run(values));
      asked.set(null);
    } catch (failed) {
      setWrong(failed.message);
      setBusy(false);
    }
  };
  const input = (field) => (field.options
    ? html`<select id=${`${id}-${field.name}`} value=${values[field.name]} onChange=${set(field.name)}>${field.options.map(([key, label]) => html`<option key=${key} value=${key}>${label}</option>`)}</select>`
    : html`<input id=${`${id}-${field.name}`} type=${field.type ?? 'text'} value=${values[field.name]} required=${field.required} min=${field.min} max=${field.max ?? (field.type === 'datetime-local' ? stamp(Date.now()) : undefined)} step=${field.step} placeholder=${field.hint} maxlength=${field.type ? undefined : field.maxlength ?? 500} autocomplete="off" onInput=${set(field.name)} />`);
  return html`<dialog ref=${box} aria-labelledby=${id} onCancel=${() => asked.set(null)}>
    <form onSubmit=${submit}>
      <h2 id=${id}>${title}</h2>${about && html`<p class="soft">${about}</p>`}
      ${fields.filter((field) => !field.when || field.when(values)).map((field) => html`<div class="field" key=${field.name}><label for=${`${id}-${field.name}`}>${field.label}</label>${input(field)}</div>`)}
      ${!session.get().name && html`<label class="field"><span>Your name, for the audit log (optional)</span><input value=${values.actor} maxlength="64" autocomplete="off" onInput=${set('actor')} /></label>`}
      ${wrong && html`<p class="note bad" role="alert">${wrong}</p>`}
      <div class="row"><button type="button" onClick=${() => asked.set(null)}>Cancel</button>
        <button type="submit" class=${danger ? 'danger primary' : 'primary'} disabled=${busy}>${busy ? 'Working…' : action}</button></div>
    </form></dialog>`;
}
