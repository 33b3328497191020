// Another policy, asked the same question: what it would have ranked, with its parameters on sliders. It changes nothing.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from '../lib.js';
import { request, to, usePoll } from '../api.js';
import { Empty, Section } from '../parts.js';
import { figure, num } from '../format.js';
import { refine } from '../route.js';
import { named, places } from './decision.js';

/** How long a slider rests before the policy is asked, ms. */
const REST_MS = 120;
/** Places of an order that are drawn. */
const DRAWN = 100;

/** The parameters in the address: `name:value`, separated by commas. */
const parsed = (text) => Object.fromEntries((text ?? '').split(',').map((one) => one.split(':')).filter(([name, value]) => name && Number.isFinite(Number(value))).map(([name, value]) => [name, Number(value)]));
const print = (params) => Object.entries(params).map(([name, value]) => `${name}:${value}`).join(',');

export function Ask({ is, asked }) {
  const policies = usePoll('v1/policies', 0);
  const [answer, setAnswer] = useState(null);
  const [failed, setFailed] = useState(null);
  const [busy, setBusy] = useState(false);
  // A slider moves faster than an address may change, so the address follows with the question.
  const [params, setParams] = useState(() => parsed(asked.params));
  const written = useRef(asked.params ?? '');
  useEffect(() => {
    // Another address than the one that was written here: a link, or the way back.
    if ((asked.params ?? '') === written.current) return;
    written.current = asked.params ?? '';
    setParams(parsed(asked.params));
  }, [asked.params]);
  const names = useMemo(() => {
    const known = policies.data;
    return known ? [...new Set([...known.policies.map((policy) => policy.name), ...known.shipped])].sort() : [];
  }, [policies.data]);
  const chosen = asked.ask ?? '';
  const id = is.id;
  useEffect(() => {
    setFailed(null);
    if (!chosen) { setAnswer(null); return undefined; }
    const end = new AbortController();
    const timer = setTimeout(async () => {
      setBusy(true);
      written.current = print(params);
      refine({ params: written.current });
      try {
        const body = { policy: chosen, params };
        setAnswer(await request(`${to('v1', 'decisions', id)}/ask`, { method: 'POST', body, signal: end.signal, patience: 60000 }));
        setFailed(null);
      } catch (error) {
        if (!end.signal.aborted) setFailed(error);
      }
      if (!end.signal.aborted) setBusy(false);
    }, answer ? REST_MS : 0);
    return () => { clearTimeout(timer); end.abort(); };
  }, [chosen, params, id]);
  const set = (name, value) => setParams((was) => ({ ...was, [name]: value }));
  return html`<${Section} title="Ask another policy" aside="It gets the same question. Nothing is changed by asking.">
    <div class="toolbar"><label class="field"><span>Policy</span><select value=${chosen} onChange=${(event) => { setAnswer(null); setParams({}); written.current = ''; refine({ ask: event.currentTarget.value, params: null }); }}>
      <option value="">Choose one</option>${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>
      ${chosen && Object.keys(params).length > 0 && html`<button type="button" onClick=${() => setParams({})}>As it comes</button>`}</div>
    ${failed && html`<p class="note bad" role="alert">${failed.isAbsent ? 'This server cannot ask another policy; a newer one can.' : failed.message}</p>`}
    ${chosen && answer && html`<div class="ask" aria-busy=${String(busy)}>
      <${Order} is=${is} answer=${answer} /><${Sliders} parameters=${answer.parameters} params=${params} set=${set} answer=${answer} /></div>`}
    ${!chosen && html`<p class="soft">The order that it answers appears here, beside where each manager stood.</p>`}</${Section}>`;
}

function Sliders({ parameters, params, set, answer }) {
  return html`<div class="card pad"><h3>${answer.policy}</h3>
    ${parameters.length ? parameters.map((one) => html`<${Slider} key=${one.name} one=${one} value=${params[one.name] ?? one.value} set=${set} />`) : html`<p class="soft">It has no parameters.</p>`}
    ${answer.fuel !== null && html`<p class="small soft">${num(answer.fuel)} units of fuel</p>`}</div>`;
}

/** Wide ranges move by factors, so that small values can be set too. */
function Slider({ one, value, set }) {
  const wide = one.min >= 0 && one.max > 1000;
  const up = (x) => (wide ? Math.log1p(x) : x);
  const down = (y) => {
    const x = wide ? Math.expm1(y) : y;
    const size = Number(x.toPrecision(3));
    return Math.min(one.max, Math.max(one.min, size));
  };
  const [low, high] = [up(one.min), up(one.max)];
  const id = `param-${one.name}`;
  return html`<div class="param"><div class="row"><label for=${id} class="mono">${one.name}</label>
      <input type="number" class="num" aria-label=${`${one.name}, exactly`} style=${{ width: '6.5rem', flex: 'none' }} value=${value} min=${one.min} max=${one.max} step="any" onChange=${(event) => set(one.name, Number(event.currentTarget.value))} /></div>
    <input id=${id} type="range" min=${low} max=${high} step=${(high - low) / 400 || 1} value=${up(value)} aria-valuetext=${figure(value)} onInput=${(event) => set(one.name, down(Number(event.currentTarget.value)))} />
    <p class="small soft">${one.doc}</p></div>`;
}

/** The order that was answered; a row that changes its place glides there. */
function Order({ is, answer }) {
  const list = useRef(null);
  const tops = useRef(new Map());
  const live = useMemo(() => places(is.ranking), [is.ranking]);
  const goes = new Set(answer.plan);
  const rejected = new Map(answer.rejections.map((one) => [one.row, one.why]));
  useLayoutEffect(() => {
    const now = new Map();
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    for (const item of list.current?.children ?? []) {
      const top = item.offsetTop;
      const was = tops.current.get(item.dataset.row);
      now.set(item.dataset.row, top);
      if (!still && was !== undefined && was !== top) item.animate([{ transform: `translateY(${was - top}px)` }, { transform: 'none' }], { duration: 220, easing: 'ease-out' });
    }
    tops.current = now;
  }, [answer]);
  if (answer.fault) return html`<div class="card"><${Empty} title="It failed">${answer.fault}. The built-in ranking would have answered.</${Empty}></div>`;
  if (!answer.ranking.length) return html`<div class="card"><${Empty} title="No ranking">It would have evicted none of these.</${Empty}></div>`;
  return html`<div class="card"><ol class="order" ref=${list} aria-label=${`What ${answer.policy} would have ranked`}>${answer.ranking.slice(0, DRAWN).map((entry, at) => {
    const stood = live.get(entry.row)?.at;
    const moved = stood === undefined ? 'new' : stood === at ? 'same' : stood > at ? `▲ ${stood - at}` : `▼ ${at - stood}`;
    return html`<li key=${entry.row} data-row=${String(entry.row)} class=${goes.has(entry.row) ? 'goes' : ''}><span class="num soft">${at + 1}</span>
      <span><b>${named(is, entry.row)}</b>${goes.has(entry.row) ? html` <span class="tag bad">would go</span>` : ''}${rejected.has(entry.row) ? html` <span class="tag warn">rejected: ${rejected.get(entry.row)}</span>` : ''} <span class="small soft">${entry.reason}${entry.score !== null ? ` (${figure(entry.score)})` : ''}</span></span>
      <span class="move" title=${stood === undefined ? 'not in the order of the decision' : `stood at ${stood + 1}`}>${moved}</span></li>`;
  })}</ol>${answer.ranking.length > DRAWN && html`<div class="foot">The first ${DRAWN} of ${num(answer.ranking.length)}</div>`}</div>`;
}
