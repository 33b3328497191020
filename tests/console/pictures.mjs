// Takes the pictures of docs/console.md: each page, light and dark, on a desk and on a phone. Smaller files where
// `pngquant` is there.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Browser, PAGES, open } from './browser.mjs';
import { Crowd } from './crowd.mjs';
import { reports } from './reports.mjs';
import { Server, TOKEN, until } from './server.mjs';

const COLOURS = 40;
/** How long the server has been under load before the pictures, so that plots have something to show, ms. */
const BEFORE_MS = Number(process.env.BEFORE_MS ?? 150000);

const into = path.resolve(process.argv[2] ?? 'docs/console');
const server = await Server.start(path.resolve(process.env.WASTEGATE));
const crowd = new Crowd(server);
const browser = await Browser.start();
fs.mkdirSync(into, { recursive: true });

function smaller(file) {
  try {
    execFileSync('pngquant', ['--force', '--speed', '1', '--strip', '--output', file, String(COLOURS), file]);
  } catch { /* then it is larger */ }
}

/** Users come and go, some of them at the limit. */
async function live(until) {
  for (let n = 0; Date.now() < until; n += 1) {
    const user = `user-${String(n % 30).padStart(2, '0')}`;
    const client = await crowd.enter(user, `visit-${n}`).catch(() => null);
    if (client) setTimeout(() => client.leave(), 4000 + 900 * (n % 37));
    if (n % 9 === 0) await crowd.enter('ann', `tab-${n}`, { silent: n % 4 === 0 }).catch(() => null);
    await new Promise((done) => setTimeout(done, 180 + 25 * (n % 11)));
  }
}

/** The pages that commands write: one light, one dark, on a desk and on a phone. */
async function pictured() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'wastegate-reports-'));
  for (const [name, made] of await reports(path.resolve(process.env.WASTEGATE), folder, { users: 300, lasting: BEFORE_MS })) {
    for (const [theme, device, width, height] of [['light', 'desk', 1280, 860], ['dark', 'phone', 390, 780]]) {
      const page = await browser.page(pathToFileURL(made).href, { width, height, theme });
      const file = path.join(into, `report-${name}-${theme}-${device}.png`);
      await page.screenshot({ path: file });
      smaller(file);
      await page.context().close();
    }
  }
  fs.rmSync(folder, { recursive: true });
}

try {
  await crowd.gather({ names: ['bob'] });
  await server.ask('v1/policies/gdsf/activate', { method: 'POST', body: { reason: 'less memory for each manager', tier: 'force' } });
  await server.ask('v1/shadows', { method: 'POST', body: { policy: 'lru' } });
  await server.ask('v1/experiments', { method: 'POST', body: { name: 'lru-or-not', question: 'Does lru evict fewer that are wanted back?', arms: [{ policy: 'champion' }, { policy: 'lru' }] } });
  await server.ask('v1/users/user-03/limit', { method: 'PUT', body: { managers: 40, for_s: 3600, reason: 'ticket 7' } });
  await server.ask('v1/users/user-07/block', { method: 'PUT', body: { for_s: 600, reason: 'spam' } });
  await server.ask('v1/users/ann/managers/chat-1/pin', { method: 'POST', body: { for_ms: 600000, reason: 'a demonstration at noon' } });
  await server.ask('v1/revocations/tokens/4f1c-09ab', { method: 'PUT', body: { for_s: 86400, reason: 'ticket 7' } });
  await server.ask('v1/revocations/users/user-07', { method: 'PUT', body: { reason: 'her phone was stolen' } });
  const end = Date.now() + BEFORE_MS;
  await live(end);
  const made = await until('a decision about many', async () => {
    await crowd.enter('ann', `last-${crowd.clients.length}`);
    return (await server.ask('v1/decisions?user=ann')).decisions.find((one) => one.policy.startsWith('gdsf ') && one.rows >= 10);
  }, 60000);
  for (let n = 0; n < 4; n += 1) await crowd.enter('ann', `quiet-${n}`, { silent: true });
  const lively = live(Infinity);
  lively.catch(() => null);
  const pages = [...PAGES.map((name) => [name, name]), ['user', 'users/ann'], ['decision', `decisions/${made.id}`], ['ask', `decisions/${made.id}?ask=gdsf&params=inflation-per-minute:10000`], ['experiment', 'experiments/lru-or-not'], ['drained', 'node']];
  for (const theme of ['light', 'dark']) {
    for (const [device, width, height] of [['desk', 1280, 860], ['phone', 390, 780]]) {
      const page = await browser.page(server.admin, { width, height, theme });
      await page.getByLabel('Token').fill(TOKEN);
      await page.getByRole('button', { name: 'Enter' }).click();
      await page.mouse.move(1, 1);
      for (const [name, hash] of pages) {
        if (name === 'drained') {
          await server.ask('v1/node/drain', { method: 'PUT', body: { reason: 'a new kernel', for_s: 900 } });
          await server.ask('v1/node/disconnect', { method: 'PUT', body: { reason: 'a new kernel', per_s: 1 } });
        }
        await open(page, hash);
        if (name === 'drained') await page.getByText('are left').waitFor();
        if (name === 'ask') await page.locator('.order li').first().waitFor();
        if (name === 'events') await page.locator('.timeline li').nth(6).waitFor();
        if (name === 'overview') await page.locator('.plot canvas').nth(3).waitFor();
        if (name === 'ask') await page.locator('.ask').evaluate((one) => one.closest('section').scrollIntoView());
        const file = path.join(into, `${name}-${theme}-${device}.png`);
        await page.screenshot({ path: file });
        smaller(file);
      }
      for (const lever of ['disconnect', 'drain']) await server.ask(`v1/node/${lever}`, { method: 'DELETE', body: {} });
      await page.context().close();
    }
  }
  await pictured();
  if (browser.faults.length) throw new Error(browser.faults.join('\n'));
} finally {
  crowd.leave();
  await browser.stop();
  await server.stop();
}
process.exit(0);
