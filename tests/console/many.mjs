// Many users on one server: most of their managers have no connection, as on a node whose clients come and go; some
// have one and talk; and users at their limit come with one manager after another, so that there are decisions.
import { Client } from './clients.mjs';
import { until } from './server.mjs';

/** Upgrades under way at once, while users enter. */
const AT_ONCE = 200;
/** Of how many users one is at its limit. */
const FULL_OF = 50;
const LIMIT = 20;
/** Each client that stays says something so often, ms. */
const SAYS_MS = 60000;
const TICK_MS = 100;

/** What the server needs to be told beside its configuration: managers outlive their clients, and nobody is banned. */
export const SETS = [
  'health.ping_interval_ms=25000', 'health.pong_deadline_ms=8000', 'health.evidence_age_ms=1000', 'limits.managers_total=200000',
  'manager.reconnect_grace_ms=86400000', 'gateway.caps.per_address_per_s_max=0', 'gateway.caps.half_open_per_address_max=1000',
  'gateway.flap.lives_max=0', 'cleanup.proactive_from=1000',
];

export class Many {
  constructor(server, { users = 10000, managers = 100000, staying = 2000, decisions = 1000 } = {}) {
    Object.assign(this, { server, users, managers, staying, decisions, stayed: [], made: 0, failed: 0 });
    this.full = Math.max(1, Math.floor(users / FULL_OF));
    this.per = Math.max(1, Math.ceil((managers - this.full * LIMIT) / (users - this.full)));
  }

  static user(n) { return `user-${String(n).padStart(5, '0')}`; }

  /** The user number `n` is one of those at their limit. */
  isFull(n) { return n < this.full; }

  /** Everybody enters once; the last ones stay connected, the others are gone without a word. */
  async enter() {
    const all = [];
    for (let n = 0; n < this.users; n += 1) for (let key = 0; key < (this.isFull(n) ? LIMIT : this.per); key += 1) all.push([Many.user(n), `chat-${key}`]);
    // The first one of a user is who stays, of as many users as are to have a client.
    const stays = new Set(Array.from({ length: this.staying }, (_, at) => Many.user(Math.floor((at * this.users) / this.staying))));
    let at = 0;
    const work = async () => {
      while (at < all.length) {
        const [user, key] = all[at];
        at += 1;
        const client = await Client.open(this.server.at(user, key));
        if (client.status !== 101) throw new Error(`${user} ${key} was answered ${client.status}`);
        if (key === 'chat-0' && stays.has(user)) this.stayed.push(client);
        else client.vanish();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    await until('connections that are gone are seen', async () => (await this.server.ask('v1/status')).connections <= this.stayed.length + 5, 60000);
  }

  /** From now on clients talk, and users at their limit come again; the rate follows what the server has decided. */
  async live() {
    let perTick = 0;
    let owed = 0;
    let next = 0;
    let counted = null;
    const talk = (TICK_MS / SAYS_MS) * this.stayed.length;
    this.talking = setInterval(() => {
      for (owed += talk; owed >= 1; owed -= 1) this.stayed[Math.floor(Math.random() * this.stayed.length)].say('hello');
    }, TICK_MS);
    perTick = (this.decisions / 60000) * TICK_MS;
    let due = 0;
    this.coming = setInterval(() => {
      for (due += perTick; due >= 1; due -= 1) {
        const user = Many.user(next % this.full);
        next += 1;
        Client.open(this.server.at(user, `late-${next}`)).then((client) => { this.made += 1; client.vanish(); }, () => { this.failed += 1; });
      }
    }, TICK_MS);
    this.steering = setInterval(async () => {
      const now = await this.decided().catch(() => null);
      if (now === null) return;
      if (counted) {
        const rate = ((now - counted.decided) * 60000) / (Date.now() - counted.at);
        // A cleanup frees a reserve beside what is needed, so it is not a decision for each newcomer.
        if (rate > 0) perTick = Math.min(perTick * 2, Math.max(perTick / 2, (perTick * this.decisions) / rate));
      }
      counted = { decided: now, at: Date.now() };
    }, 10000);
  }

  /** How many decisions the server has made: the highest number, for they are listed by when they were complete. */
  async decided() {
    const { decisions } = await this.server.ask('v1/decisions?limit=50');
    return Math.max(0, ...decisions.map(({ id }) => Number(id)));
  }

  leave() {
    clearInterval(this.talking);
    clearInterval(this.coming);
    clearInterval(this.steering);
    for (const client of this.stayed) client.leave();
  }
}
