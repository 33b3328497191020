// Events as they happen, by the server's stream; what is shown is bounded.
import { html, useEffect, useRef, useState } from '../lib.js';
import { listen, query } from '../api.js';
import { Empty, Head, Line } from '../parts.js';
import { refine } from '../route.js';
import { num } from '../format.js';

/** The kinds of events; `change` is what operators did. */
const KINDS = ['connected', 'ended', 'refused', 'evicted', 'pressure', 'change'];
/** Lines that are kept. */
const KEPT_MAX = 200;
/** How often new ones are drawn at the most, ms: more seldom where many come, which nobody reads one by one. */
const DRAWN_MS = 500;
const MANY = 20;
const MANY_DRAWN_MS = 1000;
/** Scrolled so far down somebody reads, and the list waits, pixels. */
const READING_PX = 60;
const SAYS = { starting: 'Connecting', live: 'Live', lost: 'The stream broke off; trying again', absent: 'Not available' };

export function Events({ asked }) {
  const chosen = asked.kinds ? asked.kinds.split(',') : KINDS;
  const [state, setState] = useState('starting');
  const [{ lines, total, behind }, setSeen] = useState({ lines: [], total: 0, behind: 0 });
  const [paused, setPaused] = useState(false);
  const [reading, setReading] = useState(false);
  const [user, setUser] = useState(asked.user ?? '');
  const rest = useRef(false);
  const draw = useRef(() => {});
  rest.current = paused || reading;
  useEffect(() => {
    if (user === (asked.user ?? '')) return undefined;
    const timer = setTimeout(() => refine({ user }), 300);
    return () => clearTimeout(timer);
  }, [user]);
  useEffect(() => {
    let waiting = [];
    let heard = 0;
    let many = false;
    let timer = null;
    let end = new AbortController();
    draw.current = () => {
      timer = null;
      const [more, since] = [waiting, heard];
      // What waits is bounded as what is shown is, and shown when the list goes on.
      if (rest.current) { setSeen((was) => (was.behind === since ? was : { ...was, behind: since })); return; }
      waiting = [];
      heard = 0;
      many = since > MANY;
      setSeen((was) => ({ lines: [...more.reverse(), ...was.lines].slice(0, KEPT_MAX), total: was.total + since, behind: 0 }));
    };
    const hear = (event) => {
      let said = null;
      try { said = JSON.parse(event.data); } catch { return; }
      waiting.push(event.kind === 'gap' ? { id: `gap-${Date.now()}`, kind: 'gap', unix_ms: Date.now(), text: 'Some events are missing here.' } : { id: event.id, kind: event.kind, ...said });
      heard += 1;
      if (waiting.length > KEPT_MAX) waiting.shift();
      timer ??= setTimeout(() => draw.current(), many ? MANY_DRAWN_MS : DRAWN_MS);
    };
    const path = `v1/events${query({ kinds: chosen.length === KINDS.length ? '' : chosen.join(','), user: asked.user })}`;
    const begin = () => { end = new AbortController(); listen(path, hear, setState, end.signal); };
    // A hidden tab holds no stream: it would only fill what nobody sees.
    const shown = () => {
      end.abort();
      if (!document.hidden) begin();
    };
    const scrolled = () => setReading(scrollY > READING_PX);
    setSeen({ lines: [], total: 0, behind: 0 });
    document.addEventListener('visibilitychange', shown);
    addEventListener('scroll', scrolled, { passive: true });
    if (!document.hidden) begin();
    return () => {
      end.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', shown);
      removeEventListener('scroll', scrolled);
    };
  }, [asked.kinds, asked.user]);
  useEffect(() => { if (!paused && !reading) draw.current(); }, [paused, reading]);
  const flip = (kind) => {
    const next = chosen.includes(kind) ? chosen.filter((one) => one !== kind) : [...chosen, kind];
    refine({ kinds: next.length && next.length < KINDS.length ? next.join(',') : null });
  };
  const waits = paused || reading;
  const now = waits && state === 'live' ? `${paused ? 'Paused' : 'Waits while you read'}${behind ? `, ${num(behind)} new` : ''}` : SAYS[state];
  return html`<${Head} title="Events" lead="What happens, as it happens. The last ${KEPT_MAX} are kept here.">
      <span class=${`link-state ${waits || state === 'absent' || state === 'starting' ? 'rest' : state === 'live' ? '' : 'lost'}`}><i></i>${now}</span>
      <button type="button" aria-pressed=${String(paused)} disabled=${state === 'absent'} onClick=${() => setPaused(!paused)}>${paused ? 'Go on' : 'Pause'}</button></${Head}>
    <div class="toolbar" role="search"><label class="field"><span>User, the whole name</span><input type="search" value=${user} maxlength="256" onInput=${(event) => setUser(event.currentTarget.value)} /></label>
      <div class="row" role="group" aria-label="Kinds">${KINDS.map((kind) => html`<label class="check" key=${kind}><input type="checkbox" checked=${chosen.includes(kind)} onChange=${() => flip(kind)} />${kind}</label>`)}</div></div>
    <div class="card">${lines.length ? html`<ol class="timeline">${lines.map((line) => html`<${Line} key=${line.id} line=${line} />`)}</ol>`
      : state === 'absent' ? html`<${Empty} title="Not available">This page needs the stream of events, which this server does not have. A newer server has it.</${Empty}>` : html`<${Empty} title="Quiet">Nothing has happened since this page was opened.</${Empty}>`}
      <div class="foot">${num(total + behind)} since this page was opened</div></div>`;
}
