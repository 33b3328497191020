// How checks of the console run: one after the other, each with no fault in the page's log.
import assert from 'node:assert/strict';
import { TOKEN } from './server.mjs';

/** Shows the token on a page that asks for it. */
export async function sign(on) {
  await on.getByLabel('Token').fill(TOKEN);
  await on.getByRole('button', { name: 'Enter' }).click();
  await on.locator('nav').waitFor({ state: 'attached' });
}

/** Runs those whose names have a part of `wanted` (none: all), and those that others need (`always`). Returns how many
 *  failed; where CONSOLE_SHOT names a folder, with a picture of the page of each, named after `shot`. */
export async function run(checks, { always, browser, page, shot }) {
  const wanted = process.argv.slice(2);
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    if (wanted.length && !always.test(name) && !wanted.some((part) => name.includes(part))) continue;
    const from = Date.now();
    try {
      await check();
      assert.deepEqual(browser.faults.splice(0), []);
      console.log(`ok    ${name} (${((Date.now() - from) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL  ${name}\n${error.stack}`);
      browser.faults.length = 0;
      if (process.env.CONSOLE_SHOT) await page()?.screenshot({ path: `${process.env.CONSOLE_SHOT}/${shot}-${failed}.png` });
    }
  }
  return failed;
}
