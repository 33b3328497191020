// Clients that come back: cut, evicted dead, drained, and with a token that expired.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { client, QUICK, talk } from "./support/client.js";
import { gateway, proxy } from "./support/gateway.js";

const held = async (server) => (await server.user("ann")).managers;

/** The client came back to the manager that it had: there has been no other. */
async function joined(server) {
  const { created } = await server.ask("GET", "/v1/stats");
  const returns = (await held(server)).map(({ signals }) => signals.reconnects);
  assert.deepEqual([created, returns], [1, [1]]);
}

test("a client that is cut joins the manager that it had", async (t) => {
  const server = await gateway(t);
  const between = await proxy(t, server);
  const one = client(t, between.url, { device: "laptop" });
  await one.next("open");
  await talk(one, "before");
  assert.deepEqual((await held(server)).map(({ key }) => key), [one.socket.key]);

  between.cut();
  const { detail } = await one.next("lost");
  assert.equal(detail.code, 1006);
  assert.ok(detail.retryInMs <= QUICK.backoffMs, `${detail.retryInMs}`);
  assert.equal(one.socket.readyState, 0);
  await one.next("open");
  await talk(one, "after");
  await joined(server);
  assert.equal(one.count("close"), 0);
});

test("pauses grow with each failure, within their ceilings", async (t) => {
  const server = await gateway(t);
  const between = await proxy(t, server);
  const one = client(t, between.url);
  await one.next("open");
  await server.stop();
  const pauses = [];
  for (let failure = 0; failure < 8; failure++) {
    const { detail } = await one.next("lost");
    pauses.push(detail.retryInMs);
    assert.ok(detail.retryInMs <= Math.min(400, 50 * 2 ** failure), `${failure}: ${detail.retryInMs}`);
  }
  // By full jitter all of the later five stay below the first ceiling once in 4,000 runs; without growth always.
  assert.ok(Math.max(...pauses) > 50, `${pauses}`);
});

test("after too many failures it gives up", async (t) => {
  const server = await gateway(t);
  await server.stop();
  const one = client(t, server.url, { attemptsMax: 2 });
  const end = await one.next("close");
  assert.deepEqual([end.code, end.wasClean], [1006, false]);
  assert.deepEqual(one.types(), ["lost", "lost", "error", "close"]);
  assert.match(`${one.log[2].event.detail}`, /ECONNREFUSED/);
});

test("evicted without an answer (4001), it comes back after its pause", async (t) => {
  const server = await gateway(t, {
    "limits.managers_per_user": 2,
    "limits.temporary_slots.count": 0,
    "health.probe_deadline_ms": 300,
    "health.evidence_age_ms": 0,
  });
  const between = await proxy(t, server);
  const gone = client(t, between.url, { key: "gone", notices: true });
  const stays = client(t, server.url, { key: "stays" });
  await gone.next("open");
  await stays.next("open");
  between.silence();
  const newcomer = client(t, server.url, { key: "newcomer" });
  await newcomer.next("open");
  stays.socket.close();
  between.resume();
  const { detail } = await gone.next("evicting");
  assert.equal(detail.cause, "aggressive");
  const lost = await gone.next("lost");
  assert.equal(lost.detail.code, 4001);
  assert.ok(lost.detail.retryInMs <= QUICK.backoffMs);
  await gone.next("open");
  await talk(gone, "back");
});

test("evicted by an operator (4003), it comes back", async (t) => {
  const server = await gateway(t);
  const one = client(t, server.url);
  await one.next("open");
  await server.ask("POST", "/v1/users/ann/evict", { reason: "test" });
  assert.equal((await one.next("lost")).detail.code, 4003);
  await one.next("open");
  await talk(one, "back");
});

test("a server that is drained (1012) and started again has its clients back", async (t) => {
  const drain = { "gateway.drain_readyz_ms": 0, "gateway.drain_spread_ms": 0 };
  const server = await gateway(t, drain);
  const one = client(t, server.url);
  await one.next("open");
  await server.stop();
  assert.equal((await one.next("lost")).detail.code, 1012);
  const second = await gateway(t, drain, { listen: server.address });
  await one.next("open");
  await talk(one, "still here");
  assert.equal((await held(second))[0].key, one.socket.key);
});

const SECRET = "a secret of this test that is long enough";

function token(user, seconds) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { sub: user, exp: Math.floor(Date.now() / 1000) + seconds };
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

const TOKENS = {
  "identity.mode": "jwt",
  "identity.jwt.algorithms": "HS256",
  "identity.jwt.leeway_ms": 0,
  "identity.expiry_grace_ms": 0,
  "identity.token.sources": "subprotocol,query",
};
const env = { WASTEGATE_IDENTITY__JWT__SECRET: SECRET };

for (const tokenIn of ["subprotocol", "query"]) {
  test(`a token that expires (4005) is replaced by the provider's next one, in the ${tokenIn}`, async (t) => {
    const server = await gateway(t, TOKENS, { env });
    const lifetimes = [2, 600];
    const one = client(t, server.url, {
      tokenIn,
      notices: tokenIn === "subprotocol",
      token: async () => token("ann", lifetimes.shift()),
    });
    await one.next("open");
    assert.equal((await one.next("lost")).detail.code, 4005);
    await one.next("open");
    await talk(one, "with a new token");
    assert.deepEqual(lifetimes, []);
    assert.equal((await held(server)).length, 1);
    // The token is for the gateway: it is not in the URL that the application sees.
    assert.ok(!one.socket.url.includes("token"));
  });
}

test("a token that is not accepted is asked for once more, and no more", async (t) => {
  const server = await gateway(t, TOKENS, { env });
  let asked = 0;
  const one = client(t, server.url, {
    notices: true,
    token: () => {
      asked++;
      return "nonsense";
    },
  });
  const end = await one.next("close");
  assert.equal(end.refusal.status, 401);
  assert.equal(asked, 2);
});

test("a token that is not accepted is replaced each time that the connection is lost", async (t) => {
  const server = await gateway(t, TOKENS, { env });
  const between = await proxy(t, server);
  const answers = ["nonsense", token("ann", 600), "nonsense", token("ann", 600)];
  const one = client(t, between.url, { notices: true, token: () => answers.shift() });
  await one.next("open");
  between.cut();
  await one.next("open");
  await talk(one, "back");
  assert.deepEqual(answers, []);
});

test("a provider that fails, or takes for ever, is an attempt that failed", async (t) => {
  const server = await gateway(t, TOKENS, { env });
  const answers = [
    () => Promise.reject(new Error("signed out")),
    () => new Promise(() => {}),
    () => token("ann", 600),
  ];
  const one = client(t, server.url, { notices: true, tokenMsMax: 50, token: () => answers.shift()() });
  assert.match(`${(await one.next("lost")).detail.error}`, /signed out/);
  assert.match(`${(await one.next("lost")).detail.error}`, /more than 50 ms/);
  await one.next("open");
});

test("a connection that receives nothing is given up, and its manager joined again", async (t) => {
  const server = await gateway(t);
  const between = await proxy(t, server);
  const one = client(t, between.url, { silenceMs: 300 });
  await one.next("open");
  // The server receives everything: a Close would end the manager.
  between.deafen();
  const { detail } = await one.next("lost");
  assert.match(detail.reason, /nothing for 300 ms/);
  await one.next("open");
  await talk(one, "here");
  await joined(server);
});

test("a quiet connection that answers pings is kept", async (t) => {
  const server = await gateway(t);
  const one = client(t, server.url, { silenceMs: 200 });
  const quiet = client(t, server.url, { silenceMs: 200, WebSocket: WithoutPing, key: "deaf" });
  await one.next("open");
  await quiet.next("open");
  // One that cannot ask is lost three times meanwhile; this is the clock of the test.
  for (let time = 0; time < 3; time++) await quiet.next("lost");
  assert.deepEqual(one.types(), ["open"]);
});

test("a heartbeat of the application keeps a quiet connection, and its answers stay hidden", async (t) => {
  const server = await gateway(t);
  const heartbeat = { message: "/who", answer: /^user ann manager / };
  const one = client(t, server.url, { silenceMs: 200, WebSocket: WithoutPing, heartbeat });
  const deaf = client(t, server.url, { silenceMs: 200, WebSocket: WithoutPing, key: "deaf" });
  await one.next("open");
  for (let time = 0; time < 3; time++) await deaf.next("lost");
  await talk(one, "hello");
  assert.deepEqual(one.types(), ["open", "message"]);
});

/** What a browser's script has: no ping, and no sight of one. */
class WithoutPing {
  constructor(...given) {
    return new Proxy(new QUICK.WebSocket(...given), {
      get(socket, name) {
        const value = name === "ping" || name === "on" ? undefined : socket[name];
        return typeof value === "function" ? value.bind(socket) : value;
      },
      set(socket, name, value) {
        socket[name] = value;
        return true;
      },
    });
  }
}
