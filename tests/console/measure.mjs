// What open consoles cost: the server's processor time with three of them and without, and a tab's memory after many
// updates. For docs and developers; no check needs it.
import path from 'node:path';
import { Browser, open } from './browser.mjs';
import { Crowd } from './crowd.mjs';
import { Server, TOKEN } from './server.mjs';

const SECONDS = Number(process.env.SECONDS ?? 30);
const USERS = Number(process.env.USERS ?? 300);
/** How much faster than real time the updates of the tab are whose memory is measured. */
const FASTER = 20;

// With the times that ship, so that heartbeats are not what is measured.
const server = await Server.start(path.resolve(process.env.WASTEGATE), ['health.ping_interval_ms=25000', 'health.pong_deadline_ms=8000']);
const crowd = new Crowd(server);
const browser = await Browser.start();
const rest = (s) => new Promise((done) => setTimeout(done, s * 1000));

async function console_(hash, setup) {
  const page = await browser.page(server.admin, { theme: 'light' });
  if (setup) {
    await page.addInitScript(setup, FASTER);
    await page.reload();
  }
  await page.getByLabel('Token').fill(TOKEN);
  await page.getByRole('button', { name: 'Enter' }).click();
  await open(page, hash);
  return page;
}

async function share(seconds) {
  const from = await server.cpu();
  await rest(seconds);
  return ((await server.cpu()) - from) / (seconds * 10);
}

async function heap(page) {
  const debug = await page.context().newCDPSession(page);
  await debug.send('HeapProfiler.collectGarbage');
  const { usedSize } = await debug.send('Runtime.getHeapUsage');
  const { jsEventListeners, nodes } = await debug.send('Memory.getDOMCounters');
  await debug.detach();
  return `${(usedSize / 2 ** 20).toFixed(1)} MiB heap, ${nodes} nodes, ${jsEventListeners} listeners`;
}

try {
  await crowd.gather({ users: USERS, talking: 0.001 });
  await rest(8);
  const without = await share(SECONDS);
  const pages = [await console_('overview'), await console_('users/ann'), await console_('events')];
  await rest(3);
  const withThem = await share(SECONDS);
  console.log(`${crowd.clients.length} clients: ${without.toFixed(2)} % of a core without a console, ${withThem.toFixed(2)} % with three`);
  for (const page of pages) await page.context().close();
  const faster = (times) => {
    const real = window.setTimeout;
    window.setTimeout = (run, ms, ...rest) => real(run, (ms ?? 0) / times, ...rest);
  };
  const page = await console_('overview', faster);
  await rest(5);
  console.log(`a tab in the beginning: ${await heap(page)}`);
  await rest(SECONDS);
  console.log(`the same after ${Math.round((SECONDS * FASTER) / 60)} minutes of updates: ${await heap(page)}`);
} finally {
  crowd.leave();
  await browser.stop();
  await server.stop();
}
process.exit(0);
