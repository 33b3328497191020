// Takes the pictures of docs/console.md that need a cluster: one node drains, one does not follow the shared policies,
// and one was killed. Smaller files where `pngquant` is there.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { Browser, open } from './browser.mjs';
import { sign } from './checks.mjs';
import { Cluster, STRICT, unsigned } from './cluster.mjs';
import { Crowd } from './crowd.mjs';
import { until } from './server.mjs';

const COLOURS = 40;

const into = path.resolve(process.argv[2] ?? 'docs/console');
const cluster = await Cluster.start(path.resolve(process.env.WASTEGATE));
const browser = await Browser.start();
const crowds = [];
try {
  for (const [name, more] of [['gw-1', []], ['gw-2', []], ['gw-3', [STRICT]], ['gw-4', []]]) await cluster.node(name, `http://10.0.0.${name.at(-1)}:9090`, more);
  const [first, second, , last] = cluster.nodes;
  for (const [at, node] of cluster.nodes.entries()) {
    const crowd = new Crowd(node);
    crowds.push(crowd);
    for (let n = 0; n < 40 + 9 * at; n += 1) await crowd.enter(`user-${at}-${n % 20}`, `chat-${n}`);
  }
  await unsigned(first, 'lru');
  await first.ask('v1/cluster/policies', { method: 'PUT', body: { reason: 'a week on one node, half the live kills' } });
  await until('who refuses is known', async () => (await first.ask('v1/nodes')).cluster.nodes.some((one) => one.problem));
  await second.ask('v1/node/drain', { method: 'PUT', body: { reason: 'a new kernel' } });
  last.signal('SIGKILL');
  await until('one is gone', async () => (await first.ask('v1/nodes')).cluster.gone.length === 1);
  for (const theme of ['light', 'dark']) {
    for (const [device, width, height] of [['desk', 1280, 860], ['phone', 390, 780]]) {
      const page = await browser.page(first.admin, { width, height, theme });
      await sign(page);
      await page.mouse.move(1, 1);
      for (const [name, hash] of [['nodes', 'node'], ['shared', 'policies'], ['alarm', 'overview']]) {
        await open(page, hash);
        if (name === 'shared') await page.getByRole('heading', { name: 'On all nodes' }).evaluate((one) => one.closest('section').scrollIntoView());
        const file = path.join(into, `${name}-${theme}-${device}.png`);
        await page.screenshot({ path: file });
        try {
          execFileSync('pngquant', ['--force', '--speed', '1', '--strip', '--output', file, String(COLOURS), file]);
        } catch { /* then it is larger */ }
      }
      await page.context().close();
    }
  }
  if (browser.faults.length) throw new Error(browser.faults.join('\n'));
} finally {
  for (const crowd of crowds) crowd.leave();
  await browser.stop();
  await cluster.stop();
}
process.exit(0);
