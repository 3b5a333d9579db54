// Contract 4.2, slow consumers: in a chat of 2 N sockets N never read. What the server keeps for them is
// bounded and shared, they are dropped in time, the others do not notice, and they may come back.
//
// SLOW_CLIENTS is N, SLOW_RATE the messages a second (of 4 KiB). At full size, with the release build:
//   PORTALD=build/release/portald SLOW_CLIENTS=1000 SLOW_RATE=20
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { bundle, talker } from './chatter.js';
import { connect, PORTALD, startPortal, until } from './harness.js';

const N = Number(process.env.SLOW_CLIENTS ?? 100);
const RATE = Number(process.env.SLOW_RATE ?? 60);
const SESSIONS = 20;
const PROBES = 5;
const MEASURE_MS = 4000;
const MiB = 1 << 20;
const env = {
  RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_HANDSHAKE: '0', RATE_LIMIT_PUBLIC: '0', RATE_LIMIT_EVENTS: '0',
  MESSAGE_RATE: '0', MESSAGE_RATE_CHAT: '0', MAX_SOCKETS_PER_SESSION: '1000',
  ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=1`, // what was freed is not what is measured
  PING_INTERVAL_MS: '600000', // who is deaf answers no ping: it is not that which drops them here
};
let portal, persons;
before(async () => {
  portal = await startPortal(env);
  persons = await Promise.all(Array.from({ length: SESSIONS }, () => portal.signIn()));
});
after(() => portal.stop());

// Each phase has a chat of its own: a join answers with what was said there, to each its own bytes.
async function newChat(slug) {
  const { rows } = await portal.db.query("INSERT INTO chats (name, visibility, slug) VALUES ('a crowd', 'public', $1) RETURNING id::int", [slug]);
  return rows[0].id;
}

// test/server/crowd.c; `dropped` and `lost` count as it tells.
async function startCrowd(t, chat, readers, deaf) {
  const child = spawn(path.join(path.dirname(PORTALD), 'server/crowd'), [new URL(portal.url).port, chat, readers, deaf], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  const crowd = { dropped: 0, lost: 0, joined: false };
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [word, n] = line.split(' ');
    crowd[word] = n ? Number(n) : true;
  });
  const exited = once(child, 'exit');
  child.stdin.write(`${persons.map((p) => p.token).join('\n')}\n\n`);
  crowd.stop = async () => {
    child.stdin.end();
    assert.deepEqual(await exited, [0, null]);
  };
  await until(() => {
    assert.equal(child.exitCode, null);
    return crowd.joined;
  }, 'the crowd', 60_000);
  return crowd;
}

const metric = async (name) => Number((await portal.get('/metrics')).text.match(new RegExp(`^portal_${name} (\\d+)`, 'm'))[1]);
const connected = (n) => until(async () => (await metric('sockets_connected')) === n, `${n} sockets`, 30_000);
const memory = () => Number(readFileSync(`/proc/${portal.child.pid}/status`, 'latin1').match(/VmRSS:\s+(\d+)/)[1]) * 1024;

// Talks until told to stop; ms from sending to each probe, and the most memory that was seen.
async function talk(chat, speaker, probes, enough) {
  const sent = new Map();
  const took = [];
  let heard = 0, most = 0, count = 0;
  const acks = [];
  const hear = ({ client_id }) => {
    heard++;
    took.push(performance.now() - sent.get(client_id));
  };
  for (const p of probes) p.on('message:new', hear);
  const begun = performance.now();
  while (!enough(performance.now() - begun)) {
    const client_id = `${Math.round(begun)}-${count}`;
    sent.set(client_id, performance.now());
    acks.push(speaker.say(chat, { client_id, content: bundle(speaker.room(chat).epoch, 3000) }));
    most = Math.max(most, memory());
    count++;
    await new Promise((done) => setTimeout(done, begun + (count * 1000) / RATE - performance.now()));
  }
  for (const ack of await Promise.all(acks)) assert.ok(ack.ok, JSON.stringify(ack));
  await until(() => heard === count * probes.length, 'every message at every probe');
  for (const p of probes) p.off('message:new', hear);
  took.sort((a, b) => a - b);
  return { count, most, seconds: (performance.now() - begun) / 1000, median: took[took.length >> 1], p99: took[Math.floor(took.length * 0.99)] };
}

test(`${N} of ${2 * N} never read`, async (t) => {
  const [open, crowded] = [await newChat('all-read'), await newChat('half-read')];
  const speaker = await talker(portal, await portal.signIn());
  const probes = await Promise.all(persons.slice(0, PROBES).map((p) => connect(portal, p)));
  const rest = PROBES + 1;
  for (const chat of [open, crowded]) {
    await speaker.join(chat);
    for (const s of probes) assert.ok((await s.ask('room:join', { chat_id: chat })).ok);
  }
  const show = (what, r) => t.diagnostic(`${what}: ${r.count} messages in ${r.seconds.toFixed(1)} s, median ${r.median.toFixed(1)} ms, p99 ${r.p99.toFixed(1)} ms`);

  const all = await startCrowd(t, open, 2 * N, 0);
  const good = await talk(open, speaker, probes, (ms) => ms > MEASURE_MS);
  show('all read', good);
  await all.stop();
  await connected(rest);

  const half = await startCrowd(t, crowded, N, N);
  const before_ = memory();
  let gone = 0; // ms, when the last deaf one was dropped
  const slow = await talk(crowded, speaker, probes, (ms) => {
    if (half.dropped === N && !gone) gone = ms;
    return gone || ms > 60_000;
  });
  show('half never read', slow);
  t.diagnostic(`${half.dropped} dropped after ${(gone / 1000).toFixed(1)} s; memory ${(before_ / MiB).toFixed(1)} MiB, ` +
    `at most ${((slow.most - before_) / MiB).toFixed(1)} MiB more: ${((slow.most - before_) / N / 1024).toFixed(1)} KiB for each that never reads`);
  assert.deepEqual([half.dropped, half.lost], [N, 0]);
  assert.equal(await metric('sockets_slow_total'), N);
  assert.ok(gone > 10_000, 'not before 10 s above the soft limit');
  // Each has 1 to 4 MiB waiting; kept once, that is a small part of it.
  assert.ok(slow.most - before_ < 32 * MiB + N * 256 * 1024, `${slow.most - before_} bytes more`);
  assert.ok(slow.p99 < 5 * good.p99 + 500, `p99 ${slow.p99} ms, ${good.p99} ms when all read`);
  await connected(rest + N);

  const again = await startCrowd(t, open, 0, N); // the same sessions
  await connected(rest + 2 * N);
  await again.stop();
  await half.stop();
  speaker.close();
  for (const p of probes) p.close();
});
