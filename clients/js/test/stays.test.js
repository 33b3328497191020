// Clients that stay away, and clients that wait as they are told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { client, talk } from "./support/client.js";
import { gateway, proxy, until } from "./support/gateway.js";

/** One place, nothing lent: a newcomer displaces the one that is there. */
const ONE = { "limits.managers_per_user": 1, "limits.temporary_slots.count": 0 };
/** One place, and what answers is not displaced. */
const ONE_KEPT = { ...ONE, "cleanup.last_tier": "aggressive" };

test("displaced while it answered (4501), it stays away, and the reason is known", async (t) => {
  const server = await gateway(t, ONE);
  const between = await proxy(t, server);
  const first = client(t, between.url, { key: "first", notices: true });
  await first.next("open");
  const second = client(t, server.url, { key: "second" });
  await second.next("open");
  assert.equal((await first.next("evicting")).detail.cause, "force");
  const end = await first.next("close");
  assert.equal(end.code, 4501);
  assert.match(end.reason, /too many that are in use/);
  assert.equal(first.socket.readyState, 3);
  assert.equal(first.count("lost"), 0);
  assert.equal(between.made.length, 1);
});

test("rotation: two clients for one place evict once, however often the loser is sent back", async (t) => {
  const server = await gateway(t, ONE);
  const first = client(t, server.url, { key: "first" });
  await first.next("open");
  const second = client(t, server.url, { key: "second" });
  await second.next("open");
  await first.next("close");
  assert.equal(await server.evictions(), 1);
  // Its user insists: the gateway refuses who was displaced a moment ago, and the client waits as it is told.
  first.socket.reconnect();
  const { detail } = await first.next("lost");
  assert.equal(detail.refusal.error, "displaced");
  assert.ok(detail.refusal.retryAfterMs > 1_000, `${detail.refusal.retryAfterMs}`);
  assert.ok(detail.retryInMs >= detail.refusal.retryAfterMs);
  await talk(second, "undisturbed");
  assert.equal(await server.evictions(), 1);
});

test("rotation with temporary slots: the surplus goes once and stays away", async (t) => {
  const server = await gateway(t, {
    "limits.managers_per_user": 1,
    "limits.temporary_slots.count": 1,
    "limits.temporary_slots.for_ms": 1000,
    "cleanup.sweep_interval_ms": 50,
  });
  const both = ["first", "second"].map((key) => client(t, server.url, { key }));
  await Promise.all(both.map((one) => one.next("open")));
  const { code, one } = await Promise.race(
    both.map(async (one) => ({ code: (await one.next("close")).code, one })),
  );
  assert.equal(code, 4502);
  const [other] = both.filter((each) => each !== one);
  await talk(other, "still here");
  assert.equal(await server.evictions(), 1);
  assert.deepEqual([one.count("lost"), other.count("lost"), other.count("close")], [0, 0, 0]);
});

test("taken over by a newer connection of its device (4500), it stays away", async (t) => {
  const server = await gateway(t);
  const names = { key: "thread", device: "laptop" };
  const older = client(t, server.url, names);
  await older.next("open");
  // It opens with the answer, and is attached a moment later: the newer one has to be the second.
  await talk(older, "mine");
  const newer = client(t, server.url, names);
  await newer.next("open");
  assert.equal((await older.next("close")).code, 4500);
  await talk(newer, "mine");
  assert.equal(older.count("lost"), 0);
});

test("refused with 429, it waits as long as the refusal asks and is let in afterwards", async (t) => {
  const server = await gateway(t, { ...ONE_KEPT, "admission.retry_after_ms": 700 });
  const holder = client(t, server.url, { key: "holder" });
  await holder.next("open");
  const between = await proxy(t, server);
  const one = client(t, between.url, { key: "waits" });
  const { detail } = await one.next("lost");
  const { status, error, retryAfterMs, body } = detail.refusal;
  assert.deepEqual([status, error, retryAfterMs, body.limit], [429, "user-limit", 700, 1]);
  assert.match(detail.reason, /holds 1 of 1/);
  await one.next("lost");
  const [first, second] = between.made;
  assert.ok(second - first >= 690, `came back after ${second - first} ms`);
  holder.socket.close();
  await one.next("open");
  await talk(one, "in");
});

test("refused by a close code (4429), it waits at least as long as it is set to", async (t) => {
  const server = await gateway(t, { ...ONE_KEPT, "gateway.refusal": "close" });
  const holder = client(t, server.url, { key: "holder" });
  await holder.next("open");
  const between = await proxy(t, server);
  const one = client(t, between.url, { key: "waits", refusedMs: 400 });
  assert.equal((await one.next("lost")).detail.code, 4429);
  assert.equal((await one.next("lost")).detail.code, 4429);
  const [first, second] = between.made;
  assert.ok(second - first >= 390, `came back after ${second - first} ms`);
  holder.socket.close();
  // It opens each time that it is refused in this way; this time it stays.
  await until("it to be in", async () => (await server.user("ann")).managers[0]?.key === "waits");
});

test("a blocked user (4504, then 403) stays away", async (t) => {
  const server = await gateway(t);
  const one = client(t, server.url);
  await one.next("open");
  await server.ask("PUT", "/v1/users/ann/block", { for_s: 600, reason: "test" });
  assert.equal((await one.next("close")).code, 4504);
  one.socket.reconnect();
  const end = await one.next("close");
  assert.deepEqual([end.refusal.status, end.refusal.error], [403, "blocked"]);
  assert.match(end.reason, /an operator has blocked this user/);
  assert.ok(end.refusal.retryAfterMs > 500_000);
  assert.equal(one.count("lost"), 0);
});

test("in the queue its place is an event, and it opens when it is admitted", async (t) => {
  const server = await gateway(t, { ...ONE_KEPT, "admission.queue.length_max": 5 });
  const holder = client(t, server.url, { key: "holder" });
  await holder.next("open");
  const next = client(t, server.url, { key: "next", notices: true });
  assert.deepEqual((await next.next("queued")).detail, { position: 1 });
  const last = client(t, server.url, { key: "last", notices: true });
  assert.deepEqual((await last.next("queued")).detail, { position: 2 });
  assert.equal(next.socket.readyState, 0);
  assert.throws(() => next.socket.send("too early"), { name: "InvalidStateError" });
  holder.socket.close();
  await next.next("admitted");
  await next.next("open");
  await talk(next, "in");
  assert.deepEqual((await last.next("queued")).detail, { position: 1 });
  // Places and admissions are events of their own, in this order, and no message.
  assert.deepEqual(next.types(), ["queued", "admitted", "open", "message"]);
  assert.deepEqual(last.types(), ["queued", "queued"]);
});

test("closed for a message that it sent before it knew that it waits (1008), it waits again", async (t) => {
  const server = await gateway(t, { ...ONE_KEPT, "admission.queue.length_max": 5 });
  const holder = client(t, server.url, { key: "holder" });
  await holder.next("open");
  const between = await proxy(t, server, { headFirst: true });
  const one = client(t, between.url, { key: "one", notices: true, noticeMs: 50 });
  await one.next("open");
  one.socket.send("too early");
  between.resume();
  await one.next("queued");
  assert.equal(one.socket.readyState, 0);
  assert.equal((await one.next("lost")).detail.code, 1008);
  await one.next("queued");
  holder.socket.close();
  await one.next("open");
  await talk(one, "in time");
});

test("pressure is an event and no message", async (t) => {
  const server = await gateway(t, { "limits.managers_per_user": 2 });
  const one = client(t, server.url, { key: "one", notices: true });
  await one.next("open");
  const two = client(t, server.url, { key: "two" });
  await two.next("open");
  const { detail } = await one.next("pressure");
  assert.deepEqual([detail.limit, typeof detail.level], [2, "string"]);
  await talk(one, "text");
  assert.equal(one.log.filter(({ event }) => event.data?.includes?.("wastegate")).length, 0);
});
