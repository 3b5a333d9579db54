// Contract section 6 and the bots rows of section 8.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertError, startPortal } from './harness.js';

let portal;
let admin;
let owner;
let user;
before(async () => {
  portal = await startPortal({ RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_ADMIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_PUBLIC: '0' });
  [user, admin, owner] = [await portal.signIn(), await portal.withLevel('admin'), await portal.withLevel('owner')];
});
after(() => portal.stop());

const register = (person, body = {}) =>
  person.post('/v1/admin/bots', { name: 'a bot', owner_id: person.id, platform: 'discord', rate_limit_per_hour: 1000, ...body });
const act = (person, id, call, body) => person.post(`/v1/admin/bots/${id}/${call}`, body);
const botMe = (key) => portal.get('/v1/bot/me', { key });

test('registering: the key is shown once, kept as a hash, community by default', async () => {
  const r = await register(admin);
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(Object.keys(r.body).sort(), ['api_key', 'bot', 'message']);
  assert.match(r.body.api_key, /^hbot_[A-Za-z0-9_-]{43}$/);
  assert.equal(r.body.bot.bot_type, 3);
  assert.equal(r.body.bot.login, false, 'registered by an Admin');
  const { rows } = await portal.db.query('SELECT * FROM bots WHERE id = $1', [r.body.bot.id]);
  assert.ok(!JSON.stringify(rows).includes(r.body.api_key.slice(5)));
  assert.equal((await botMe(r.body.api_key)).body.id, r.body.bot.id);
  const byOwner = await register(owner);
  assert.equal(byOwner.body.bot.login, true, 'registered by an Owner');
  assert.equal((await register(admin, { login: true })).body.bot.login, false, 'asking for it does not help an Admin');
});

test('registering: bad input and people who may not', async () => {
  assertError(await register(user), 403, 'ERR_ACCESS_DENIED', 'Admin access required');
  assertError(await register(admin, { name: 'x' }), 400, 'ERR_INVALID_REQUEST', 'name must be at least 2 characters');
  assertError(await register(admin, { name: 'x'.repeat(33) }), 400, 'ERR_INVALID_REQUEST', 'name must be at most 32 characters');
  assertError(await register(admin, { platform: 'irc' }), 400, 'ERR_INVALID_REQUEST', /^platform /);
  assertError(await register(admin, { rate_limit_per_hour: 0 }), 400, 'ERR_INVALID_REQUEST', /^rate_limit_per_hour /);
  assertError(await register(admin, { rate_limit_per_hour: 100001 }), 400, 'ERR_INVALID_REQUEST', /^rate_limit_per_hour /);
  assertError(await register(admin, { owner_id: 999999999 }), 404, 'ERR_USER_NOT_FOUND');
});

test('an Admin registers bots for people below them and for themselves only; nor gives one to others', async () => {
  const peer = await portal.withLevel('admin');
  for (const above of [owner, peer]) {
    assertError(await register(admin, { owner_id: above.id }), 403, 'ERR_ACCESS_DENIED');
  }
  const mine = await register(admin);
  const theirs = await register(admin, { owner_id: user.id });
  assert.deepEqual([mine.body.bot.owner_id, theirs.body.bot.owner_id], [admin.id, user.id]);
  assert.equal((await register(owner, { owner_id: peer.id })).body.bot.owner_id, peer.id);
  assertError(await act(admin, mine.body.bot.id, 'update', { owner_id: owner.id }), 403, 'ERR_ACCESS_DENIED');
  assert.equal((await act(admin, mine.body.bot.id, 'update', { owner_id: user.id })).body.bot.owner_id, user.id);
});

test('a new key kills the old one at once', async () => {
  const { body } = await register(admin);
  const r = await act(admin, body.bot.id, 'regenerate-key');
  assert.equal(r.status, 200, r.text);
  assertError(await botMe(body.api_key), 401, 'ERR_INVALID_API_KEY');
  assert.equal((await botMe(r.body.api_key)).status, 200);
});

test('an Admin does not touch an Owner\'s bot, nor another Admin\'s, nor one that signs people in', async () => {
  const owners = (await register(owner)).body;
  const other = await portal.withLevel('admin');
  const others = (await register(other)).body;
  const moved = (await register(owner, { owner_id: user.id })).body; // login: true, owned by a User
  for (const id of [owners.bot.id, others.bot.id, moved.bot.id]) {
    for (const [call, body] of [['update', { name: 'taken' }], ['regenerate-key'], ['reset-stats'], ['delete']]) {
      assertError(await act(admin, id, call, body), 403, 'ERR_ACCESS_DENIED');
    }
  }
  for (const key of [owners.api_key, others.api_key, moved.api_key]) assert.equal((await botMe(key)).status, 200);
  assert.equal((await act(owner, others.bot.id, 'update', { name: 'by the owner', bot_type: 'verified', login: true })).status, 200);
  const r = await botMe(others.api_key);
  assert.equal(r.body.name, 'by the owner');
  assert.equal(r.body.bot_type, 2);
  assert.equal(r.body.login, true);
  assertError(await act(other, others.bot.id, 'update', { name: 'mine again' }), 403, 'ERR_ACCESS_DENIED');
});

test('update, deactivate, delete', async () => {
  const { body } = await register(admin);
  assertError(await act(admin, body.bot.id, 'update', { bot_type: 'imperial' }), 400, 'ERR_INVALID_REQUEST', /^bot_type /);
  assertError(await act(admin, body.bot.id, 'update', { login: true }), 403, 'ERR_ACCESS_DENIED');
  assert.equal((await act(admin, body.bot.id, 'update', { is_active: false })).status, 200);
  assertError(await botMe(body.api_key), 401, 'ERR_INVALID_API_KEY');
  assert.equal((await act(admin, body.bot.id, 'update', { is_active: true })).status, 200);
  assert.equal((await botMe(body.api_key)).status, 200);
  assert.equal((await act(admin, body.bot.id, 'delete')).status, 200);
  assertError(await botMe(body.api_key), 401, 'ERR_INVALID_API_KEY');
  assertError(await act(admin, body.bot.id, 'delete'), 404, 'ERR_BOT_NOT_FOUND', 'Bot not found');
  assertError(await portal.get(`/v1/bots/${body.bot.id}`), 404, 'ERR_BOT_NOT_FOUND');
});

test('a bot reports its figures', async () => {
  const { body } = await register(admin);
  const update = (b) => portal.post('/v1/bot/me/update', b, { key: body.api_key });
  const r = await update({ name: 'counted', avatar_url: 'https://cdn.example/b.png', group_ids: ['1', '2', '3'], users: 44, latency_ms: 17 });
  assert.equal(r.status, 200, r.text);
  assert.equal(r.body.message, 'Bot updated successfully');
  assert.deepEqual(Object.keys(r.body).sort(), ['created_at', 'message', 'updated_at']);
  const { body: me } = await botMe(body.api_key);
  assert.equal(me.groups, 3);
  assert.equal(me.users, 44);
  assert.equal(me.latency_ms, 17);
  assert.equal(me.name, 'counted');
  assertError(await update({ latency_ms: 10001 }), 400, 'ERR_INVALID_REQUEST', /^latency_ms /);
  assertError(await update({ group_ids: [1] }), 400, 'ERR_INVALID_REQUEST', /^group_ids /);
  assertError(await update({ users: -1 }), 400, 'ERR_INVALID_REQUEST', /^users /);
  await act(admin, body.bot.id, 'reset-stats');
  assert.equal((await botMe(body.api_key)).body.users, 0);
});

test('the hourly limit of a bot', async () => {
  const { body } = await register(admin, { rate_limit_per_hour: 3 });
  const update = () => portal.post('/v1/bot/me/update', { users: 1 }, { key: body.api_key });
  for (let i = 0; i < 3; i++) assert.equal((await update()).status, 200);
  const r = await update();
  assertError(r, 429, 'ERR_RATE_LIMITED');
  assert.ok(r.body.retry_after > 0 && r.body.retry_after <= 3600);
  assert.equal((await botMe(body.api_key)).status, 200, 'other calls go on');
});

test('a bot looks up people of its own platform', async () => {
  const bot = await portal.bot('discord');
  const r = await portal.get(`/v1/bot/users/${user.platform_user_id}`, { key: bot.key });
  assert.deepEqual(r.body, { id: user.id, username: user.username, avatar_url: null, subscription_level: 0, state: 'active' });
  const telegram = await portal.bot('telegram');
  assertError(await portal.get(`/v1/bot/users/${user.platform_user_id}`, { key: telegram.key }), 404, 'ERR_USER_NOT_FOUND');
  assertError(await portal.get(`/v1/bot/users/${user.platform_user_id}`), 401, 'ERR_INVALID_API_KEY');
});

test('public browsing shows public fields; Admins see more', async () => {
  const { body } = await register(admin, { name: 'findable bot' });
  const keys = ['avatar_url', 'created_at', 'groups', 'id', 'is_verified', 'last_activity_at', 'latency_ms', 'name', 'platform', 'updated_at', 'users'];
  const anyone = await portal.get(`/v1/bots/${body.bot.id}`);
  assert.deepEqual(Object.keys(anyone.body).sort(), keys);
  const seen = await admin.get(`/v1/bots/${body.bot.id}`);
  assert.deepEqual(Object.keys(seen.body).sort(), [...keys, 'bot_type', 'is_active', 'owner_id', 'rate_limit_per_hour'].sort());
  const found = await portal.get('/v1/bots/search?q=FINDABLE');
  assert.equal(found.body.total, 1);
  assert.equal(found.body.limit, 25);
  assert.equal(found.body.bots[0].name, 'findable bot');
  assert.ok(Array.isArray((await portal.get('/v1/bots')).body));
  const mine = await admin.get('/v1/admin/bots');
  assert.equal(mine.status, 200);
});

test('a demotion takes effect on the next request', async () => {
  const person = await portal.withLevel('admin');
  assert.equal((await person.get('/v1/admin/bots')).status, 200);
  await portal.ctl(['user', 'promote', String(person.id), '--level', 'user']);
  assertError(await person.get('/v1/admin/bots'), 403, 'ERR_ACCESS_DENIED', 'Admin access required');
});
