// portal-load itself: its scenarios on two processes, its result, its report, and the comparison of two results.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startPortal, startProcess, stopProcess } from './harness.js';
import { checkHistory, loadTarget, NO_LIMITS, runLoad, startLoad } from './load.js';

const env = { ...NO_LIMITS, MATCH_ALONE: '1', MATCH_GRACE: '3' }; // who has met may meet again soon

let portal, other, target, dir;
before(async () => {
  portal = await startPortal(env);
  other = await startProcess(portal.stores, env);
  target = await loadTarget(portal.stores, [portal, other]);
  dir = await mkdtemp(path.join(os.tmpdir(), 'load-'));
});
after(async () => {
  await rm(dir, { recursive: true });
  await stopProcess(other);
  await portal.stop();
});

// What is due in the last moment is not asked any more.
const near = (n, wanted, told) => assert.ok(n <= wanted && n >= wanted * 0.9, `${n} of ${wanted}: ${told}`);
const users = async () => Number((await portal.db.query('SELECT count(*) FROM users')).rows[0].count);

test('login: people come over and over, each an account', async () => {
  const before_ = await users();
  const { result, told } = await startLoad('login', target, ['--clients', 8, '--seconds', 2]).ended();
  const { signed_in: signedIn, requested, fetched, verified } = result.meters;
  assert.ok(signedIn.count > 8, told);
  for (const m of [requested, fetched, verified]) assert.equal(m.count, signedIn.count, told);
  assert.deepEqual(result.errors, {}, told);
  assert.equal((await users()) - before_, 8);
});

test('me: at a rate requests are made, and a page that refuses is an error', async () => {
  const { result, told } = await startLoad('me', target, ['--clients', 20, '--rate', 200, '--seconds', 2]).ended();
  near(result.meters.answered.count, 400, told);
  assert.equal(result.meters.answered.latency.count, result.meters.answered.count, told);
  assert.ok(result.meters.answered.latency.p50_us > 0, told);
  const lost = await startLoad('me', target, ['--clients', 2, '--rate', 20, '--seconds', 1, '--path', '/v1/users/0/sessions']).ended();
  assert.equal(lost.result.meters.answered.count, 0, lost.told);
  near(lost.result.errors.ERR_NOT_FOUND, 20, lost.told);
});

test('idle: the sockets are there, and what they take is told', async () => {
  const { result, told } = await startLoad('idle', target, ['--clients', 40, '--sockets-each', 2, '--rooms', 3, '--connect-rate', 100, '--seconds', 2]).ended();
  assert.equal(result.meters.joined.count, 80, told);
  assert.equal(result.meters.lost.count, 0, told);
  assert.equal(result.server.sockets, 80, told);
  assert.ok(result.server.rss_kib > 0 && result.server.cpu_ms > 0, told);
});

test('mix: each has its share, and what was made is gone', async () => {
  const chats = async () => (await portal.db.query("SELECT count(*) FROM chats WHERE name LIKE 'load %'")).rows[0].count;
  const { result, told } = await startLoad('mix', target, ['--weights', 'chat=2,me=1,login=1', '--clients', 40, '--rate', 80, '--rooms', 2, '--seconds', 2]).ended();
  const m = result.meters;
  assert.deepEqual([m.sent.count, m.acked.count, m.received.count], [80, 80, 800], told);
  near(m.answered.count, 40, told);
  near(m.signed_in.count, 40, told);
  assert.equal(await chats(), '0');
});

test('meet: people meet, talk and leave, also when they reload, and the history holds', async () => {
  const history = path.join(dir, 'meet');
  const { result, told } = await startLoad('meet', target, ['--clients', 8, '--reloads', 40, '--grace', 3, '--seconds', 4, '--history', history]).ended();
  const m = result.meters;
  assert.ok(m.whole.count > 0 && m.reloaded.count > 0, told);
  assert.equal(m.met.count, m.whole.count + m.short.count, told);
  assert.match(await checkHistory(history, { told }), /^\d+ direct chats, [1-9]/m);
});

test('a result: a line a second, no secret; report and comparison', async () => {
  const files = ['a.json', 'b.json', 'a.html', 'c.html'].map((n) => path.join(dir, n));
  for (const json of files.slice(0, 2)) {
    await startLoad('me', target, ['--clients', 4, '--rate', 40, '--seconds', 3, '--json', json, '--html', files[2]]).ended();
  }
  const text = await readFile(files[0], 'utf8');
  const result = JSON.parse(text);
  assert.ok(!text.includes(target.bot), 'the key is not told');
  assert.ok(result.seconds.length >= 3, text);
  near(result.meters.answered.count, 120, text);
  assert.equal(result.seconds.reduce((sum, s) => sum + s.meters.answered.count, 0), result.meters.answered.count);
  const told = await runLoad(['compare', files[0], files[1], files[3]]);
  assert.match(told, /^answered +1\d\d +1\d\d /m);
  assert.match(told, /^answered p99 .* ms$/m);
  for (const html of files.slice(2)) {
    const page = await readFile(html, 'utf8');
    assert.match(page, /<svg[^]*<polyline[^]*CPU of the server/);
    assert.doesNotMatch(page, /<script|https?:\/\/(?!127\.0\.0\.1)/);
  }
  await runLoad(['report', files[0], files[3]]);
  assert.match(await readFile(files[3], 'utf8'), /Latency of answered over time/);
});
