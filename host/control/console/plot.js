// Plots over time, by uPlot. A plot is made once and given new data; its size is kept free from the beginning.
import { html, store, useEffect, useRef, useStore } from './lib.js';
import { bytes, num, clock } from './format.js';

const DASHES = [[], [6, 4], [2, 3], [10, 3]];
/** Steps of an axis: of bytes by two, of counts whole ones. */
const BINARY = Array.from({ length: 45 }, (_, power) => 2 ** power);
const DECADES = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
const WHOLE = DECADES.flatMap((ten) => [ten, 2 * ten, 5 * ten]);
const key = (name) => `--plot-${name}`;

/** Counts changes of the theme, so that plots take its colours. */
export const theme = store(0);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => theme.set(theme.get() + 1));

/** A colour of the style sheet as the browser computes it now. */
function colour(name) {
  const probe = document.createElement('i');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const is = getComputedStyle(probe).color;
  probe.remove();
  return is;
}

/**
 * One figure: `series` are `{ name, values, show }`, all over the seconds `x`; `bands` are pairs of indices of
 * series. `blank` is what is said where there is nothing to draw.
 */
export function Plot({ title, x, series, format = num, blank, bands, tall, from0 = true, gaps }) {
  const area = useRef(null);
  const plot = useRef(null);
  const themed = useStore(theme);
  const shape = `${series.map((one) => one.name).join()}${themed}${tall}`;
  const empty = !x || x.length < 2;
  useEffect(() => {
    if (empty) return undefined;
    const box = area.current;
    const [ink, line] = [colour('--ink-soft'), colour('--line')];
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: '11px system-ui, sans-serif' };
    const drawn = new window.uPlot({
      width: box.clientWidth,
      height: box.clientHeight,
      padding: [8, 4, 0, 0],
      cursor: { y: false, points: { size: 5 }, drag: { x: false, y: false } },
      legend: { show: false },
      scales: { x: { time: true }, y: { range: (_, low, high) => reach(low, high, from0) } },
      axes: [
        { ...axis, space: 70, size: 24, values: (_, ticks) => ticks.map((tick) => (tick % 60 ? clock(tick * 1000) : clock(tick * 1000).slice(0, 5))) },
        { ...axis, space: format === bytes ? 24 : 34, size: format === bytes ? 64 : 48, ...(format === bytes ? { incrs: BINARY } : format === num ? { incrs: WHOLE } : {}), values: (_, ticks) => ticks.map(format) },
      ],
      series: [{}, ...series.map((one, at) => ({ label: one.name, stroke: colour(key(one.colour ?? at + 1)), width: one.width ?? 1.75, dash: one.dash ?? DASHES[at], points: { show: false }, spanGaps: !gaps }))],
      bands: bands?.map(([high, low]) => ({ series: [high + 1, low + 1], fill: colour('--accent-soft') })),
    }, [x, ...series.map((one) => one.values)], box);
    plot.current = drawn;
    const watch = new ResizeObserver(() => drawn.setSize({ width: box.clientWidth, height: box.clientHeight }));
    watch.observe(box);
    return () => {
      watch.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [shape, empty]);
  useEffect(() => {
    plot.current?.setData([x, ...series.map((one) => one.values)]);
  }, [x, ...series.map((one) => one.values)]);
  const last = (values) => {
    for (let at = values.length - 1; at >= 0; at -= 1) if (values[at] !== null) return values[at];
    return null;
  };
  const told = series.map((one) => `${one.name} ${one.told ?? format(last(one.values ?? []))}`).join(', ');
  return html`<figure class="plot card"><figcaption><h3>${title}</h3>
      ${series.filter((one) => one.key !== false).map((one, at) => html`<span class=${`key c${one.colour ?? at + 1} d${at}`} key=${one.name}><i></i>${one.name} <b>${empty ? '–' : one.told ?? format(last(one.values))}</b></span>`)}</figcaption>
    <div class=${`area ${tall ? 'tall' : ''}`} ref=${area} role="img" aria-label=${`${title}: ${empty ? blank : told}`}>${empty && html`<div class="blank">${blank}</div>`}</div></figure>`;
}

/** A scale that begins at zero, or holds it where values are on both sides, with a little room above. */
function reach(low, high, from0) {
  if (low === null || high === null) return [0, 1];
  const top = high <= 0 && from0 ? 1 : high;
  if (from0) return [Math.min(0, low), top < 4 ? Math.max(top * 1.25, 1) : top * 1.1];
  const room = (high - low) * 0.1 || 1;
  return [low - room, high + room];
}
