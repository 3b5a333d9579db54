// Contract section 3.1, the chats rows of section 8, and what an account's end does to its chats.
// Presence is written into Redis by hand here: sockets have tests of their own.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Redis from 'ioredis';
import { assertError, randomAddress, startPortal } from './harness.js';

let portal;
let premium;
let stranger;
let moderator;
let admin;
let owner;
before(async () => {
  portal = await startPortal({ RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_ADMIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_PUBLIC: '0' });
  stranger = await portal.signIn();
  premium = await subscribed(2);
  [moderator, admin, owner] = [await portal.withLevel('moderator'), await portal.withLevel('admin'), await portal.withLevel('owner')];
});
after(() => portal.stop());

async function subscribed(level) {
  const person = await portal.signIn();
  await portal.db.query('UPDATE users SET subscription_level = $2 WHERE id = $1', [person.id, level]);
  return person;
}

let serial = 0;
const newSlug = () => `slug-${process.pid}-${(serial += 1)}`;
const base = '/v1/portal';
const chatAt = (id, call = '') => `${base}/chats/${id}${call}`;
// Straight into PostgreSQL: most tests need more chats than anyone has slots for.
async function makeChat(person, { name = 'a chat', slug = null, visibility, history = true } = {}) {
  const kind = visibility ?? (slug ? 'public' : 'private');
  const { rows } = await portal.db.query(
    'INSERT INTO chats (name, slug, visibility, owner_id, history_visible) VALUES ($1, $2, $3, $4, $5) RETURNING id::int',
    [name, slug, kind, person.id, history]);
  await portal.db.query('INSERT INTO chat_members (chat_id, user_id) VALUES ($1, $2)', [rows[0].id, person.id]);
  return rows[0].id;
}
const invite = async (person, id, body = {}) => (await person.post(chatAt(id, '/invites'), body)).body;
async function join(person, by, id) {
  const { code } = await invite(by, id);
  const r = await person.post(`${base}/resolve/${code}`);
  assert.equal(r.status, 200, r.text);
  return r.body;
}
const ban = (id, person, until = null) =>
  portal.db.query('INSERT INTO chat_bans (chat_id, user_id, expires_at) VALUES ($1, $2, $3)', [id, person.id, until]);
const present = async (id, ...people) => {
  for (const p of people) {
    await portal.redis.hset(`portal:room:${id}:people`, p.id, 1);
    await portal.redis.hset(`portal:room:${id}:present`, `feed${p.id}:1`, 1);
    await portal.redis.zadd(`portal:room:${id}:joined`, p.id, `${p.id}:feed${p.id}`);
  }
};
const gateOf = (id) => portal.redis.get(`portal:chat:${id}:gate`);
const epochOf = async (id) => Number(await portal.redis.get(`portal:chat:${id}:epoch`));

// What a room hears while `work` runs: [[audience, event, position, who, data], …].
async function heard(id, work) {
  const ear = new Redis(portal.redis.options);
  const lines = [];
  await ear.subscribe(`portal:room:${id}`);
  ear.on('message', (_, text) => {
    const [head, data] = text.split(/\n(.*)/s);
    lines.push([...head.split(' '), data ? JSON.parse(data) : null]);
  });
  const result = await work();
  await portal.redis.publish(`portal:room:${id}`, 'end - - -\n');
  while (!lines.some((l) => l[0] === 'end')) await new Promise((done) => ear.once('message', () => setImmediate(done)));
  await ear.quit();
  return { result, lines: lines.filter((l) => l[0] !== 'end') };
}

const chatKeys = ['archived', 'avatar_url', 'chat_type', 'created_at', 'description', 'id', 'label', 'last_activity_at', 'member_count', 'name', 'online', 'owner', 'slug', 'visibility'];

// ---- making chats ----

test('POST chats: private without a slug, public with one; 201 with the chat and its config', async () => {
  const person = await subscribed(2);
  const r = await person.post(`${base}/chats`, { name: 'Tea room' });
  assert.equal(r.status, 201, r.text);
  assert.deepEqual(Object.keys(r.body).sort(), [...chatKeys, 'config'].sort());
  assert.equal(r.body.visibility, 'private');
  assert.equal(r.body.chat_type, 'group');
  assert.equal(r.body.archived, false);
  assert.equal(r.body.label, null);
  assert.equal(r.body.description, '');
  assert.equal(r.body.member_count, 0, 'the owner is not a member');
  assert.equal(r.body.online, 0);
  assert.deepEqual(r.body.config, { wipe_preset: '24h', history_visible: true });
  assert.deepEqual(r.body.owner, { id: person.id, username: person.username, avatar_url: null });
  const slug = newSlug();
  const open = await person.post(`${base}/chats`, { name: 'Open room', slug, description: 'two\nlines' });
  assert.equal(open.body.visibility, 'public');
  assert.equal(open.body.slug, slug);
  assert.equal(open.body.description, 'two\nlines');
});

test('POST chats: bad input', async () => {
  const post = (body) => premium.post(`${base}/chats`, body);
  assertError(await post({}), 400, 'ERR_INVALID_REQUEST', 'name is required');
  assertError(await post({ name: 'x' }), 400, 'ERR_INVALID_REQUEST', 'name must be at least 2 characters');
  assertError(await post({ name: 'x'.repeat(65) }), 400, 'ERR_INVALID_REQUEST', 'name must be at most 64 characters');
  assertError(await post({ name: 'ok', description: 'x'.repeat(501) }), 400, 'ERR_INVALID_REQUEST', 'description must be at most 500 characters');
  assertError(await post({ name: 'ok', slug: 'x' }), 400, 'ERR_INVALID_REQUEST', 'slug must be at least 2 characters');
  assertError(await post({ name: 'ok', slug: 'x'.repeat(33) }), 400, 'ERR_INVALID_REQUEST', 'slug must be at most 32 characters');
  for (const slug of ['Upper', 'a b', 'a_b', 'é1', 'a/b']) {
    assertError(await post({ name: 'ok', slug }), 400, 'ERR_INVALID_REQUEST', 'slug contains invalid characters');
  }
  for (const slug of ['auth', 'admin', 'api', 'docs', 'health', 'v1']) assertError(await post({ name: 'ok', slug }), 409, 'ERR_SLUG_TAKEN');
  assertError(await portal.post(`${base}/chats`, { name: 'ok' }), 401, 'ERR_AUTH_REQUIRED');
});

test('POST chats: who may, and how many', async () => {
  for (const person of [stranger, moderator, await subscribed(1)]) {
    assertError(await person.post(`${base}/chats`, { name: 'ok' }), 403, 'ERR_PREMIUM_REQUIRED');
  }
  const lapsed = await subscribed(2);
  await portal.db.query("UPDATE users SET subscription_expires_at = now() - interval '1 s' WHERE id = $1", [lapsed.id]);
  assertError(await lapsed.post(`${base}/chats`, { name: 'ok' }), 403, 'ERR_PREMIUM_REQUIRED');
  for (const [person, slots] of [[await subscribed(2), 3], [await subscribed(3), 5], [await portal.withLevel('admin'), 10]]) {
    for (let i = 0; i < slots; i++) assert.equal((await person.post(`${base}/chats`, { name: `chat ${i}` })).status, 201);
    assertError(await person.post(`${base}/chats`, { name: 'one more' }), 409, 'ERR_CHAT_SLOTS');
  }
  const boss = await portal.withLevel('owner');
  for (let i = 0; i < 12; i++) assert.equal((await boss.post(`${base}/chats`, { name: `chat ${i}` })).status, 201);
});

test('slots hold against calls at once; a destroyed chat frees one', async () => {
  const person = await subscribed(2);
  const made = await Promise.all(Array.from({ length: 12 }, (_, i) => person.post(`${base}/chats`, { name: `chat ${i}` })));
  assert.equal(made.filter((r) => r.status === 201).length, 3);
  assert.ok(made.filter((r) => r.status !== 201).every((r) => r.body.code === 'ERR_CHAT_SLOTS'));
  const { id, name } = made.find((r) => r.status === 201).body;
  const gone = await person.post(chatAt(id, '/delete'));
  assert.deepEqual(gone.body, { message: `Chat '${name}' destroyed` });
  assert.equal((await person.post(`${base}/chats`, { name: 'again' })).status, 201);
});

test('a slug is given once, also to calls at once', async () => {
  const slug = newSlug();
  const people = await Promise.all(Array.from({ length: 6 }, () => subscribed(2)));
  const made = await Promise.all(people.map((p) => p.post(`${base}/chats`, { name: 'race', slug })));
  assert.equal(made.filter((r) => r.status === 201).length, 1);
  assert.ok(made.filter((r) => r.status !== 201).every((r) => r.status === 409 && r.body.code === 'ERR_SLUG_TAKEN'));
});

// ---- reading ----

test('GET chats: the caller\'s private chats first; without a session the open ones', async () => {
  const person = await subscribed(2);
  const mine = await makeChat(person);
  const joined = await makeChat(premium);
  await join(person, premium, joined);
  const open = await makeChat(premium, { slug: newSlug() });
  const ids = (await person.get(`${base}/chats?limit=500`)).body.map((c) => c.id);
  assert.deepEqual(ids.slice(0, 2).sort(), [mine, joined].sort());
  assert.ok(ids.includes(open));
  const anyone = (await portal.get(`${base}/chats?limit=500`)).body;
  assert.ok(anyone.some((c) => c.id === open));
  assert.ok(anyone.every((c) => c.visibility === 'official' || c.visibility === 'public'));
  assert.equal((await person.get(`${base}/chats?limit=1`)).body.length, 1);
  assert.deepEqual((await person.get(`${base}/chats?offset=1&limit=1`)).body.map((c) => c.id), [ids[1]]);
  assertError(await person.get(`${base}/chats?limit=501`), 400, 'ERR_INVALID_REQUEST', /^limit /);
  const dead = await portal.signIn();
  await dead.post('/v1/authentication/logout');
  assertError(await dead.get(`${base}/chats`), 401, 'ERR_AUTH_REQUIRED');
  assert.deepEqual((await person.get('/v1/users/me/chats')).body.map((c) => c.id).sort(), [mine, joined].sort());
});

test('chats/{id}, members: a private chat looks absent to everyone but owner and members', async () => {
  const id = await makeChat(premium);
  const member = await portal.signIn();
  await join(member, premium, id);
  for (const person of [stranger, moderator, admin, owner]) {
    for (const [method, call] of [['get', ''], ['get', '/members'], ['get', '/activity'], ['get', '/invites'], ['post', '/invites'], ['post', '/config/update'], ['post', '/leave'], ['post', '/invites/x/delete']]) {
      assertError(await person[method](chatAt(id, call)), 404, 'ERR_CHAT_NOT_FOUND', 'Chat not found');
    }
  }
  for (const call of ['', '/members']) assert.equal((await member.get(chatAt(id, call))).status, 200);
  for (const [method, call] of [['get', '/activity'], ['get', '/invites'], ['post', '/invites'], ['post', '/config/update'], ['post', '/delete'], ['post', '/invites/x/delete']]) {
    assertError(await member[method](chatAt(id, call)), 403, 'ERR_ACCESS_DENIED');
  }
  for (const person of [stranger, moderator, admin]) assertError(await person.post(chatAt(id, '/delete')), 404, 'ERR_CHAT_NOT_FOUND');
  const seen = (await member.get(chatAt(id))).body;
  assert.deepEqual(Object.keys(seen).sort(), chatKeys);
  assert.equal(seen.member_count, 1);
  assert.ok((await premium.get(chatAt(id))).body.config);
  await present(id, member);
  const { body } = await member.get(chatAt(id, '/members'));
  assert.deepEqual(body.members.map((m) => [m.user.id, m.is_owner, m.is_online]), [[premium.id, true, false], [member.id, false, true]]);
  assert.deepEqual(Object.keys(body.members[0].user).sort(), ['avatar_url', 'id', 'permission_level', 'username']);
  assert.deepEqual([body.total, body.offset, body.limit], [2, 0, 50]);
  assert.ok(body.members.every((m) => m.joined_at));
  assert.deepEqual((await member.get(chatAt(id, '/members?offset=1&limit=1'))).body.members.map((m) => m.user.id), [member.id]);
  assertError(await portal.get(chatAt(id)), 401, 'ERR_AUTH_REQUIRED');
  assertError(await stranger.get(chatAt(999999999)), 404, 'ERR_CHAT_NOT_FOUND');
  assertError(await stranger.get(chatAt('x')), 400, 'ERR_INVALID_REQUEST', 'id must be an integer');
});

test('members of an open chat are those present', async () => {
  const id = await makeChat(premium, { slug: newSlug() });
  assert.deepEqual((await stranger.get(chatAt(id, '/members'))).body.members, []);
  await present(id, stranger, premium, moderator);
  const { body } = await stranger.get(chatAt(id, '/members'));
  assert.deepEqual(body.members.map((m) => m.user.id), [stranger.id, premium.id, moderator.id].sort((a, b) => a - b));
  assert.ok(body.members.every((m) => m.is_online));
  assert.equal(body.members.find((m) => m.is_owner).user.id, premium.id);
  assert.equal(body.total, 3);
  assert.equal((await stranger.get(chatAt(id))).body.online, 3);
  const page = (await stranger.get(chatAt(id, '/members?offset=2&limit=2'))).body;
  assert.equal(page.members.length, 1);
  assert.equal((await stranger.get(chatAt(id, '/members?offset=5'))).body.total, 3);
});

test('status: who is connected, a hard mute', async () => {
  const empty = (await stranger.get(`${base}/status`)).body;
  assert.deepEqual(empty, { online: 0, users: [], muted: null });
  await portal.redis.zadd('portal:online', 2, stranger.id, 1, premium.id);
  await portal.redis.hset('portal:online:session', stranger.id, '00112233445566aa', premium.id, '00112233445566bb');
  const { body } = await stranger.get(`${base}/status`);
  assert.equal(body.online, 2);
  assert.deepEqual(body.users.map((u) => [u.user.id, u.session_id]), [[premium.id, '00112233445566bb'], [stranger.id, '00112233445566aa']]);
  assert.equal((await stranger.get(`${base}/status?offset=1&limit=1`)).body.users.length, 1);
  const person = await portal.signIn();
  await portal.db.query('INSERT INTO hard_mutes (user_id) VALUES ($1)', [person.id]);
  assert.deepEqual((await person.get(`${base}/status`)).body.muted, { until: null });
  await portal.db.query("UPDATE hard_mutes SET expires_at = now() - interval '1 s' WHERE user_id = $1", [person.id]);
  assert.equal((await person.get(`${base}/status`)).body.muted, null);
  assertError(await portal.get(`${base}/status`), 401, 'ERR_AUTH_REQUIRED');
});

// ---- configuration ----

test('config/update: who may change an open chat', async () => {
  const owned = await makeChat(premium, { slug: newSlug() });
  const update = (person, id, body) => person.post(chatAt(id, '/config/update'), body);
  for (const person of [premium, moderator, admin, owner]) {
    assert.deepEqual((await update(person, owned, { name: `by ${person.username}` })).body, { message: 'Chat updated' });
  }
  assertError(await update(stranger, owned, { name: 'no' }), 403, 'ERR_ACCESS_DENIED');
  const admins = await makeChat(admin, { slug: newSlug() });
  for (const person of [moderator, await portal.withLevel('admin')]) assertError(await update(person, admins, { name: 'no' }), 403, 'ERR_ACCESS_DENIED');
  assert.equal((await update(owner, admins, { name: 'ok' })).status, 200);
  assertError(await update(owner, 999999999, { name: 'ok' }), 404, 'ERR_CHAT_NOT_FOUND');
});

test('config/update: every field, alone and bad; the room hears of it', async () => {
  const id = await makeChat(premium);
  const update = (body) => premium.post(chatAt(id, '/config/update'), body);
  const { lines } = await heard(id, async () => assert.equal((await update({ name: 'new name', description: 'd', wipe_preset: '1h', history_visible: false })).status, 200));
  const config = lines.filter((l) => l[1] === 'room:config');
  assert.deepEqual(config, [['r', 'room:config', '-', '-', { chat_id: id, name: 'new name', description: 'd', slug: null, visibility: 'private', wipe_preset: '1h', history_visible: false }]]);
  let chat = (await premium.get(chatAt(id))).body;
  assert.deepEqual([chat.name, chat.description, chat.config], ['new name', 'd', { wipe_preset: '1h', history_visible: false }]);
  assert.equal((await update({ description: '' })).status, 200);
  chat = (await premium.get(chatAt(id))).body;
  assert.deepEqual([chat.name, chat.description, chat.config], ['new name', '', { wipe_preset: '1h', history_visible: false }]);
  assertError(await update({ wipe_preset: '2h' }), 400, 'ERR_INVALID_REQUEST', /^wipe_preset must be one of 1m, 15m, 1h, 4h, 24h, off$/);
  assertError(await update({ name: 'x' }), 400, 'ERR_INVALID_REQUEST', /^name /);
  assertError(await update({ history_visible: 'yes' }), 400, 'ERR_INVALID_REQUEST', /^history_visible /);
  assertError(await update({ slug: 'admin' }), 409, 'ERR_SLUG_TAKEN');
  const slug = newSlug();
  await makeChat(premium, { slug });
  assertError(await update({ slug }), 409, 'ERR_SLUG_TAKEN');
  assert.equal((await premium.get(chatAt(id))).body.visibility, 'private', 'a taken slug changes nothing');
});

test('visibility: public by a slug, private by null; the epoch rotates; strangers are put out', async () => {
  const id = await makeChat(premium);
  const member = await portal.signIn();
  await join(member, premium, id);
  const slug = newSlug();
  const opened = await heard(id, () => premium.post(chatAt(id, '/config/update'), { slug }));
  assert.equal(opened.result.status, 200, opened.result.text);
  assert.equal((await stranger.get(chatAt(id))).body.visibility, 'public');
  const first = await epochOf(id);
  const said = opened.lines.map((l) => `${l[1]} ${l[4]?.reason ?? ''}`);
  assert.ok(said.indexOf('portal:cleared clear') >= 0 && said.indexOf('portal:cleared clear') < said.indexOf('room:epoch_changed visibility'), said.join());
  assert.equal(opened.lines.findLast((l) => l[1] === 'room:epoch_changed')[4].epoch, first);
  await present(id, stranger, member, premium);
  await portal.redis.set(`portal:chat:${id}:since:${stranger.id}`, 1);
  const gate = Number(await gateOf(id));
  const closed = await heard(id, () => premium.post(chatAt(id, '/config/update'), { slug: null }));
  assert.equal(closed.result.status, 200, closed.result.text);
  assert.deepEqual(closed.lines.filter((l) => l[0] === 'x'), [['x', 'room:kicked', await gateOf(id), String(stranger.id), { chat_id: id, reason: 'private' }]]);
  assert.deepEqual(closed.lines.find((l) => l[0] === 'n'), ['n', '-', '-', '2', null]);
  assert.deepEqual(closed.lines.find((l) => l[1] === 'room:member_left')[4], { chat_id: id, user_id: stranger.id, session_id: `feed${stranger.id}` });
  assert.equal(await epochOf(id), first + 1);
  assert.deepEqual(Object.keys(await portal.redis.hgetall(`portal:room:${id}:people`)).map(Number).sort(), [member.id, premium.id].sort());
  assert.equal(await portal.redis.hexists(`portal:room:${id}:present`, `feed${stranger.id}:1`), 0);
  assert.equal(await portal.redis.exists(`portal:chat:${id}:since:${stranger.id}`), 0);
  assert.ok(Number(await gateOf(id)) > gate);
  assertError(await stranger.get(chatAt(id)), 404, 'ERR_CHAT_NOT_FOUND');
  assert.equal((await member.get(chatAt(id))).status, 200);
  assert.equal((await portal.db.query('SELECT count(*)::int AS n FROM room_changes')).rows[0].n, 0, 'nothing is left to do');
});

// ---- epochs ----

test('epochs rise by one, stay below the ceiling, and go on above it when Redis comes back empty', async () => {
  const id = await makeChat(premium, { slug: newSlug() });
  const rotate = async () => {
    const r = await admin.post(`/v1/admin/chats/${id}/kick`, { user_id: stranger.id });
    assert.equal(r.status, 200, r.text);
    return epochOf(id);
  };
  const ceiling = async () => Number((await portal.db.query('SELECT epoch_ceiling FROM chats WHERE id = $1', [id])).rows[0].epoch_ceiling);
  assert.equal(await rotate(), 1);
  await portal.redis.hset(`portal:e2ee:chatkey:${id}:1`, 'a:b', 'blob');
  assert.equal(await rotate(), 2);
  assert.equal(await portal.redis.exists(`portal:e2ee:chatkey:${id}:1`), 0, 'old blobs are dropped');
  assert.equal(await ceiling(), 1000);
  await portal.redis.set(`portal:chat:${id}:epoch`, 997);
  assert.equal(await rotate(), 998);
  assert.equal(await rotate(), 999);
  assert.equal(await rotate(), 1000);
  assert.equal(await ceiling(), 2000, 'raised before it was reached');
  await portal.redis.del(`portal:chat:${id}:epoch`, `portal:chat:${id}:ceiling`);
  const fresh = await rotate();
  assert.ok(fresh > 1000 && fresh < (await ceiling()), `${fresh}`);
  await Promise.all(Array.from({ length: 5 }, rotate));
  assert.equal(await epochOf(id), fresh + 5);
  await portal.redis.del(`portal:chat:${id}:epoch`, `portal:chat:${id}:ceiling`);
  await Promise.all(Array.from({ length: 5 }, rotate));
  const last = await epochOf(id);
  assert.ok(last > fresh + 5 && last < (await ceiling()), `${last}`);
});

// ---- invites ----

test('invites: made, listed, revoked', async () => {
  const id = await makeChat(premium);
  const r = await premium.post(chatAt(id, '/invites'), { expires_at: '2099-01-01T00:00:00Z', max_uses: 5 });
  assert.equal(r.status, 200, r.text);
  assert.match(r.body.code, /^[a-z0-9]{16}$/);
  assert.deepEqual({ ...r.body, code: '', created_at: '' }, { code: '', chat_id: id, created_by_id: premium.id, created_at: '', expires_at: '2099-01-01T00:00:00.000000Z', uses: 0, max_uses: 5 });
  const open = await invite(premium, id);
  assert.deepEqual([open.expires_at, open.max_uses], [null, null]);
  assert.deepEqual((await premium.get(chatAt(id, '/invites'))).body.invites.map((i) => i.code), [open.code, r.body.code]);
  assert.deepEqual((await premium.post(chatAt(id, `/invites/${open.code}/delete`))).body, { message: `Invite '${open.code}' revoked` });
  assertError(await premium.post(chatAt(id, `/invites/${open.code}/delete`)), 404, 'ERR_INVITE_NOT_FOUND', 'Invite not found');
  assertError(await stranger.post(`${base}/resolve/${open.code}`), 404, 'ERR_INVITE_NOT_FOUND');
  const other = await makeChat(premium);
  assertError(await premium.post(chatAt(other, `/invites/${r.body.code}/delete`)), 404, 'ERR_INVITE_NOT_FOUND');
  const bad = (body) => premium.post(chatAt(id, '/invites'), body);
  assertError(await bad({ max_uses: 0 }), 400, 'ERR_INVALID_REQUEST', /^max_uses /);
  assertError(await bad({ expires_at: 'soon' }), 400, 'ERR_INVALID_REQUEST', 'expires_at must be a time');
  assertError(await bad({ expires_at: '2020-01-01T00:00:00Z' }), 400, 'ERR_INVALID_REQUEST', 'expires_at must be in the future');
});

test('at most 20 live invites, also to calls at once; dead ones do not count', async () => {
  const id = await makeChat(premium);
  const made = await Promise.all(Array.from({ length: 26 }, () => premium.post(chatAt(id, '/invites'), {})));
  assert.equal(made.filter((r) => r.status === 200).length, 20);
  assert.ok(made.filter((r) => r.status !== 200).every((r) => r.status === 409 && r.body.code === 'ERR_INVITE_QUOTA'));
  await portal.db.query("UPDATE invites SET expires_at = now() - interval '1 s' WHERE code = (SELECT code FROM invites WHERE chat_id = $1 LIMIT 1)", [id]);
  assert.equal((await premium.get(chatAt(id, '/invites'))).body.invites.length, 19);
  assert.equal((await premium.post(chatAt(id, '/invites'), {})).status, 200);
});

test('resolve: by invite and by slug; dead and unknown alike; an invite before a slug', async () => {
  const id = await makeChat(premium, { name: 'secret' });
  const slug = newSlug();
  const open = await makeChat(premium, { slug });
  const { code } = await invite(premium, id);
  const seen = (await stranger.get(`${base}/resolve/${code}`)).body;
  assert.deepEqual([seen.chat.id, seen.method, seen.joined], [id, 'invite', undefined]);
  assertError(await stranger.get(chatAt(id)), 404, 'ERR_CHAT_NOT_FOUND');
  assert.deepEqual((({ chat, method, joined }) => [chat.id, method, joined])((await stranger.post(`${base}/resolve/${slug}`)).body), [open, 'vanity', false]);
  const person = await portal.signIn();
  const first = (await person.post(`${base}/resolve/${code}`)).body;
  assert.deepEqual([first.chat.id, first.method, first.joined, first.chat.member_count], [id, 'invite', true, 1]);
  assert.equal((await person.post(`${base}/resolve/${code}`)).body.joined, false, 'inside already');
  assert.equal((await premium.post(`${base}/resolve/${code}`)).body.joined, false, 'the owner');
  assert.equal((await premium.get(chatAt(id, '/invites'))).body.invites[0].uses, 1, 'only a new membership counts');
  const once = await invite(premium, id, { max_uses: 1 });
  await (await portal.signIn()).post(`${base}/resolve/${once.code}`);
  const expired = await invite(premium, id);
  await portal.db.query("UPDATE invites SET expires_at = now() - interval '1 s' WHERE code = $1", [expired.code]);
  for (const dead of [once.code, expired.code, 'nothing-there', 'x'.repeat(64)]) {
    for (const r of [await stranger.get(`${base}/resolve/${dead}`), await stranger.post(`${base}/resolve/${dead}`)]) {
      assertError(r, 404, 'ERR_INVITE_NOT_FOUND', 'Invite not found');
    }
  }
  await makeChat(premium, { slug: code });
  assert.equal((await stranger.get(`${base}/resolve/${code}`)).body.chat.id, id, 'the live invite comes first');
  const openInvite = await invite(premium, open, { max_uses: 1 });
  for (let i = 0; i < 2; i++) {
    const r = (await stranger.post(`${base}/resolve/${openInvite.code}`)).body;
    assert.deepEqual([r.chat.id, r.method, r.joined], [open, 'invite', false]);
  }
  assertError(await portal.get(`${base}/resolve/${code}`), 401, 'ERR_AUTH_REQUIRED');
});

test('50 at once use an invite of one use: one gets in', async () => {
  const id = await makeChat(premium);
  const { code } = await invite(premium, id, { max_uses: 1 });
  const people = [];
  for (let i = 0; i < 50; i++) people.push(await portal.signIn({ from: randomAddress() }));
  const got = await Promise.all(people.map((p) => p.post(`${base}/resolve/${code}`)));
  assert.equal(got.filter((r) => r.status === 200 && r.body.joined).length, 1);
  assert.equal(got.filter((r) => r.status === 404 && r.body.code === 'ERR_INVITE_NOT_FOUND').length, 49);
  assert.equal((await premium.get(chatAt(id))).body.member_count, 1);
});

test('one person, many calls at once: one membership, one use', async () => {
  const id = await makeChat(premium);
  const { code } = await invite(premium, id, { max_uses: 3 });
  const person = await portal.signIn();
  const got = await Promise.all(Array.from({ length: 8 }, () => person.post(`${base}/resolve/${code}`)));
  assert.ok(got.every((r) => r.status === 200), got.map((r) => r.text).join());
  assert.equal(got.filter((r) => r.body.joined).length, 1);
  assert.equal((await premium.get(chatAt(id, '/invites'))).body.invites[0].uses, 1);
});

test('who is banned does not come in, until the ban is over', async () => {
  const id = await makeChat(premium);
  const slug = newSlug();
  const open = await makeChat(premium, { slug });
  const person = await portal.signIn();
  const { code } = await invite(premium, id);
  await ban(id, person);
  await ban(open, person);
  assertError(await person.post(`${base}/resolve/${code}`), 403, 'ERR_BANNED');
  assertError(await person.post(`${base}/resolve/${slug}`), 403, 'ERR_BANNED');
  await portal.db.query("UPDATE chat_bans SET expires_at = now() - interval '1 s' WHERE user_id = $1", [person.id]);
  assert.equal((await person.post(`${base}/resolve/${code}`)).body.joined, true);
});

test('a new membership rotates the epoch where history is hidden', async () => {
  const id = await makeChat(premium, { history: false });
  const { lines } = await heard(id, async () => join(await portal.signIn(), premium, id));
  assert.deepEqual(lines.find((l) => l[1] === 'room:epoch_changed')[4], { chat_id: id, epoch: 1, reason: 'join' });
  await join(await portal.signIn(), premium, id);
  assert.equal(await epochOf(id), 1, 'once a second at most');
  const shown = await makeChat(premium);
  await join(await portal.signIn(), premium, shown);
  assert.equal(await portal.redis.exists(`portal:chat:${shown}:epoch`), 0);
});

// ---- leaving, the end ----

test('leave: a member goes, the owner cannot, the epoch rotates', async () => {
  const id = await makeChat(premium);
  const member = await portal.signIn();
  await join(member, premium, id);
  await present(id, member);
  assertError(await premium.post(chatAt(id, '/leave')), 409, 'ERR_CONFLICT', 'The owner cannot leave the chat');
  const { lines, result } = await heard(id, () => member.post(chatAt(id, '/leave')));
  assert.equal(result.status, 200, result.text);
  assert.deepEqual(lines.filter((l) => l[0] === 'x'), [['x', '-', await gateOf(id), String(member.id), null]]);
  assert.deepEqual(lines.find((l) => l[1] === 'room:epoch_changed')[4], { chat_id: id, epoch: 1, reason: 'leave' });
  assertError(await member.get(chatAt(id)), 404, 'ERR_CHAT_NOT_FOUND');
  assertError(await member.post(chatAt(id, '/leave')), 404, 'ERR_CHAT_NOT_FOUND');
  assert.equal(await portal.redis.hlen(`portal:room:${id}:people`), 0);
  const open = await makeChat(premium, { slug: newSlug() });
  assert.equal((await member.post(chatAt(open, '/leave'))).status, 200, 'nothing to leave');
});

test('delete: the owner and Owners of the platform; everything goes', async () => {
  const id = await makeChat(premium, { name: 'Böse "Ecke"', slug: newSlug() });
  await invite(premium, id);
  await ban(id, stranger);
  await present(id, stranger);
  await portal.redis.set(`portal:chat:${id}:epoch`, 5);
  await portal.redis.hset(`portal:e2ee:chatkey:${id}:5`, 'a:b', 'blob');
  await portal.redis.xadd(`portal:chat:${id}:stream`, '*', 'c', 'x');
  await portal.redis.zadd('portal:wipes', 1e15, id);
  for (const person of [stranger, moderator, admin]) assertError(await person.post(chatAt(id, '/delete')), 403, 'ERR_ACCESS_DENIED');
  const { lines, result } = await heard(id, () => premium.post(chatAt(id, '/delete')));
  assert.deepEqual(result.body, { message: 'Chat \'Böse "Ecke"\' destroyed' });
  assert.deepEqual(lines.find((l) => l[1] === 'room:destroyed'), ['d', 'room:destroyed', '-', '-', { chat_id: id, name: 'Böse "Ecke"' }]);
  assertError(await premium.get(chatAt(id)), 404, 'ERR_CHAT_NOT_FOUND');
  assertError(await premium.post(chatAt(id, '/delete')), 404, 'ERR_CHAT_NOT_FOUND');
  const left = (await portal.redis.keys(`portal:*:${id}:*`)).filter((k) => !k.endsWith(':gate'));
  assert.deepEqual(left, []);
  assert.equal(await portal.redis.zscore('portal:wipes', id), null);
  const hidden = await makeChat(premium);
  assert.equal((await owner.post(chatAt(hidden, '/delete'))).status, 200, 'an Owner destroys private chats, too');
});

test('activity: joins with their invite, leaves; for managers', async () => {
  const id = await makeChat(premium);
  const member = await portal.signIn();
  const { code } = await invite(premium, id);
  await member.post(`${base}/resolve/${code}`);
  await member.post(chatAt(id, '/leave'));
  const { body } = await premium.get(chatAt(id, '/activity'));
  assert.deepEqual(body.events.map((e) => [e.user.id, e.action, e.method, e.invite_code]), [[member.id, 'leave', null, null], [member.id, 'join', 'invite', code]]);
  assert.deepEqual([body.total, body.offset, body.limit], [2, 0, 50]);
  assert.equal((await premium.get(chatAt(id, '/activity?offset=1'))).body.events.length, 1);
  const open = await makeChat(premium, { slug: newSlug() });
  assertError(await stranger.get(chatAt(open, '/activity')), 403, 'ERR_ACCESS_DENIED');
});

test('what Redis did not take stays due and is done with the next change', async () => {
  const id = await makeChat(premium);
  const member = await portal.signIn();
  await join(member, premium, id);
  await present(id, member);
  await portal.db.query("INSERT INTO room_changes (chat_id, user_id, reason) VALUES ($1, $2, 'kick')", [id, member.id]);
  await join(await portal.signIn(), premium, id);
  assert.equal(await epochOf(id), 1);
  assert.equal(await portal.redis.hlen(`portal:room:${id}:people`), 0);
  assert.equal((await portal.db.query('SELECT count(*)::int AS n FROM room_changes WHERE chat_id = $1', [id])).rows[0].n, 0);
});

test('a step that fails behind the commit: the change stands, and what is due is not forgotten', async () => {
  let late = 0;
  for (let k = 0; k < 12; k++) {
    const id = await makeChat(premium);
    const member = await portal.signIn();
    await join(member, premium, id);
    await present(id, member);
    const r = await member.post(chatAt(id, '/leave'), undefined, { headers: { 'x-portal-fault': `fail:${k}` } });
    assert.ok(r.status === 200 || r.body.code === 'ERR_UNAVAILABLE', r.text);
    const inside = (await portal.db.query('SELECT FROM chat_members WHERE chat_id = $1 AND user_id = $2', [id, member.id])).rowCount;
    const due = (await portal.db.query('SELECT taken_at FROM room_changes WHERE chat_id = $1', [id])).rows;
    if (r.status === 200) assert.equal(inside, 0);
    if (!inside && due.length) {
      late += 1;
      // Taken by one that could not give it back: it counts as dead after 5 s.
      await portal.db.query("UPDATE room_changes SET taken_at = taken_at - interval '6 s' WHERE chat_id = $1", [id]);
      await join(await portal.signIn(), premium, id);
    }
    if (!inside) {
      assert.ok((await epochOf(id)) >= 1, `fail:${k}: rotated`);
      assert.equal(await portal.redis.hlen(`portal:room:${id}:people`), 0);
    }
    assert.equal((await portal.db.query('SELECT FROM room_changes WHERE chat_id = $1', [id])).rowCount, 0);
  }
  assert.ok(late > 0, 'some step failed in between');
});

// ---- the end of an account ----

test('me/delete destroys owned chats, leaves others, and the ban follows the identity', async () => {
  const person = await subscribed(2);
  const mine = await makeChat(person);
  const joined = await makeChat(premium);
  await join(person, premium, joined);
  const forbidden = await makeChat(premium, { slug: newSlug() });
  await ban(forbidden, person);
  await portal.db.query('INSERT INTO chat_mutes (chat_id, user_id) VALUES ($1, $2)', [joined, person.id]);
  const exported = (await person.get('/v1/users/me/export')).body;
  assert.deepEqual(exported.owned_chats.map((c) => c.id), [mine]);
  assert.ok(exported.memberships.some((m) => m.chat_id === joined));
  assert.deepEqual(exported.chat_bans.map((b) => b.chat_id), [forbidden]);
  assert.deepEqual(exported.chat_mutes.map((m) => m.chat_id), [joined]);
  assert.deepEqual(exported.chat_activity.map((a) => [a.chat_id, a.action]), [[joined, 'join']]);
  assert.deepEqual(exported.hard_mute, null);
  assert.deepEqual(exported.invites, []);
  assert.equal((await person.post('/v1/users/me/delete', { username: person.username })).status, 200);
  assert.equal((await portal.db.query('SELECT 1 FROM chats WHERE id = $1', [mine])).rowCount, 0);
  assert.equal((await premium.get(chatAt(joined))).body.member_count, 0);
  assert.equal(await epochOf(joined), 1, 'it rotated');
  assert.equal((await portal.db.query('SELECT count(*)::int AS n FROM room_changes')).rows[0].n, 0);
  const again = await portal.signIn({ id: person.platform_user_id });
  assert.notEqual(again.id, person.id);
  const { code } = await invite(premium, forbidden);
  assertError(await again.post(`${base}/resolve/${code}`), 403, 'ERR_BANNED');
  assert.equal((await (await portal.signIn()).post(`${base}/resolve/${code}`)).status, 200);
});

// ---- administration ----

const adm = (id, call = '') => `/v1/admin/chats${id ? `/${id}` : ''}${call}`;

test('admin: official chats', async () => {
  const slug = newSlug();
  const r = await admin.post(adm(), { name: 'News', slug, description: 'all of it' });
  assert.equal(r.status, 201, r.text);
  assert.deepEqual([r.body.chat.visibility, r.body.chat.slug, r.body.chat.owner.id], ['official', slug, admin.id]);
  assert.equal((await portal.get(`${base}/directory?q=${slug}`)).body.chats[0].id, r.body.chat.id);
  assertError(await admin.post(adm(), { name: 'News', slug }), 409, 'ERR_SLUG_TAKEN');
  assertError(await admin.post(adm(), { name: 'News', slug: 'health' }), 409, 'ERR_SLUG_TAKEN');
  assertError(await admin.post(adm(), { slug: newSlug() }), 400, 'ERR_INVALID_REQUEST', 'name is required');
  for (const person of [stranger, moderator, premium]) assertError(await person.post(adm(), { name: 'News' }), 403, 'ERR_ACCESS_DENIED', 'Admin access required');
  const id = r.body.chat.id;
  const closed = await admin.post(adm(id, '/update'), { slug: null, label: 'beta' });
  assert.deepEqual([closed.body.chat.visibility, closed.body.chat.slug, closed.body.chat.label], ['official', null, 'beta'], 'official stays official');
  assert.equal((await admin.post(adm(id, '/update'), { label: null })).body.chat.label, null);
});

test('admin: hierarchy against the owner, in lists, reads and changes', async () => {
  const [low, high] = [await makeChat(premium), await makeChat(owner)];
  const highOpen = await makeChat(owner, { slug: newSlug() });
  const all = async (who) => {
    const { body } = await who.get(adm('', '?limit=100'));
    const last = await who.get(adm('', `?limit=100&offset=${Math.max(0, body.total - 100)}`));
    return last.body.chats.map((c) => c.id);
  };
  const seen = await all(admin);
  assert.ok(seen.includes(low) && seen.includes(highOpen) && !seen.includes(high));
  assert.ok((await all(owner)).includes(high));
  assert.equal((await admin.get(adm(low))).body.config.wipe_preset, '24h');
  assert.equal((await admin.get(adm(highOpen))).status, 200);
  assertError(await admin.get(adm(high)), 404, 'ERR_CHAT_NOT_FOUND');
  for (const [call, body] of [['/update', { name: 'xx' }], ['/delete', {}], ['/kick', { user_id: stranger.id }], ['/transfer', { user_id: stranger.id }]]) {
    assertError(await admin.post(adm(high, call), body), 404, 'ERR_CHAT_NOT_FOUND');
    assertError(await admin.post(adm(highOpen, call), body), 403, 'ERR_ACCESS_DENIED');
    assertError(await moderator.post(adm(low, call), body), 403, 'ERR_ACCESS_DENIED', 'Admin access required');
    assertError(await admin.post(adm(999999999, call), body), 404, 'ERR_CHAT_NOT_FOUND');
  }
  assert.equal((await admin.post(adm(low, '/update'), { name: 'named by an admin', wipe_preset: 'off' })).body.chat.name, 'named by an admin');
  assertError(await admin.get(chatAt(low)), 404, 'ERR_CHAT_NOT_FOUND', 'Chat not found');
  assert.deepEqual((await admin.post(adm(low, '/delete'))).body, { message: "Chat 'named by an admin' destroyed" });
});

test('admin: kick', async () => {
  const id = await makeChat(premium);
  const member = await portal.signIn();
  await join(member, premium, id);
  await present(id, member);
  assertError(await admin.post(adm(id, '/kick'), {}), 400, 'ERR_INVALID_REQUEST', 'user_id is required');
  assertError(await admin.post(adm(id, '/kick'), { user_id: 999999999 }), 404, 'ERR_USER_NOT_FOUND');
  assertError(await admin.post(adm(id, '/kick'), { user_id: owner.id }), 403, 'ERR_ACCESS_DENIED');
  assertError(await admin.post(adm(id, '/kick'), { user_id: admin.id }), 403, 'ERR_ACCESS_DENIED');
  const { lines, result } = await heard(id, () => admin.post(adm(id, '/kick'), { user_id: member.id, reason: 'spam' }));
  assert.deepEqual(result.body, { ok: true });
  assert.deepEqual(lines.find((l) => l[0] === 'x'), ['x', 'room:kicked', await gateOf(id), String(member.id), { chat_id: id, reason: 'kick' }]);
  assert.deepEqual(lines.find((l) => l[1] === 'room:epoch_changed')[4].reason, 'kick');
  assert.deepEqual(lines.filter((l) => l[1] === 'message:new').map((l) => l[4].content), [`${member.username} was removed from the chat`]);
  assertError(await member.get(chatAt(id)), 404, 'ERR_CHAT_NOT_FOUND');
  const [punishment] = (await member.get('/v1/users/me/punishments')).body;
  assert.deepEqual([punishment.action_type, punishment.reason], ['CHAT_KICK', 'spam']);
  assert.equal((await premium.get(chatAt(id, '/activity'))).body.events[0].action, 'kick');
});

test('admin: transfer', async () => {
  const id = await makeChat(premium);
  const heir = await portal.signIn();
  await ban(id, heir);
  assertError(await admin.post(adm(id, '/transfer'), { user_id: 999999999 }), 404, 'ERR_USER_NOT_FOUND');
  const r = await admin.post(adm(id, '/transfer'), { user_id: heir.id });
  assert.equal(r.status, 200, r.text);
  assert.deepEqual([r.body.chat.owner.id, r.body.chat.member_count], [heir.id, 1]);
  assert.ok((await heir.get(chatAt(id))).body.config);
  assert.ok(!(await premium.get(chatAt(id))).body.config, 'the one before is a member');
  assert.equal((await premium.post(chatAt(id, '/leave'))).status, 200);
  const open = await makeChat(premium, { slug: newSlug() });
  assert.equal((await admin.post(adm(open, '/transfer'), { user_id: heir.id })).body.chat.member_count, 0);
});

test('admin: checked on each request', async () => {
  const person = await portal.withLevel('admin');
  assert.equal((await person.get(adm())).status, 200);
  await portal.ctl(['user', 'promote', String(person.id), '--level', 'user']);
  assertError(await person.get(adm()), 403, 'ERR_ACCESS_DENIED', 'Admin access required');
});

// ---- races ----

test('a ban and a join never cross', async () => {
  for (let i = 0; i < 10; i++) {
    const id = await makeChat(premium);
    const person = await portal.signIn();
    const { code } = await invite(premium, id);
    // As the moderation's function does it: the chat's row, then the ban, then the membership.
    const banning = (async () => {
      const client = await portal.db.connect();
      await client.query('BEGIN');
      await client.query('SELECT FROM chats WHERE id = $1 FOR NO KEY UPDATE', [id]);
      await client.query('INSERT INTO chat_bans (chat_id, user_id) VALUES ($1, $2)', [id, person.id]);
      await client.query('DELETE FROM chat_members WHERE chat_id = $1 AND user_id = $2', [id, person.id]);
      await client.query('COMMIT');
      client.release();
    })();
    const [r] = await Promise.all([person.post(`${base}/resolve/${code}`), banning]);
    assert.ok(r.status === 200 || r.body.code === 'ERR_BANNED', r.text);
    const { rowCount } = await portal.db.query('SELECT FROM chat_members WHERE chat_id = $1 AND user_id = $2', [id, person.id]);
    assert.equal(rowCount, 0, 'whoever came first, nobody banned is inside');
  }
});

test('a transfer and a change by the owner before: one decides after the other', async () => {
  for (let i = 0; i < 5; i++) {
    const id = await makeChat(premium);
    const [change, moved] = await Promise.all([
      premium.post(chatAt(id, '/config/update'), { name: 'mine still' }),
      admin.post(adm(id, '/transfer'), { user_id: stranger.id }),
    ]);
    assert.equal(moved.status, 200, moved.text);
    assert.ok(change.status === 200 || change.status === 403, change.text);
  }
});

test('joins, leaves and the end of a chat at once: no error but the contract\'s, nothing left', async () => {
  const id = await makeChat(premium);
  const { code } = await invite(premium, id);
  const people = [];
  for (let i = 0; i < 10; i++) people.push(await portal.signIn());
  await Promise.all(people.slice(0, 5).map((p) => p.post(`${base}/resolve/${code}`)));
  const got = await Promise.all([
    ...people.slice(5).map((p) => p.post(`${base}/resolve/${code}`)),
    ...people.slice(0, 5).map((p) => p.post(chatAt(id, '/leave'))),
    premium.post(chatAt(id, '/delete')),
  ]);
  assert.ok(got.every((r) => [200, 404].includes(r.status)), got.map((r) => r.text).join());
  assert.equal((await portal.db.query('SELECT FROM chat_members WHERE chat_id = $1', [id])).rowCount, 0);
  assert.equal((await portal.db.query('SELECT FROM room_changes WHERE chat_id = $1', [id])).rowCount, 0);
});
