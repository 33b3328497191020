// The system's Chromium, driven; any error of a page or of its policy fails the test.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const folder = process.env.CONSOLE_NODE ?? 'target/console';
const require = createRequire(path.resolve(folder, 'x.js'));
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const PAGES = ['overview', 'users', 'decisions', 'policies', 'experiments', 'shadows', 'events', 'tokens', 'node', 'settings'];

export class Browser {
  static async start() {
    const browser = new Browser();
    const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(fs.existsSync);
    if (!executablePath) throw new Error('chromium is missing; install the package chromium');
    browser.chromium = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    browser.faults = [];
    return browser;
  }

  async page(base, { width = 1280, height = 900, theme = 'light', expected = /401|404|ERR_|Failed to fetch/ } = {}) {
    const context = await this.chromium.newContext({ viewport: { width, height }, colorScheme: theme, reducedMotion: 'reduce' });
    if (process.env.CONSOLE_FILES) await fromDisk(context, base, process.env.CONSOLE_FILES);
    const page = await context.newPage();
    page.setDefaultTimeout(15000);
    page.on('pageerror', (error) => this.faults.push(`page: ${error.stack}`));
    page.on('dialog', (dialog) => { this.faults.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
    page.on('console', (line) => {
      // A route that is not there, and a server that is away, are answers; a policy that was broken is not.
      if (line.type() === 'error' && !expected.test(line.text())) this.faults.push(`console: ${line.text()}`);
    });
    await page.goto(base.startsWith('file:') ? base : `${base}/`);
    return page;
  }

  async stop() { await this.chromium.close(); }
}

/** Takes the console's files from a folder, with the headers of the server's: edits are tried without a build. */
async function fromDisk(context, base, files) {
  const kinds = { html: 'text/html', css: 'text/css', js: 'text/javascript', mjs: 'text/javascript', svg: 'image/svg+xml' };
  const { headers } = await fetch(`${base}/`);
  const policy = headers.get('content-security-policy');
  const { origin } = new URL(base);
  await context.route((url) => url.origin === origin && (url.pathname === '/' || url.pathname.startsWith('/console/')), (route) => {
    const asked = new URL(route.request().url()).pathname;
    const file = path.join(files, asked === '/' ? 'index.html' : asked.slice('/console/'.length));
    const type = kinds[path.extname(file).slice(1)] ?? 'text/plain';
    route.fulfill({ body: fs.readFileSync(file), contentType: `${type}; charset=utf-8`, headers: { 'content-security-policy': policy } });
  });
}

/** A page of the console, shown and loaded. */
export async function open(page, hash) {
  await page.evaluate((to) => { location.hash = to; }, `#/${hash}`);
  await page.locator('main h1').waitFor();
  await page.waitForFunction(() => !document.querySelector('main [aria-busy="true"]'));
}

/** What axe-core finds that is serious or worse; of colours only, where all else is known already. */
export async function serious(page, { coloursOnly = false } = {}) {
  // Sent by the debugger: the page's policy would let no such script in.
  await page.evaluate(axe);
  const only = coloursOnly ? { runOnly: { type: 'rule', values: ['color-contrast'] } } : {};
  const found = await page.evaluate((rules) => window.axe.run(document, { resultTypes: ['violations'], ...rules }), only);
  return found.violations.filter((one) => ['serious', 'critical'].includes(one.impact))
    .map((one) => `${one.id}: ${one.help} (${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')})`);
}
