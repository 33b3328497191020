// The program under test as a process, and what asks it without a browser.
import { spawn, execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = path.dirname(new URL(import.meta.url).pathname);

export const TOKEN = 'the-operators-token-of-this-test';

export class Server {
  static async start(program, more = [], environment = {}) {
    const server = new Server();
    server.program = program;
    server.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'wastegate-console-'));
    server.journal = path.join(server.folder, 'decisions.jsonl');
    const state = path.join(server.folder, 'state');
    const sets = [`policy.rollout.state_dir=${state}`, `observe.decisions.path=${server.journal}`, ...more];
    const log = fs.openSync(path.join(server.folder, 'log'), 'w');
    server.process = spawn(program, [
      'serve', '--config', path.join(here, 'wastegate.toml'), '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--json',
      ...sets.flatMap((set) => ['--set', set]),
    ], { stdio: ['ignore', 'pipe', log], env: { ...process.env, WASTEGATE_ADMIN__TOKEN: TOKEN, ...environment } });
    server.ended = new Promise((done) => server.process.on('exit', done));
    const lines = readline.createInterface({ input: server.process.stdout });
    const first = await Promise.race([new Promise((done) => lines.once('line', done)), server.ended]);
    if (typeof first !== 'string') throw new Error(`the server ended: ${fs.readFileSync(path.join(server.folder, 'log'), 'utf8')}`);
    const said = JSON.parse(first);
    server.url = said.url;
    server.admin = `http://${said.admin}`;
    return server;
  }

  signal(name) { this.process.kill(name); }

  async stop() {
    this.signal('SIGCONT');
    this.signal('SIGKILL');
    await this.ended;
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  at(user, key) { return `${this.url}?user=${encodeURIComponent(user)}&key=${encodeURIComponent(key)}`; }

  async ask(route, { method = 'GET', body } = {}) {
    const headers = { authorization: `Bearer ${TOKEN}`, ...(body && { 'content-type': 'application/json' }) };
    const answer = await fetch(`${this.admin}/${route}`, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${route}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  /** A file of the API, or one for it. */
  async file(route, { method = 'GET', body } = {}) {
    const headers = { authorization: `Bearer ${TOKEN}`, ...(body && { 'content-type': 'application/wasm' }) };
    const answer = await fetch(`${this.admin}/${route}`, { method, headers, body });
    if (!answer.ok) throw new Error(`${method} ${route}: ${answer.status} ${await answer.text()}`);
    return Buffer.from(await answer.arrayBuffer());
  }

  /** What `wastegate policy run` ranks on a decision of the journal. */
  async ranked(policy, decision, params) {
    const set = Object.entries(params).flatMap(([name, value]) => ['--param', `${name}=${value}`]);
    const { stdout } = await run(this.program, ['policy', 'run', policy, '--snapshot', this.journal, '--decision', String(decision), '--json', ...set]);
    return JSON.parse(stdout);
  }

  /** The processor time that the server has used, ms. */
  async cpu() { return (await this.ask('v1/stats')).process.cpu_ms; }
}

/** Until something holds; it says what it waited for. */
export async function until(what, holds, within = 15000) {
  const end = Date.now() + within;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((done) => setTimeout(done, 25));
  }
}
