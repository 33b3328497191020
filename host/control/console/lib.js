// What every module needs of Preact, in one place, and the small store that they share state by.
import { h, render, Fragment, Component } from './vendor/preact/preact.mjs';
import htm from './vendor/htm/htm.mjs';
import { useState, useEffect, useRef, useMemo, useCallback, useLayoutEffect, useId } from './vendor/preact/hooks.mjs';

export const html = htm.bind(h);
export { h, render, Fragment, Component, useState, useEffect, useRef, useMemo, useCallback, useLayoutEffect, useId };

/** A value with subscribers. */
export function store(value) {
  const heard = new Set();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const hear of [...heard]) hear(value);
    },
    subscribe(hear) {
      heard.add(hear);
      return () => heard.delete(hear);
    },
  };
}

/** The value of a store, and a new rendering for each change of it. */
export function useStore(of) {
  const [value, set] = useState(of.get());
  useEffect(() => {
    set(of.get());
    return of.subscribe(set);
  }, [of]);
  return value;
}

/** What storage has for a name, or null; storage may be off. */
export function kept(name) {
  try { return localStorage.getItem(`wastegate-${name}`); } catch { return null; }
}

/** Keeps a preference (never a secret). */
export function keep(name, value) {
  try {
    if (value === null || value === '') localStorage.removeItem(`wastegate-${name}`);
    else localStorage.setItem(`wastegate-${name}`, value);
  } catch { /* then it lasts as long as the page */ }
}
