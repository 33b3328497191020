// The pages that commands write, made of something to show: a replay of made-up activity, and an experiment in which
// one policy is better.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { Crowd } from './crowd.mjs';
import { Server, TOKEN, until } from './server.mjs';

const run = promisify(execFile);
/** How many users enter at the same time. */
const AT_ONCE = 8;
const LIMIT = 3;

/** Writes `replay.html` and `experiment.html` into a folder: `[[name, file]]`. */
export async function reports(program, into, { users = 60, lasting = 0 } = {}) {
  const files = ['replay', 'experiment'].map((name) => [name, path.join(into, `${name}.html`)]);
  const [[, replayed], [, compared]] = files;
  const activity = path.join(into, 'activity.ndjson');
  await run(program, ['trace', 'synth', '--users', '90', '--hours', '2', '--seed', '7', '--out', activity]);
  const policies = ['lru', 'fifo', 'gdsf', 'random'].flatMap((name) => ['--policy', name]);
  await run(program, ['replay', '--activity', activity, '--cap', '4', ...policies, '--oracle', '--html', replayed]);
  await experiment(program, compared, users, lasting);
  return files;
}

/** A user has as many pages as it may, uses the oldest, opens one more, closes another, and wants the oldest back. */
async function visit(crowd, user) {
  const inbox = await crowd.enter(user, 'inbox');
  await crowd.enter(user, 'search');
  const news = await crowd.enter(user, 'news');
  inbox.say('hello');
  await crowd.enter(user, 'chat');
  // One that was evicted while it answered displaces no other for a while.
  news.leave();
  await until('a place', async () => (await crowd.server.ask(`v1/users/${user}`)).held < LIMIT);
  await crowd.enter(user, 'inbox');
}

async function experiment(program, file, users, lasting) {
  const server = await Server.start(program, [`limits.managers_per_user=${LIMIT}`]);
  const crowd = new Crowd(server);
  try {
    await server.ask('v1/experiments', { method: 'POST', body: {
      name: 'lru-or-fifo',
      question: 'Does lru evict fewer pages that are wanted back within ten seconds?',
      primary: 'regret-10s',
      arms: [{ policy: 'fifo' }, { policy: 'lru' }],
    } });
    const names = Array.from({ length: users }, (_, at) => `user-${at}`);
    const end = Date.now() + lasting;
    const shares = Array.from({ length: AT_ONCE }, async () => {
      for (let name = names.pop(); name !== undefined; name = names.pop()) {
        await visit(crowd, name);
        await new Promise((done) => setTimeout(done, (lasting * AT_ONCE) / users));
      }
    });
    await Promise.all(shares);
    await until('the users to be counted', async () => {
      const { assessment } = await server.ask('v1/experiments/lru-or-fifo');
      return Date.now() >= end && assessment.users.reduce((sum, arm) => sum + arm.users, 0) === users;
    }, 60000 + lasting);
    await run(program, ['experiment', 'report', 'lru-or-fifo', '--out', file, '--admin', server.admin], { env: { ...process.env, WASTEGATE_ADMIN__TOKEN: TOKEN } });
  } finally {
    crowd.leave();
    await server.stop();
  }
}
