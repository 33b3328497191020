// Runs the checks of what the console shows of a cluster: three real gateways and a real engine, which are drained,
// killed and cut off. Arguments are parts of the names of the checks to run.
import assert from 'node:assert/strict';
import path from 'node:path';
import { Browser, open, serious } from './browser.mjs';
import { run, sign } from './checks.mjs';
import { Client } from './clients.mjs';
import { Cluster, STRICT, unsigned } from './cluster.mjs';
import { until } from './server.mjs';

const ELSEWHERE = 'http://127.0.0.1:9/console-of-gw-2';
const NO_LINK = 'gw-3.example.net:9090';
const REASON = 'Reason, for the audit log';

const cluster = await Cluster.start(path.resolve(process.env.WASTEGATE ?? 'target/debug/wastegate-under-test'));
const browser = await Browser.start();
const clients = [];
let [first, second, third, page] = [];

const row = (name) => page.getByRole('region', { name: 'Nodes of the cluster' }).getByRole('row').filter({ has: page.getByRole('rowheader', { name: new RegExp(`^${name}\\b`) }) });
const state = (name, word) => row(name).getByText(word, { exact: true }).waitFor();

/** What is too wide, and what axe-core finds, in both themes and on a phone. */
async function flaws(hash) {
  const found = [];
  for (const [theme, width, height] of [['light', 1280, 900], ['dark', 1280, 900], ['light', 360, 740]]) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height });
    await open(page, hash);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (over > 0) found.push(`${hash} at ${width}: ${over} pixels too wide`);
    found.push(...(await serious(page)).map((one) => `${hash} ${theme} ${width}: ${one}`));
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await page.setViewportSize({ width: 1280, height: 900 });
  return found;
}

const checks = {
  async 'all nodes are seen, and only one is asked'() {
    for (let n = 0; n < 3; n += 1) clients.push(await Client.open(second.at('ann', `tab-${n}`)));
    // That a document was shared meanwhile is an answer too.
    page = await browser.page(first.admin, { expected: /401|404|409|ERR_|Failed to fetch/ });
    const elsewhere = [];
    page.on('request', (request) => { if (!request.url().startsWith(first.admin)) elsewhere.push(request.url()); });
    await sign(page);
    await page.getByRole('heading', { level: 1, name: 'It is well.' }).waitFor();
    await page.getByRole('link', { name: '3 of 3 nodes, engine up' }).click();
    await page.getByRole('heading', { level: 1, name: 'Nodes' }).waitFor();
    for (const name of ['gw-1', 'gw-2', 'gw-3']) await state(name, 'up');
    await row('gw-1').getByText('this one').waitFor();
    assert.equal(await page.getByText('this one', { exact: true }).count(), 1);
    const cells = () => row('gw-2').getByRole('cell').allTextContents();
    await until('what gw-2 holds', async () => { const all = await cells(); return all[2] === '3' && all[3] === '3'; });
    assert.equal(await row('gw-2').getByRole('link').getAttribute('href'), ELSEWHERE);
    assert.equal(await row('gw-3').getByRole('link').count(), 0, 'what is no http address is no link');
    await row('gw-3').getByText(NO_LINK).waitFor();
    assert.equal(await page.locator('#nav').getByRole('link', { name: 'Nodes', exact: true }).count(), 1);
    assert.equal(await page.title(), 'Nodes – wastegate');
    assert.deepEqual(elsewhere, [], 'no other node is asked');
  },

  async 'a node that drains shows on another'() {
    await open(page, 'node');
    await second.ask('v1/node/drain', { method: 'PUT', body: { reason: 'a new kernel' } });
    await state('gw-2', 'draining');
    await page.getByText('3 of 3 nodes, 1 draining, engine up').first().waitFor();
    await second.ask('v1/node/drain', { method: 'DELETE', body: {} });
    await state('gw-2', 'up');
  },

  async 'policies are shared from the page, and who refuses says why'() {
    await unsigned(first, 'lru');
    await open(page, 'policies');
    await page.getByText('Nothing is shared').waitFor();
    await page.getByRole('button', { name: 'Share…' }).click();
    const dialog = page.locator('dialog');
    await dialog.getByLabel(REASON, { exact: true }).fill('a week on one node');
    await dialog.getByRole('button', { name: 'Share', exact: true }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByText('Shared as no. 1 by').waitFor();
    await page.locator('.note .reason', { hasText: 'a week on one node' }).waitFor();
    const follows = page.getByRole('region', { name: 'Who follows' }).getByRole('row');
    await follows.filter({ hasText: 'gw-2' }).getByText('no. 1', { exact: true }).waitFor();
    await follows.filter({ hasText: 'gw-3' }).getByText('not followed').waitFor();
    await follows.filter({ hasText: 'gw-3' }).filter({ hasText: 'the policy is not signed' }).waitFor();
    await open(page, 'overview');
    await page.locator('.problems', { hasText: 'gw-3 does not follow the shared policies' }).waitFor();
    await page.getByRole('heading', { level: 1, name: 'One thing is wrong.' }).waitFor();
    await open(page, 'node');
    await row('gw-3').getByText('not followed').waitFor();
    assert.deepEqual([...await flaws('node'), ...await flaws('policies'), ...await flaws('overview')], []);
  },

  async 'of two operators who share at once one is told'() {
    await open(page, 'policies');
    await page.getByText('Shared as no. 1 by').waitFor();
    await page.getByRole('button', { name: 'Share…' }).click();
    await first.ask('v1/policies/fifo/activate', { method: 'POST', body: { reason: 'shipped' } });
    await first.ask('v1/cluster/policies', { method: 'PUT', body: { reason: 'the other one' } });
    const dialog = page.locator('dialog');
    await dialog.getByLabel(REASON, { exact: true }).fill('too late');
    await dialog.getByRole('button', { name: 'Share', exact: true }).click();
    await dialog.getByRole('alert').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    assert.equal((await first.ask('v1/cluster/policies')).shared.reason, 'the other one');
    // What the host ships needs no signature.
    await page.getByRole('region', { name: 'Who follows' }).getByRole('row').filter({ hasText: 'gw-3' }).getByText('no. 2', { exact: true }).waitFor();
    await open(page, 'overview');
    await page.getByRole('heading', { level: 1, name: 'It is well.' }).waitFor();
  },

  async 'a node that is killed is gone, also for who comes later'() {
    await open(page, 'node');
    third.signal('SIGKILL');
    await state('gw-3', 'late');
    await state('gw-3', 'gone');
    await page.getByText('gw-3 is gone: its last beat came').waitFor();
    const later = await browser.page(first.admin);
    await sign(later);
    await later.getByRole('link', { name: '2 of 3 nodes, engine up' }).waitFor();
    await later.locator('.problems', { hasText: 'gw-3 is gone' }).waitFor();
    assert.equal(await later.getByText('It is well.').count(), 0);
    await later.context().close();
    assert.deepEqual(await flaws('node'), []);
  },

  async 'an engine that is killed shows, and so does its return'() {
    await open(page, 'node');
    await cluster.killEngine();
    await page.locator('[data-engine="away"]').waitFor();
    await state('gw-2', 'unknown');
    await row('gw-2').getByText(/^3 .* ago$/).first().waitFor();
    assert.deepEqual(await flaws('node'), []);
    await open(page, 'overview');
    await page.getByRole('link', { name: /^Engine away/ }).waitFor();
    await cluster.startEngine();
    await page.getByRole('link', { name: /of \d nodes, engine up$/ }).waitFor();
    await open(page, 'node');
    await page.locator('[data-engine="up"]').waitFor();
    await state('gw-2', 'up');
  },

  async 'a server that is cut off shows, and what was known stays'() {
    await open(page, 'node');
    first.signal('SIGSTOP');
    await page.getByText('What is shown may have changed').waitFor();
    assert.equal(await row('gw-2').count(), 1);
    first.signal('SIGCONT');
    await page.waitForFunction(() => !document.querySelector('.strip'));
    await state('gw-2', 'up');
  },
};

let failed = 0;
try {
  first = await cluster.node('gw-1', 'http://127.0.0.1:9/console-of-gw-1');
  second = await cluster.node('gw-2', ELSEWHERE);
  third = await cluster.node('gw-3', NO_LINK, [STRICT]);
  await until('all three are seen', async () => (await first.ask('v1/nodes')).cluster.nodes.length === 3);
  failed = await run(checks, { always: /all nodes are seen/, browser, page: () => page, shot: 'fail-nodes' });
} finally {
  for (const client of clients) client.leave();
  await browser.stop();
  await cluster.stop();
}
console.log(failed ? `${failed} failed` : 'all well');
process.exit(failed ? 1 : 0);
