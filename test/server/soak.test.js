// A bit of everything for SOAK_SECONDS (120) under chaos: people talk, ask, sign in and meet at two portald, lose
// their network and reload, and every few seconds a store is killed and started again, or stands still, or a portald
// ends or is killed. Afterwards nobody lacks a message, has one twice or out of order, nobody was left waiting, and
// the memory is what it was.
//
// `make soak` runs it at full size with the release build. What is left of a run is in build/soak/TIME: the history, what
// the servers logged, samples of memory (JSON lines), the result and a page of plots. It stays when the run fails, or
// with SOAK_KEEP.
import assert from 'node:assert/strict';
import { createWriteStream, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { send, startProcess, stopProcess, until } from './harness.js';
import { checkHistory, loadTarget, NO_LIMITS, startLoad } from './load.js';
import { ownStores } from './own_stores.js';

const SECONDS = Number(process.env.SOAK_SECONDS ?? 120);
const CALM_MS = 10_000; // between two strokes of fate
const SAMPLE_MS = 5_000;
const ACK_MS = 1500; // how long clients wait for an answer
const FREEZE_MS = 2500; // longer than that, shorter than what makes a store count as away
const GRACE = SECONDS < 600 ? 15 : 60; // seconds; so that some are longer away
const MiB = 1 << 20;
const env = { ...NO_LIMITS, MATCH_GRACE: String(GRACE), ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=1` }; // what was freed is not what is measured
const dir = path.resolve(`build/soak/${new Date().toISOString().slice(0, 19).replaceAll(':', '')}-${process.pid}`);
const file = (name) => path.join(dir, name);
let stores, portals, target, failed = true;

const start = (i, more) => startProcess(stores, { ...env, ...more }, { ready: false, log: createWriteStream(file(`portald-${i}.log`), { flags: 'a' }) });
const ready = (p, what) => until(async () => (await send(p, 'GET', '/readyz').catch(() => ({}))).status === 200, what, 60_000);
before(async () => {
  await mkdir(dir, { recursive: true });
  stores = await ownStores({ durable: true });
  portals = [await start(0), await start(1)];
  for (const p of portals) await ready(p, 'readyz');
  target = await loadTarget(stores, portals);
});
after(async () => {
  for (const p of portals ?? []) await stopProcess(p);
  await stores?.release();
  if (!failed && !process.env.SOAK_KEEP) await rm(dir, { recursive: true });
});

// ---- strokes of fate ----

async function again(signal) { // the first one stays: its memory is looked at
  const { host } = new URL(portals[1].url);
  await stopProcess(portals[1], signal);
  portals[1] = await start(1, { LISTEN: host });
}
const fates = {
  async 'Redis killed'() {
    await stores.killRedis();
    await stores.startRedis();
  },
  'portald ended': () => again('SIGTERM'),
  async 'PostgreSQL killed'() {
    await stores.killPg();
    await stores.startPg();
  },
  async 'Redis stood still'() {
    stores.freezeRedis();
    await sleep(FREEZE_MS);
    stores.thawRedis();
  },
  'portald killed': () => again('SIGKILL'),
};

// ---- samples ----

const TABLES = 'SELECT relname AS name, pg_total_relation_size(oid) AS bytes FROM pg_class WHERE relkind = \'r\' AND relnamespace = \'public\'::regnamespace';
const rss = (p) => Number(readFileSync(`/proc/${p.child.pid}/status`, 'latin1').match(/VmRSS:\s+(\d+)/)[1]) * 1024;
const figure = (text, name) => Number(text.match(new RegExp(`^portal_${name} (\\S+)`, 'm'))?.[1]);
// A store that is away gives no figures.
async function sample(strokes) {
  const s = { at: Math.round(performance.now() / 1000), strokes, rss: rss(portals[0]) };
  const [metrics, memory, keys, tables] = await Promise.all([
    send(portals[0], 'GET', '/metrics').catch(() => null), stores.redis.info('memory').catch(() => null), stores.redis.dbsize().catch(() => null),
    stores.db.query(TABLES).catch(() => null),
  ]);
  s.heap = metrics && figure(metrics.text, 'process_heap_bytes');
  s.redis = memory && Number(memory.match(/^used_memory:(\d+)/m)[1]);
  s.keys = keys;
  s.postgres = tables?.rows.reduce((sum, t) => sum + Number(t.bytes), 0) ?? null;
  return s;
}
// Keys of people and rooms that stay for good: nobody is left, so there is none.
async function lasting() {
  const keys = (await Promise.all(['sockets', 'e2ee', 'room', 'match:chat'].map((kind) => stores.redis.keys(`portal:${kind}:*`)))).flat()
    .filter((key) => !/^portal:room:\d+:seq$|^portal:e2ee:chatkey:/.test(key)); // those of a chat that is there
  const ends = await Promise.all(keys.map((key) => stores.redis.pttl(key)));
  return keys.filter((_, i) => ends[i] === -1);
}
// 99 of 100 timers of the first portald were not later, in ms.
function lagP99(text) {
  const counts = [...text.matchAll(/^portal_timer_lag_seconds_bucket\{le="([^"]+)"\} (\d+)/gm)].map(([, le, n]) => [Number(le === '+Inf' ? Infinity : le), Number(n)]);
  return counts.find(([, n]) => n >= 0.99 * counts.at(-1)[1])[0] * 1000;
}
// Of a line through the points, per hour; from the first third on: the pools are full, each kind of thing has happened.
function slope(samples, of) {
  const points = samples.slice(Math.floor(samples.length / 3)).filter((s) => s[of] !== null).map((s) => [s.at / 3600, s[of]]);
  const mean = (i) => points.reduce((sum, p) => sum + p[i], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  return points.reduce((sum, p) => sum + (p[0] - x) * (p[1] - y), 0) / points.reduce((sum, p) => sum + (p[0] - x) ** 2, 0);
}

// ---- the run ----

async function chaos(over, samples) {
  const names = Object.keys(fates);
  const strokes = Object.fromEntries(names.map((name) => [name, 0]));
  let n = 0;
  let sampling = true;
  const log = createWriteStream(file('samples'));
  const sampled = (async () => {
    while (sampling) {
      const s = await sample(n);
      samples.push(s);
      log.write(`${JSON.stringify(s)}\n`);
      await Promise.race([over, sleep(SAMPLE_MS, undefined, { ref: false })]);
    }
    log.end();
  })();
  sampled.catch(() => {}); // told below, unless the chaos fails first
  const end = performance.now() + (SECONDS - 5) * 1000; // they settle undisturbed
  let done = false;
  over.then(() => { done = true; });
  try {
    for (;;) {
      await Promise.race([over, sleep(CALM_MS, undefined, { ref: false })]);
      if (done || performance.now() > end) break;
      const name = names[n % names.length];
      await fates[name]();
      strokes[name]++;
      n++;
      for (const p of portals) await ready(p, `readyz after: ${name}`);
    }
    await over;
  } finally {
    sampling = false;
  }
  await sampled;
  return strokes;
}

function told(result, samples, strokes, lag) {
  const m = result.meters;
  const range = (of, unit = MiB) => {
    const v = samples.map((s) => s[of]).filter((x) => x !== null);
    return `${(v[0] / unit).toFixed(1)} first, ${(v[Math.floor(v.length / 3)] / unit).toFixed(1)} after a third, ${Math.max(...v) / unit > 0 ? (Math.max(...v) / unit).toFixed(1) : 0} most, ${(v.at(-1) / unit).toFixed(1)} last, ${(slope(samples, of) / unit).toFixed(1)} an hour`;
  };
  return [
    Object.entries(strokes).map(([name, times]) => `${name} ${times}`).join(', '),
    `${m.acked.count} messages to ${m.received.count}, ${m.resent.count} said again, ${m.reconnected.count} reconnects; ${m.answered.count} pages, ${m.signed_in.count} sign-ins`,
    `${m.met.count} met, ${m.told.count} messages said to them, ${m.heard.count} heard, ${m.whole.count} talked to the end, ${m.short.count} did not, ${m.reloaded.count} reloads`,
    `refused or unanswered, and tried again: ${JSON.stringify(result.errors)}`,
    `memory of portald, MiB: ${range('rss')}`,
    `heap of portald, MiB: ${range('heap')}`,
    `memory of Redis, MiB: ${range('redis')}; keys: ${range('keys', 1)}`,
    `tables of PostgreSQL, MiB: ${range('postgres')}`,
    `99 of 100 timers of portald were at most ${lag} ms late`,
  ];
}

test(`${SECONDS} s of everything under chaos`, async (t) => {
  const load = startLoad('mix', target, [
    '--weights', 'chat=6,me=3,login=1,meet=2', '--clients', 120, '--rate', 96, '--rooms', 6, '--seconds', SECONDS, '--settle', 60, '--cuts', 2,
    '--retry-ms', 200, '--ack-ms', ACK_MS, '--grace', GRACE, '--history', file('history'), '--html', file('plots.html'),
  ]);
  await load.line(/ s +\d+ open .* acked [1-9]/);
  const samples = [];
  const ended = load.ended();
  t.diagnostic(`${path.relative('.', dir)} has its files${process.env.SOAK_KEEP ? '' : ', when it fails'}`);
  let strokes;
  try {
    strokes = await chaos(ended.catch(() => {}), samples);
  } finally {
    load.child.kill('SIGKILL'); // still there when the chaos has failed
    await writeFile(file('load.log'), load.lines.join('\n'));
  }
  const { result, told: said } = await ended;
  await writeFile(file('result.json'), JSON.stringify(result));
  const verdict = told(result, samples, strokes, lagP99((await send(portals[0], 'GET', '/metrics')).text));
  const proof = await checkHistory(file('history'), { told: said });
  verdict.push(...proof.trim().split('\n').slice(-2));
  await writeFile(file('verdict'), `${verdict.join('\n')}\n`);
  for (const line of verdict) t.diagnostic(line);
  const m = result.meters;
  assert.equal(m.acked.count, m.sent.count, said);
  assert.equal(m.gaps.count, 0, said);
  for (const name of ['answered', 'signed_in', 'reconnected', 'resent', 'whole', 'reloaded']) assert.ok(m[name].count > 0, `${name}: ${said}`);
  assert.ok(m.whole.count > m.short.count, `most talk to the end: ${said}`);
  let left;
  await until(async () => (left = await lasting()).length === 0, 'nothing to stay', 60_000).catch(() => assert.deepEqual(left, []));
  const settled = samples[Math.floor(samples.length / 3)].rss;
  assert.ok(samples.at(-1).rss < settled * 1.25 + 8 * MiB, `memory grows: ${samples.map((s) => s.rss)}`);
  failed = false;
});
