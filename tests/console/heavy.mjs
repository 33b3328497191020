// The console on a server with many users: 10,000 of them with 100,000 managers, and 1,000 decisions a minute. What
// each page asks for and how long that takes, how much memory its tab has after ten minutes and whether it stood
// still, and what three open consoles cost the server. Fails where a bound is passed. `tests/nightly.sh` runs it;
// `MINUTES`, `USERS`, `MANAGERS` and `DECISIONS` make it smaller.
import path from 'node:path';
import { Browser, open } from './browser.mjs';
import { Many, SETS } from './many.mjs';
import { Server, TOKEN } from './server.mjs';

const of = (name, otherwise) => Number(process.env[name] ?? otherwise);
const MINUTES = of('MINUTES', 10);
const SHARE_S = of('SHARE_S', 40);
const ROUNDS = 3;
const many_ = { users: of('USERS', 10000), managers: of('MANAGERS', 100000), decisions: of('DECISIONS', 1000), staying: of('STAYING', 2000) };

/** The bounds. Of an optimised program only, three consoles cost at most that share of a core. */
const ANSWER_BYTES_MAX = 64 * 1024;
const HEAP_GROWS_MAX_MIB = 4;
const HEAP_MAX_MIB = 24;
const LONG_TASK_MAX_MS = 500;
const BUSY_MAX_PERCENT = 15;
const CONSOLES_MAX_PERCENT = of('CONSOLES_MAX_PERCENT', Infinity);

const program = path.resolve(process.env.WASTEGATE ?? 'target/debug/wastegate-under-test');
const server = await Server.start(program, SETS);
const many = new Many(server, many_);
const browser = await Browser.start();
const wrong = [];
const rest = (s) => new Promise((done) => setTimeout(done, s * 1000));
const mib = (bytes) => bytes / 2 ** 20;

/** A tab with a page of the console, and what is measured of it. */
class Tab {
  static async open(hash) {
    const tab = new Tab();
    tab.hash = hash;
    tab.routes = new Map();
    tab.page = await browser.page(server.admin, { theme: 'light' });
    await tab.page.addInitScript(() => {
      window.stood = [];
      new PerformanceObserver((list) => { for (const one of list.getEntries()) window.stood.push(one.duration); }).observe({ type: 'longtask' });
    });
    tab.debug = await tab.page.context().newCDPSession(tab.page);
    await tab.hears();
    await tab.page.reload();
    await tab.page.getByLabel('Token').fill(TOKEN);
    await tab.page.getByRole('button', { name: 'Enter' }).click();
    // Nobody points at a list, which would wait then.
    await tab.page.mouse.move(1, 1);
    await open(tab.page, hash);
    // What loading costs is not what is measured.
    await rest(3);
    tab.routes.clear();
    await tab.page.evaluate(() => { window.stood.length = 0; });
    tab.since = Date.now();
    tab.tasks = await tab.busy();
    tab.heaps = [await tab.heap()];
    return tab;
  }

  /** Counts what the page asks for. */
  async hears() {
    await this.debug.send('Performance.enable');
    await this.debug.send('Network.enable');
    const asked = new Map();
    this.debug.on('Network.requestWillBeSent', ({ requestId, request, timestamp }) => asked.set(requestId, { route: new URL(request.url).pathname, from: timestamp }));
    this.debug.on('Network.dataReceived', ({ requestId, dataLength }) => { if (asked.has(requestId)) this.took(asked.get(requestId).route).bytes.push(dataLength); });
    this.debug.on('Network.loadingFinished', ({ requestId, timestamp, encodedDataLength }) => {
      const one = asked.get(requestId);
      if (!one) return;
      asked.delete(requestId);
      const kept = this.took(one.route);
      kept.sent.push(encodedDataLength);
      kept.ms.push((timestamp - one.from) * 1000);
    });
  }

  took(route) {
    if (!this.routes.has(route)) this.routes.set(route, { bytes: [], sent: [], ms: [] });
    return this.routes.get(route);
  }

  async busy() {
    const { metrics } = await this.debug.send('Performance.getMetrics');
    return metrics.find((one) => one.name === 'TaskDuration').value * 1000;
  }

  async heap() {
    await this.debug.send('HeapProfiler.collectGarbage');
    const { usedSize } = await this.debug.send('Runtime.getHeapUsage');
    const { nodes, jsEventListeners } = await this.debug.send('Memory.getDOMCounters');
    return { mib: mib(usedSize), nodes, listeners: jsEventListeners };
  }

  async tell() {
    const s = (Date.now() - this.since) / 1000;
    const stood = await this.page.evaluate(() => window.stood);
    const busy = ((await this.busy()) - this.tasks) / (s * 10);
    const [first, last] = [this.heaps[0], this.heaps.at(-1)];
    const longest = Math.max(0, ...stood);
    console.log(`\n${this.hash}: busy ${busy.toFixed(1)} % of a core, ${stood.length} tasks over 50 ms, the longest ${longest.toFixed(0)} ms; heap ${this.heaps.map((one) => one.mib.toFixed(1)).join(' ')} MiB, nodes ${first.nodes} to ${last.nodes}, listeners ${first.listeners} to ${last.listeners}`);
    for (const [route, { bytes, sent, ms }] of this.routes) {
      const all = bytes.reduce((sum, one) => sum + one, 0);
      const sorted = [...ms].sort((a, b) => a - b);
      const largest = Math.max(0, ...sent);
      console.log(`  ${route}: ${(60 * ms.length / s).toFixed(1)} a minute, ${(all / s / 1024).toFixed(2)} KiB/s, ${ms.length ? `the largest ${(largest / 1024).toFixed(1)} KiB, half within ${sorted[Math.floor(ms.length / 2)].toFixed(0)} ms, all within ${sorted.at(-1).toFixed(0)} ms` : 'a stream'}`);
      if (largest > ANSWER_BYTES_MAX) wrong.push(`${this.hash}: ${route} answered ${largest} bytes`);
    }
    if (last.mib > HEAP_MAX_MIB || last.mib - first.mib > HEAP_GROWS_MAX_MIB) wrong.push(`${this.hash}: its heap grew from ${first.mib.toFixed(1)} to ${last.mib.toFixed(1)} MiB`);
    if (longest > LONG_TASK_MAX_MS) wrong.push(`${this.hash}: it stood still for ${longest.toFixed(0)} ms`);
    if (busy > BUSY_MAX_PERCENT) wrong.push(`${this.hash}: it takes ${busy.toFixed(1)} % of a core`);
    if (!this.routes.size) wrong.push(`${this.hash}: it asked for nothing`);
  }

  close() { return this.page.context().close(); }
}

/** Which share of a core the server uses, percent. */
async function share(seconds) {
  const [cpu, at] = [await server.cpu(), Date.now()];
  await rest(seconds);
  return ((await server.cpu()) - cpu) / ((Date.now() - at) / 100);
}

try {
  let from = Date.now();
  await many.enter();
  const { users, managers, connections } = await server.ask('v1/status');
  console.log(`${users} users with ${managers} managers and ${connections} connections, in ${((Date.now() - from) / 1000).toFixed(0)} s`);
  await many.live();
  await rest(30);
  from = Date.now();
  const decided = await many.decided();
  const [without, withThem] = [[], []];
  const rate = () => many.decided().then((now) => ((now - decided) * 60000) / (Date.now() - from));
  // In turns, since what else the machine does changes too.
  for (let round = 0; round < ROUNDS; round += 1) {
    without.push(await share(SHARE_S));
    const three = [];
    for (const hash of ['overview', `users/${Many.user(0)}`, 'events']) three.push(await Tab.open(hash));
    withThem.push(await share(SHARE_S));
    for (const tab of three) await tab.close();
  }
  const mean = (all) => all.reduce((sum, one) => sum + one, 0) / all.length;
  const told = (all) => all.map((one) => one.toFixed(2)).join(', ');
  const cost = mean(withThem) - mean(without);
  console.log(`${(await rate()).toFixed(0)} decisions a minute`);
  console.log(`the server: ${told(without)} % of a core without a console, ${told(withThem)} % with three: ${cost.toFixed(2)} % for three`);
  if (cost > CONSOLES_MAX_PERCENT) wrong.push(`three consoles cost ${cost.toFixed(2)} % of a core`);
  const tabs = [];
  for (const hash of ['overview', 'users', `users/${Many.user(1)}`, 'decisions', 'events']) tabs.push(await Tab.open(hash));
  for (let minute = 0; minute < MINUTES; minute += 1) {
    await rest(60);
    for (const tab of tabs) tab.heaps.push(await tab.heap());
  }
  for (const tab of tabs) await tab.tell();
  console.log(`\n${(await rate()).toFixed(0)} decisions a minute over all, ${many.failed} clients failed`);
  wrong.push(...browser.faults);
} finally {
  many.leave();
  await browser.stop();
  await server.stop();
}
console.log(wrong.length ? `\nFAIL\n${wrong.join('\n')}` : '\nall within its bounds');
process.exit(wrong.length ? 1 : 0);
