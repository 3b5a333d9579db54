// portal-load match: crowds who look for somebody at once, on two processes. The program itself proves each round: chats have
// two people, who may meet, and nobody waits while somebody they may meet waits too.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { startPortal, startProcess, stopProcess } from './harness.js';

const env = {
  TRUSTED_PROXIES: '127.0.0.0/8', RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_HANDSHAKE: '0',
  RATE_LIMIT_EVENTS: '0',
};
let portal;
let other;
before(async () => {
  portal = await startPortal(env);
  other = await startProcess(portal.stores, env);
});
after(async () => {
  await stopProcess(other);
  await portal.stop();
});

test('who searches at once on two processes meets, gets a key, and leaves no trace', async () => {
  const bot = await portal.bot();
  const { stdout, stderr } = await promisify(execFile)(path.join(path.dirname(process.env.PORTALD), 'portal-load'), [
    'match', '--url', portal.url, '--url', other.url, '--bot-key', bot.key, '--clients', '60', '--tags', '20', '--seconds', '2',
    '--sign-ins', '16', '--cpu-of', `server=${portal.child.pid}`,
  ]);
  const result = JSON.parse(stdout);
  const told = `${JSON.stringify({ ...result, seconds: undefined })}\n${stderr}`;
  const { enqueued, found, keyed, unmet, rounds } = result.meters;
  assert.deepEqual(result.errors, {}, told);
  assert.equal(result.unsettled, 0, told);
  assert.equal(enqueued.count, 60 * rounds.count, told);
  assert.equal(found.count + unmet.count, enqueued.count, told);
  assert.ok(found.count > 0, told);
  assert.equal(keyed.count, found.count, told);
  assert.equal(result.pairs * 2, found.count, told);
  assert.ok(result.cpu_us_per_pair.server > 0, told);
  const left = await portal.redis.keys('portal:direct:*');
  assert.deepEqual(left, []);
  assert.equal(await portal.redis.zcard('portal:match:queue'), 0);
});
