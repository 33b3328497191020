// Asking the operators' API: requests, the session, what is asked again and again, and the stream of events.
// A token is kept in memory only; where the server gives sessions, not even there.
import { store, useState, useEffect, useRef, useCallback, kept } from './lib.js';

/** How long a server may be silent before it counts as away, ms. */
const PATIENCE_MS = 6000;
const BACKOFF_MAX_MS = 10000;
/**
 * How many times as long as an answer took it is not asked for again: what is dear for the server is asked for rarely.
 * The quickest answer of all is taken for what the way takes.
 */
const REST_TIMES = 300;
const REST_MAX_MS = 20000;
/** How long a stream has to last so that the next one is tried soon, ms. */
const LASTING_MS = 3000;

/** `{ state: 'starting' | 'live' | 'lost', at }`: whether the server answers, and when it last did. */
export const link = store({ state: 'starting', at: null });
/** `{ state: 'unknown' | 'open' | 'locked' | 'in', wrong, note }`: whether a token is needed and shown. */
export const session = store({ state: 'unknown', wrong: false });

/** How long the quickest answer took, ms. */
let quickest = Infinity;
let token = null;
let hasSessions = false;

export class ApiError extends Error {
  constructor(message, status, word) {
    super(message);
    this.status = status;
    this.word = word;
  }

  /** The server has no such route: it is older than this page, or built without it. */
  get isAbsent() { return this.status === 404 && /^there is nothing at /.test(this.message); }

  get isAway() { return this.status === 0; }
}

function headers(body) {
  const all = { accept: 'application/json' };
  if (token) all.authorization = `Bearer ${token}`;
  if (body !== undefined) all['content-type'] = 'application/json';
  const actor = session.get().name ? null : kept('actor');
  // A header holds no other letters.
  if (actor) all['wastegate-actor'] = actor.replace(/[^\x20-\x7e]/g, '?').slice(0, 64);
  return all;
}

function answered() {
  const { state, at } = link.get();
  const now = Date.now();
  if (state !== 'live' || now - at > 900) link.set({ state: 'live', at: now });
}

function silent() {
  const { state, at } = link.get();
  if (state !== 'lost') link.set({ state: 'lost', at });
}

async function ask(path, { method = 'GET', body, signal, patience = PATIENCE_MS } = {}) {
  const limit = AbortSignal.timeout(patience);
  const stop = signal ? AbortSignal.any([signal, limit]) : limit;
  let answer;
  let text;
  try {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    answer = await fetch(path, { method, headers: headers(body), body: sent, signal: stop, cache: 'no-store', credentials: 'same-origin' });
    text = await answer.text();
  } catch (failed) {
    if (signal?.aborted) throw failed;
    silent();
    throw new ApiError('The server does not answer.', 0, 'away');
  }
  answered();
  return { status: answer.status, kind: answer.headers.get('content-type') ?? '', text };
}

/** One request; the parsed answer, or an `ApiError`. */
export async function request(path, options) {
  const { status, kind, text } = await ask(path, options);
  const json = kind.includes('json') && text ? JSON.parse(text) : null;
  if (status >= 200 && status < 300) return json ?? text;
  if (status === 401 && session.get().state !== 'locked') {
    token = null;
    session.set({ state: 'locked', wrong: false });
  }
  throw new ApiError(json?.message ?? `The server answered ${status}.`, status, json?.error ?? '');
}

/** Finds out whether a token is needed. */
export async function begin() {
  try {
    const is = await request('v1/session');
    hasSessions = true;
    session.set({ state: !is.needed ? 'open' : is.role ? 'in' : 'locked', wrong: false, role: is.role, name: is.name });
  } catch (failed) {
    if (failed.status === 404) session.set({ state: 'open', wrong: false });
    else if (failed.status !== 401) throw failed;
  }
}

/** Shows the token: for a session where there are such, else with every request from now on. */
export async function enter(given) {
  const body = { token: given };
  const made = await ask('v1/session', { method: 'POST', body });
  if (made.status === 204 || made.status === 200) {
    hasSessions = true;
    await begin();
    return;
  }
  token = given;
  const tried = hasSessions ? { status: made.status } : await ask('v1/status');
  if (tried.status === 200) {
    session.set({ state: 'in', wrong: false });
  } else {
    token = null;
    session.set({ state: 'locked', wrong: true });
  }
}

/** Whether a link to the API works: it carries a cookie, and no token that this page holds. */
export const linkable = () => token === null;

/** The session is over, by what was done here: a token is asked for again. */
export const ended = (note) => session.set({ state: 'locked', wrong: false, note });

/** Ends the session, or forgets the token. */
export async function leave() {
  token = null;
  if (hasSessions) await ask('v1/session', { method: 'DELETE' }).catch(() => null);
  ended('You are signed out.');
}

/**
 * What a path answers, asked again every `every` ms while the tab is shown: `{ data, error, path, refresh }`; `path` is whose data it is. Data stay
 * while the server is away. A new path begins with nothing, unless it `holds` what was there until it is answered.
 * A `cheap` one costs the server next to nothing, so it is asked for at its pace, however long an answer took.
 * Where `more` is given, the path is asked for once, then `more.path(data)` is, and `more.join` puts both together.
 */
export function usePoll(path, every, { holds = false, more = null, cheap = false } = {}) {
  const [is, set] = useState({ path, data: null, error: null, at: null });
  const poke = useRef(() => {});
  useEffect(() => {
    if (!path) return undefined;
    const end = new AbortController();
    let timer = null;
    let failures = 0;
    let running = false;
    let before = 0;
    let data = null;
    const look = async () => {
      clearTimeout(timer);
      if (running || end.signal.aborted || document.hidden) return;
      running = true;
      const from = performance.now();
      try {
        const got = await request(data && more ? more.path(data) : path, { signal: end.signal });
        data = data && more ? more.join(data, got) : got;
        failures = 0;
        set({ path, data, error: null, at: Date.now() });
      } catch (error) {
        if (end.signal.aborted) return;
        failures += 1;
        set((was) => (was.path === path ? { ...was, error } : { path, data: null, error, at: null }));
        // Nothing changes where the route is not there, or a token is asked for.
        if (error.isAbsent || error.status === 401) return;
      } finally {
        running = false;
      }
      if (end.signal.aborted || !(every || failures)) return;
      // Of the last two, for one may have waited for something else.
      const all = performance.now() - from;
      quickest = Math.min(quickest, all);
      const took = all - quickest;
      const rest = cheap ? 0 : Math.min(Math.min(took, before) * REST_TIMES, REST_MAX_MS);
      before = took;
      timer = setTimeout(look, failures ? Math.min(1000 * 2 ** (failures - 1), BACKOFF_MAX_MS) : Math.max(every, rest));
    };
    const shown = () => { if (!document.hidden) look(); };
    document.addEventListener('visibilitychange', shown);
    poke.current = look;
    look();
    return () => {
      end.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', shown);
    };
  }, [path, every]);
  const refresh = useCallback(() => poke.current(), []);
  const mine = is.path === path || holds;
  return { data: mine ? is.data : null, error: is.path === path ? is.error : null, at: is.at, path: is.path, refresh };
}

/**
 * Reads a stream of events until `signal` ends it, and begins again behind the last one where it broke off. `hear`
 * gets each event, `tell` gets `'live'`, `'lost'` or `'absent'`.
 */
export async function listen(path, hear, tell, signal) {
  let last = null;
  let failures = 0;
  let since = 0;
  while (!signal.aborted) {
    try {
      const asked = { ...headers(), accept: 'text/event-stream' };
      if (last !== null) asked['last-event-id'] = last;
      const answer = await fetch(path, { headers: asked, signal, cache: 'no-store', credentials: 'same-origin' });
      if (answer.status === 404) { tell('absent'); return; }
      if (answer.status === 401) { session.set({ state: 'locked', wrong: false }); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      tell('live');
      since = Date.now();
      for await (const event of events(answer.body)) {
        if (event.id !== null) last = event.id;
        hear(event);
      }
    } catch {
      if (signal.aborted) return;
    }
    // One that lasted was well; one that ends at once is of a server that stops.
    failures = since && Date.now() - since > LASTING_MS ? 0 : failures + 1;
    since = 0;
    tell('lost');
    await new Promise((done) => setTimeout(done, Math.min(500 * 2 ** failures, BACKOFF_MAX_MS)));
  }
}

/** The events of a stream as the standard has it: fields, line by line; an empty line ends an event. */
async function* events(body) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = '';
  let event = { id: null, kind: 'message', data: [] };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += decoder.decode(value, { stream: true });
    const lines = rest.split(/\r\n|\n|\r/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === '') {
        if (event.data.length) yield { id: event.id, kind: event.kind, data: event.data.join('\n') };
        event = { id: null, kind: 'message', data: [] };
        continue;
      }
      const [, name, text] = /^([^:]*):? ?(.*)$/.exec(line);
      if (name === 'id') event.id = text;
      else if (name === 'event') event.kind = text;
      else if (name === 'data') event.data.push(text);
    }
  }
}

/** The path of an API route: each part is a name. */
export const to = (...parts) => parts.map(encodeURIComponent).join('/');

/** A query without what is empty. */
export function query(values) {
  const said = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== '');
  return said.length ? `?${new URLSearchParams(said)}` : '';
}
