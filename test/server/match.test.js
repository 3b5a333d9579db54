// The matcher as people see it: HTTP, sockets, the direct chat from the pairing to its end, and what is left behind.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connectKeys } from './keys_client.js';
import { assertError, connect, send, startPortal, startProcess, stopProcess, until } from './harness.js';

const FIRST_CHAT = 7_700_000_000_000; // ids of chats that nothing else looks like
const IDLE = { state: 'idle', interests: [], queued_at: null, expires_at: null, chat: null };

let portal; // graces that nobody runs out of in a test
let quick; // graces of a second
async function start(env) {
  const p = await startPortal({ MATCH_TICK: '20', ...env });
  await p.db.query(`ALTER SEQUENCE chats_id_seq RESTART WITH ${FIRST_CHAT}`);
  return p;
}
before(async () => {
  [portal, quick] = await Promise.all([start({}), start({ MATCH_GRACE: '1', MATCH_DISCONNECT_GRACE: '1' })]);
});
after(async () => {
  await portal.stop();
  await quick.stop();
});

// ---- helpers ----

let tags = 0;
const newTag = () => `tag${++tags}`;
const enqueue = (p, tag) => p.post('/v1/portal/match/enqueue', { interests: [tag] });
const status = async (p) => (await p.get('/v1/portal/match/status')).body;
const leave = (p) => p.post('/v1/portal/match/leave');

async function searches(p, tag) {
  const r = await enqueue(p, tag);
  assert.equal(r.status, 200, r.text);
  return r.body;
}

// Two people with a socket each, who are paired and in the room.
async function pair(p = portal, at = [p, p]) {
  const tag = newTag();
  const [a, b] = await Promise.all([p.signIn(), p.signIn()]);
  const [sa, sb] = await Promise.all([connect(at[0], a), connect(at[1], b)]);
  await searches(a, tag);
  const met = await searches(b, tag);
  assert.equal(met.state, 'matched');
  await Promise.all([sa, sb].map((s) => s.next('match:found')));
  const chat = met.chat.chat.id;
  await until(async () => (await p.redis.hlen(`portal:room:${chat}:people`)) === 2, 'both to be in the room');
  return { a, b, sa, sb, chat, tag };
}

// Where the stores still name the chat; its gate and why it ended stay for minutes, for steps that are under way and
// processes that did not hear of it.
async function traces(p, chat) {
  const found = [];
  const id = String(chat);
  for (const key of await p.redis.keys('*')) {
    if ([`portal:chat:${id}:gate`, `portal:chat:${id}:ended`].includes(key) && (await p.redis.pttl(key)) > 0) continue;
    const dump = (await p.redis.dumpBuffer(key)) ?? Buffer.alloc(0);
    const int = Buffer.alloc(8);
    int.writeBigInt64LE(BigInt(chat));
    if (key.includes(id) || dump.includes(id) || dump.includes(int)) found.push(key);
  }
  const { rows } = await p.db.query("SELECT format('%I.%I', schemaname, tablename) AS t FROM pg_tables WHERE schemaname = 'public'");
  for (const { t } of rows) {
    const r = await p.db.query(`SELECT count(*)::int AS n FROM ${t} x WHERE x::text LIKE $1`, [`%${id}%`]);
    if (r.rows[0].n) found.push(t);
  }
  return found;
}
const goneWithoutTrace = (p, chat) => until(async () => (await traces(p, chat)).length === 0, 'the chat to be gone')
  .catch(async () => assert.deepEqual(await traces(p, chat), []));

// ---- the whole path ----

test('two people are told, talk encrypted, one reloads, one leaves, and nothing is left', async () => {
  const tag = newTag();
  const [anna, bert] = await Promise.all([portal.signIn(), portal.signIn()]);
  const [a, b] = await Promise.all([connectKeys(portal, anna), connectKeys(portal, bert)]);
  const heard = (c, name) => until(() => c.events.find(([n]) => n === name)?.[1], name);

  const first = await searches(anna, tag);
  assert.equal(first.state, 'searching');
  assert.deepEqual(first.interests, [tag]);
  assert.equal(first.chat, null);
  assert.ok(Date.parse(first.expires_at) - Date.parse(first.queued_at) === 600_000, JSON.stringify(first));
  assert.ok(await heard(a, 'match:searching'));
  const began = Date.now();
  const met = await searches(bert, tag);
  const [toA, toB] = await Promise.all([heard(a, 'match:found'), heard(b, 'match:found')]);
  assert.ok(Date.now() - began < 2000, `told after ${Date.now() - began} ms`); // the figure is for the bench: here it is only a bound
  const chat = met.chat.chat.id;
  assert.ok(chat >= FIRST_CHAT);
  assert.equal(toA.chat.id, chat);
  assert.deepEqual(toA.interests, [tag]);
  assert.equal(toA.peer.user.username, bert.username);
  assert.equal(toB.peer.user.id, anna.id);
  assert.equal(met.chat.peer.user.id, anna.id);
  assert.deepEqual({ ...toB.chat, online: 0 }, { ...met.chat.chat, online: 0 });

  // Keys, before anybody has called room:join: the sockets are in the room.
  await Promise.all([a.keyed(chat), b.keyed(chat)]);
  const joined = await a.join(chat);
  assert.equal(joined.chat.chat_type, 'direct');
  assert.equal(joined.chat.owner, null);
  assert.equal(joined.chat.online, 2);
  assert.deepEqual(joined.members.map((m) => m.user.id).sort(), [anna.id, bert.id].sort());
  assert.equal(joined.messages[0].content, `Chat started — say hi! Matched on: ${tag}`);
  assert.equal(joined.messages[0].type, 'system');
  await b.join(chat);
  assert.ok((await a.send(chat, 'hello')).ok);
  assert.ok((await b.send(chat, 'hi there')).ok);
  await until(() => a.rooms.get(chat).read.length === 2 && b.rooms.get(chat).read.length === 2, 'both messages');

  // Bert reloads: a new socket of his session, with a new key pair, and comes back.
  b.close();
  const left = await heard(a, 'room:peer_left');
  assert.equal(left.user_id, bert.id);
  assert.ok(left.grace_until_ms > Date.now() + 30_000 && left.grace_until_ms < Date.now() + 90_000);
  assert.ok((await a.send(chat, 'while you were away')).ok);
  const back = await connectKeys(portal, bert);
  assert.equal(back.events.find(([n]) => n === 'chat:list')[1].chats[0].id, chat);
  assert.equal((await status(bert)).state, 'matched');
  const again = await back.join(chat);
  assert.deepEqual(await heard(a, 'room:peer_back'), { chat_id: chat, user_id: bert.id });
  await back.keyed(chat);
  assert.equal(again.messages.length, 4); // the system's, and three
  assert.ok((await back.send(chat, 'here I am')).ok);
  await until(() => a.rooms.get(chat).read.includes('here I am'), 'the message of who came back');

  // Anna leaves.
  const r = await leave(anna);
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(r.body, IDLE);
  assert.deepEqual(await heard(a, 'match:ended'), { chat_id: chat, reason: 'left' });
  assert.deepEqual(await heard(back, 'match:ended'), { chat_id: chat, reason: 'left' });
  assert.deepEqual(await heard(back, 'room:peer_left'), { chat_id: chat, user_id: anna.id, grace_until_ms: 0 });
  for (const p of [anna, bert]) assert.deepEqual(await status(p), IDLE);
  assertError(await bert.get(`/v1/portal/chats/${chat}`), 404, 'ERR_CHAT_NOT_FOUND');
  assert.equal((await back.call('room:join', { chat_id: chat })).code, 'ERR_CHAT_NOT_FOUND');
  await goneWithoutTrace(portal, chat);
  for (const c of [a, back]) c.close();
});

test('nothing that looks for traces of a chat is blind', async () => {
  const { a, sa, sb, chat } = await pair();
  const found = await traces(portal, chat);
  for (const key of [`portal:direct:${chat}`, `portal:room:${chat}:people`, `portal:match:chat:${a.id}`, 'portal:match:chats'])
    assert.ok(found.includes(key), `${key} in ${found.join(' ')}`);
  await leave(a);
  await goneWithoutTrace(portal, chat);
  for (const s of [sa, sb]) s.close();
});

// ---- searching ----

describe('searching', () => {
  test('what is asked for is checked', async () => {
    const p = await portal.signIn();
    for (const route of ['/v1/portal/match', '/v1/portal/match/enqueue']) {
      for (const [body, sentence] of [
        [{}, 'interests is required'],
        [undefined, 'interests is required'],
        [{ interest: null, interests: null }, 'interests is required'],
        [{ interests: [] }, /^interests must/],
        [{ interests: 'any' }, 'interests must be a list'],
        [{ interests: ['one', 2] }, 'interests must be a list of strings'],
        [{ interests: ['one', 'two', 'three', 'four'] }, /^interests must/],
        [{ interests: ['Music'] }, 'interests must be "any" or 3 to 12 characters of a-z and 0-9'],
        [{ interests: ['ab'] }, /^interests must be "any" or/],
        [{ interests: ['abcdefghijklm'] }, /^interests must be "any" or/],
        [{ interest: 'ab' }, 'interest must be at least 3 characters'],
        [{ interest: 'abcdefghijklm' }, 'interest must be at most 12 characters'],
        [{ interest: 'a b c' }, 'interest must be "any" or 3 to 12 characters of a-z and 0-9'],
        [{ interest: 7 }, 'interest must be a string'],
      ]) assertError(await p.post(route, body), 400, 'ERR_INVALID_REQUEST', sentence);
    }
    assert.deepEqual(await status(p), IDLE);
  });

  test('one search at a time; it ends once, and again is no error', async () => {
    const p = await portal.signIn();
    const s = await connect(portal, p);
    assertError(await leave(p), 404, 'ERR_MATCH_NO_ACTIVE_DIRECT');
    assert.deepEqual((await p.post('/v1/portal/match/dequeue')).body, IDLE);
    const tag = newTag();
    const began = (await p.post('/v1/portal/match', { interests: [`${tag}x`, tag, `${tag}x`] })).body;
    assert.deepEqual(began.interests, [`${tag}x`, tag], 'as they were given, each once');
    const told = await s.next('match:searching'); // by the server's clock, the rest is by Redis'
    assert.ok(Math.abs(Date.parse(told.expires_at) - Date.parse(began.expires_at)) < 5000, told.expires_at);
    assert.deepEqual(await status(p), began);
    assertError(await enqueue(p, newTag()), 409, 'ERR_MATCH_ALREADY_SEARCHING');
    assert.deepEqual((await p.post('/v1/portal/match/dequeue')).body, IDLE);
    assert.deepEqual(await s.next('match:idle'), { reason: 'dequeued' });
    assert.deepEqual((await p.post('/v1/portal/match/dequeue')).body, IDLE);
    await searches(p, newTag());
    const from = s.events.length;
    assert.deepEqual((await leave(p)).body, IDLE); // while searching it is a dequeue
    await s.next('match:idle', () => true, { from });
    s.close();
  });

  test('any and a tag; in a chat there is no second search', async () => {
    const [a, b] = await Promise.all([quick.signIn(), quick.signIn()]);
    assert.equal((await a.post('/v1/portal/match', { interest: 'any' })).body.state, 'searching');
    const met = await searches(b, newTag());
    assert.equal(met.state, 'matched');
    assert.deepEqual(met.interests, ['any']);
    assertError(await enqueue(b, newTag()), 409, 'ERR_MATCH_SLOT_LIMIT');
    assertError(await a.post('/v1/portal/match', { interest: 'any' }), 409, 'ERR_MATCH_SLOT_LIMIT');
    assert.equal((await b.post('/v1/portal/match/dequeue')).body.state, 'matched'); // a chat goes on
    // Neither ever had a socket: the grace began with the pairing.
    await until(async () => (await status(a)).state === 'idle' && (await status(b)).state === 'idle', 'the grace of both');
    await goneWithoutTrace(quick, met.chat.chat.id);
  });

  test('who had a socket and has none is passed over, and loses the place when they stay away', async () => {
    const tag = newTag();
    const [a, b] = await Promise.all([quick.signIn(), quick.signIn()]);
    const s = await connect(quick, a);
    await searches(a, tag);
    s.close();
    await until(async () => (await quick.redis.zscore('portal:match:away', a.id)) !== null, 'the absence to be seen');
    assert.equal((await searches(b, tag)).state, 'searching');
    await until(async () => (await status(a)).state === 'idle', 'the place to be lost');
    assert.equal((await status(b)).state, 'searching');
    await leave(b);
  });

  test('expiry is for who never had a socket; who had one keeps the place for the grace', async () => {
    const own = await start({ MATCH_EXPIRY: '1', MATCH_DISCONNECT_GRACE: '60' });
    const [a, b] = await Promise.all([own.signIn(), own.signIn()]);
    const s = await connect(own, a);
    await Promise.all([searches(a, newTag()), searches(b, newTag())]);
    s.close();
    await until(async () => (await own.redis.zscore('portal:match:away', a.id)) !== null, 'the absence to be seen');
    await until(async () => (await status(b)).state === 'idle', 'the end of who never came');
    const stays = await status(a);
    assert.equal(stays.state, 'searching');
    const back = await connect(own, a);
    await until(async () => Date.parse((await status(a)).expires_at) > Date.parse(stays.expires_at), 'another time of a search');
    back.close();

    // That grace, too, has time left when a server starts.
    await until(async () => (await own.redis.zscore('portal:match:away', a.id)) !== null, 'the absence to be seen');
    await stopProcess(own);
    await own.redis.zadd('portal:match:away', Date.now() - 1, a.id);
    await own.redis.hset(`portal:match:person:${a.id}`, 'a', Date.now() - 1);
    const again = await startProcess(own.stores, { MATCH_TICK: '20', MATCH_EXPIRY: '1' });
    await until(async () => Number(await own.redis.zscore('portal:match:away', a.id)) > Date.now() + 5000, 'the grace to be given anew');
    assert.equal((await send(again, 'GET', '/v1/portal/match/status', { cookie: a.token, from: a.from })).body.state, 'searching');
    await stopProcess(again);
    await own.stores.release();
  });

  test('the blocked are not paired, whoever blocked; a block lifted they are', async () => {
    const tag = newTag();
    const [a, b] = await Promise.all([portal.signIn(), portal.signIn()]);
    assertError(await a.post(`/v1/users/${a.id}/block`), 400, 'ERR_INVALID_REQUEST', "id must be another person's");
    assertError(await a.post('/v1/users/999999999/block'), 404, 'ERR_USER_NOT_FOUND');
    assert.deepEqual((await a.get('/v1/users/me/blocks')).body, []);
    for (let i = 0; i < 2; i++) assert.deepEqual((await b.post(`/v1/users/${a.id}/block`)).body, { ok: true });
    assert.deepEqual((await b.get('/v1/users/me/blocks')).body, [{ id: a.id, username: a.username, avatar_url: a.avatar_url }]);
    assert.deepEqual((await a.get('/v1/users/me/blocks')).body, []);
    assert.deepEqual((await b.get('/v1/users/me/export')).body.blocks.map((x) => x.user_id), [a.id]);
    assert.deepEqual((await a.get('/v1/users/me/export')).body.blocks, []);
    await searches(a, tag);
    assert.equal((await searches(b, tag)).state, 'searching');
    for (let i = 0; i < 2; i++) assert.deepEqual((await b.post(`/v1/users/${a.id}/unblock`)).body, { ok: true });
    await until(async () => (await status(a)).state === 'matched', 'the pair'); // neither asked again
    await b.post(`/v1/users/${a.id}/block`);
    assert.equal((await status(b)).state, 'matched'); // it does not end a running chat
    await leave(a);
  });
});

// ---- the direct chat ----

describe('a direct chat', () => {
  test('is seen by its two people only, and managed by nobody', async () => {
    const { a, b, sa, sb, chat } = await pair();
    const [other, owner] = await Promise.all([portal.signIn(), portal.withLevel('owner')]);
    const base = `/v1/portal/chats/${chat}`;
    const seen = (await a.get(base)).body;
    assert.deepEqual([seen.chat_type, seen.visibility, seen.owner, seen.member_count, seen.online, seen.slug],
      ['direct', 'direct', null, 2, 2, null]);
    assert.equal(seen.config, undefined);
    assert.deepEqual((await a.get('/v1/portal/chats?limit=1')).body, [seen]);
    const rest = (await a.get('/v1/portal/chats?offset=1')).body;
    assert.ok(!rest.some((c) => c.id === chat));
    assert.ok(!(await a.get('/v1/portal/directory')).body.chats.some((c) => c.id === chat));
    assert.ok(!(await a.get('/v1/users/me/chats')).body.some((c) => c.id === chat));
    const members = (await b.get(`${base}/members`)).body;
    assert.deepEqual([members.total, members.members.map((m) => [m.user.id, m.is_owner, m.is_online, m.joined_at])],
      [2, [a.id, b.id].sort((x, y) => x - y).map((id) => [id, false, true, seen.created_at])]);
    assert.deepEqual((await b.get(`${base}/members?offset=1&limit=1`)).body.members.length, 1);
    assert.equal((await b.get(`${base}/history`)).body[0].chat_name, seen.name);
    assert.equal((await b.get(`${base}/key`)).body.epoch, 1);

    const reads = ['', '/members', '/history', '/key', '/activity', '/invites'].map((path) => ['get', path]);
    const acts = ['/config/update', '/delete', '/leave', '/invites', '/invites/abcdefghij123456/delete', '/clear', '/messages/delete-mine']
      .map((path) => ['post', path, { name: 'Mine now' }]);
    const moderation = ['kick', 'ban', 'unban', 'mute', 'unmute', 'warn', 'timeout']
      .map((act) => ['post', `/${act}`, { user_id: b.id, reason: 'x', duration: 60 }]);
    const others = [['post', '/messages/delete', { ids: ['1-1'] }], ['post', '/messages/delete-last', { count: 1 }]];
    for (const [method, path, body] of [...reads, ...acts, ...moderation, ...others]) {
      for (const p of [other, owner]) {
        const r = await p[method](base + path, body);
        assert.equal(r.body?.code, 'ERR_CHAT_NOT_FOUND', `${method} ${path}: ${r.text}`);
      }
      const r = await a[method](base + path, body);
      const open = ['', '/members', '/history', '/key', '/messages/delete-mine', '/messages/delete'].includes(path);
      assert.equal(r.body?.code, open ? undefined : 'ERR_ACCESS_DENIED', `${method} ${path}: ${r.text}`);
    }
    assertError(await owner.get(`/v1/admin/chats/${chat}`), 404, 'ERR_CHAT_NOT_FOUND');
    for (const act of ['update', 'delete', 'kick', 'transfer'])
      assertError(await owner.post(`/v1/admin/chats/${chat}/${act}`, { user_id: a.id, name: 'Mine now' }), 404, 'ERR_CHAT_NOT_FOUND');
    const so = await connect(portal, owner);
    for (const [name, data] of [['room:join', {}], ['room:kick', { user_id: b.id }], ['message:send', { content: JSON.stringify({ v: 2, epoch: 1, ct: 'A'.repeat(56) }) }]])
      assert.equal((await so.ask(name, { chat_id: chat, ...data })).code, 'ERR_CHAT_NOT_FOUND', name);
    assert.equal((await sa.ask('room:kick', { chat_id: chat, user_id: b.id })).code, 'ERR_ACCESS_DENIED');
    // All of it changed nothing.
    assert.deepEqual((await b.get(base)).body, seen);
    await leave(a);
    for (const s of [sa, sb, so]) s.close();
  });

  test('a hard mute holds there', async () => {
    const admin = await portal.withLevel('admin');
    const [a, b] = await Promise.all([portal.signIn(), portal.signIn()]);
    const c = await connectKeys(portal, a);
    const tag = newTag();
    await searches(a, tag);
    const chat = (await searches(b, tag)).chat.chat.id;
    await c.join(chat);
    await c.keyed(chat);
    assert.ok((await c.send(chat, 'one')).ok);
    assert.equal((await admin.post('/v1/portal/hard-mute', { user_id: a.id, duration: 600, reason: 'x' })).status, 200);
    assert.equal((await c.send(chat, 'two')).code, 'ERR_MUTED');
    assert.ok((await c.join(chat)).muted.until);
    assert.equal((await admin.post('/v1/portal/hard-unmute', { user_id: a.id })).status, 200);
    assert.ok((await c.send(chat, 'three')).ok);
    await leave(b);
    c.close();
  });

  test('the sockets of the pairing are in the room, one that comes later is not', async () => {
    const tag = newTag();
    const [a, b] = await Promise.all([portal.signIn(), portal.signIn()]);
    const [one, two] = [await connect(portal, a), await connect(portal, a)];
    await searches(a, tag);
    const chat = (await searches(b, tag)).chat.chat.id; // b has no socket
    const left = await one.next('room:peer_left');
    assert.equal(left.user_id, b.id);
    const inRoom = async () => (await portal.redis.hgetall(`portal:room:${chat}:present`));
    await until(async () => Object.values(await inRoom())[0] === '2', 'both sockets');
    const three = await connect(portal, a);
    assert.equal(three.events.find((e) => e.name === 'chat:list').data.chats[0].id, chat);
    const late = await connect(portal, b);
    assert.equal(await portal.redis.hlen(`portal:room:${chat}:people`), 1);
    assert.equal((await late.ask('room:join', { chat_id: chat })).ok, true);
    assert.deepEqual(await two.next('room:peer_back'), { chat_id: chat, user_id: b.id });
    // room:leave is a disconnect, not the end: of the last socket only.
    assert.ok((await one.ask('room:leave', { chat_id: chat })).ok);
    assert.equal(Object.keys(await inRoom()).length, 2);
    assert.ok((await two.ask('room:leave', { chat_id: chat })).ok);
    assert.equal((await late.next('room:peer_left')).user_id, a.id);
    assert.equal((await status(a)).state, 'matched');
    assert.ok((await three.ask('room:join', { chat_id: chat })).ok);
    assert.deepEqual(await late.next('room:peer_back'), { chat_id: chat, user_id: a.id });
    await leave(b);
    await goneWithoutTrace(portal, chat);
    for (const s of [one, two, three, late]) s.close();
  });

  test('ends when the grace of one runs out', async () => {
    const { a, b, sa, sb, chat } = await pair(quick);
    sb.close();
    const left = await sa.next('room:peer_left', (d) => d.grace_until_ms > 0);
    assert.equal(left.user_id, b.id);
    assert.deepEqual(await sa.next('match:ended'), { chat_id: chat, reason: 'grace' });
    assert.ok(Date.now() >= left.grace_until_ms - 50, 'not before its time');
    assert.deepEqual(await sa.next('room:peer_left', (d) => d.grace_until_ms === 0), { chat_id: chat, user_id: b.id, grace_until_ms: 0 });
    for (const p of [a, b]) assert.deepEqual(await status(p), IDLE);
    await goneWithoutTrace(quick, chat);
    sa.close();
  });

  test('both leave at once: it ends once', async () => {
    for (let i = 0; i < 5; i++) {
      const { a, b, sa, sb, chat } = await pair();
      const r = await Promise.all([leave(a), leave(b)]);
      assert.deepEqual(r.map((x) => x.status).sort().filter((x) => x !== 200), r.some((x) => x.status === 404) ? [404] : []);
      assert.ok(r.some((x) => x.status === 200));
      for (const s of [sa, sb]) assert.equal((await s.next('match:ended')).reason, 'left');
      await goneWithoutTrace(portal, chat);
      for (const s of [sa, sb]) {
        await s.ask('room:leave', { chat_id: chat }); // what was under way has come
        assert.equal(s.events.filter((e) => e.name === 'match:ended').length, 1);
        s.close();
      }
    }
  });

  test('figures for operators', async () => {
    const figures = async () => Object.fromEntries((await portal.get('/metrics')).text.split('\n')
      .filter((l) => l.startsWith('portal_match_')).map((l) => [l.split(' ')[0].slice('portal_match_'.length), Number(l.split(' ')[1])]));
    const was = await figures();
    const { a, sa, sb } = await pair();
    const p = await portal.signIn();
    const tag = newTag();
    await searches(p, tag);
    const now = await figures();
    assert.equal(now.searches, was.searches + 1);
    assert.equal(now.chats, was.chats + 1);
    assert.equal(now.pairs_total, was.pairs_total + 1);
    assert.ok(now.longest_wait_seconds < 120);
    const told = await portal.ctl(['match', 'status', '--json']);
    assert.deepEqual([told.searches, told.direct_chats, told.graces], [now.searches, now.chats, 0]);
    assert.deepEqual(told.tags.find((t) => t.tag === tag), { tag, searches: 1 });
    await leave(a);
    const then = await figures();
    assert.equal(then.chats, was.chats);
    assert.equal(then['chats_ended_total{reason="left"}'], now['chats_ended_total{reason="left"}'] + 1);
    await leave(p);
    for (const s of [sa, sb]) s.close();
  });
});

// ---- accounts that close ----

describe('an account that closes', () => {
  const close = {
    banned: (p) => portal.ctl(['user', 'ban', String(p.id), '--reason', 'x', '--yes']),
    'timed out': (p) => portal.ctl(['user', 'timeout', String(p.id), '--for', '1h']),
    deleted: async (p) => assert.equal((await p.post('/v1/users/me/delete', { username: p.username })).status, 200),
  };
  for (const [how, end] of Object.entries(close)) {
    test(`${how} while searching, and while matched`, async () => {
      const tag = newTag();
      const p = await portal.signIn();
      await searches(p, tag);
      await end(p);
      await until(async () => !(await portal.redis.exists(`portal:match:person:${p.id}`)), 'the search to end');
      const q = await portal.signIn();
      assert.equal((await searches(q, tag)).state, 'searching');
      await leave(q);

      const { a, b, sb, chat } = await pair();
      await end(a);
      assert.deepEqual(await sb.next('match:ended'), { chat_id: chat, reason: 'gone' });
      assert.deepEqual(await status(b), IDLE);
      await goneWithoutTrace(portal, chat);
      sb.close();
    });
  }
});

// ---- several processes ----

describe('processes', () => {
  test('two people on two processes', async () => {
    const second = await startProcess(portal.stores, { MATCH_TICK: '20' });
    const { a, b, sa, sb, chat } = await pair(portal, [portal, second]);
    assert.equal((await sa.ask('room:join', { chat_id: chat })).members.length, 2);
    sa.close();
    assert.equal((await sb.next('room:peer_left')).user_id, a.id);
    const back = await connect(second, a);
    assert.ok((await back.ask('room:join', { chat_id: chat })).ok);
    assert.deepEqual(await sb.next('room:peer_back'), { chat_id: chat, user_id: a.id });
    await leave(b);
    for (const s of [back, sb]) {
      assert.equal((await s.next('match:ended')).reason, 'left');
      s.close();
    }
    await goneWithoutTrace(portal, chat);
    await stopProcess(second);
  });

  test('who was paired while the bus was away is told when it is back', async () => {
    const second = await startProcess(portal.stores, { MATCH_TICK: '20' });
    const tag = newTag();
    const [a, b] = await Promise.all([portal.signIn(), portal.signIn()]);
    const sa = await connect(second, a);
    await searches(a, tag);
    // No connection of a bus stays while the pair is made by the other process.
    let going = true;
    const cut = (async () => { while (going) await portal.redis.client('KILL', 'TYPE', 'pubsub'); })();
    const met = await searches(b, tag);
    going = false;
    await cut;
    const found = await sa.next('match:found');
    assert.deepEqual([found.chat.id, found.peer.user.id, found.interests], [met.chat.chat.id, b.id, [tag]]);
    await until(async () => (await portal.redis.hget(`portal:room:${found.chat.id}:people`, a.id)) === '1', 'the socket in the room');
    await leave(b);
    await sa.next('match:ended');
    sa.close();
    await stopProcess(second);
  });

  test('whose chat ended while the bus was away is told when it is back', async () => {
    const second = await startProcess(portal.stores, { MATCH_TICK: '20' });
    const { b, sa, chat } = await pair(portal, [second, portal]);
    let going = true;
    const cut = (async () => { while (going) await portal.redis.client('KILL', 'TYPE', 'pubsub'); })();
    const r = await leave(b);
    going = false;
    await cut;
    assert.equal(r.status, 200, r.text);
    assert.deepEqual(await sa.next('match:ended'), { chat_id: chat, reason: 'left' });
    assert.equal(sa.events.filter((e) => e.name === 'room:kicked').length, 0);
    sa.close();
    await stopProcess(second);
  });

  test('graces survive a restart, with time left', async () => {
    const env = { MATCH_TICK: '20', MATCH_GRACE: '1', MATCH_GRACE_AT_START: '4' };
    const own = await start(env);
    const { a, b, sa, sb, chat } = await pair(own);
    sb.close();
    await sa.next('room:peer_left');
    await stopProcess(own, 'SIGKILL');
    const again = await startProcess(own.stores, env);
    const left = async (p) => Number(await own.redis.zscore('portal:match:graces', `${chat}:${p.id}`)) - Date.now();
    await until(async () => (await left(b)) > 1500, 'the grace to be given anew');
    const rb = await connect(again, b);
    assert.ok((await rb.ask('room:join', { chat_id: chat })).ok);
    // The sockets of the process that died count as gone a little later; then this one ends it all.
    assert.equal((await rb.next('room:peer_left', () => true, { ms: 20_000 })).user_id, a.id);
    assert.deepEqual(await rb.next('match:ended'), { chat_id: chat, reason: 'grace' });
    await goneWithoutTrace(own, chat);
    rb.close();
    await stopProcess(again);
    await own.stores.release();
  });
});
