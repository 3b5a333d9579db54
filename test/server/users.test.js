// Contract section 2: people about themselves and others.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertError, randomPlatformId, sessionOf, startPortal } from './harness.js';

let portal;
before(async () => {
  portal = await startPortal({ RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_BOT: '0' });
});
after(() => portal.stop());

const update = (person, body) => person.post('/v1/users/me/update', body);

test('GET me has every field, null where there is nothing', async () => {
  const person = await portal.signIn({ name: 'Ann' });
  const { body } = await person.get('/v1/users/me');
  assert.deepEqual(Object.keys(body).sort(), [
    'avatar_source', 'avatar_url', 'created_at', 'id', 'last_activity_at', 'linked_platforms', 'permission_level', 'permission_since',
    'state', 'subscription_expires_at', 'subscription_granted_by', 'subscription_level', 'updated_at', 'username',
  ]);
  assert.equal(body.permission_since, null);
  assert.equal(body.subscription_expires_at, null);
  assert.match(body.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  assert.deepEqual(Object.keys(body.linked_platforms[0]).sort(), [
    'last_authenticated_at', 'linked_at', 'platform', 'platform_avatar_url', 'platform_user_id', 'platform_username']);
});

test('a new name: each field stands alone, taken without regard to case', async () => {
  const [a, b] = [await portal.signIn(), await portal.signIn()];
  const name = `Champion.${a.id}`;
  const r = await update(a, { username: name });
  assert.equal(r.status, 200);
  assert.equal(r.body.user.username, name);
  assert.equal(r.body.errors, null);
  const taken = await update(b, { username: name.toUpperCase(), avatar_source: 'discord_3' });
  assert.equal(taken.status, 200);
  assert.deepEqual(taken.body.errors, { username: 'username is already taken' });
  assert.equal(taken.body.user.username, b.username);
  assert.equal(taken.body.user.avatar_source, 'discord_3', 'the other field is set all the same');
  assert.ok(taken.body.user.avatar_url);
  const both = await update(b, { username: 'x', avatar_source: 'myspace' });
  assert.equal(both.body.errors.username, 'username must be at least 3 characters');
  assert.match(both.body.errors.avatar_source, /^avatar_source /);
  assert.equal((await update(a, { username: name.toLowerCase() })).body.user.username, name.toLowerCase(), 'one may change the case of one\'s own');
  assertError(await update(a, { username: 5 }), 400, 'ERR_INVALID_REQUEST', 'username must be a string');
  assert.equal((await update(a, {})).body.errors, null);
});

test('50 people take one name at once: one has it', async () => {
  const people = await Promise.all(Array.from({ length: 20 }, () => portal.signIn()));
  const all = await Promise.all(people.map((p, i) => update(p, { username: i % 2 ? 'one.for.all' : 'One.For.All' })));
  assert.equal(all.filter((r) => r.body.errors === null).length, 1);
});

test('preferences: an object of the client\'s own, replaced whole, bounded', async () => {
  const person = await portal.signIn();
  const set = (body) => person.post('/v1/users/me/preferences', body);
  assert.deepEqual((await person.get('/v1/users/me/preferences')).body, {});
  const value = { theme: 'dark', nested: { a: [1, 2.5, null, 'ü'] }, __proto: true };
  assert.equal((await set(value)).status, 200);
  assert.deepEqual((await person.get('/v1/users/me/preferences')).body, value);
  await set({ b: 1 });
  assert.deepEqual((await person.get('/v1/users/me/preferences')).body, { b: 1 });
  assertError(await set('[1]'), 400, 'ERR_INVALID_REQUEST');
  const none = await set('');
  assertError(none, 400, 'ERR_INVALID_REQUEST', 'body is required');
  assert.equal(none.body.field, 'body');
  assertError(await set({ big: 'x'.repeat(17_000) }), 400, 'ERR_INVALID_REQUEST');
  assertError(await set(Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`k${i}`, i]))), 400, 'ERR_INVALID_REQUEST');
  assert.deepEqual((await person.get('/v1/users/me/preferences')).body, { b: 1 }, 'bad input changes nothing');
});

test('linking a second platform, refusing a taken one, unlinking down to the last', async () => {
  const person = await portal.signIn();
  const link = (who, code) => who.post('/v1/users/me/platforms/link', { code });
  const codeFor = async (platform, id, from) => {
    await portal.post('/v1/authentication/request', { platform, platform_user_id: id }, { from });
    return portal.fetchCode(platform, id, 'tg name');
  };
  const id = randomPlatformId();
  const code = await codeFor('telegram', id, person.from);
  const other = await portal.signIn();
  assertError(await link(other, code), 400, 'ERR_INVALID_CODE');
  const r = await link(person, code);
  assert.equal(r.status, 200, r.text);
  const { body } = await person.get('/v1/users/me');
  assert.deepEqual(body.linked_platforms.map((p) => p.platform), ['discord', 'telegram']);
  assertError(await link(person, code), 400, 'ERR_INVALID_CODE', 'Invalid or expired code');
  assertError(await link(other, await codeFor('telegram', id, other.from)), 409, 'ERR_PLATFORM_TAKEN');
  assertError(await link(person, await codeFor('telegram', randomPlatformId(), person.from)), 409, 'ERR_PLATFORM_TAKEN');
  const bot = await portal.bot('discord');
  const sent = await portal.post('/v1/authentication/bot/send-code', {
    platform: 'discord', platform_user_id: other.platform_user_id, platform_username: 'n', platform_avatar_url: '' }, { key: bot.key });
  assertError(await link(person, sent.body.code), 400, 'ERR_INVALID_REQUEST');
  const unlink = (platform) => person.post(`/v1/users/me/platforms/${platform}/unlink`);
  assert.equal((await unlink('discord')).status, 200);
  assertError(await unlink('discord'), 404, 'ERR_PLATFORM_NOT_FOUND');
  assertError(await unlink('telegram'), 409, 'ERR_LAST_PLATFORM');
  const again = await portal.signIn({ platform: 'telegram', id });
  assert.equal(again.id, person.id, 'the linked identity signs in to the account');
});

test('two unlinks at once leave one platform', async () => {
  const person = await portal.signIn();
  const id = randomPlatformId();
  await portal.post('/v1/authentication/request', { platform: 'telegram', platform_user_id: id }, { from: person.from });
  await person.post('/v1/users/me/platforms/link', { code: await portal.fetchCode('telegram', id) });
  const all = await Promise.all(['discord', 'telegram'].map((p) => person.post(`/v1/users/me/platforms/${p}/unlink`)));
  assert.deepEqual(all.map((r) => r.status).sort(), [200, 409]);
});

test('profiles and search show the public fields only', async () => {
  const [a, b] = [await portal.signIn(), await portal.signIn()];
  const name = `Search.${b.id}`;
  await update(b, { username: name });
  const pub = { id: b.id, username: name, avatar_url: null, subscription_level: 0 };
  assert.deepEqual((await a.get(`/v1/users/${b.id}`)).body, pub);
  assert.deepEqual((await portal.get(`/v1/users/profile/${name.toLowerCase()}`)).body, pub, 'without a key where none is set');
  const found = await a.get(`/v1/users/search?q=${encodeURIComponent(`earch.${b.id}`)}`);
  assert.deepEqual(found.body, { users: [{ id: b.id, username: name, avatar_url: null }], total: 1, offset: 0, limit: 25 });
  const byId = await a.get(`/v1/users/search?q=${b.id}`);
  assert.ok(byId.body.users.some((u) => u.id === b.id));
  for (const q of ['%25', '_', "'", '%5C']) assert.equal((await a.get(`/v1/users/search?q=${q}zz`)).body.total, 0, q);
  assertError(await a.get('/v1/users/profile/no.such.name'), 404, 'ERR_USER_NOT_FOUND');
  assertError(await portal.get('/v1/users/search?q=a'), 401, 'ERR_AUTH_REQUIRED');
  assertError(await a.get('/v1/users/0'), 400, 'ERR_INVALID_REQUEST');
  assertError(await a.get('/v1/users/abc'), 400, 'ERR_INVALID_REQUEST');
});

test('every part of a name finds it, short or not of letters', async () => {
  const person = await portal.signIn();
  const name = `qX_.-${person.id}y`;
  await update(person, { username: name });
  const found = async (q) => (await person.get(`/v1/users/search?q=${encodeURIComponent(q)}&limit=100`)).body.users.some((u) => u.id === person.id);
  for (let from = 0; from < name.length; from++) {
    for (let to = from + 1; to <= name.length; to++) assert.ok(await found(name.slice(from, to)), name.slice(from, to));
  }
  assert.ok(await found(name.toUpperCase()));
  for (const q of [`${name}y`, 'qx.', 'x.-', '_-']) assert.ok(!await found(q), q);
});

test('subscription as it counts now, with its history', async () => {
  const person = await portal.signIn();
  const none = await person.get('/v1/users/me/subscription');
  assert.equal(none.body.subscription_level, 0);
  assert.equal(none.body.is_active, false);
  assert.deepEqual(none.body.history, []);
  await portal.ctl(['subscription', 'grant', String(person.id), '--level', 'premium', '--days', '30', '--reason', 'thanks', '--json']);
  const r = await person.get('/v1/users/me/subscription');
  assert.equal(r.body.subscription_level, 2);
  assert.equal(r.body.is_active, true);
  assert.equal(r.body.history.length, 1);
  assert.equal(r.body.history[0].reason, 'thanks');
  await portal.db.query("UPDATE users SET subscription_expires_at = now() - interval '1 second' WHERE id = $1", [person.id]);
  assert.equal((await person.get('/v1/users/me')).body.subscription_level, 0, 'expired counts as Basic without any job');
  assert.equal((await person.get('/v1/users/me/subscription')).body.is_active, false);
});

test('punishments are listed', async () => {
  const person = await portal.signIn();
  assert.deepEqual((await person.get('/v1/users/me/punishments')).body, []);
  await portal.db.query("INSERT INTO moderation_actions (user_id, action_type, reason) VALUES ($1, 'PLATFORM_WARNING', 'be kind')", [person.id]);
  const { body } = await person.get('/v1/users/me/punishments');
  assert.equal(body.length, 1);
  assert.deepEqual(Object.keys(body[0]).sort(), ['action_type', 'created_at', 'expires_at', 'id', 'is_lifted', 'lifted_at', 'reason']);
  assert.equal(body[0].is_lifted, false);
});

test('the export holds what is stored, not the hashes', async () => {
  const person = await portal.signIn();
  await person.post('/v1/users/me/preferences', { colour: 'teal' });
  const { body, text, status } = await person.get('/v1/users/me/export');
  assert.equal(status, 200);
  for (const word of ['teal', person.platform_user_id, person.username, 'Welcome to Portal', person.from]) assert.ok(text.includes(word), word);
  assert.ok(!text.includes(person.token));
  assert.ok(!/hash/.test(text));
  assert.equal(typeof body, 'object');
});

test('deleting an account: the name must match, everything personal goes, the identity is free again', async () => {
  const person = await portal.signIn();
  assertError(await person.post('/v1/users/me/delete', { username: person.username.toUpperCase() }), 400, 'ERR_INVALID_REQUEST');
  const second = await portal.signIn({ id: person.platform_user_id });
  const r = await person.post('/v1/users/me/delete', { username: person.username });
  assert.equal(r.status, 200, r.text);
  assert.match(String(r.headers['set-cookie']), /^psession=; Path=\/; HttpOnly; SameSite=Lax; Max-Age=0$/);
  for (const p of [person, second]) assertError(await p.get('/v1/users/me'), 401, 'ERR_AUTH_REQUIRED');
  const other = await portal.signIn();
  assertError(await other.get(`/v1/users/${person.id}`), 404, 'ERR_USER_NOT_FOUND');
  const { rows } = await portal.db.query('SELECT * FROM users WHERE id = $1', [person.id]);
  assert.ok(!JSON.stringify(rows).includes(person.username));
  const fresh = await portal.signIn({ id: person.platform_user_id });
  assert.notEqual(fresh.id, person.id);
});

test('the last Owner cannot delete the account', async () => {
  const owner = await portal.withLevel('owner');
  const remove = (p) => p.post('/v1/users/me/delete', { username: p.username });
  const second = await portal.withLevel('owner');
  const all = await Promise.all([remove(owner), remove(second)]);
  assert.deepEqual(all.map((r) => r.status).sort(), [200, 409]);
  assertError(all.find((r) => r.status === 409), 409, 'ERR_LAST_OWNER');
});

test('GET me/chats is an array of the caller\'s private chats', async () => {
  const person = await portal.signIn();
  assert.deepEqual((await person.get('/v1/users/me/chats')).body, []);
  await portal.db.query("INSERT INTO chats (name, visibility, owner_id) VALUES ('mine', 'private', $1)", [person.id]);
  const { body } = await person.get('/v1/users/me/chats');
  assert.equal(body.length, 1);
  assert.equal(body[0].name, 'mine');
  assert.equal(body[0].owner.id, person.id);
  assert.deepEqual(body[0].config, { wipe_preset: '24h', history_visible: true });
});

test('a session of one browser is not another\'s: cookies with other names or junk', async () => {
  const person = await portal.signIn();
  const get = (cookie) => portal.get('/v1/users/me', { headers: { cookie } });
  assert.equal((await get(`a=b; psession=${person.token}; c=d`)).status, 200);
  for (const cookie of [`xpsession=${person.token}`, `psession=${person.token}x`, `psession="${person.token}`, 'psession=', `psession2=${person.token}`]) {
    assert.equal((await get(cookie)).status, 401, cookie);
  }
  assert.ok(sessionOf({ headers: {} }) === undefined);
});
