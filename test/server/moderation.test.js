// Contract section 3.4, and the event room:kick.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { assertError, startPortal, until } from './harness.js';

let portal;
let people; // by role
before(async () => {
  portal = await startPortal({ RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_ADMIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_PUBLIC: '0' });
  people = {
    stranger: await portal.signIn(), member: await portal.signIn(), owner: await portal.signIn(),
    moderator: await portal.withLevel('moderator'), admin: await portal.withLevel('admin'), boss: await portal.withLevel('owner'),
  };
});
after(() => portal.stop());

// ---- what the tests stand on ----

let count = 0;
async function makeChat(visibility, owner, members = []) {
  const slug = visibility === 'public' ? `chat-${++count}` : null;
  const { rows } = await portal.db.query('INSERT INTO chats (name, visibility, slug, owner_id) VALUES ($1, $2, $3, $4) RETURNING id',
    ['A chat', visibility, slug, owner.id]);
  const id = Number(rows[0].id);
  for (const person of [owner, ...members]) {
    await portal.db.query('INSERT INTO chat_members (chat_id, user_id) VALUES ($1, $2)', [id, person.id]);
  }
  return { id, slug };
}
async function invite(chat, by) {
  const code = `invite${String(++count).padStart(10, '0')}`;
  await portal.db.query('INSERT INTO invites (code, chat_id, created_by) VALUES ($1, $2, $3)', [code, chat.id, by.id]);
  return code;
}
// Someone who never signs in.
async function somebody(level = 0) {
  const { rows } = await portal.db.query('INSERT INTO users (username, permission_level) VALUES ($1, $2) RETURNING id, username', [`somebody${++count}`, level]);
  return { id: Number(rows[0].id), username: rows[0].username };
}
const act = (person, call, chat, target, body = {}) =>
  person.post(`/v1/portal/chats/${chat.id}/${call}`, { user_id: target.id, ...(call === 'timeout' && { duration: 60 }), ...body });
const hard = (person, call, target, body) => person.post(`/v1/portal/hard-${call}`, { user_id: target.id, ...body });
async function done(answer) {
  const r = await answer;
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(r.body, { ok: true });
}
const isMember = async (chat, person) =>
  (await portal.db.query('SELECT FROM chat_members WHERE chat_id = $1 AND user_id = $2', [chat.id, person.id])).rowCount === 1;
const epochOf = async (chat) => Number(await portal.redis.get(`portal:chat:${chat.id}:epoch`));
const CONTENT = JSON.stringify({ v: 2, epoch: 1, ct: Buffer.alloc(48).toString('base64') });
// What a person who is not in the room hears when they speak: whether they are muted comes first.
const speak = (person, chat) => person.post(`/v1/portal/chats/${chat.id}/messages`, { content: CONTENT });
async function assertMuted(person, chat, max) {
  const r = await speak(person, chat);
  assertError(r, 403, 'ERR_MUTED');
  assert.ok(max === 0 ? r.body.ttl === 0 : r.body.ttl > 0 && r.body.ttl <= max, r.text);
}
const assertSpeaks = async (person, chat) => assertError(await speak(person, chat), 403, 'ERR_NOT_JOINED');

const sockets = new Set();
after(() => sockets.forEach((s) => s.disconnect()));
// A connected socket that keeps what it hears: heard(name) gives the data so far.
async function connect(person) {
  const socket = io(portal.url, { transports: ['websocket'], auth: { session: person.token }, forceNew: true, reconnection: false });
  sockets.add(socket);
  const events = [];
  socket.onAny((name, data) => events.push({ name, data }));
  socket.on('disconnect', (reason) => events.push({ name: 'disconnect', data: reason }));
  await new Promise((resolve, reject) => {
    socket.on('connect', resolve);
    socket.on('connect_error', reject);
  });
  const all = (name, chat) => events.filter((e) => e.name === name && (!chat || e.data.chat_id === chat.id)).map((e) => e.data);
  const call = (name, data) => socket.timeout(10_000).emitWithAck(name, data);
  return {
    socket, events, all, call,
    join: (chat, more) => call('room:join', { chat_id: chat.id, ...more }),
    heard: (name, chat) => until(() => all(name, chat)[0], `${name} at ${person.username}`),
    // Everything that Redis was told before now has been heard once the mark is here.
    settle: async () => {
      const mark = ++count;
      await portal.redis.publish(`portal:user:${person.id}`, `r test:mark - -\n{"mark":${mark}}`);
      await until(() => all('test:mark').some((data) => data.mark === mark), 'the mark');
    },
  };
}
async function inRoom(person, chat) {
  const s = await connect(person);
  const ack = await s.join(chat);
  assert.equal(ack.ok, true, JSON.stringify(ack));
  return s;
}

// Every process notices, and closes its transports.
async function emptyRedis() {
  const canary = await connect(people.stranger);
  await portal.redis.flushdb();
  await until(() => canary.socket.disconnected, 'the transport to close');
  await until(async () => (await portal.get('/readyz')).status === 200, 'readyz');
}

// ---- who may ----

const OF_CHAT = ['kick', 'ban', 'unban', 'mute', 'unmute'];
const CALLS = [...OF_CHAT, 'warn', 'timeout'];
const each = (chatCalls, levelCalls = chatCalls) => (call) => (OF_CHAT.includes(call) ? chatCalls : levelCalls);
const EXPECTED = {
  private: { stranger: each(404), member: each(403), owner: each(200, 403), moderator: each(404), admin: each(200), boss: each(200) },
  public: { stranger: each(403), member: each(403), owner: each(200, 403), moderator: each(200), admin: each(200), boss: each(200) },
  // Of an Admin; `admin` is of equal level.
  official: { stranger: each(403), member: each(403), owner: each(200), moderator: each(403, 200), admin: each(403, 200), boss: each(200) },
};
const CODES = { 403: 'ERR_ACCESS_DENIED', 404: 'ERR_CHAT_NOT_FOUND' };

for (const [visibility, roles] of Object.entries(EXPECTED)) {
  test(`who may do what to a member of a chat: ${visibility}`, async () => {
    const owner = visibility === 'official' ? await portal.withLevel('admin') : people.owner;
    for (const [role, expected] of Object.entries(roles)) {
      for (const call of CALLS) {
        const target = await somebody();
        const chat = await makeChat(visibility, owner, [people.member, target]);
        const r = await act(role === 'owner' ? owner : people[role], call, chat, target);
        const want = expected(call);
        if (want === 200) assert.equal(r.status, 200, `${visibility} ${role} ${call}: ${r.text}`);
        else assertError(r, want, CODES[want]);
        assert.equal(await isMember(chat, target), want !== 200 || !['kick', 'ban'].includes(call), `${role} ${call}`);
      }
    }
  });
}

test('who may be acted on: those below; Owners act on each other; in one\'s own chat anyone', async () => {
  const levels = [0, 1, 2, 3];
  const targets = await Promise.all(levels.map((level) => somebody(level)));
  const actors = [people.member, people.moderator, people.admin, people.boss];
  const chat = await makeChat('public', people.owner);
  for (const a of levels) {
    for (const b of levels) {
      const may = a > b || (a === 3 && b === 3);
      for (const call of CALLS) {
        const r = await act(actors[a], call, chat, targets[b]);
        assert.equal(r.status, may ? 200 : 403, `${a} ${call} ${b}: ${r.text}`);
      }
      for (const call of ['mute', 'unmute']) {
        const r = await hard(actors[a], call, targets[b]);
        assert.equal(r.status, a >= 2 && may ? 200 : 403, `${a} hard-${call} ${b}: ${r.text}`);
      }
    }
  }
  for (const target of targets) {
    for (const call of OF_CHAT) await done(act(people.owner, call, chat, target));
    for (const call of ['warn', 'timeout']) assertError(await act(people.owner, call, chat, target), 403, 'ERR_ACCESS_DENIED');
  }
  assertError(await hard(people.moderator, 'mute', targets[0]), 403, 'ERR_ACCESS_DENIED', 'Admin access required');
});

test('a moderator who is inside a private chat warns there, but does not moderate it', async () => {
  const target = await somebody();
  const chat = await makeChat('private', people.owner, [people.moderator, target]);
  await done(act(people.moderator, 'warn', chat, target));
  for (const call of OF_CHAT) assertError(await act(people.moderator, call, chat, target), 403, 'ERR_ACCESS_DENIED');
});

test('nobody acts on themselves, on nobody, or without a session', async () => {
  const chat = await makeChat('public', people.owner);
  const bot = await portal.bot();
  for (const call of CALLS) {
    for (const person of [people.owner, people.boss]) {
      assertError(await act(person, call, chat, person), 400, 'ERR_INVALID_REQUEST', /^user_id /);
    }
    assertError(await act(people.boss, call, chat, { id: 999999999 }), 404, 'ERR_USER_NOT_FOUND');
    assertError(await act(people.boss, call, { id: 999999999 }, people.member), 404, 'ERR_CHAT_NOT_FOUND');
    const body = { user_id: people.member.id, duration: 60 };
    assertError(await portal.post(`/v1/portal/chats/${chat.id}/${call}`, body), 401, 'ERR_AUTH_REQUIRED');
    assertError(await portal.post(`/v1/portal/chats/${chat.id}/${call}`, body, { key: bot.key }), 401, 'ERR_AUTH_REQUIRED');
  }
  for (const call of ['mute', 'unmute']) {
    assertError(await hard(people.boss, call, people.boss), 400, 'ERR_INVALID_REQUEST', /^user_id /);
    assertError(await hard(people.boss, call, { id: 999999999 }), 404, 'ERR_USER_NOT_FOUND');
    assertError(await portal.post(`/v1/portal/hard-${call}`, { user_id: people.member.id }), 401, 'ERR_AUTH_REQUIRED');
  }
});

test('fields: bounds of duration and reason', async () => {
  const chat = await makeChat('public', people.owner);
  const target = await somebody();
  const bad = [
    ['kick', { user_id: null }, /^user_id /], ['kick', { reason: 'x'.repeat(501) }, /^reason /], ['kick', { user_id: 'x' }, /^user_id /],
    ['ban', { duration: -1 }, /^duration /], ['ban', { duration: 2592001 }, /^duration /],
    ['mute', { duration: 86401 }, /^duration /], ['mute', { duration: '1' }, /^duration /],
    ['timeout', { duration: 59 }, /^duration /], ['timeout', { duration: 2592001 }, /^duration /], ['timeout', { duration: undefined }, 'duration is required'],
  ];
  for (const [call, body, sentence] of bad) assertError(await act(people.boss, call, chat, target, body), 400, 'ERR_INVALID_REQUEST', sentence);
  assertError(await hard(people.boss, 'mute', target, { duration: 2592001 }), 400, 'ERR_INVALID_REQUEST', /^duration /);
  await done(act(people.boss, 'ban', chat, target, { duration: 2592000, reason: 'x'.repeat(500) }));
});

// ---- what they do ----

test('kick: a private membership is gone, the epoch rises, the records tell', async () => {
  const person = await portal.signIn();
  const chat = await makeChat('private', people.owner, [person, people.member]);
  assert.equal((await person.get(`/v1/portal/chats/${chat.id}`)).status, 200);
  await done(act(people.owner, 'kick', chat, person, { reason: 'loud' }));
  assert.equal(await isMember(chat, person), false);
  assertError(await person.get(`/v1/portal/chats/${chat.id}`), 404, 'ERR_CHAT_NOT_FOUND');
  const epoch = await epochOf(chat);
  assert.ok(epoch >= 1);
  await done(act(people.owner, 'kick', chat, person));
  assert.equal(await epochOf(chat), epoch + 1, 'again: nothing but another epoch');
  const [second, first] = (await person.get('/v1/users/me/punishments')).body;
  assert.deepEqual([second.action_type, first.action_type, first.reason, first.is_lifted], ['CHAT_KICK', 'CHAT_KICK', 'loud', false]);
  const { events } = (await people.owner.get(`/v1/portal/chats/${chat.id}/activity`)).body;
  assert.deepEqual(events.map((e) => [e.action, e.user.id]), [['kick', person.id], ['kick', person.id]]);
  const history = (await people.member.get(`/v1/portal/chats/${chat.id}/history`)).body;
  assert.deepEqual(history.map((m) => [m.type, m.epoch, m.sender]), [['system', 0, null], ['system', 0, null]]);
  assert.ok(history[0].content.startsWith(person.username));
  const code = await invite(chat, people.owner);
  assert.equal((await person.post(`/v1/portal/resolve/${code}`)).body.joined, true, 'a new invite lets them in again');
});

test('ban: may not return until it is lifted', async () => {
  const person = await portal.signIn();
  const chat = await makeChat('private', people.owner, [person]);
  const code = await invite(chat, people.owner);
  await done(act(people.owner, 'ban', chat, person, { reason: 'again and again' }));
  assertError(await person.post(`/v1/portal/resolve/${code}`), 403, 'ERR_BANNED');
  await done(act(people.owner, 'ban', chat, person), 'banned already');
  await done(act(people.owner, 'unban', chat, person));
  await done(act(people.owner, 'unban', chat, person), 'idempotent');
  assert.equal((await person.post(`/v1/portal/resolve/${code}`)).body.joined, true);
  const punishments = (await person.get('/v1/users/me/punishments')).body;
  assert.deepEqual(punishments.map((p) => [p.action_type, p.is_lifted, p.expires_at]), [['CHAT_BAN', true, null], ['CHAT_BAN', true, null]]);
  const { events } = (await people.owner.get(`/v1/portal/chats/${chat.id}/activity`)).body;
  assert.deepEqual(events.map((e) => e.action), ['join', 'unban', 'ban', 'ban']);
});

test('a ban that has an end lets them in again by itself; in open chats too', async () => {
  const person = await portal.signIn();
  for (const visibility of ['private', 'public']) {
    const chat = await makeChat(visibility, people.owner, visibility === 'private' ? [person] : []);
    const code = visibility === 'private' ? await invite(chat, people.owner) : chat.slug;
    await done(act(people.owner, 'ban', chat, person, { duration: 1 }));
    assertError(await person.post(`/v1/portal/resolve/${code}`), 403, 'ERR_BANNED');
    assertError(await person.get(`/v1/portal/chats/${chat.id}/history`), ...(visibility === 'private' ? [404, 'ERR_CHAT_NOT_FOUND'] : [403, 'ERR_BANNED']));
    await until(async () => (await person.post(`/v1/portal/resolve/${code}`)).status === 200, 'the end of the ban');
  }
});

test('the owner of a chat that is banned there by someone above stays out too', async () => {
  const person = await portal.signIn();
  const chat = await makeChat('public', person);
  await done(act(people.admin, 'ban', chat, person));
  assertError(await person.post(`/v1/portal/resolve/${chat.slug}`), 403, 'ERR_BANNED');
  assert.equal(await isMember(chat, person), true, 'it is theirs all the same');
  await done(act(people.admin, 'unban', chat, person));
  assert.equal((await person.post(`/v1/portal/resolve/${chat.slug}`)).status, 200);
});

test('a ban outlives the account: another one of the same identity is banned', async () => {
  const person = await portal.signIn();
  const chat = await makeChat('public', people.owner);
  await done(act(people.owner, 'ban', chat, person));
  assert.equal((await person.post('/v1/users/me/delete', { username: person.username })).status, 200);
  const again = await portal.signIn({ platform: person.platform, id: person.platform_user_id });
  assert.notEqual(again.id, person.id);
  assertError(await again.post(`/v1/portal/resolve/${chat.slug}`), 403, 'ERR_BANNED');
  await done(act(people.owner, 'unban', chat, again));
  assert.equal((await again.post(`/v1/portal/resolve/${chat.slug}`)).status, 200);
  assertError(await act(people.owner, 'ban', chat, person), 404, 'ERR_USER_NOT_FOUND');
});

test('mute: may not write for a while, there only; after Redis came back empty as well', async () => {
  const person = await portal.signIn();
  const chat = await makeChat('public', people.owner);
  const other = await makeChat('public', people.owner);
  await assertSpeaks(person, chat);
  await done(act(people.owner, 'mute', chat, person));
  await assertMuted(person, chat, 300);
  await assertSpeaks(person, other);
  await emptyRedis();
  await assertMuted(person, chat, 300);
  await done(act(people.owner, 'mute', chat, person, { duration: 0 }));
  await assertMuted(person, chat, 0);
  await done(act(people.owner, 'unmute', chat, person));
  await done(act(people.owner, 'unmute', chat, person));
  await assertSpeaks(person, chat);
  await done(act(people.owner, 'mute', chat, person, { duration: 1 }));
  await until(async () => (await speak(person, chat)).body.code === 'ERR_NOT_JOINED', 'the end of the mute');
  const punishments = (await person.get('/v1/users/me/punishments')).body;
  assert.deepEqual(punishments.map((p) => [p.action_type, p.is_lifted]), [['CHAT_MUTE', false], ['CHAT_MUTE', true], ['CHAT_MUTE', true]]);
});

test('a hard mute holds everywhere, and unmute does not lift it', async () => {
  const person = await portal.signIn();
  const chats = [await makeChat('public', people.owner), await makeChat('private', people.owner, [person])];
  await done(hard(people.admin, 'mute', person, { reason: 'spam' }));
  for (const chat of chats) await assertMuted(person, chat, 0);
  assert.deepEqual((await person.get('/v1/portal/status')).body.muted, { until: null });
  await emptyRedis();
  await done(act(people.owner, 'mute', chats[0], person, { duration: 60 }));
  await done(act(people.owner, 'unmute', chats[0], person));
  for (const chat of chats) await assertMuted(person, chat, 0);
  await done(hard(people.admin, 'mute', person, { duration: 3600 }));
  await assertMuted(person, chats[0], 3600);
  await done(hard(people.admin, 'unmute', person));
  await done(hard(people.admin, 'unmute', person));
  for (const chat of chats) await assertSpeaks(person, chat);
  assert.equal((await person.get('/v1/portal/status')).body.muted, null);
  await done(hard(people.admin, 'mute', person, { duration: 1 }));
  await until(async () => (await speak(person, chats[0])).body.code === 'ERR_NOT_JOINED', 'the end of the hard mute');
});

test('warn: a record, a notification, a line in the chat', async () => {
  const person = await portal.signIn();
  const chat = await makeChat('public', people.owner);
  const unread = async () => (await person.get('/v1/notifications/unread-count')).body.unread;
  const n = await unread();
  await done(act(people.moderator, 'warn', chat, person, { reason: 'mind your tone' }));
  assert.equal(await unread(), n + 1);
  const { rows } = await portal.db.query('SELECT body, type FROM notifications WHERE user_id = $1 ORDER BY id DESC', [person.id]);
  assert.deepEqual(rows[0], { body: 'mind your tone', type: 'warning' });
  const [p] = (await person.get('/v1/users/me/punishments')).body;
  assert.deepEqual([p.action_type, p.reason, p.expires_at], ['PLATFORM_WARNING', 'mind your tone', null]);
  const history = (await person.get(`/v1/portal/chats/${chat.id}/history`)).body;
  assert.equal(history.at(-1).content, `${person.username} was warned`);
});

test('timeout: sessions end, login is refused until it is over', async () => {
  const person = await portal.signIn();
  const second = await portal.signIn({ platform: person.platform, id: person.platform_user_id });
  const chat = await makeChat('public', people.owner);
  const login = async () => {
    const from = `10.9.${count % 256}.${++count % 250 + 1}`;
    await portal.post('/v1/authentication/request', { platform: 'discord', platform_user_id: person.platform_user_id }, { from });
    return portal.post('/v1/authentication/verify', { code: await portal.fetchCode('discord', person.platform_user_id) }, { from });
  };
  await done(act(people.moderator, 'timeout', chat, person, { duration: 3600, reason: 'cool down' }));
  for (const session of [person, second]) assertError(await session.get('/v1/users/me'), 401, 'ERR_AUTH_REQUIRED');
  await done(act(people.moderator, 'timeout', chat, person, { duration: 60 }));
  const r = await login();
  assertError(r, 403, 'ERR_ACCOUNT_TIMEOUT', 'Account timed out');
  assert.ok(Date.parse(r.body.expires_at) > Date.now() + 3000_000, 'the second did not shorten the first');
  await portal.db.query('UPDATE users SET restricted_until = now() WHERE id = $1', [person.id]);
  const back = portal.person(await login(), person);
  const punishments = (await back.get('/v1/users/me/punishments')).body;
  assert.deepEqual(punishments.map((p) => p.action_type), ['PLATFORM_TIMEOUT', 'PLATFORM_TIMEOUT']);
  await portal.db.query(`UPDATE users SET restriction = 'banned', restricted_until = NULL WHERE id = $1`, [person.id]);
  await done(act(people.moderator, 'timeout', chat, person));
  assertError(await login(), 403, 'ERR_ACCOUNT_BANNED', 'Account banned');
});

// ---- the audit log ----

test('every act leaves an entry; each carries the hash of the one before, also when many come at once', async () => {
  const chat = await makeChat('public', people.owner);
  const target = await somebody();
  const { rows: [{ last }] } = await portal.db.query('SELECT coalesce(max(id), 0) AS last FROM audit_log');
  for (const call of CALLS) await done(act(people.boss, call, chat, target, { reason: call === 'unmute' ? undefined : 'why' }));
  for (const call of ['mute', 'unmute']) await done(hard(people.boss, call, target));
  const { rows } = await portal.db.query('SELECT * FROM audit_log WHERE id > $1 ORDER BY id', [last]);
  assert.deepEqual(rows.map((r) => r.event_type), ['chat.kick', 'chat.ban', 'chat.unban', 'chat.mute', 'chat.unmute',
    'platform.warn', 'platform.timeout', 'platform.hard_mute', 'platform.hard_unmute']);
  for (const r of rows) assert.deepEqual([Number(r.actor_id), Number(r.target_id)], [people.boss.id, target.id]);
  assert.equal(rows[1].data.reason, 'why');
  const others = await Promise.all(Array.from({ length: 10 }, () => somebody()));
  await Promise.all(others.flatMap((o) => [done(act(people.boss, 'mute', chat, o)), done(act(people.admin, 'warn', chat, o))]));
  const { rows: chain } = await portal.db.query(`SELECT a.id, a.hash = audit_hash(a) AS fits,
    a.prev_hash = coalesce(lag(a.hash) OVER (ORDER BY a.id), '') AS follows FROM audit_log a ORDER BY a.id`);
  assert.deepEqual(chain.map((c) => Number(c.id)), chain.map((_, i) => i + 1), 'no gap');
  assert.ok(chain.every((c) => c.fits && c.follows));
  for (const statement of ['UPDATE audit_log SET actor_id = 0', 'DELETE FROM audit_log', 'TRUNCATE audit_log']) {
    await assert.rejects(portal.db.query(statement), /append-only/);
  }
});

// ---- at the same moment ----

test('ban against join by invite, in any order: never a member in the end', async () => {
  for (let i = 0; i < 12; i++) {
    const person = await portal.signIn();
    const chat = await makeChat('private', people.owner);
    const code = await invite(chat, people.owner);
    const join = () => person.post(`/v1/portal/resolve/${code}`);
    const ban = () => act(people.owner, 'ban', chat, person);
    const [a, b] = await Promise.all(i % 2 ? [join(), ban()] : [ban(), join()].reverse());
    assert.ok([200, 403].includes(a.status), a.text);
    assert.equal(b.status, 200, b.text);
    assert.equal(await isMember(chat, person), false);
    assertError(await join(), 403, 'ERR_BANNED');
  }
});

test('acts at once on each other: one order or the other, no deadlock', async () => {
  const [a, b] = [await portal.withLevel('owner'), await portal.withLevel('owner')];
  const chat = await makeChat('public', people.owner);
  const answers = await Promise.all(['ban', 'mute', 'warn', 'kick', 'unban', 'unmute'].flatMap((call) =>
    [act(a, call, chat, b), act(b, call, chat, a)]));
  for (const r of answers) assert.equal(r.status, 200, r.text);
  const ends = await Promise.all([act(a, 'timeout', chat, b), act(b, 'timeout', chat, a)]);
  const [done, refused] = ends[0].status === 200 ? ends : ends.reverse();
  assert.equal(done.status, 200, 'one of them');
  assert.ok([401, 403].includes(refused.status), `and who is timed out acts no more: ${refused.text}`);
});

test('cut short at any step: all of it or nothing, and what rooms have to hear is told later', async () => {
  const records = async (target) => {
    const { rows } = await portal.db.query(`SELECT (SELECT count(*) FROM moderation_actions WHERE user_id = $1) AS actions,
      (SELECT count(*) FROM audit_log WHERE target_id = $1) AS entries`, [target.id]);
    return [Number(rows[0].actions), Number(rows[0].entries)];
  };
  for (const call of ['kick', 'ban', 'mute', 'warn', 'timeout']) {
    for (const kind of ['drop', 'fail', 'deadline']) {
      let steps = Infinity;
      for (let k = 0; k < steps && k < 30; k++) {
        const target = await somebody();
        const chat = await makeChat('public', people.owner);
        const body = { user_id: target.id, duration: 60 };
        const r = await people.boss.post(`/v1/portal/chats/${chat.id}/${call}`, body, { headers: { 'x-portal-fault': `${kind}:${k}` } })
          .catch((error) => assert.equal(kind, 'drop', `${error}`));
        if (r?.status === 200) steps = Number(r.headers['x-portal-steps']);
        else if (r) assertError(r, 503, 'ERR_UNAVAILABLE');
        const [actions, entries] = await records(target);
        assert.ok(actions === entries && actions <= 1, `${call}, ${kind} at ${k}: ${actions} actions, ${entries} entries`);
        if (r?.status === 200) assert.equal(actions, 1);
      }
      assert.ok(steps < 30, `${call}, ${kind}: ${steps} steps`);
    }
  }
  await until(async () => (await portal.db.query('SELECT FROM room_changes')).rowCount === 0, 'nothing to be due', 15_000);
});

// ---- live ----

test('kick, live: out on every device, the room is told, nothing of what comes later', async () => {
  const person = await portal.signIn();
  const chat = await makeChat('private', people.owner, [person]);
  const devices = [await inRoom(person, chat), await inRoom(await portal.signIn({ platform: person.platform, id: person.platform_user_id }), chat)];
  const watcher = await inRoom(people.owner, chat);
  const { session_id } = await devices[0].join(chat);
  await done(act(people.owner, 'kick', chat, person));
  for (const d of devices) assert.deepEqual(await d.heard('room:kicked', chat), { chat_id: chat.id, reason: 'kick' });
  assert.equal((await watcher.heard('room:epoch_changed', chat)).reason, 'kick');
  assert.equal((await watcher.heard('message:new', chat)).type, 'system');
  const left = await until(() => watcher.all('room:member_left', chat).length === 2 && watcher.all('room:member_left', chat), 'both left');
  assert.ok(left.some((e) => e.session_id === session_id) && left.every((e) => e.user_id === person.id));
  assert.equal(watcher.all('room:kicked').length, 0);
  await done(act(people.admin, 'warn', chat, await somebody()));
  for (const d of devices) {
    const from = d.events.findIndex((e) => e.name === 'room:kicked');
    await d.settle();
    assert.deepEqual(d.events.slice(from + 1).filter((e) => e.data?.chat_id === chat.id), [], 'not one event after it');
    const again = await d.join(chat);
    assert.equal(again.code, 'ERR_CHAT_NOT_FOUND');
    assert.equal(d.socket.connected, true);
  }
  assert.equal(await portal.redis.hlen(`portal:room:${chat.id}:people`), 1);
});

test('ban, live: user:banned once to each, and room:join is refused', async () => {
  const person = await portal.signIn();
  const chat = await makeChat('public', people.owner);
  const [inside, outside, watcher] = [await inRoom(person, chat), await connect(person), await inRoom(people.owner, chat)];
  await done(act(people.owner, 'ban', chat, person, { duration: 600 }));
  assert.equal((await inside.heard('room:kicked', chat)).reason, 'ban');
  for (const s of [inside, outside, watcher]) {
    const data = await s.heard('user:banned', chat);
    assert.equal(data.user_id, person.id);
    assert.ok(Date.parse(data.until) > Date.now());
  }
  for (const s of [inside, outside]) {
    await s.settle();
    assert.equal(s.all('user:banned').length, 1);
    assert.equal((await s.join(chat)).code, 'ERR_BANNED');
  }
  await done(act(people.owner, 'unban', chat, person));
  assert.deepEqual(await watcher.heard('user:unbanned', chat), { chat_id: chat.id, user_id: person.id, until: null });
  assert.equal((await outside.heard('user:unbanned', chat)).user_id, person.id);
  assert.equal((await inside.join(chat)).ok, true);
});

test('mutes, live: told once, and in the answer of room:join', async () => {
  const person = await portal.signIn();
  const chat = await makeChat('public', people.owner);
  const [inside, outside, watcher] = [await inRoom(person, chat), await connect(person), await inRoom(people.owner, chat)];
  await done(act(people.owner, 'mute', chat, person, { duration: 60 }));
  for (const s of [inside, outside, watcher]) assert.equal((await s.heard('user:muted', chat)).user_id, person.id);
  assert.ok(Date.parse((await outside.join(chat)).muted.until) > Date.now());
  assert.equal((await inside.call('message:send', { chat_id: chat.id, content: CONTENT })).code, 'ERR_MUTED');
  await done(hard(people.admin, 'mute', person));
  for (const s of [inside, outside]) assert.deepEqual(await s.heard('user:hard_muted'), { until: null });
  await done(act(people.owner, 'unmute', chat, person));
  for (const s of [inside, outside, watcher]) assert.equal((await s.heard('user:unmuted', chat)).until, null);
  assert.equal((await inside.call('message:send', { chat_id: chat.id, content: CONTENT })).code, 'ERR_MUTED');
  assert.deepEqual((await inside.join(chat)).muted, { until: null });
  await done(hard(people.admin, 'unmute', person));
  for (const s of [inside, outside]) assert.deepEqual(await s.heard('user:hard_unmuted'), { until: null });
  assert.equal((await inside.join(chat)).muted, null);
  for (const s of [inside, outside]) {
    await s.settle();
    for (const name of ['user:muted', 'user:unmuted', 'user:hard_muted', 'user:hard_unmuted']) assert.equal(s.all(name).length, 1, name);
  }
  assert.equal(watcher.all('user:hard_muted').length, 0);
});

test('timeout, live: session:ended, then the end', async () => {
  const person = await portal.signIn();
  const chat = await makeChat('public', people.owner);
  const s = await inRoom(person, chat);
  await done(act(people.moderator, 'timeout', chat, person));
  assert.deepEqual(await s.heard('session:ended'), { reason: 'timeout' });
  await until(() => s.socket.disconnected, 'the disconnect');
});

test('room:kick does what kick and ban do', async () => {
  const person = await portal.signIn();
  const chat = await makeChat('public', people.owner);
  const [owner, inside] = [await inRoom(people.owner, chat), await inRoom(person, chat)];
  const kick = (s, more) => s.call('room:kick', { chat_id: chat.id, user_id: person.id, ...more });
  assert.deepEqual(await kick(owner), { ok: true });
  assert.equal((await inside.heard('room:kicked', chat)).reason, 'kick');
  assert.equal((await inside.join(chat)).ok, true, 'an open chat: back again');
  assert.equal((await inside.call('room:kick', { chat_id: chat.id, user_id: people.owner.id })).code, 'ERR_ACCESS_DENIED');
  assert.equal((await owner.call('room:kick', { chat_id: chat.id, user_id: people.owner.id })).code, 'ERR_INVALID_REQUEST');
  assert.equal((await owner.call('room:kick', { chat_id: 999999999, user_id: person.id })).code, 'ERR_CHAT_NOT_FOUND');
  assert.equal((await kick(owner, { duration: -1 })).code, 'ERR_INVALID_REQUEST');
  assert.deepEqual(await kick(owner, { ban: true, duration: 60, reason: 'enough' }), { ok: true });
  await until(() => inside.all('room:kicked').length === 2, 'the second removal');
  assert.equal((await inside.join(chat)).code, 'ERR_BANNED');
  assert.equal((await person.get('/v1/users/me/punishments')).body[0].reason, 'enough');
});

test('a removal and a join at the same moment: in or out, and everyone agrees', async () => {
  const person = await portal.signIn();
  const chat = await makeChat('public', people.owner);
  const present = async () => (await portal.redis.zrange(`portal:room:${chat.id}:joined`, 0, -1)).some((m) => m.startsWith(`${person.id}:`));
  for (let i = 0; i < 20; i++) {
    const s = await connect(person);
    const last = i >= 10;
    const calls = [() => s.join(chat), () => act(people.owner, last ? 'ban' : 'kick', chat, person)];
    const [ack] = await Promise.all(i % 2 ? [calls[0](), calls[1]()] : [calls[1](), calls[0]()].reverse());
    await s.settle();
    const out = !ack.ok || s.all('room:kicked', chat).length > 0;
    if (last) assert.ok(out, `round ${i}: banned, and in`);
    await until(async () => (await present()) === !out, `round ${i}: Redis to agree (${ack.code ?? 'joined'}, kicked ${s.all('room:kicked').length})`);
    if (last) await done(act(people.owner, 'unban', chat, person));
    s.socket.disconnect();
    await until(async () => !(await present()), 'the leave');
  }
});
