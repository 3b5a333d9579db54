// Contract 1.1 and 4.1 when many connect at the same moment, as behind a restart: what is asked of the stores
// for all of them together is each one's own.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { connect, startPortal, startProcess, stopProcess, until } from './harness.js';

let portal, other;
const limits = {
  RATE_LIMIT_LOGIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_PUBLIC: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_HANDSHAKE: '0',
};
before(async () => {
  portal = await startPortal(limits);
  other = await startProcess(portal.stores, limits);
});
after(async () => {
  await stopProcess(other);
  await portal.stop();
});

const close = (...sockets) => sockets.forEach((s) => s.close());
const refusal = (promise) => promise.then((s) => (close(s), null), (e) => e.data?.code ?? e.message);

async function sessionKeys(person) {
  const { rows } = await portal.db.query("SELECT 'portal:session:' || encode(token_hash, 'hex') AS key FROM sessions WHERE user_id = $1", [person.id]);
  return rows.map((r) => r.key);
}
const lookedAt = async (person, ms) => {
  for (const key of await sessionKeys(person)) await portal.redis.hset(key, 'c', ms);
};

async function privateChat(owner, ...members) {
  const { rows } = await portal.db.query("INSERT INTO chats (name, visibility, owner_id) VALUES ('own', 'private', $1) RETURNING id", [owner.id]);
  for (const m of members) await portal.db.query('INSERT INTO chat_members (chat_id, user_id) VALUES ($1, $2)', [rows[0].id, m.id]);
  return Number(rows[0].id);
}

test('each of a crowd gets their own chats; who may not come in is refused among them', async () => {
  const people = [];
  for (let i = 0; i < 90; i++) people.push(await portal.signIn());
  const own = new Map(people.map((p) => [p.id, []])); // the last active first
  const kinds = ['live', 'old', 'ended', 'forgotten', 'logged out', 'owner'];
  const kind = (i) => kinds[i % kinds.length];
  for (const [i, p] of people.entries()) {
    await lookedAt(p, kind(i) === 'old' || kind(i) === 'ended' ? 1 : Date.now());
    if (kind(i) === 'ended') await portal.db.query('UPDATE sessions SET ended_at = now() WHERE user_id = $1', [p.id]);
    if (kind(i) === 'forgotten') await portal.redis.del(...await sessionKeys(p));
    if (kind(i) === 'logged out') await p.post('/v1/authentication/logout');
    if (kind(i) !== 'owner') continue;
    const friend = people[(i + 1) % people.length]; // 'live'
    const id = await privateChat(p, friend);
    own.get(p.id).push([id, true]);
    own.get(friend.id).push([id, false]);
  }
  const [x, y] = people.filter((p, i) => kind(i) === 'old');
  for (const p of [x, y]) assert.equal((await p.post('/v1/portal/match/enqueue', { interest: 'any' })).status, 200);
  const { body: match } = await x.get('/v1/portal/match/status');
  for (const p of [x, y]) await lookedAt(p, 1);

  const stranger = { token: randomBytes(32).toString('base64url') };
  const results = await Promise.allSettled([...people, stranger].map((p, i) => connect(i % 7 ? portal : other, p)));
  for (const [i, p] of people.entries()) {
    const dead = ['ended', 'logged out'].includes(kind(i));
    assert.equal(results[i].status, dead ? 'rejected' : 'fulfilled', `${i}, ${kind(i)}: ${results[i].reason?.message}`);
    if (dead) {
      assert.equal(results[i].reason.data.code, 'ERR_AUTH_REQUIRED');
      continue;
    }
    const { chats } = await results[i].value.next('chat:list');
    const direct = [x, y].includes(p) ? [match.chat.chat.id] : [];
    assert.deepEqual(chats.filter((c) => c.visibility === 'direct').map((c) => c.id), direct, `${i}, ${kind(i)}`);
    assert.deepEqual(chats.filter((c) => c.visibility === 'private').map((c) => [c.id, c.config !== undefined]), own.get(p.id), `${i}, ${kind(i)}`);
    for (const c of chats) if (c.visibility === 'private') assert.equal(c.member_count, 1);
  }
  assert.equal(results.at(-1).reason.data.code, 'ERR_AUTH_REQUIRED');

  const here = people.filter((p, i) => results[i].status === 'fulfilled');
  assert.equal(await portal.redis.zcard('portal:online'), here.length);
  for (const p of here) assert.deepEqual(Object.values(await portal.redis.hgetall(`portal:sockets:${p.id}`)), ['1']);
  // Checked when they came, which is not asked again for a minute.
  for (const p of [x, y]) {
    const [key] = await sessionKeys(p);
    assert.ok(Math.abs(Date.now() - Number(await portal.redis.hget(key, 'c'))) < 60_000);
    assert.ok(await portal.redis.pttl(key) > 0);
  }
  close(...results.flatMap((r) => r.value ?? []));
  await until(async () => await portal.redis.zcard('portal:online') === 0, 'all to be gone');
  for (const p of here) assert.equal(await portal.redis.exists(`portal:sockets:${p.id}`), 0);
});

test('of too many sockets of a session at once as many come in as may', async () => {
  const [alice, bob] = [await portal.signIn(), await portal.signIn()];
  const tries = Array.from({ length: 16 }, (_, i) => connect(i % 3 ? portal : other, alice));
  const others = Array.from({ length: 5 }, () => connect(portal, bob));
  const results = await Promise.allSettled(tries);
  assert.equal(results.filter((r) => r.value).length, 10);
  assert.equal(results.filter((r) => r.reason?.data?.code === 'ERR_TOO_MANY_SOCKETS').length, 6);
  close(...await Promise.all(others)); // nobody else suffers from it
  await until(async () => Object.values(await portal.redis.hgetall(`portal:sockets:${alice.id}`)).reduce((n, v) => n + Number(v), 0) === 10, 'the refused to be forgotten');
  close(...results.flatMap((r) => r.value ?? []));
  await until(async () => !(await portal.redis.exists(`portal:sockets:${alice.id}`)), 'all to be gone');
});

test('a session that ends while a crowd connects ends all the same', async () => {
  const people = [];
  for (let i = 0; i < 40; i++) people.push(await portal.signIn());
  const tries = Promise.allSettled(people.map((p) => connect(portal, p)));
  // Logged out while they connect: either refused, or connected and then told.
  await Promise.all(people.map((p) => p.post('/v1/authentication/logout')));
  const sockets = (await tries).flatMap((r) => r.value ?? []);
  await Promise.all(sockets.map((s) => s.next('session:ended')));
  await Promise.all(sockets.map((s) => s.gone));
  for (const p of people) assert.equal(await refusal(connect(portal, p)), 'ERR_AUTH_REQUIRED');
  await until(async () => await portal.redis.zcard('portal:online') === 0, 'all to be gone');
});
