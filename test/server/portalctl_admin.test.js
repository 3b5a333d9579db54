// What operators do from the command line: the same acts as over HTTP, and whoever is connected hears of them.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { talker } from './chatter.js';
import { assertError, connect, PORTALCTL, SECRET_KEY, startPortal } from './harness.js';

let portal, dir;
before(async () => {
  portal = await startPortal({ RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0' });
  dir = await mkdtemp(path.join(os.tmpdir(), 'portalctl-'));
});
after(async () => {
  await portal.stop();
  await rm(dir, { recursive: true });
});

function run(args, env = {}) {
  return new Promise((resolve) => {
    execFile(PORTALCTL, args, {
      env: { PATH: process.env.PATH, DATABASE_URL: portal.stores.databaseUrl, REDIS_URL: portal.stores.redisUrl, SECRET_KEY, STORE_TIMEOUT_MS: '5000', ...env },
      timeout: 30_000,
    }, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr })).stdin.end();
  });
}
const ctl = (...args) => portal.ctl([...args, '--json']);
const entry = async (event, target) => (await ctl('audit', 'list', '--event', event, '--target', String(target)))[0];
const state = async (person) => (await portal.db.query('SELECT user_state(restriction, restricted_until) AS s FROM users WHERE id = $1', [person.id])).rows[0].s;

test('a ban ends the sockets of a person at once; unban lets them back', async () => {
  const person = await portal.signIn();
  const socket = await connect(portal, person);
  assert.equal((await run(['user', 'ban', person.username])).code, 2, 'asks first');
  const r = await ctl('user', 'ban', person.username, '--reason', 'spam', '--yes');
  assert.deepEqual(r, { id: person.id, username: person.username, until: null });
  assert.deepEqual(await socket.next('session:ended'), { reason: 'banned' });
  assert.equal(await socket.gone, 'io server disconnect');
  assert.equal((await person.get('/v1/users/me')).status, 401);
  assert.equal((await ctl('user', 'show', String(person.id))).restriction_reason, 'spam');
  const told = await entry('platform.ban', person.id);
  assert.deepEqual([told.actor, told.target, told.data.reason], [null, person.username, 'spam']);
  await ctl('user', 'unban', person.username);
  assert.equal(await state(person), 'active');
  await portal.signIn({ id: person.platform_user_id });
});

test('warn, timeout, mute: with their bounds and their end', async () => {
  const person = await portal.signIn();
  const socket = await connect(portal, person);
  await ctl('user', 'warn', person.username, '--reason', 'mind your tone');
  assert.equal((await socket.next('notification:new')).body, 'mind your tone');
  const muted = await ctl('user', 'mute', String(person.id), '--for', '2h');
  const left = Date.parse(muted.until) - Date.now();
  assert.ok(left > 7_100_000 && left <= 7_205_000, `${left}`);
  await socket.next('user:hard_muted');
  await ctl('user', 'unmute', String(person.id));
  await socket.next('user:hard_unmuted');
  await ctl('user', 'timeout', String(person.id), '--for', '15m');
  assert.deepEqual(await socket.next('session:ended'), { reason: 'timeout' });
  assert.equal(await state(person), 'timeout');
  for (const [words, code] of [
    [['timeout', '1', '--for', '59'], 1], [['timeout', '1', '--for', '31d'], 1], [['timeout', '1'], 2], [['timeout', '1', '--for', 'soon'], 2],
    [['warn', 'nobody.at.all'], 1], [['warn', person.username, '--reason', 'x'.repeat(501)], 1],
  ]) assert.equal((await run(['user', ...words])).code, code, words.join(' ').slice(0, 60));
  assert.deepEqual((await ctl('user', 'list', '--state', 'timeout')).map((u) => u.id), [person.id]);
});

test('without Redis a ban holds all the same', async () => {
  const person = await portal.signIn();
  const r = await run(['user', 'ban', person.username, '--yes'], { REDIS_URL: 'redis://127.0.0.1:1/0' });
  assert.equal(r.code, 0, r.stderr);
  assert.equal(await state(person), 'banned');
  assertError(await portal.post('/v1/authentication/verify', { code: await code(person) }, { from: person.from }), 403, 'ERR_ACCOUNT_BANNED');
});
async function code(person) {
  const { platform, platform_user_id } = person;
  await portal.post('/v1/authentication/request', { platform, platform_user_id }, { from: person.from });
  return portal.fetchCode(platform, platform_user_id);
}

test('chats: changed, given away, a person put out; the room hears of each', async () => {
  const [owner, guest] = await Promise.all([portal.signIn(), portal.signIn()]);
  const { id } = await ctl('chat', 'create', '--name', 'Salon', '--owner', owner.username, '--slug', 'salon');
  const [a, b] = await Promise.all([talker(portal, owner), talker(portal, guest)]);
  await a.join(id);
  await b.join(id);
  const changed = await ctl('chat', 'update', String(id), '--name', 'The Salon', '--wipe', '1h', '--history', 'no', '--label', 'new');
  assert.equal(changed.name, 'The Salon');
  const config = await b.heard(id, 'room:config');
  assert.deepEqual([config.name, config.wipe_preset, config.history_visible, config.slug], ['The Salon', '1h', false, 'salon']);
  assert.equal((await run(['chat', 'update', String(id), '--slug', 'x', '--private'])).code, 1);
  assert.equal((await run(['chat', 'update', String(id), '--wipe', '2h'])).code, 2);
  const official = String((await ctl('chat', 'create', '--name', 'Hall', '--owner', owner.username, '--slug', 'hall', '--official')).id);
  const refused = await run(['chat', 'update', official, '--private']);
  assert.deepEqual([refused.code, /stays official/.test(refused.stderr)], [1, true], refused.stderr);
  assert.equal((await ctl('chat', 'show', official)).slug, 'hall');

  await ctl('chat', 'kick', String(id), guest.username, '--reason', 'noise');
  assert.equal((await b.heard(id, 'room:kicked')).reason, 'kick');
  await a.heard(id, 'room:epoch_changed', (d) => d.reason === 'kick');
  assert.equal((await ctl('chat', 'transfer', String(id), guest.username)).owner, guest.username);
  assert.equal((await ctl('chat', 'update', String(id), '--private')).visibility, 'private');
  assert.equal((await entry('chat.transfer', owner.id)).chat, id);
  a.close();
  b.close();
});

test('bots: changed, reset, gone, with their sockets', async () => {
  const made = await ctl('bot', 'register', '--name', 'helper', '--platform', 'telegram');
  const id = String(made.bot.id);
  const changed = await ctl('bot', 'update', id, '--name', 'Helper', '--type', 'verified', '--rate-limit', '7', '--login', 'no');
  assert.deepEqual([changed.name, changed.type, changed.login, changed.active], ['Helper', 'verified', false, true]);
  await ctl('bot', 'update', id, '--active', 'no');
  assert.equal((await portal.get('/v1/bot/me', { key: made.api_key })).status, 401);
  await ctl('bot', 'update', id, '--active', 'yes');
  await portal.post('/v1/bot/me/update', { users: 12 }, { key: made.api_key });
  await ctl('bot', 'reset-stats', id);
  assert.equal((await portal.get('/v1/bot/me', { key: made.api_key })).body.users, 0);
  assert.equal((await run(['bot', 'delete', id])).code, 2);
  assert.deepEqual(await ctl('bot', 'delete', id, '--yes'), { deleted: made.bot.id, name: 'Helper' });
  assert.equal((await run(['bot', 'update', id, '--name', 'again'])).code, 1);
  assert.equal((await run(['bot', 'update', '1', '--name', 'x'])).code, 1);
});

test('notifications and announcements reach who is connected', async () => {
  const [one, two] = await Promise.all([portal.signIn(), portal.signIn()]);
  const [a, b] = await Promise.all([connect(portal, one), connect(portal, two)]);
  const words = ['--title', 'Hello', '--body', 'We move on Sunday.'];
  assert.deepEqual(await ctl('notification', 'send', '--to', `${one.username}, ${two.id}`, ...words, '--type', 'warning'), { to: 2, title: 'Hello' });
  for (const s of [a, b]) assert.deepEqual((({ title, body, type }) => [title, body, type])(await s.next('notification:new')), ['Hello', 'We move on Sunday.', 'warning']);
  assert.deepEqual(await ctl('notification', 'send', '--to', 'all', '--title', 'All', '--body', 'x'), { to: 'all', title: 'All' });
  for (const s of [a, b]) await s.next('notification:new', (n) => n.title === 'All');
  assert.equal((await run(['notification', 'send', '--to', 'nobody.at.all', ...words])).code, 1);
  assert.equal((await run(['notification', 'send', '--to', 'all', '--title', 'x'.repeat(101), '--body', 'x'])).code, 1);

  const made = await ctl('announcement', 'create', ...words, '--for', '2h');
  assert.equal((await a.next('announcement:new')).id, made.id);
  const left = Date.parse(made.expires_at) - Date.now();
  assert.ok(left > 7_100_000 && left < 7_205_000, `${left}`);
  assert.deepEqual((await ctl('announcement', 'list')).map((x) => x.id), [made.id]);
  assert.deepEqual(await ctl('announcement', 'delete', String(made.id)), { deleted: made.id });
  assert.deepEqual((await portal.get('/v1/announcements')).body.announcements, []);
  assert.equal((await run(['announcement', 'delete', String(made.id)])).code, 1);
  for (const s of [a, b]) s.close();
});

test('subscriptions that count', async () => {
  const person = await portal.signIn();
  await ctl('subscription', 'grant', person.username, '--level', 'premium', '--days', '3');
  const mine = async () => (await ctl('subscription', 'active', '--limit', '1000')).find((s) => s.id === person.id);
  assert.equal((await mine()).subscription, 'premium');
  await ctl('subscription', 'revoke', person.username, '--reason', 'over', '--yes');
  assert.equal(await mine(), undefined);
});

test('the audit log: proven, exported, pruned; the mark catches what the database cannot', async () => {
  const person = await portal.signIn();
  for (let i = 0; i < 5; i++) await ctl('user', 'warn', person.username, '--reason', `${i}`);
  const whole = await ctl('audit', 'verify');
  assert.equal(whole.whole, true);
  assert.match(whole.mark, /^\d+:[0-9a-f]{64}$/);
  const table = await portal.ctl(['audit', 'list', '--target', person.username, '--limit', '2']);
  assert.match(table, /platform\.warn/);

  // The file proves itself: SHA-256 of the hash before and the text.
  const file = path.join(dir, 'audit.jsonl');
  const out = await ctl('audit', 'export', file);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const lines = (await readFile(file, 'utf8')).trim().split('\n').map((l) => JSON.parse(l));
  assert.equal(lines.length, out.entries);
  let before = '';
  for (const l of lines) {
    assert.equal(l.prev_hash, before);
    before = createHash('sha256').update(Buffer.from(before, 'hex')).update(l.text).digest('hex');
    assert.equal(l.hash, before);
  }
  assert.equal(out.mark, `${lines.at(-1).id}:${before}`);
  assert.equal((await run(['audit', 'export', file])).code, 1, 'written once');
  assert.equal((await ctl('audit', 'export', path.join(dir, 'old'), '--before', '2001-01-01')).entries, 0);

  assert.equal((await run(['audit', 'prune', out.mark])).code, 2);
  assert.equal((await run(['audit', 'prune', `${lines.at(-1).id}:${'0'.repeat(64)}`, '--yes'])).code, 1);
  assert.deepEqual(await ctl('audit', 'prune', out.mark, '--yes'), { pruned: lines.length });
  assert.equal((await ctl('audit', 'verify', '--mark', out.mark)).whole, true);
  assert.equal((await ctl('audit', 'list'))[0].event, 'audit.prune');

  // Altered behind the triggers' back.
  for (let i = 0; i < 3; i++) await ctl('user', 'warn', person.username, '--reason', `late ${i}`);
  const mark = (await ctl('audit', 'verify')).mark;
  const id = Number(mark.split(':')[0]) - 1;
  await portal.db.query(`ALTER TABLE audit_log DISABLE TRIGGER ALL; UPDATE audit_log SET data = '{"reason": "nothing"}' WHERE id = ${id};
    ALTER TABLE audit_log ENABLE TRIGGER ALL`);
  const found = await run(['audit', 'verify', '--json']);
  assert.equal(found.code, 1);
  assert.match(found.stderr, new RegExp(`entry ${id} of the audit log was altered`));
  assert.equal(JSON.parse(found.stdout).whole, false);
  for (const words of [['verify', '--mark', 'x'], ['prune', 'x', '--yes']]) assert.equal((await run(['audit', ...words])).code, 1, words[0]);
  assert.equal((await run(['audit', 'list', '--from', 'yesterday'])).code, 2);
});

test('tables: one row each, under their headings', async () => {
  const text = await portal.ctl(['user', 'show', String((await portal.signIn()).id)]);
  assert.match(text, /^username +user_/m);
  assert.match(text, /^linked_platforms\nplatform +platform_user_id/m);
  const { stdout, stderr } = await run(['subscription', 'active']);
  assert.deepEqual([stdout, stderr], ['', 'nothing\n']);
});
