// More than the server can do: many more people ask at once than it serves in a second. What it
// takes it serves in time, the rest it refuses with the contract's error; its memory is bounded, its
// pages answer, and afterwards all is as before. And storms: everybody loses the connection at once and
// comes back.
//
// OVERLOAD_CLIENTS and OVERLOAD_SECONDS, STORM_CLIENTS: the size. At full size, with the release build:
//   B=build/release OVERLOAD_CLIENTS=9000 OVERLOAD_SECONDS=120 STORM_CLIENTS=9500 test/dev/with-stores.sh node --test test/server/overload.test.js
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { randomAddress, startPortal, until } from './harness.js';
import { checkHistory, loadTarget, NO_LIMITS, startLoad } from './load.js';

const CLIENTS = Number(process.env.OVERLOAD_CLIENTS ?? 1000);
const SECONDS = Number(process.env.OVERLOAD_SECONDS ?? 5);
const RATE = 2000;
const STORM = Number(process.env.STORM_CLIENTS ?? 200);
const MiB = 1 << 20;
let portal, target;
before(async () => {
  portal = await startPortal({
    ...NO_LIMITS, ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=1`, // what was freed is not what is measured
  });
  target = await loadTarget(portal.stores, [portal]);
});
after(() => portal.stop());

const metrics = async () => {
  const { text } = await portal.get('/metrics');
  return (name) => Number(text.match(new RegExp(`^portal_${name} (\\S+)`, 'm'))[1]);
};
const memory = () => Number(readFileSync(`/proc/${portal.child.pid}/status`, 'latin1').match(/VmRSS:\s+(\d+)/)[1]) * 1024;

test('far too many requests: what is not served in time is refused, and all is well afterwards', async (t) => {
  // What it does when asked by a few: its peak.
  const few = await startLoad('me', target, ['--clients', 64, '--seconds', Math.min(Math.round(SECONDS / 2.5), 10)]).ended();
  const before_ = memory();
  const load = startLoad('me', target, ['--clients', CLIENTS, '--seconds', SECONDS, '--settle', 30]);
  await load.flowing;
  let most = 0, looks = 0, well = 0, line = 0, slowest = 0, over = false;
  const ended = load.ended().finally(() => { over = true; });
  while (!over) {
    const begun = performance.now();
    const r = await portal.get('/health', { from: randomAddress() });
    slowest = Math.max(slowest, performance.now() - begun);
    assert.ok(r.body.database && r.body.cache, r.text); // it answers; on a busy machine even a turn may be longer than a ping may take
    well += r.status === 200;
    line = Math.max(line, (await metrics())('tasks_in_line'));
    most = Math.max(most, memory());
    looks++;
    await new Promise((done) => setTimeout(done, 100));
  }
  const { result, told } = await ended;
  const rate = (r) => r.result.meters.answered.count / (r.result.load_ms / 1000);
  const goodput = rate({ result });
  t.diagnostic(`64 people: ${rate(few).toFixed(0)} a second; ${CLIENTS}: ${goodput.toFixed(0)} (${((goodput * 100) / rate(few)).toFixed(0)} %), ` +
    `p99 ${(result.meters.answered.latency.p99_us / 1000).toFixed(0)} ms, refused ${result.errors.ERR_UNAVAILABLE ?? 0}; ` +
    `at most ${line} in line, ${((most - before_) / MiB).toFixed(1)} MiB more; health answered in ${slowest.toFixed(0)} ms at most`);
  assert.ok(result.meters.answered.count > 0, told);
  assert.ok(looks >= 5 && well > looks / 2, `${well} of ${looks} times it was well`);
  assert.deepEqual(Object.keys(result.errors).filter((e) => e !== 'ERR_UNAVAILABLE'), [], told); // served, or refused so
  assert.ok(most - before_ < CLIENTS * 64 * 1024 + 32 * MiB, `${most - before_} bytes more`);

  const healed = performance.now();
  const person = await portal.signIn();
  await until(async () => (await person.get('/v1/users/me')).status === 200, 'service', 5000);
  const now = await metrics();
  assert.deepEqual([now('tasks_in_line'), now('redis_up'), now('postgres_up')], [0, 1, 1]);
  assert.equal(now('redis_reconnects_total'), 0, 'no store was given up');
  assert.equal(now('postgres_reconnects_total'), 0);
  t.diagnostic(`served again after ${(performance.now() - healed).toFixed(0)} ms`);
});

test('far too many messages: each is acknowledged in the end, and comes to everybody once', async (t) => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'overload-'));
  t.after(() => rm(dir, { recursive: true }));
  const history = path.join(dir, 'history');
  const load = startLoad('chat', target, ['--clients', 100, '--rooms', 10, '--rate', RATE, '--seconds', 1, '--settle', 100, '--history', history]);
  const { result, told } = await load.ended();
  t.diagnostic(`${result.meters.acked.count} messages, p99 ${(result.meters.acked.latency.p99_us / 1000).toFixed(0)} ms`);
  assert.equal(result.meters.sent.count, RATE, told);
  assert.equal(result.meters.acked.count, RATE, told);
  await checkHistory(history, { told });
});

test('everybody loses the connection at once and is back', async (t) => {
  const load = startLoad('storm', target, [
    '--clients', STORM, '--rooms', Math.max(10, STORM / 20), '--seconds', 2, '--settle', 60,
    '--every', 3600, '--retry-ms', 1000, '--connect-rate', STORM / 2,
  ]);
  const { result, told } = await load.ended();
  const { storms, all_back: allBack, back } = result.meters;
  t.diagnostic(`${STORM} are back after ${(allBack.latency.max_us / 1e6).toFixed(1)} s, half of them after ${(back.latency.p50_us / 1e6).toFixed(1)} s; ` +
    `loop lag p99 at most ${Math.max(...result.seconds.map((s) => s.server?.lag_p99_ms ?? 0))} ms`);
  assert.deepEqual([storms.count, allBack.count, back.count], [1, 1, STORM], told);
  const now = await metrics();
  assert.equal(now('redis_reconnects_total'), 0, 'no store was given up');
  assert.equal(now('postgres_reconnects_total'), 0);
});
