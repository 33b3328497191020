// Where the page is: everything is in the part of the address behind `#`, so that everything can be linked.
import { store } from './lib.js';

function read() {
  const [path, asked = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const parts = path.split('/').filter((part) => part !== '').map((part) => {
    try { return decodeURIComponent(part); } catch { return part; }
  });
  return { parts, asked: Object.fromEntries(new URLSearchParams(asked)) };
}

/** `{ parts, asked }`: the names of the path, decoded, and what is behind the question mark. */
export const place = store(read());
addEventListener('hashchange', () => place.set(read()));

/** The address of a page. */
export function href(parts, asked = {}) {
  const said = Object.entries(asked).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const behind = said.length ? `?${new URLSearchParams(said)}` : '';
  return `#/${parts.map((part) => encodeURIComponent(part)).join('/')}${behind}`;
}

/** Changes what is behind the question mark, without a new entry in the history. */
export function refine(change) {
  const { parts, asked } = place.get();
  history.replaceState(null, '', href(parts, { ...asked, ...change }));
  place.set(read());
}

export const go = (parts, asked) => { location.hash = href(parts, asked); };
