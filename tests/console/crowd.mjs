// The clients that the checks and the pictures have in common.
import assert from 'node:assert/strict';
import { Client } from './clients.mjs';

/** A name that would be a picture and a script if it ever became markup. */
export const MARKUP = '<img src=x onerror=alert(1)>';
/** Which share of clients says something in each round. */
const TALKING = 0.05;
const ROUND_MS = 100;

export class Crowd {
  constructor(server) {
    this.server = server;
    this.clients = [];
  }

  async enter(user, key, options) {
    const client = await Client.open(this.server.at(user, key), options);
    assert.equal(client.status, 101, `${user} ${key} is let in`);
    this.clients.push(client);
    return client;
  }

  /** Thirty users who talk; ann, who holds all her slots, eight of them silent; and one with markup for names. */
  async gather({ users = 30, names = [MARKUP], talking = TALKING } = {}) {
    const jobs = [];
    for (let user = 0; user < users; user += 1) {
      for (let key = 0; key < 2 + (user % 5); key += 1) jobs.push(this.enter(`user-${String(user).padStart(2, '0')}`, `chat-${key}`));
    }
    for (let key = 0; key < 12; key += 1) jobs.push(this.enter('ann', `chat-${key}`));
    for (let key = 0; key < 8; key += 1) jobs.push(this.enter('ann', `ghost-${key}`, { silent: true }));
    for (const name of names) jobs.push(this.enter(name, name));
    await Promise.all(jobs);
    this.talking = setInterval(() => {
      for (const client of this.clients) if (!client.silent && Math.random() < talking) client.say('hello');
    }, ROUND_MS);
  }

  leave() {
    clearInterval(this.talking);
    for (const client of this.clients) client.leave();
  }
}
