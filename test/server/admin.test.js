// Contract section 8: every call against every level and every target, from one table. The calls are
// those of /openapi.json: one without a row here fails.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { assertError, connect, send, startPortal, until } from './harness.js';

const USER = 0, MODERATOR = 1, ADMIN = 2, OWNER = 3;
const NAMES = ['user', 'moderator', 'admin', 'owner'];

let portal;
let actors; // by level
let key; // of a bot
before(async () => {
  portal = await startPortal({ RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_ADMIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_PUBLIC: '0' });
  actors = [await portal.signIn()];
  for (const level of [MODERATOR, ADMIN, OWNER]) actors.push({ ...(await portal.withLevel(NAMES[level])), level });
  actors[USER].level = USER;
  key = (await portal.bot()).key;
});
after(() => portal.stop());

// ---- things to act on ----

let count = 0;
const row = async (sql, values) => (await portal.db.query(sql, values)).rows[0];
async function somebody(level = USER) {
  const { id, username } = await row('INSERT INTO users (username, permission_level) VALUES ($1, $2) RETURNING id, username', [`somebody${++count}`, level]);
  return { id: Number(id), username, level };
}
async function someBot(owner, login = false) {
  const { id } = await row("INSERT INTO bots (name, owner_id, platform, key_hash, login) VALUES ('a bot', $1, 'discord', $2, $3) RETURNING id",
    [owner.id, randomBytes(32), login]);
  return { id: Number(id), login, owner };
}
async function someChat(owner, visibility = 'public') {
  const { id } = await row('INSERT INTO chats (name, visibility, slug, owner_id) VALUES ($1, $2, $3, $4) RETURNING id',
    ['A chat', visibility, visibility === 'public' ? `chat-${++count}` : null, owner.id]);
  await portal.db.query('INSERT INTO chat_members (chat_id, user_id) VALUES ($1, $2)', [id, owner.id]);
  return { id: Number(id), visibility, owner };
}
const above = (a, b) => a.id !== b.id && (a.level > b.level || (a.level === OWNER && b.level === OWNER));
const own = (a, b) => a.id === b.id || above(a, b);

// Kinds of targets: each gives what a fresh one is called in the table of failures, and what it is.
const persons = [0, 1, 2, 3].map((level) => [`a person of level ${level}`, () => somebody(level)]).concat([['oneself', (actor) => actor]]);
const ofPersons = (make, what) => persons.map(([name, person]) => [`${what} of ${name}`, async (actor) => make(await person(actor))]);
const bots = [...ofPersons((p) => someBot(p), 'a bot'), ...ofPersons((p) => someBot(p, true), 'a login bot')];
const chats = [...ofPersons((p) => someChat(p), 'a public chat'), ...ofPersons((p) => someChat(p, 'private'), 'a private chat')];
const anything = [['', () => null]];

const denied = 'ERR_ACCESS_DENIED';
const chatRule = (actor, chat) => own(actor, chat.owner) || (chat.visibility === 'public' ? denied : 'ERR_CHAT_NOT_FOUND');
const person = { on: persons, may: (actor, target) => above(actor, target) || denied };
const bot = { on: bots, may: (actor, b) => actor.level === OWNER || (!b.login && own(actor, b.owner)) || denied };
const chat = { on: chats, may: chatRule };
const everyone = { on: anything, may: () => true };

// least: the level that the call needs; on: its targets; may: true, or the error; body; told: what the
// audit log calls it.
const TABLE = {
  'POST /v1/admin/bots': { ...everyone, body: () => ({ name: 'made', platform: 'discord' }), told: 'bot.create' },
  'GET /v1/admin/bots': everyone,
  'POST /v1/admin/bots/{id}/update': { ...bot, body: () => ({ name: 'renamed' }), told: 'bot.update' },
  'POST /v1/admin/bots/{id}/regenerate-key': { ...bot, told: 'bot.regenerate-key' },
  'POST /v1/admin/bots/{id}/reset-stats': { ...bot, told: 'bot.reset-stats' },
  'POST /v1/admin/bots/{id}/delete': { ...bot, told: 'bot.delete' },
  'GET /v1/admin/chats': everyone,
  'POST /v1/admin/chats': { ...everyone, body: () => ({ name: 'made' }), told: 'chat.create' },
  'GET /v1/admin/chats/{id}': { ...chat, may: (actor, c) => c.visibility === 'public' || chatRule(actor, c) },
  'POST /v1/admin/chats/{id}/update': { ...chat, body: () => ({ description: 'changed' }), told: 'chat.update' },
  'POST /v1/admin/chats/{id}/delete': { ...chat, told: 'chat.delete' },
  'POST /v1/admin/chats/{id}/transfer': { ...chat, body: async () => ({ user_id: (await somebody()).id }), told: 'chat.transfer' },
  'POST /v1/admin/chats/{id}/kick': { ...chat, body: async () => ({ user_id: (await somebody()).id }), told: 'chat.kick' },
  'GET /v1/admin/users': everyone,
  'GET /v1/admin/users/{id}': { on: persons, may: () => true },
  'POST /v1/admin/users/{id}/permission': { ...person, body: (target) => ({ level: target.level === USER ? MODERATOR : USER }), told: 'user.permission' },
  'POST /v1/admin/users/{id}/warn': { ...person, body: () => ({ reason: 'why' }), told: 'platform.warn' },
  'POST /v1/admin/users/{id}/timeout': { ...person, body: () => ({ duration: 60 }), told: 'platform.timeout' },
  'POST /v1/admin/users/{id}/ban': { ...person, body: () => ({ reason: 'why' }), told: 'platform.ban' },
  'POST /v1/admin/users/{id}/unban': {
    ...person, told: 'platform.unban',
    prepare: (target) => portal.db.query("UPDATE users SET restriction = 'banned' WHERE id = $1 AND username LIKE 'somebody%'", [target.id]),
  },
  'POST /v1/admin/subscriptions/grant': { ...person, body: (target) => ({ user_id: target.id, level: 3 }), told: 'subscription.grant' },
  'POST /v1/admin/subscriptions/revoke': {
    ...person, body: (target) => ({ user_id: target.id, reason: 'why' }), told: 'subscription.revoke',
    prepare: (target) => portal.db.query('UPDATE users SET subscription_level = 3 WHERE id = $1', [target.id]),
  },
  'GET /v1/admin/subscriptions/active': everyone,
  'GET /v1/admin/audit': { ...everyone, least: MODERATOR },
  'POST /v1/admin/notifications': {
    ...everyone, told: 'notification.send', body: async () => ({ user_ids: [(await somebody()).id], title: 'Title', body: 'Body', type: 'info' }),
  },
  'POST /v1/admin/announcements': { ...everyone, body: () => ({ title: 'Title', body: 'Body', type: 'info' }), told: 'announcement.create' },
  'POST /v1/admin/announcements/{id}/delete': {
    on: [['an announcement', async () => ({ id: Number((await row("INSERT INTO announcements (title, body, type) VALUES ('t', 'b', 'info') RETURNING id")).id) })]],
    may: () => true, told: 'announcement.delete',
  },
  'GET /v1/admin/health': everyone,
};

const adminCalls = (openapi) => Object.entries(openapi.paths).filter(([path]) => path.startsWith('/v1/admin/'))
  .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));

test('every administrative call has a row in the table, and the other way round', async () => {
  const calls = adminCalls((await portal.get('/openapi.json')).body);
  assert.deepEqual(calls.sort(), Object.keys(TABLE).sort());
});

// All that a refused call could have changed of a target.
const picture = async (target) => JSON.stringify(target?.id ? (await portal.db.query(`SELECT
  (SELECT to_json(u) FROM users u WHERE u.id = $2) AS person, (SELECT to_json(b) FROM bots b WHERE b.id = $1) AS bot,
  (SELECT to_json(c) FROM chats c WHERE c.id = $1) AS chat, (SELECT count(*) FROM sessions WHERE user_id = $2 AND ended_at IS NULL) AS sessions`,
[target.id, target.owner?.id ?? target.id])).rows[0] : null);
const lastEntry = () => row('SELECT id::int, event_type, actor_id::int, target_id::int, data FROM audit_log ORDER BY id DESC LIMIT 1');

async function tryCall(call, who, target, spec) {
  const [method, path] = call.split(' ');
  const body = method === 'POST' ? (await spec.body?.(target)) ?? {} : undefined;
  await spec.prepare?.(target);
  const before = [await picture(target), (await lastEntry())?.id];
  const r = await send(portal, method, path.replace('{id}', target?.id), { body, cookie: who.token, key: who.key, from: '10.0.0.1' });
  const entry = await lastEntry();
  if (r.status >= 400) assert.deepEqual([await picture(target), entry?.id], before, `${call} was refused, and changed something`);
  return { r, told: entry?.id !== before[1] ? entry : null };
}

for (const [call, spec] of Object.entries(TABLE)) {
  test(`${call}: who may`, async () => {
    const target = () => spec.on[0][1](actors[USER]);
    assertError((await tryCall(call, {}, await target(), spec)).r, 401, 'ERR_AUTH_REQUIRED');
    assertError((await tryCall(call, { key }, await target(), spec)).r, 401, 'ERR_AUTH_REQUIRED');
    const least = spec.least ?? ADMIN;
    for (const actor of actors) {
      for (const [name, make] of spec.on) {
        const on = await make(actor);
        const { r, told } = await tryCall(call, actor, on, spec);
        const want = actor.level < least ? denied : spec.may(actor, on);
        const what = `${NAMES[actor.level]} on ${name}: ${r.text.slice(0, 300)}`;
        if (want === true) {
          assert.ok(r.status === 200 || r.status === 201, what);
          if (spec.told) {
            assert.equal(told?.event_type, spec.told, what);
            assert.equal(told.actor_id, actor.id, what);
          } else {
            assert.equal(told, null, what);
          }
        } else {
          assert.equal(r.body?.code, want, what);
          assert.equal(r.status, want === denied ? 403 : 404, what);
          if (actor.level < least) assert.equal(r.body.error, `${least === MODERATOR ? 'Moderator' : 'Admin'} access required`);
        }
      }
    }
  });
}

test('on nobody: 404', async () => {
  for (const [call, spec] of Object.entries(TABLE)) {
    if (spec.on === anything) continue;
    const { r } = await tryCall(call, actors[OWNER], { id: 999999999, level: USER }, spec);
    assert.equal(r.status, 404, `${call}: ${r.text}`);
  }
});

// ---- levels ----

const setLevel = (by, who, level) => by.post(`/v1/admin/users/${who.id}/permission`, { level });
const levelOf = async (who) => (await row('SELECT permission_level FROM users WHERE id = $1', [who.id])).permission_level;

test('Admins assign up to Moderator, Owners up to Admin', async () => {
  for (const actor of [actors[ADMIN], actors[OWNER]]) {
    for (let from = USER; from <= OWNER; from++) {
      for (let to = USER; to <= OWNER; to++) {
        const target = await somebody(from);
        const r = await setLevel(actor, target, to);
        const may = above(actor, target) && to < actor.level;
        if (may) assert.equal(r.body.user?.permission_level, to, r.text);
        else assertError(r, 403, 'ERR_ACCESS_DENIED');
        assert.equal(await levelOf(target), may ? to : from);
        const { rows } = await portal.db.query('SELECT old_level, new_level, actor_id::int FROM permission_history WHERE user_id = $1', [target.id]);
        assert.deepEqual(rows, may && from !== to ? [{ old_level: from, new_level: to, actor_id: actor.id }] : []);
      }
    }
  }
  for (const level of [-1, 4, 'admin', null]) assertError(await setLevel(actors[OWNER], await somebody(), level), 400, 'ERR_INVALID_REQUEST', /^level /);
});

test('the last Owner stays, whoever tries, also when two try at once', async () => {
  await portal.db.query('UPDATE users SET permission_level = 0 WHERE permission_level = 3 AND id <> $1', [actors[OWNER].id]);
  for (const actor of actors) assertError(await setLevel(actor, actors[OWNER], USER), 403, 'ERR_ACCESS_DENIED');
  assert.equal(await levelOf(actors[OWNER]), OWNER);
  for (let i = 0; i < 6; i++) {
    const [a, b] = [await portal.withLevel('owner'), await portal.withLevel('owner')];
    await portal.db.query('UPDATE users SET permission_level = 0 WHERE id = $1', [actors[OWNER].id]);
    const act = i < 3 ? (by, on) => setLevel(by, on, USER) : (by, on) => by.post(`/v1/admin/users/${on.id}/ban`, {});
    const answers = await Promise.all([act(a, b), act(b, a)]);
    assert.deepEqual(answers.map((r) => r.status === 200).sort(), [false, true], answers.map((r) => r.text).join());
    const { n } = await row("SELECT count(*)::int AS n FROM users WHERE permission_level = 3 AND user_state(restriction, restricted_until) = 'active'");
    assert.equal(n, 1, 'one Owner who can act');
    await portal.db.query('UPDATE users SET permission_level = 0 WHERE permission_level = 3');
    await portal.db.query('UPDATE users SET permission_level = 3 WHERE id = $1', [actors[OWNER].id]);
  }
});

test('a demotion takes effect on the next request, and on what others see in open rooms', async () => {
  const admin = await portal.withLevel('admin');
  const room = await someChat(await somebody());
  const [inside, watcher] = [await connect(portal, admin), await connect(portal, actors[USER])];
  const late = await connect(portal, actors[MODERATOR]);
  assert.equal((await inside.ask('room:join', { chat_id: room.id })).ok, true);
  assert.equal((await watcher.ask('room:join', { chat_id: room.id })).members.find((m) => m.user.id === admin.id).user.permission_level, ADMIN);
  assert.equal((await admin.get('/v1/admin/users')).status, 200);
  assert.equal((await setLevel(actors[OWNER], admin, USER)).status, 200);
  assertError(await admin.get('/v1/admin/users'), 403, 'ERR_ACCESS_DENIED', 'Admin access required');
  const kick = await inside.ask('room:kick', { chat_id: room.id, user_id: actors[USER].id });
  assert.equal(kick.code, 'ERR_ACCESS_DENIED');
  const { members } = await late.ask('room:join', { chat_id: room.id });
  assert.equal(members.find((m) => m.user.id === admin.id).user.permission_level, USER, 'the roster');
  for (const s of [inside, watcher, late]) s.disconnect();
});

test('a promotion to Admin leaves a day to the sessions there are; one to Moderator does not', async () => {
  const one = await portal.signIn();
  const days = async () => (Date.parse((await one.get('/v1/users/me/sessions')).body.sessions[0].expires_at) - Date.now()) / 86_400_000;
  assert.equal((await setLevel(actors[OWNER], one, MODERATOR)).status, 200);
  assert.ok(await days() > 29);
  assert.equal((await setLevel(actors[OWNER], one, ADMIN)).status, 200);
  assert.ok(await days() <= 1);
  assert.equal((await one.get('/v1/admin/users')).status, 200, 'and takes effect at once');
  const ttl = async () => Math.max(...await Promise.all((await portal.redis.zrange(`portal:sessions:${one.id}`, 0, -1)).map((h) => portal.redis.pttl(`portal:session:${h}`))));
  assert.ok(await until(ttl, 'the session in Redis') <= 86_400_000, 'in Redis, too');
});

// ---- lists and the record ----

test('people are found by name, id, state and level, in pages', async () => {
  const admin = actors[ADMIN];
  const find = async (query) => (await admin.get(`/v1/admin/users?${query}`)).body;
  const all = (await Promise.all([0, 1, 2].map(() => somebody()))).sort((a, b) => (a.id < b.id ? -1 : 1));
  const word = `found${++count}`;
  for (const [i, p] of all.entries()) await portal.db.query('UPDATE users SET username = $2 WHERE id = $1', [p.id, `${word}.${i}`]);
  await portal.db.query("UPDATE users SET restriction = 'banned' WHERE id = $1", [all[0].id]);
  await portal.db.query("UPDATE users SET restriction = 'timeout', restricted_until = now() - interval '1 s', permission_level = 1 WHERE id = $1", [all[1].id]);
  const ids = (page) => page.users.map((u) => u.id);
  assert.deepEqual(ids(await find(`q=${word.toUpperCase()}`)), all.map((p) => p.id));
  assert.ok(ids(await find(`q=${all[1].id}`)).includes(all[1].id), 'by an exact id');
  assert.deepEqual(ids(await find(`q=${word}&state=banned`)), [all[0].id]);
  assert.deepEqual(ids(await find(`q=${word}&state=active`)), [all[1].id, all[2].id], 'what is over does not count');
  assert.deepEqual(ids(await find(`q=${word}&state=timeout`)), []);
  assert.deepEqual(ids(await find(`q=${word}&level=1`)), [all[1].id]);
  assert.deepEqual(ids(await find(`q=${word}&level=0`)), [all[0].id, all[2].id]);
  const page = await find(`q=${word}&offset=1&limit=1`);
  assert.deepEqual([ids(page), page.total, page.offset, page.limit], [[all[1].id], 3, 1, 1]);
  assert.equal((await find(`q=${word}&offset=10`)).total, 3, 'past the end, too');
  assert.equal((await find('limit=1')).total, (await row('SELECT count(*)::int AS n FROM users WHERE deleted_at IS NULL')).n);
  for (const bad of ['state=gone', 'level=4', 'level=x', 'limit=101', 'offset=-1']) {
    assertError(await admin.get(`/v1/admin/users?${bad}`), 400, 'ERR_INVALID_REQUEST', new RegExp(`^${bad.split('=')[0]} `));
  }
});

test('the whole record of a person', async () => {
  const [admin, owner] = [actors[ADMIN], actors[OWNER]];
  const one = await portal.signIn();
  const at = `/v1/admin/users/${one.id}`;
  await setLevel(owner, one, MODERATOR);
  await admin.post('/v1/admin/subscriptions/grant', { user_id: one.id, level: 2, duration_days: 30, reason: 'a gift' });
  await admin.post(`${at}/warn`, { reason: 'mind your tone' });
  await owner.post('/v1/portal/hard-mute', { user_id: one.id, duration: 600 });
  const [open, closed] = [await someChat(one), await someChat(one, 'private')];
  const [plain, login] = [await someBot(one), await someBot(one, true)];
  const byOwner = (await owner.get(at)).body;
  assert.equal(byOwner.username, one.username);
  assert.deepEqual([byOwner.permission_level, byOwner.subscription_level, byOwner.state, byOwner.trial_used], [MODERATOR, 2, 'active', false]);
  assert.deepEqual(byOwner.linked_platforms.map((p) => p.platform_user_id), [one.platform_user_id]);
  assert.deepEqual(byOwner.moderation.map((m) => [m.action_type, m.actor_id]), [['CHAT_MUTE', owner.id], ['PLATFORM_WARNING', admin.id]]);
  assert.equal(byOwner.hard_mute.actor_id, owner.id);
  assert.deepEqual(byOwner.chats.map((c) => c.id).sort(), [open.id, closed.id]);
  assert.deepEqual(byOwner.bots.map((b) => b.id).sort(), [plain.id, login.id]);
  assert.deepEqual(byOwner.subscription_history.map((h) => [h.old_level, h.new_level, h.reason, h.granted_by_id]), [[0, 2, 'a gift', admin.id]]);
  assert.deepEqual(byOwner.permission_history.map((h) => [h.old_level, h.new_level, h.actor_id]), [[0, 1, owner.id]]);
  assert.equal(byOwner.sessions[0].token_suffix, one.token.slice(-6));
  const byAdmin = (await admin.get(at)).body;
  assert.equal(byAdmin.sessions, null, 'sessions are for Owners');
  assert.deepEqual(byAdmin.bots.map((b) => b.id), [plain.id], 'a login bot is for Owners');
  assert.deepEqual(byAdmin.chats.map((c) => c.id).sort(), [open.id, closed.id]);
  const ownersChat = await someChat(owner, 'private');
  const ofOwner = (await admin.get(`/v1/admin/users/${owner.id}`)).body;
  assert.ok(!ofOwner.chats.some((c) => c.id === ownersChat.id), 'a private chat of someone above looks absent');
  assert.ok(!JSON.stringify(byOwner).includes(one.token));
});

// ---- the audit log over HTTP ----

test('the audit log: filters, pages, newest first; for Moderators and above', async () => {
  const [admin, moderator] = [actors[ADMIN], actors[MODERATOR]];
  const [a, b] = [await somebody(), await somebody()];
  const read = async (query) => (await moderator.get(`/v1/admin/audit?${query}`)).body;
  for (const target of [a, b]) {
    await admin.post(`/v1/admin/users/${target.id}/warn`, { reason: `about ${target.id}` });
    await actors[OWNER].post(`/v1/admin/users/${target.id}/ban`, {});
  }
  const ofA = await read(`target_id=${a.id}`);
  assert.deepEqual(ofA.items.map((i) => [i.event_type, i.actor_id, i.actor_name, i.target_name]),
    [['platform.ban', actors[OWNER].id, actors[OWNER].username, a.username], ['platform.warn', admin.id, admin.username, a.username]]);
  assert.deepEqual([ofA.total, ofA.offset, ofA.limit], [2, 0, 50]);
  assert.equal(ofA.items[1].data.reason, `about ${a.id}`);
  assert.match(ofA.items[0].hash, /^[0-9a-f]{64}$/);
  assert.deepEqual((await read(`target_id=${b.id}&event_type=platform.warn&actor_id=${admin.id}`)).items.map((i) => i.target_id), [b.id]);
  assert.equal((await read(`target_id=${b.id}&actor_id=${moderator.id}`)).total, 0);
  const [last, first] = ofA.items;
  assert.deepEqual((await read(`target_id=${a.id}&from=${last.created_at}`)).items.map((i) => i.id), [last.id]);
  assert.deepEqual((await read(`target_id=${a.id}&to=${last.created_at}`)).items.map((i) => i.id), [first.id]);
  const all = await read('limit=3&offset=1');
  assert.equal(all.total, (await row('SELECT count(*)::int AS n FROM audit_log')).n);
  assert.equal(all.items.length, 3);
  assert.ok(all.items[0].id > all.items[1].id);
  for (const bad of ['from=yesterday', 'actor_id=0', 'event_type=']) assertError(await moderator.get(`/v1/admin/audit?${bad}`), 400, 'ERR_INVALID_REQUEST', new RegExp(`^${bad.split('=')[0]} `));
  await portal.ctl(['user', 'promote', String(a.id), '--level', 'moderator']);
  const [byLine] = (await read(`target_id=${a.id}&event_type=user.permission`)).items;
  assert.deepEqual([byLine.actor_id, byLine.actor_name, byLine.data], [null, null, { old_level: 0, new_level: 1 }]);
});

test('a change of a chat by its owner is no matter of the platform; by anybody else it is', async () => {
  const moderator = actors[MODERATOR];
  const mine = await someChat(moderator);
  const others = await someChat(await somebody());
  const entries = async (c) => (await portal.db.query('SELECT event_type FROM audit_log WHERE chat_id = $1', [c.id])).rows.map((r) => r.event_type);
  for (const c of [mine, others]) assert.equal((await moderator.post(`/v1/portal/chats/${c.id}/config/update`, { name: 'renamed' })).status, 200);
  assert.deepEqual([await entries(mine), await entries(others)], [[], ['chat.update']]);
  assert.equal((await actors[OWNER].post(`/v1/portal/chats/${others.id}/delete`)).status, 200);
  assert.deepEqual(await entries(others), ['chat.update', 'chat.delete']);
});
