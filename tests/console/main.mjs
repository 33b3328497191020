// Runs the checks of the console one after the other, on one server with one crowd of clients.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Browser, PAGES, open, serious } from './browser.mjs';
import { run, sign } from './checks.mjs';
import { Crowd, MARKUP } from './crowd.mjs';
import { reports } from './reports.mjs';
import { Server, TOKEN, until } from './server.mjs';

const program = path.resolve(process.env.WASTEGATE ?? 'target/debug/wastegate-under-test');

const server = await Server.start(program);
const browser = await Browser.start();
const crowd = new Crowd(server);
const enter = (user, key, options) => crowd.enter(user, key, options);
let page = null;

const REASON = 'Reason, for the audit log';

const newest = async (user) => (await server.ask(`v1/decisions?user=${user}&limit=1`)).decisions[0];
const figure = async (name) => Number((await page.locator(`[data-figure="${name}"]`).textContent()).replaceAll(',', ''));

/** Fills the dialog that is open, and sends it. */
async function answer(action, fields) {
  const dialog = page.locator('dialog');
  for (const [label, value] of Object.entries(fields)) {
    const field = dialog.getByLabel(label, { exact: true });
    if (await field.evaluate((one) => one.tagName === 'SELECT')) await field.selectOption(value);
    else await field.fill(value);
  }
  await dialog.getByRole('button', { name: action, exact: true }).click();
  await dialog.waitFor({ state: 'detached', timeout: 60000 });
}

const checks = {
  async 'a wrong token is refused, and the right one lets in'() {
    page = await browser.page(server.admin);
    await page.getByLabel('Token').fill('not it');
    await page.getByRole('button', { name: 'Enter' }).click();
    await page.getByText('That is not the token of this server.').waitFor();
    await page.getByLabel('Token').fill(TOKEN);
    await page.getByRole('button', { name: 'Enter' }).click();
    await page.getByRole('heading', { level: 1, name: 'It is well.' }).waitFor();
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
    assert.ok(!kept.includes(TOKEN), 'the token is not kept where a script could read it');
  },

  async 'the overview moves'() {
    await open(page, 'overview');
    const before = await until('the figure', () => figure('managers'));
    const more = await Promise.all([1, 2, 3, 4, 5].map((n) => enter('mover', `tab-${n}`)));
    await until('five managers more', async () => (await figure('managers')) >= before + 5);
    await page.locator('.plot canvas').first().waitFor();
    assert.ok(await page.locator('.plot canvas').count() >= 4, 'the plots are drawn');
    for (const client of more) client.leave();
  },

  async 'a user at the limit is found, and a silent slot shows'() {
    await open(page, 'users');
    await page.getByLabel('Name contains').fill('ann');
    await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
    await page.getByRole('link', { name: 'ann', exact: true }).click();
    await page.getByText('Holds 20 managers of 20.').waitFor();
    const ghost = page.locator('.slot', { hasText: 'ghost-3' });
    await ghost.getByText(/^(suspect|half-open|dead)$/).waitFor();
    await page.locator('.slot', { hasText: 'next to go' }).filter({ hasText: 'ghost' }).waitFor();
    await ghost.click();
    await page.locator('.signals dd', { hasText: /\d (m?s|min)$/ }).first().waitFor();
    assert.match(page.url(), /slot=ghost-3/, 'a slot can be linked');
  },

  async 'an eviction is explained down to the values of its signals'() {
    await open(page, 'users/ann');
    await enter('ann', 'late-1');
    const line = page.locator('.timeline li').filter({ has: page.getByText('evicted', { exact: true }) }).filter({ hasText: 'ghost' }).first();
    await line.getByText(/unanswered/).waitFor();
    await line.getByRole('link', { name: /^decision / }).click();
    await page.getByRole('heading', { level: 1, name: /^Decision / }).waitFor();
    await page.getByRole('columnheader', { name: 'idle-ms' }).waitFor();
    const marked = page.locator('tr.marked').filter({ hasText: 'ghost' }).first();
    assert.match(await marked.textContent(), /half-open|suspect/, 'the row says its class');
    assert.match(await marked.textContent(), /\d (m?s|min)/, 'and its values');
  },

  async 'a policy is swapped on the page, and the next decision names it'() {
    await open(page, 'policies');
    await page.getByRole('button', { name: 'Activate gdsf', exact: true }).click();
    await answer('Activate', { [REASON]: 'the console tries it' });
    await page.getByRole('cell', { name: /^gdsf r\d+$/ }).first().waitFor();
    const made = await until('a decision of gdsf', async () => {
      // A cleanup frees a reserve too, so not every newcomer needs a decision.
      await enter('ann', `late-${crowd.clients.length}`);
      const found = await newest('ann');
      return found?.policy.startsWith('gdsf ') && found;
    });
    await open(page, 'decisions?user=ann');
    const link = page.getByRole('link', { name: String(made.id), exact: true });
    await page.getByRole('row').filter({ has: link }).filter({ hasText: 'gdsf' }).waitFor();
  },

  async 'a list that is read stays as it is'() {
    await open(page, 'decisions?user=ann');
    const first = () => page.locator('tbody th').first().textContent();
    const shown = await until('the newest', async () => { const at = await first(); return at === String((await newest('ann')).id) && at; });
    await page.locator('tbody th').first().hover();
    await page.getByText('Waits while you read').waitFor();
    await until('one more', async () => {
      await enter('ann', `read-${crowd.clients.length}`);
      return String((await newest('ann')).id) !== shown;
    });
    // Two more polls would have shown it.
    const polls = page.waitForRequest(/v1.decisions/, { timeout: 5000 }).then(() => 'asked', () => 'rested');
    assert.equal(await polls, 'rested', 'nothing is asked for meanwhile');
    assert.equal(await first(), shown);
    await page.mouse.move(1, 1);
    await until('it goes on', async () => { const at = await first(); return at !== shown && at === String((await newest('ann')).id); });
  },

  async 'a slider reorders as `wastegate policy run` does'() {
    // At the tier `force` every manager may go, so there is an order to change.
    const made = await until('a decision about many', async () => {
      await enter('ann', `later-${crowd.clients.length}`);
      const all = (await server.ask('v1/decisions?user=ann')).decisions;
      return all.find((one) => one.policy.startsWith('gdsf ') && one.rows >= 10);
    }, 30000);
    await open(page, `decisions/${made.id}?ask=gdsf`);
    const order = async () => (await page.locator('.order li b').allTextContents()).join();
    const slider = page.getByRole('slider', { name: 'inflation-per-minute' });
    await slider.waitFor();
    const orders = new Set();
    for (const key of ['Home', 'End']) {
      await slider.press(key);
      const value = key === 'Home' ? 0 : 10000;
      const { ranking } = await server.ask(`v1/decisions/${made.id}/ask`, { method: 'POST', body: { policy: 'gdsf', params: { 'inflation-per-minute': value } } });
      const whole = await server.ask(`v1/decisions/${made.id}`);
      const keys = new Map(whole.candidates.map((one) => [one.row, one.key]));
      const wanted = ranking.map((one) => keys.get(one.row)).join();
      await until(`the order at ${value}`, async () => (await order()) === wanted);
      // The journal is written in batches, so a decision may be in it a moment later.
      let why = null;
      const run = await until(`policy run at ${value}`, () => server.ranked('gdsf', made.id, { 'inflation-per-minute': value }).catch((failed) => { why = failed; }))
        .catch((late) => { throw why ?? late; });
      assert.deepEqual(rows(run), ranking.map((one) => one.row), `policy run at ${value}`);
      orders.add(wanted);
    }
    assert.equal(orders.size, 2, 'the slider changes the order');
    assert.match(page.url(), /params=inflation-per-minute/, 'and the order can be linked');
  },

  async 'an experiment shows its verdict'() {
    await server.ask('v1/experiments', { method: 'POST', body: { name: 'which', question: 'Is lru better?', arms: [{ policy: 'champion' }, { policy: 'lru' }] } });
    await open(page, 'experiments');
    await page.getByRole('link', { name: 'which' }).click();
    await page.locator('[data-verdict="continue"]').waitFor();
    await page.getByText('Is lru better?').waitFor();
    await page.getByRole('button', { name: 'Stop…' }).click();
    await answer('Stop', { [REASON]: MARKUP });
    await page.getByText('stopped', { exact: true }).first().waitFor();
  },

  async 'a shadow is started and shown'() {
    await open(page, 'shadows');
    await page.getByRole('button', { name: 'Start…' }).click();
    await answer('Start', { Policy: 'lru' });
    await enter('ann', 'late-3');
    await page.waitForFunction(() => Number(document.querySelector('main .figures .value')?.textContent) >= 1);
  },

  async 'events are live'() {
    await open(page, 'events');
    await page.getByText('Live', { exact: true }).waitFor();
    await enter('comer', 'here');
    await page.locator('.timeline li', { hasText: 'comer' }).first().waitFor();
  },

  async 'markup in names and reasons stays text'() {
    await server.ask(`v1/users/${encodeURIComponent(MARKUP)}/limit`, { method: 'PUT', body: { managers: 7, reason: MARKUP } });
    await open(page, 'users?filter=img');
    await page.getByRole('link', { name: MARKUP, exact: true }).click();
    await page.getByRole('heading', { level: 1, name: MARKUP }).waitFor();
    await page.locator('.slot .key', { hasText: MARKUP }).waitFor();
    await page.locator('.reason', { hasText: MARKUP }).waitFor();
    await open(page, 'policies');
    await page.locator('.reason', { hasText: MARKUP }).first().waitFor();
    assert.equal(await page.locator('main img').count(), 0, 'no picture was made of it');
  },

  async 'a user is blocked and let in again'() {
    await open(page, 'users/user-03');
    await page.getByRole('button', { name: 'Block…' }).click();
    await answer('Block', { [REASON]: 'a test', 'For how many minutes (empty: until it is taken back)': '5' });
    await page.getByText('user-03 is blocked.').waitFor();
    await page.getByRole('button', { name: 'Unblock…' }).click();
    await answer('Take back', {});
    await page.getByRole('button', { name: 'Block…' }).waitFor();
  },

  async 'a user at the end of its traffic budget shows, and why it was closed'() {
    const flooder = await enter('flooder', 'much');
    for (let n = 0; n < 1000; n += 1) flooder.say('more');
    await until('the flooder is closed', () => flooder.code === 4007);
    await open(page, 'users/flooder');
    const line = page.locator('.timeline li', { hasText: '4007' });
    await page.getByText('may send 200 messages a second').waitFor();
    await line.getByRole('link', { name: 'over-budget' }).click();
    await page.locator('.limits code', { hasText: 'limits.traffic.messages_per_s' }).waitFor();
    await page.getByText('1 connection was closed for it with 4007').waitFor();
  },

  async 'tokens are revoked and allowed again'() {
    await open(page, 'tokens');
    await page.getByText('No token is revoked').waitFor();
    await page.getByRole('button', { name: 'Revoke…' }).click();
    await answer('Revoke', { What: 'token', 'Id of the token (jti)': `a/b?${MARKUP}`, [REASON]: MARKUP });
    const row = page.getByRole('row').filter({ hasText: 'a/b?' });
    await row.getByText('any time').waitFor();
    assert.equal(await page.locator('main img').count(), 0, 'no picture was made of it');
    await page.getByRole('button', { name: 'Revoke…' }).click();
    await answer('Revoke', { What: 'user', User: 'user-04', 'For how many minutes (empty: until it is taken back)': '5', [REASON]: 'stolen' });
    const { revocations } = await server.ask('v1/revocations');
    assert.deepEqual(revocations.map((one) => one.target), [`token/a/b?${MARKUP}`, 'user/user-04']);
    assert.ok(revocations[1].until_unix_ms > Date.now() && revocations[1].issued_before_unix_ms <= Date.now());
    await page.getByRole('link', { name: 'user-04', exact: true }).click();
    await page.getByText('Tokens revoked').waitFor();
    await page.getByRole('button', { name: 'Allow tokens…' }).click();
    await answer('Allow', {});
    await page.getByRole('button', { name: 'Revoke tokens…' }).click();
    // The field has minutes, in the zone of the browser.
    const before = new Date(Date.now() - 3600000);
    before.setSeconds(0, 0);
    const local = await page.evaluate((ms) => new Date(ms - new Date(ms).getTimezoneOffset() * 60000).toISOString().slice(0, 16), before.getTime());
    await page.locator('dialog input[type="datetime-local"]').fill(local);
    await answer('Revoke', { [REASON]: 'the old ones' });
    await until('the moment', async () => (await server.ask('v1/revocations')).revocations.some((one) => one.issued_before_unix_ms === before.getTime()));
    await open(page, 'tokens');
    for (const name of ['Allow the tokens of user-04 again', `Allow token a/b?${MARKUP} again`]) {
      await page.getByRole('button', { name }).click();
      await answer('Allow', {});
    }
    await page.getByText('No token is revoked').waitFor();
  },

  async 'a pin has a reason'() {
    await open(page, 'users/user-05?slot=chat-0');
    await page.getByRole('button', { name: 'Pin…' }).click();
    await answer('Pin', { Minutes: '5', [REASON]: 'a demonstration' });
    await page.locator('.note', { hasText: 'Pinned' }).getByText('a demonstration').waitFor();
    await page.locator('.slot').getByText('pinned').waitFor();
    await page.getByRole('button', { name: 'Unpin…' }).click();
    await answer('Unpin', {});
    await page.locator('.note', { hasText: 'Pinned' }).waitFor({ state: 'detached' });
  },

  async 'what operators do is an event'() {
    await open(page, 'events?kinds=change');
    await page.getByText('Live', { exact: true }).waitFor();
    await server.ask('v1/users/user-06/limit', { method: 'PUT', body: { managers: 21, reason: 'an event of it' } });
    await page.locator('.timeline li').filter({ has: page.getByText('change', { exact: true }) }).filter({ hasText: 'an event of it' }).waitFor();
  },

  async 'the node is drained and undrained, and its clients asked to reconnect'() {
    await open(page, 'node');
    await page.getByRole('button', { name: 'Drain…' }).click();
    await answer('Drain', { [REASON]: 'a new kernel', 'For how many minutes (empty: until it is taken back)': '5' });
    await page.getByText('The node is drained by an operator').waitFor();
    await page.locator('.note', { hasText: 'Drained' }).getByText('a new kernel').waitFor();
    const ready = await fetch(`${server.admin}/readyz`);
    assert.equal(ready.status, 503, 'and says so to load balancers');
    await open(page, 'overview');
    await page.getByRole('heading', { level: 1, name: 'It is drained.' }).waitFor();
    await page.locator('.problems', { hasText: 'a new kernel' }).waitFor();
    await page.getByRole('link', { name: 'Node', exact: true }).first().click();
    await page.getByRole('button', { name: 'Reconnect all…' }).click();
    await answer('Ask them', { 'Managers a second': '1', [REASON]: 'a new kernel' });
    const asked = page.locator('.note', { hasText: 'Clients are asked to reconnect' });
    await asked.waitFor();
    await page.getByRole('button', { name: 'Stop reconnecting…' }).click();
    await answer('Stop', {});
    await asked.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'End the drain…' }).click();
    await answer('End the drain', {});
    await page.getByRole('button', { name: 'Drain…' }).waitFor();
    await page.getByText('The node is drained by an operator').waitFor({ state: 'detached' });
  },

  async 'everybody is signed out'() {
    const other = await browser.page(server.admin);
    await sign(other);
    await open(page, 'settings?changed=1');
    await page.getByRole('button', { name: 'Sign everybody out…' }).click();
    await page.locator('dialog').getByRole('button', { name: 'Sign everybody out' }).click();
    await page.getByText('Everybody is signed out.').waitFor();
    await other.getByLabel('Token').waitFor();
    await other.context().close();
    await sign(page);
  },

  async 'it can be used by keyboard alone'() {
    await open(page, 'overview');
    await page.locator('.skip').focus();
    for (let presses = 0; presses < 12; presses += 1) {
      if (await page.evaluate(() => document.activeElement?.textContent === 'Settings')) break;
      await page.keyboard.press('Tab');
    }
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(outline, 'solid', 'the focus shows');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Settings' }).waitFor();
    // A new page is read from its heading on.
    await page.waitForFunction(() => document.activeElement.tagName === 'H1');
  },

  async 'no page needs more than 360 pixels, and axe-core finds nothing serious'() {
    const decision = await newest('ann');
    // Of long lists a part: its elements are all alike, and axe-core looks at each.
    const part = { users: 'users?filter=user-0', settings: 'settings?filter=admin', decisions: 'decisions?user=ann' };
    const all = [...PAGES.map((name) => part[name] ?? name), 'users/ann?key=chat-1&slot=chat-1', `decisions/${decision.id}?ask=gdsf`, 'experiments/which'];
    const found = [];
    for (const theme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      for (const [width, height] of theme === 'light' ? [[1280, 900], [360, 740]] : [[1280, 900]]) {
        await page.setViewportSize({ width, height });
        for (const hash of all) {
          await open(page, hash);
          if (hash.includes('?ask=')) await page.locator('.order li').first().waitFor();
          const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          if (over > 0) found.push(`${hash} at ${width}: ${over} pixels too wide`);
          if (width === 1280) found.push(...(await serious(page, { coloursOnly: theme === 'dark' })).map((one) => `${hash} ${theme}: ${one}`));
        }
      }
    }
    // A dialog with every kind of field, where there is least room.
    await open(page, 'tokens');
    await page.getByRole('button', { name: 'Revoke…' }).click();
    await page.locator('dialog').getByLabel('What').selectOption('user');
    found.push(...(await serious(page)).map((one) => `dialog: ${one}`));
    await page.setViewportSize({ width: 360, height: 740 });
    if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth || document.querySelector('dialog').scrollWidth > document.querySelector('dialog').clientWidth)) found.push('dialog at 360: too wide');
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
    assert.deepEqual(found, []);
  },

  async 'a server that is cut off shows, and so does its return'() {
    await open(page, 'overview');
    server.signal('SIGSTOP');
    await page.getByText('What is shown may have changed').waitFor();
    assert.ok(await figure('managers') > 0, 'what was known stays');
    server.signal('SIGCONT');
    await page.getByText('What is shown may have changed').waitFor({ state: 'detached' }).catch(() => page.waitForFunction(() => !document.querySelector('.strip')));
    await page.getByRole('heading', { level: 1, name: 'It is well.' }).waitFor();
  },

  async 'pages that commands write can be read by all, and on a phone'() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'wastegate-reports-'));
    for (const [name, file] of await reports(program, folder, { users: 16 })) {
      for (const theme of ['light', 'dark']) {
        for (const [width, height] of [[1280, 860], [390, 780]]) {
          const shown = await browser.page(pathToFileURL(file).href, { width, height, theme });
          const where = `${name}, ${theme}, ${width} wide`;
          await shown.locator('main h1').waitFor();
          assert.deepEqual(await serious(shown), [], where);
          assert.ok(name !== 'replay' || await shown.locator('svg.interval').count() > 0, `${where}: intervals are drawn`);
          assert.ok(await shown.locator('.digest').count() > 0, `${where}: digests are there`);
          assert.equal(await shown.locator('script, link, img, iframe').count(), 0, `${where}: all is in one file`);
          const beyond = await shown.evaluate(() => [...document.querySelectorAll('main *')].filter((one) => !one.closest('.visually-hidden, thead') && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 120)));
          assert.deepEqual(beyond, [], `${where}: nothing is cut`);
          await shown.context().close();
        }
      }
    }
    fs.rmSync(folder, { recursive: true });
  },

  async 'a drain shows'() {
    // One that answers no Close, so that the drain takes its time.
    await enter('stayer', 'ghost', { silent: true });
    await open(page, 'overview');
    server.signal('SIGTERM');
    await page.getByText('The server is draining').waitFor();
  },
};

/** The rows of what `policy run --json` printed. */
function rows(run) {
  return run.ranking.map((one) => one.row);
}

const begun = Date.now();
let failed = 0;
try {
  await crowd.gather();
  failed = await run(checks, { always: /token/, browser, page: () => page, shot: 'fail' });
} finally {
  crowd.leave();
  await browser.stop();
  await server.stop();
}
console.log(`${failed ? `${failed} failed` : 'all well'} after ${((Date.now() - begun) / 1000).toFixed(0)} s`);
process.exit(failed ? 1 : 0);
