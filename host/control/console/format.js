// Numbers, sizes, durations and moments as an operator reads them. No markup.

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });

export const num = (value) => (value === null || value === undefined || Number.isNaN(value) ? '–' : grouped.format(value));

/** One of something, or several. */
export const count = (n, one, many = `${one}s`) => `${num(n)} ${n === 1 ? one : many}`;

export function bytes(value) {
  if (value === null || value === undefined) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let size = value;
  while (Math.abs(size) >= 1024 && at < units.length - 1) { size /= 1024; at += 1; }
  return `${at === 0 || Math.abs(size) >= 100 ? Math.round(size) : size.toFixed(1)} ${units[at]}`;
}

/** A duration in at most two units. */
export function duration(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return '–';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  const whole = Math.round(s);
  if (whole < 60) return `${whole} s`;
  const [d, hours, min, sec] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  if (d > 0) return hours ? `${d} d ${hours} h` : `${d} d`;
  if (hours > 0) return min ? `${hours} h ${min} min` : `${hours} h`;
  return sec && min < 10 ? `${min} min ${sec} s` : `${min} min`;
}

/** A duration in one unit, where room is small. */
export function brief(ms) {
  if (ms === null || ms === undefined) return '–';
  for (const [unit, of] of [['d', 86400e3], ['h', 3600e3], ['min', 60e3]]) if (ms >= 2 * of) return `${Math.round(ms / of)} ${unit}`;
  return `${ms < 10000 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)} s`;
}

export const micros = (us) => (us === null || us === undefined ? '–' : us < 1000 ? `${num(us)} µs` : `${num(Math.round(us / 10) / 100)} ms`);

export const percent = (share, digits = 1) => (share === null || share === undefined ? '–' : `${(share * 100).toFixed(digits)} %`);

/** A number of a metric: few digits, and no more than it has. */
export function figure(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 100) return grouped.format(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

const two = (n) => String(n).padStart(2, '0');

export function clock(ms) {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** `UTC+02:00`, of that moment. */
export function offset(ms) {
  const minutes = -new Date(ms).getTimezoneOffset();
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? '−' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** The whole moment, in the operator's zone. */
export function moment(ms) {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(ms)} ${offset(ms)}`;
}

/** A moment as the field of a form has it: in the operator's zone, to the minute. */
export const stamp = (ms) => {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${clock(ms).slice(0, 5)}`;
};

/** The clock today, the date too on other days. */
export function when(ms) {
  const at = new Date(ms);
  const today = new Date();
  return at.toDateString() === today.toDateString() ? clock(ms) : moment(ms).slice(0, 16);
}

/** Signals that are codes, with their words (policies/README.md). */
const CODES = {
  health: ['unknown', 'alive', 'suspect', 'stalled', 'stuck', 'half-open', 'dead'],
  protection: ['evictable', 'protected', 'pinned'],
  visibility: ['hidden', 'visible'],
  'device-class': ['unknown', 'desktop', 'mobile', 'server'],
  'taken-over': ['no', 'yes'],
};
const SIGNAL_MS = /-ms$/;
const SIGNAL_BYTES = /bytes/;

/** A signal's value with its unit. */
export function signal(name, value) {
  if (value === null || value === undefined) return 'unknown';
  if (CODES[name]) return `${CODES[name][value] ?? '?'} (${value})`;
  if (SIGNAL_MS.test(name)) return duration(value);
  if (SIGNAL_BYTES.test(name)) return bytes(value);
  return figure(value);
}
