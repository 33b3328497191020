// A cluster for the console's checks: one redis-server that keeps nothing, and gateways that count together in it.
import { spawn } from 'node:child_process';
import net from 'node:net';
import { Server, until } from './server.mjs';

/** A key that has signed nothing: a node with it takes over no file of ours. */
export const STRICT = 'policy.signatures.keys=["RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"]';

function freePort() {
  return new Promise((done, failed) => {
    const server = net.createServer();
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => done(port)); });
  });
}

const answers = (port) => new Promise((done) => {
  const socket = net.connect(port, '127.0.0.1');
  socket.once('connect', () => { socket.destroy(); done(true); });
  socket.once('error', () => done(false));
});

/** Long enough that a page, which asks every two seconds, sees a silent node as late before it is gone, ms. */
const DEAD_MS = 10000;

export class Cluster {
  static async start(program) {
    const cluster = new Cluster();
    Object.assign(cluster, { program, nodes: [], port: await freePort() });
    await cluster.startEngine();
    return cluster;
  }

  async startEngine() {
    const words = ['--bind', '127.0.0.1', '--port', String(this.port), '--save', '', '--appendonly', 'no'];
    this.engine = spawn('redis-server', words, { stdio: 'ignore' });
    this.engineEnded = new Promise((done, failed) => { this.engine.on('exit', done); this.engine.on('error', failed); });
    this.engineEnded.catch(() => null);
    await until('the engine listens', () => answers(this.port));
  }

  async killEngine() {
    this.engine.kill('SIGKILL');
    await this.engineEnded;
  }

  /** A node that is in. `admin` is what it says of its own console. */
  async node(name, admin, more = []) {
    const environment = { WASTEGATE_CLUSTER__ENGINE: `redis://127.0.0.1:${this.port}`, WASTEGATE_CLUSTER__SECRET: 'a secret of this test' };
    const node = await Server.start(this.program, [`cluster.node=${name}`, `cluster.admin=${admin}`, `cluster.node_dead_ms=${DEAD_MS}`, ...more], environment);
    this.nodes.push(node);
    await until(`${name} is in`, async () => (await node.ask('v1/nodes')).cluster.nodes.some((one) => one.this));
    return node;
  }

  async stop() {
    for (const node of this.nodes) await node.stop();
    await this.killEngine();
  }
}

/** Has a node rank by a file that nobody has signed: a shipped policy with one more section. */
export async function unsigned(node, policy) {
  const { revision } = await node.ask(`v1/policies/${policy}/activate`, { method: 'POST', body: { reason: 'to have its file' } });
  const file = await node.file(`v1/revisions/${revision}/wasm`);
  // A section of no meaning: its kind, its length, the length of its name, the name, and a byte.
  const other = Buffer.concat([file, Buffer.from([0, 3, 1, 0x78, 1])]);
  await node.file(`v1/policies/${policy}?activate=true`, { method: 'PUT', body: other });
}
