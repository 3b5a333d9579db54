// A bit of everything for SOAK_SECONDS (120) under chaos: people talk, ask and sign in at two portald, lose
// their network, and every few seconds a store is killed and started again, or a portald. Afterwards
// nobody lacks a message, has one twice or out of order, and the memory is what it was.
//
// At full size, with the release build:
//   PORTALD=build/release/portald PORTALCTL=build/release/portalctl SOAK_SECONDS=1800 node --test test/server/soak.test.js
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { send, startProcess, stopProcess, until } from './harness.js';
import { checkHistory, loadTarget, NO_LIMITS, startLoad } from './load.js';
import { ownStores } from './own_stores.js';

const SECONDS = Number(process.env.SOAK_SECONDS ?? 120);
const CALM_MS = 12_000; // between two strokes of fate
const MiB = 1 << 20;
const env = { ...NO_LIMITS, ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=1` }; // what was freed is not what is measured
let stores, portals, target;
before(async () => {
  stores = await ownStores({ durable: true });
  portals = [await startProcess(stores, env), await startProcess(stores, env)];
  target = await loadTarget(stores, portals);
});
after(async () => {
  for (const p of portals ?? []) await stopProcess(p);
  await stores?.release();
});

const memory = (p) => Number(readFileSync(`/proc/${p.child.pid}/status`, 'latin1').match(/VmRSS:\s+(\d+)/)[1]) * 1024;

const fates = {
  async redis() {
    await stores.killRedis();
    await stores.startRedis();
  },
  async postgres() {
    await stores.killPg();
    await stores.startPg();
  },
  // The first one stays: its memory is looked at.
  async portald() {
    const port = new URL(portals[1].url).port;
    await stopProcess(portals[1], 'SIGTERM');
    portals[1] = await startProcess(stores, { ...env, LISTEN: `127.0.0.1:${port}` });
  },
};

test(`${SECONDS} s of everything under chaos`, async (t) => {
  const history = path.join(stores.dir, 'soak.history');
  const load = startLoad('mix', target, [
    '--weights', 'chat=6,me=3,login=1', '--clients', 100, '--rate', 80, '--rooms', 6, '--seconds', SECONDS, '--settle', 60, '--cuts', 2,
    '--retry-ms', 200, '--ack-ms', 3000, '--history', history,
  ]);
  await load.line(/ s +\d+ open .* acked [1-9]/);
  let over = false;
  const ended = load.ended().finally(() => { over = true; });
  const sizes = []; // of the first portald, before each stroke
  const names = Object.keys(fates);
  const until_ = performance.now() + (SECONDS - 5) * 1000;
  for (let i = 0; !over; i++) {
    await Promise.race([ended, new Promise((done) => setTimeout(done, CALM_MS))]);
    if (performance.now() > until_) break; // they settle undisturbed
    sizes.push(memory(portals[0]));
    await fates[names[i % names.length]]();
    for (const p of portals) await until(async () => (await send(p, 'GET', '/readyz')).status === 200, 'readyz', 30_000);
  }
  const { result, told } = await ended;
  const said = await checkHistory(history, { told });
  const m = result.meters;
  t.diagnostic(`${sizes.length} strokes of fate; ${m.acked.count} messages to ${m.received.count}, ${m.resent.count} said again, ${m.reconnected.count} reconnects, ` +
    `${m.answered.count} pages, ${m.signed_in.count} sign-ins; ${JSON.stringify(result.errors)}`);
  t.diagnostic(`memory in MiB: ${sizes.map((n) => (n / MiB).toFixed(1)).join(' ')}`);
  t.diagnostic(said.trim().split('\n').at(-1));
  assert.equal(m.acked.count, m.sent.count, told);
  assert.equal(m.gaps.count, 0, told);
  for (const name of ['answered', 'signed_in', 'reconnected', 'resent']) assert.ok(m[name].count > 0, `${name}: ${told}`);
  // From the first third on: the pools are full, each kind of thing has happened.
  const settled = sizes[Math.floor(sizes.length / 3)];
  assert.ok(sizes.at(-1) < settled * 1.25 + 8 * MiB, `memory grows: ${sizes}`);
});
