// Events as they happen, by the server's stream; what is shown is bounded.
import { html, useEffect, useRef, useState } from '../lib.js';
import { listen, query } from '../api.js';
import { Empty, Head, Prose, Tag, Time, UserLink } from '../parts.js';
import { href, refine } from '../route.js';
import { num } from '../format.js';

const KINDS = ['connected', 'ended', 'refused', 'evicted'];
/** Lines that are kept, and how often new ones are drawn at the most, ms. */
const KEPT_MAX = 300;
const DRAWN_MS = 250;
const SAYS = { starting: 'Connecting', live: 'Live', lost: 'The stream broke off; trying again', absent: 'Not available', paused: 'Paused' };

export function Events({ asked }) {
  const chosen = asked.kinds ? asked.kinds.split(',') : KINDS;
  const [state, setState] = useState('starting');
  const [lines, setLines] = useState([]);
  const [total, setTotal] = useState(0);
  const [paused, setPaused] = useState(false);
  const [user, setUser] = useState(asked.user ?? '');
  const rest = useRef(false);
  rest.current = paused;
  useEffect(() => {
    if (user === (asked.user ?? '')) return undefined;
    const timer = setTimeout(() => refine({ user }), 300);
    return () => clearTimeout(timer);
  }, [user]);
  useEffect(() => {
    let waiting = [];
    let timer = null;
    let end = new AbortController();
    const draw = () => {
      timer = null;
      const fresh = waiting;
      waiting = [];
      setTotal((n) => n + fresh.length);
      setLines((was) => [...fresh.reverse(), ...was].slice(0, KEPT_MAX));
    };
    const hear = (event) => {
      if (rest.current) return;
      let said = null;
      try { said = JSON.parse(event.data); } catch { return; }
      waiting.push(event.kind === 'gap' ? { id: `gap-${Date.now()}`, kind: 'gap', unix_ms: Date.now(), text: 'Some events are missing here.' } : { id: event.id, kind: event.kind, ...said });
      if (waiting.length > KEPT_MAX) waiting.shift();
      timer ??= setTimeout(draw, DRAWN_MS);
    };
    const path = `v1/events${query({ kinds: chosen.length === KINDS.length ? '' : chosen.join(','), user: asked.user })}`;
    const begin = () => { end = new AbortController(); listen(path, hear, setState, end.signal); };
    // A hidden tab holds no stream: it would only fill what nobody sees.
    const shown = () => {
      end.abort();
      if (!document.hidden) begin();
    };
    setLines([]);
    setTotal(0);
    document.addEventListener('visibilitychange', shown);
    if (!document.hidden) begin();
    return () => {
      end.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', shown);
    };
  }, [asked.kinds, asked.user]);
  const flip = (kind) => {
    const next = chosen.includes(kind) ? chosen.filter((one) => one !== kind) : [...chosen, kind];
    refine({ kinds: next.length && next.length < KINDS.length ? next.join(',') : null });
  };
  const now = paused ? 'paused' : state;
  return html`<${Head} title="Events" lead="What happens, as it happens. The last ${KEPT_MAX} are kept here.">
      <span class=${`link-state ${now === 'live' ? '' : now === 'lost' ? 'lost' : 'rest'}`}><i></i>${SAYS[now]}</span>
      <button type="button" aria-pressed=${String(paused)} disabled=${state === 'absent'} onClick=${() => setPaused(!paused)}>${paused ? 'Go on' : 'Pause'}</button></${Head}>
    <div class="toolbar" role="search"><label class="field"><span>User, the whole name</span><input type="search" value=${user} maxlength="256" onInput=${(event) => setUser(event.currentTarget.value)} /></label>
      <div class="row" role="group" aria-label="Kinds">${KINDS.map((kind) => html`<label class="check" key=${kind}><input type="checkbox" checked=${chosen.includes(kind)} onChange=${() => flip(kind)} />${kind}</label>`)}</div></div>
    <div class="card">${lines.length ? html`<ol class="timeline">${lines.map((line) => html`<li key=${line.id}><${Time} ms=${line.unix_ms} /><span><${Tag} word=${line.kind} /></span>
        <span>${line.user ? html`<${UserLink} user=${line.user} /> ` : ''}${line.key ? html`<span class="mono">${line.key}</span> ` : ''}<${Prose} text=${line.text} /> ${line.decision ? html`<a class="nowrap" href=${href(['decisions', String(line.decision)])}>decision ${String(line.decision)}</a>` : ''}</span></li>`)}</ol>`
      : state === 'absent' ? html`<${Empty} title="Not available">This page needs the stream of events, which this server does not have. A newer server has it.</${Empty}>` : html`<${Empty} title="Quiet">Nothing has happened since this page was opened.</${Empty}>`}
      <div class="foot">${num(total)} since this page was opened</div></div>`;
}
