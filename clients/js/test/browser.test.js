// The built files in a real browser, against the real server.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { chromium, pages } from "./support/chromium.js";
import { gateway, proxy, until, within } from "./support/gateway.js";

/** Connects in a page, and records the events there. */
const connect = (url, options = {}) => `import("/dist/index.js").then((client) => {
  window.log = [];
  window.socket = new client.WastegateSocket(${JSON.stringify(`${url}?user=ann`)}, [], {
    visibility: client.BUILT_IN_HINTS, backoffMs: 50, ...${JSON.stringify(options)},
  });
  for (const type of ["open", "lost", "close", "evicting"]) {
    socket.addEventListener(type, (event) => log.push(type + " " + (event.code ?? event.detail?.code ?? "")));
  }
  socket.onmessage = ({ data }) => log.push("message " + data);
})`;
const OPEN = "window.socket?.readyState === 1";

const held = async (server) => (await server.user("ann")).managers;
/** The one manager of the user, once it has this visibility. */
const seen = (server, visibility) =>
  until(`visibility ${visibility}`, async () => {
    const [row] = await held(server);
    return row?.signals.visibility === visibility && row;
  });

test("in Chromium", async (t) => {
  const browser = await chromium(t);
  const origin = await pages(t);

  await t.test("a page connects, and the gateway knows whether it is seen", async (t) => {
    const server = await gateway(t);
    const tab = await browser.open(`${origin}/`);
    await tab.value(connect(server.url));
    await tab.until(OPEN);
    await seen(server, 1);
    const other = await browser.open(`${origin}/`);
    await tab.until("document.visibilityState === 'hidden'");
    await seen(server, 0);
    await tab.show();
    await seen(server, 1);
    await tab.value("socket.send('hello')");
    await tab.until("log.includes('message hello')");
    assert.deepEqual(await tab.value("log"), ["open ", "message hello"]);
    await Promise.all([tab.close(), other.close()]);
  });

  await t.test("a reload keeps the manager; a duplicated tab gets one of its own", async (t) => {
    const server = await gateway(t);
    const tab = await browser.open(`${origin}/`);
    await tab.value(connect(server.url));
    await tab.until(OPEN);
    const key = await tab.value("socket.key");
    for (let time = 0; time < 3; time++) {
      await tab.value("window.isOld = true");
      await tab.ask("Page.reload");
      await tab.until("!window.isOld && document.readyState === 'complete'");
      await tab.value(connect(server.url));
      await tab.until(OPEN);
      assert.equal(await tab.value("socket.key"), key);
    }
    const { created } = await server.ask("GET", "/v1/stats");
    assert.equal(created, 1);

    // `window.open` copies sessionStorage, as "Duplicate tab" does.
    const before = (await browser.tabs(origin)).map(({ targetId }) => targetId);
    await tab.value("void window.open(location.href)");
    const [found] = await until("the copy", async () => {
      const tabs = (await browser.tabs(origin)).filter(({ targetId }) => !before.includes(targetId));
      return tabs.length && tabs;
    });
    const copy = await browser.attach(found.targetId);
    assert.equal(await copy.value("sessionStorage.getItem('wastegate.key')"), key);
    await copy.value(connect(server.url));
    await copy.until(OPEN);
    assert.notEqual(await copy.value("socket.key"), key);
    assert.equal(await copy.value("socket.device"), await tab.value("socket.device"));
    assert.equal((await held(server)).length, 2);
    assert.deepEqual(await tab.value("log"), ["open "]);
    // A second socket of one tab is a manager of its own too.
    await tab.value(`window.first = socket; ${connect(server.url)}`);
    await tab.until(OPEN);
    assert.equal(await tab.value("socket.key"), `${key}.2`);
    assert.equal(await tab.value("first.readyState"), 1);
    await Promise.all([tab.close(), copy.close()]);
  });

  await t.test("the network is back: it tries at once, however long the pause is", async (t) => {
    const server = await gateway(t);
    const between = await proxy(t, server);
    const tab = await browser.open(`${origin}/`);
    await tab.value(connect(between.url, { backoffMs: 1e9, backoffMsMax: 1e9 }));
    await tab.until(OPEN);
    between.cut();
    await tab.until("log.includes('lost 1006')");
    await tab.value("dispatchEvent(new Event('online'))");
    await tab.until(OPEN);
    await tab.close();
  });

  await t.test("a refusal by a close code is read, and a pause for it kept though the network is back", async (t) => {
    const server = await gateway(t, {
      "limits.managers_per_user": 1,
      "limits.temporary_slots.count": 0,
      "cleanup.last_tier": "aggressive",
      "gateway.refusal": "close",
    });
    const holder = await browser.open(`${origin}/`);
    await holder.value(connect(server.url));
    await holder.until(OPEN);
    const between = await proxy(t, server);
    const tab = await browser.open(`${origin}/`);
    await tab.value(connect(between.url, { notices: true, refusedMs: 1e9 }));
    await tab.until("log.includes('lost 4429')");
    await tab.value("dispatchEvent(new Event('online'))");
    assert.deepEqual(await tab.value("[log, socket.readyState]"), [["lost 4429"], 0]);
    assert.equal(between.made.length, 1);
    await Promise.all([holder.close(), tab.close()]);
  });

  await t.test("tabs with a SharedWorker hold one socket", async (t) => {
    const server = await gateway(t);
    const between = await proxy(t, server);
    const share = `import("/dist/shared.js").then((client) => {
      window.log = [];
      window.asked = 0;
      window.socket = new client.SharedSocket(${JSON.stringify(`${between.url}?user=ann`)}, [], {
        worker: "/dist/worker.js", backoffMs: 50,
        // Development mode knows no tokens, so this one takes the place of something that it knows.
        tokenIn: "query", tokenParam: "device-class", token: async () => ++asked && "desktop",
        visibility: { visible: "/visible", hidden: "/hidden", answer: "ok" },
      });
      for (const type of ["open", "lost", "close"]) socket.addEventListener(type, () => log.push(type));
      socket.onmessage = ({ data }) => log.push(data);
    })`;
    const one = await browser.open(`${origin}/`);
    // This tab ends without a word, as one that crashes.
    await one.value(`{
      const listen = addEventListener;
      window.addEventListener = (type, ...more) => type !== "pagehide" && listen(type, ...more);
    }`);
    await one.value(share);
    await one.until(OPEN);
    assert.equal(await one.value("asked"), 1);
    const two = await browser.open(`${origin}/`);
    await two.value(share);
    await two.until(OPEN);
    // One of them is seen, whichever.
    const row = await seen(server, 1);
    assert.deepEqual([row.signals.connections, row.signals["device-class"]], [1, 1]);
    assert.equal(between.made.length, 1);

    await one.value("socket.send('from one')");
    await Promise.all([one, two].map((tab) => tab.until("log.includes('from one')")));
    between.cut();
    await Promise.all([one, two].map((tab) => tab.until(`log.includes('lost') && ${OPEN}`)));
    assert.equal(between.made.length, 2);
    await two.value("socket.send('from two')");
    await Promise.all([one, two].map((tab) => tab.until("log.includes('from two')")));
    assert.deepEqual(await one.value("log"), ["open", "from one", "lost", "open", "from two"]);

    // A tab that ends leaves the socket to the others; the last one that closes it closes it.
    const three = await browser.open(`${origin}/`);
    // As over http, where the browser has no locks.
    await three.value("Object.defineProperty(navigator, 'locks', { value: undefined })");
    await three.value(share);
    await three.until(OPEN);
    await Promise.all([one.close(), three.close()]);
    await two.value("socket.send('alone')");
    await two.until("log.includes('alone')");
    assert.equal((await held(server)).length, 1);
    await two.value("socket.close()");
    await two.until("log.includes('close')");
    await until("the manager's end", async () => (await held(server)).length === 0);
    await two.close();
  });

  await t.test("the example shows an eviction, and a client that stays away until it is asked to return", async (t) => {
    const script = new URL("../example/serve.js", import.meta.url).pathname;
    const example = spawn(process.execPath, [script], {
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, PORT: "0" },
    });
    const ended = once(example, "exit");
    t.after(async () => {
      example.kill("SIGTERM");
      await ended;
    });
    const [line] = await within(once(createInterface({ input: example.stdout }), "line"), () => "the example");
    const page = await browser.open(line.replace("open ", ""));
    const cards = (kind) => `document.querySelectorAll('article.${kind}').length`;
    await page.until("document.querySelectorAll('#slots .free').length === 3");
    for (let tab = 1; tab <= 3; tab++) {
      await page.value("document.querySelector('#add').click()");
      await page.until(`${cards("open")} === ${tab}`);
    }
    await page.value("document.querySelector('#add').click()");
    await page.until(`${cards("away")} === 1 && ${cards("open")} === 3`);
    const evicted = await page.value("document.querySelector('article.away').innerText");
    assert.match(evicted, /tab-1[^]*stays away[^]*4501[^]*about to be evicted \(force\)/);
    await page.until("document.querySelectorAll('#slots span:not(.free)').length === 3");
    // Its user insists: refused, since it was displaced a moment ago.
    await page.value("document.querySelector('article.away button:nth-of-type(2)').click()");
    await page.until("document.querySelector('article.waiting')?.innerText.includes('4435')");
    assert.equal(await page.value(cards("open")), 3);
    await page.close();
  });
});
