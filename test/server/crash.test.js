// kill -9 of a store or of one of two portald while 200 people talk: portal-load plays the people,
// portal-check proves from the history that everybody has exactly what was acknowledged, once, in order.
//
// What "acknowledged" survives: a message is acknowledged when its Redis script has answered. Redis runs
// with appendfsync always here, so that it answers nothing that is not on disk: then no acknowledged
// message may be missing, and nobody may be told of a gap. In the last test Redis comes back empty,
// and what it held is gone (contract 4.4): whoever was there when it died is told of the gap by the
// answer to their next join; only what such a gap covers may be missing, and from then on nothing.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startProcess, stopProcess } from './harness.js';
import { checkHistory, loadTarget, NO_LIMITS, startLoad } from './load.js';
import { ownStores } from './own_stores.js';

const PEOPLE = 200;
let stores;
let portals;
let target;

before(async () => {
  stores = await ownStores({ durable: true });
  portals = [await startProcess(stores, NO_LIMITS), await startProcess(stores, NO_LIMITS)];
  target = await loadTarget(stores, portals);
});
after(async () => {
  for (const p of portals ?? []) await stopProcess(p);
  await stores?.release();
});

// A run of 200 people in 10 chats, ten of whom lose their network each second. `hurt` happens once messages have flowed for a second; it gives what
// portal-load tells.
async function talk(name, hurt, { gaps = false } = {}) {
  const history = path.join(stores.dir, `${name}.history`);
  const load = startLoad('chat', target, [
    '--clients', PEOPLE, '--rooms', 10, '--rate', 200, '--seconds', 5, '--settle', 20, '--cuts', 10,
    '--retry-ms', 100, '--ack-ms', 2000, '--history', history,
  ]);
  await load.line(/ s +\d+ open .* acked [1-9]/);
  await hurt();
  const { result, told } = await load.ended();
  await checkHistory(history, { gaps, told });
  assert.equal(result.meters.sent.count, 1000, told);
  assert.equal(result.meters.acked.count, 1000, told); // each in the end, however often it took
  return { result, told };
}

test('Redis is killed and comes back with its data', async () => {
  const { result, told } = await talk('redis', async () => {
    await stores.killRedis();
    await stores.startRedis();
  });
  assert.ok(result.meters.resent.count > 0, told); // it was felt
  assert.equal(result.meters.gaps.count, 0, told);
});

test('PostgreSQL is killed and comes back', async () => {
  const { result, told } = await talk('postgres', async () => {
    await stores.killPg();
    await stores.startPg();
  });
  assert.equal(result.meters.gaps.count, 0, told);
});

test('one of two portald is killed: its people go on at the other, and it comes back', async () => {
  const { result, told } = await talk('portald', async () => {
    const port = new URL(portals[0].url).port;
    await stopProcess(portals[0], 'SIGKILL');
    portals[0] = await startProcess(stores, { ...NO_LIMITS, LISTEN: `127.0.0.1:${port}` });
  });
  assert.ok(result.meters.reconnected.count >= PEOPLE / 2, told);
  assert.equal(result.meters.gaps.count, 0, told);
});

test('Redis is killed and comes back empty: everybody is told of the gap, nothing is lost from then on', async () => {
  const { result, told } = await talk('empty', async () => {
    await stores.killRedis();
    await stores.forgetRedis();
    await stores.startRedis();
  }, { gaps: true });
  assert.ok(result.meters.gaps.count >= PEOPLE / 2, told);
});
