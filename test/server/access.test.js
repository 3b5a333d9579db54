// Who may do what: one table of every call of contract sections 3 and 5, every client event of 4.1, the chats and bots
// rows of 8 and the bots' own of 1 and 6, against every role, in each kind of chat where it differs.
//
// A row has one word a role. The routes and events are taken from the server's own documents: one without a row
// here fails, and so does a row without a route. To everyone outside, a private or direct chat is absent: what they are
// told of it is, byte for byte but the correlation id, what they are told of an id that does not exist.
//
// The people are the same throughout; a chat is made anew behind a row that changes how somebody stands there
// (`spoils`), and behind each call that ends the chat or gives it away (`ends`). Rows run in their order, roles
// too. To add a route or event: its row. To add a kind of chat: KINDS, makeWorld, a string a row.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { bundle, talker } from './chatter.js';
import { assertError, connect, startPortal, until } from './harness.js';

// stranger: signed in, has never been there. In open chats member, muted and owner are in the room; in private
// ones they are members, too. ex and banned were, until they were kicked and banned. moderator, admin and boss
// (levels 1, 2, 3) stand outside. An official chat's owner is an Admin, any other's nobody special.
const ROLES = ['nobody', 'stranger', 'member', 'ex', 'muted', 'banned', 'owner', 'moderator', 'admin', 'boss', 'bot'];
// Of a direct chat owner and member are its two people, all others are outside.
const KINDS = ['official', 'public', 'private', 'direct'];
const OUTSIDE = ['stranger', 'ex', 'banned', 'moderator']; // of a private chat, without any power over it
const WORDS = {
  ok: null,
  auth: 'ERR_AUTH_REQUIRED', key: 'ERR_INVALID_API_KEY', none: 'ERR_NOT_FOUND', gone: 'ERR_CHAT_NOT_FOUND', no: 'ERR_ACCESS_DENIED',
  ban: 'ERR_BANNED', mute: 'ERR_MUTED', away: 'ERR_NOT_JOINED', owns: 'ERR_CONFLICT', paid: 'ERR_PREMIUM_REQUIRED',
};
const STATUS = { auth: 401, key: 401, none: 404, gone: 404, no: 403, ban: 403, mute: 403, away: 403, owns: 409, paid: 403 };

// Lines that many rows share.
//                  nobody stranger member ex   muted banned owner moderator admin boss bot
const EVERYONE   = 'ok     ok       ok     ok   ok    ok     ok    ok        ok    ok   ok';
const SIGNED_IN  = 'auth   ok       ok     ok   ok    ok     ok    ok        ok    ok   auth';
const INSIDE     = 'auth   gone     ok     gone ok    gone   ok    gone      gone  gone auth';
const BOTS       = 'key    key      key    key  key   key    key   key       key   key  ok';
const ADMINS     = 'auth   no       no     no   no    no     no    no        ok    ok   auth';
const OF_HOST    = 'auth   no       no     no   no    no     ok    no        no    ok   auth'; // an Admin's chat
const TWO        = 'auth   gone     ok     gone gone  gone   ok    gone      gone  gone auth'; // a direct chat's
const TWO_NO     = 'auth   gone     no     gone gone  gone   no    gone      gone  gone auth';
const READ       = { open: SIGNED_IN, private: INSIDE, direct: TWO };
const MANAGE     = {
  official:        'auth   no       no     no   no    no     ok    no        no    ok   auth',
  public:          'auth   no       no     no   no    no     ok    ok        ok    ok   auth',
  private:         'auth   gone     no     gone no    gone   ok    gone      gone  gone auth',
  direct:          TWO_NO,
};
const MODERATE   = { ...MANAGE,
  private:         'auth   gone     no     gone no    gone   ok    gone      ok    ok   auth',
};
const DELETE     = {
  official:        'auth   no       no     no   no    ban    ok    no        no    ok   auth',
  public:          'auth   no       no     no   no    ban    ok    ok        ok    ok   auth',
  private:         'auth   gone     no     gone no    gone   ok    gone      ok    ok   auth',
  direct:          TWO_NO,
};
const ABOVE      = { // who is told from, not where: an Owner's chat or anyone's
  official:        'auth   no       no     no   no    no     ok    ok        ok    ok   auth',
  public:          'auth   no       no     no   no    no     no    ok        ok    ok   auth',
  private:         'auth   gone     no     gone no    gone   no    gone      ok    ok   auth',
  direct:          TWO_NO,
};
const SPEAK      = {
  open:            'auth   away     ok     away mute  ban    ok    away      away  away auth',
  private:         'auth   gone     ok     gone mute  gone   ok    gone      gone  gone auth',
  direct:          TWO,
};
const UNSEEN     = 'auth   no       no     no   no    no     no    no        gone  gone auth'; // by the administration
const ADMINISTER = { official: OF_HOST, public: ADMINS, private: ADMINS, direct: UNSEEN };
//                  Events: without a session nobody is let in to send one; to /bot none is known.
const EVENT_READ = Object.fromEntries(Object.entries(READ).map(([kind, line]) => [kind, line.replace(/auth$/, 'none')]));
const IN_ROOM    = {
  open:            'auth   away     ok     away ok    away   ok    away      away  away none',
  direct:          'auth   away     ok     away away  away   ok    away      away  away none',
};

let serial = 0;
const newSlug = () => `access-${process.pid}-${++serial}`;
const victim = () => ({ user_id: people.victim.id });
const timed = () => ({ ...victim(), duration: 60 });
const says = (w) => ({ content: bundle(w.epoch) });
const aMessage = async (w) => ({
  ids: [await portal.redis.xadd(`portal:chat:${w.id}:stream`, '*', 's', 0, 'j', 'null,"permission_level":0', 'c', 'x', 'e', 0, 'k', '')],
});
const aKey = (w, role) => ({ public_key: (people[role] ?? people.member).public_key }); // the one it has
const anInvite = async (w) => {
  const code = `access${String(++serial).padStart(10, '0')}`;
  if (w.kind === 'direct') return { code }; // there are none
  await portal.db.query('INSERT INTO invites (code, chat_id, created_by) VALUES ($1, $2, $3)', [code, w.id, people.owner.id]);
  return { code };
};
const aBot = async () => ({ id: (await people.admin.post('/v1/admin/bots', { name: 'a bot', platform: 'discord' })).body.bot.id });
const identity = (platform_user_id) => ({ platform: 'discord', platform_user_id, platform_username: 'n', platform_avatar_url: '' });

// body: of the call, or a function of (world, role); at: what stands in the path, where it is not the chat's id;
// tries: bodies that would be refused, held against those to an absent chat, too; keyed: members hold the key.
const rows = {
  // First, while nobody is in a direct chat.
  'POST /v1/portal/match/enqueue': { any: SIGNED_IN, body: (w, role) => ({ interests: [`${role}0`] }) },
  'GET /v1/portal/match/status': { any: SIGNED_IN },
  'POST /v1/portal/match/leave': { any: SIGNED_IN },
  'POST /v1/portal/match': { any: SIGNED_IN, body: (w, role) => ({ interest: `${role}0` }) },
  'POST /v1/portal/match/dequeue': { any: SIGNED_IN },

  'GET /v1/portal/directory': { any: EVERYONE },
  'GET /v1/portal/chats': { any: EVERYONE },
  'POST /v1/portal/chats': {
    body: () => ({ name: 'mine' }),
    any: 'auth paid paid paid paid paid ok paid ok ok auth',
  },
  'GET /v1/portal/status': { any: SIGNED_IN },
  'GET /v1/portal/chats/{id}': READ,
  'GET /v1/portal/chats/{id}/members': READ,
  'GET /v1/portal/chats/{id}/key': READ,
  'GET /v1/portal/chats/{id}/history': { private: INSIDE, direct: TWO, open: SIGNED_IN.replace(/^((\w+ +){5})ok /, '$1ban') },
  'GET /v1/portal/chats/{id}/activity': MANAGE,
  'GET /v1/portal/chats/{id}/invites': MANAGE,
  'POST /v1/portal/chats/{id}/invites': { ...MANAGE, body: {}, tries: [{ expires_at: '2020-01-01T00:00:00Z' }] },
  'POST /v1/portal/chats/{id}/invites/{code}/delete': { ...MANAGE, at: anInvite },
  'GET /v1/portal/resolve/{code}': { any: SIGNED_IN, private: SIGNED_IN, direct: null, at: anInvite },
  'POST /v1/portal/keys': { any: SIGNED_IN, body: aKey },

  'POST /v1/portal/chats/{id}/messages': { ...SPEAK, keyed: true, body: says, tries: [{ content: 'x' }, { content: bundle(999) }] },
  'message:send': {
    keyed: true, body: says, tries: [{ content: 'x' }, { content: bundle(999) }],
    ...Object.fromEntries(Object.entries(SPEAK).map(([kind, line]) => [kind, line.replace(/auth$/, 'none')])),
  },
  'room:typing': { ...IN_ROOM, body: { typing: true } },
  'room:read': { ...IN_ROOM, body: { id: '1-1' } },
  'room:key_share': {
    ...IN_ROOM, keyed: true, tries: [{ epoch: 999, keys: [{ session_id: '0123456789abcdef', blob: 'A'.repeat(96) }] }],
    body: (w) => ({ epoch: w.epoch, keys: [{ session_id: '0123456789abcdef', blob: 'A'.repeat(96) }] }),
  },
  'room:key_request': { ...IN_ROOM, keyed: true, spoils: true, body: (w) => ({ epoch: w.epoch }), tries: [{ epoch: 999 }] },

  'POST /v1/portal/chats/{id}/messages/delete': { ...DELETE, body: aMessage, tries: [{ ids: ['1-1'] }] },
  'POST /v1/portal/chats/{id}/messages/delete-mine': { private: INSIDE, direct: TWO, open: SIGNED_IN.replace(/^((\w+ +){5})ok /, '$1ban') },
  'POST /v1/portal/chats/{id}/messages/delete-last': { ...DELETE, body: { count: 1 } },
  'POST /v1/portal/chats/{id}/clear': {
    open:    'auth no   no no   no ban  ok no   ok ok auth',
    private: 'auth gone no gone no gone ok gone ok ok auth',
    direct:  TWO_NO,
  },
  'POST /v1/portal/chats/{id}/config/update': { ...MANAGE, body: { description: 'x' }, tries: [{ slug: 'admin' }, {}] },
  'POST /v1/portal/chats/{id}/kick': { ...MODERATE, body: victim, tries: [{ user_id: 999999999 }] },
  'POST /v1/portal/chats/{id}/ban': { ...MODERATE, body: victim, tries: [{ user_id: 999999999 }] },
  'POST /v1/portal/chats/{id}/unban': { ...MODERATE, body: victim, tries: [{ user_id: 999999999 }] },
  'POST /v1/portal/chats/{id}/mute': { ...MODERATE, body: victim, tries: [{ user_id: 999999999 }] },
  'POST /v1/portal/chats/{id}/unmute': { ...MODERATE, body: victim, tries: [{ user_id: 999999999 }] },
  'POST /v1/portal/chats/{id}/warn': { ...ABOVE, body: victim, tries: [{ user_id: 999999999 }] },
  'POST /v1/portal/chats/{id}/timeout': { ...ABOVE, body: timed, tries: [{ user_id: 999999999, duration: 60 }] },
  'room:kick': {
    body: victim, tries: [{ user_id: 999999999 }],
    ...Object.fromEntries(Object.entries(MODERATE).map(([kind, line]) => [kind, line.replace(/auth$/, 'none')])),
  },
  'POST /v1/portal/hard-mute': { any: ADMINS, body: victim },
  'POST /v1/portal/hard-unmute': { any: ADMINS, body: victim },

  // In an open chat there is nothing to leave; who was kicked may come back.
  'room:leave': { ...Object.fromEntries(['any', 'private', 'direct'].map((kind) => [kind, SIGNED_IN.replace(/auth$/, 'none')])), spoils: true },
  'room:join': { ...EVENT_READ, open: EVENT_READ.open.replace(/^((\w+ +){5})ok /, '$1ban'), spoils: true, tries: [{ after: '1-1' }] },
  'POST /v1/portal/chats/{id}/leave': {
    open:    'auth ok   ok ok   ok ok   owns ok   ok   ok   auth',
    private: 'auth gone ok gone ok gone owns gone gone gone auth',
    direct:  TWO_NO,
    spoils: true,
  },
  'POST /v1/portal/resolve/{code}': {
    open:    'auth ok   ok ok   ok ban  ok   ok   ok   ok   auth',
    private: 'auth ok   ok ok   ok ban  ok   ok   ok   ok   auth',
    direct:  null,
    spoils: true, at: anInvite,
  },
  'POST /v1/portal/chats/{id}/delete': {
    open:    'auth no   no no   no no   ok   no   no   ok   auth',
    private: 'auth gone no gone no gone ok   gone gone ok   auth',
    direct:  TWO_NO,
    ends: true,
  },

  'GET /v1/admin/chats': { any: ADMINS },
  'POST /v1/admin/chats': { any: ADMINS, body: () => ({ name: 'news', slug: newSlug() }) },
  // What everyone sees Admins see here.
  'GET /v1/admin/chats/{id}': { official: ADMINS.replace(/^((\w+ +){6})no /, '$1ok '), public: ADMINS, private: ADMINS, direct: UNSEEN },
  'POST /v1/admin/chats/{id}/update': { ...ADMINISTER, body: { description: 'y' } },
  'POST /v1/admin/chats/{id}/kick': { ...ADMINISTER, body: victim },
  'POST /v1/admin/chats/{id}/transfer': { ...ADMINISTER, ends: true, body: victim },
  'POST /v1/admin/chats/{id}/delete': { ...ADMINISTER, ends: true },

  'GET /v1/bots': { any: EVERYONE },
  'GET /v1/bots/search': { any: EVERYONE },
  'GET /v1/bots/{id}': { any: EVERYONE, at: aBot },
  'GET /v1/bot/me': { any: BOTS },
  'POST /v1/bot/me/update': { any: BOTS, body: { latency_ms: 5 } },
  'GET /v1/bot/users/{platform_user_id}': { any: BOTS, at: () => people.stranger },
  'POST /v1/authentication/bot/send-code': { any: BOTS, body: () => identity(people.stranger.platform_user_id) },
  'POST /v1/authentication/bot/login-code': { any: BOTS, body: () => identity(people.stranger.platform_user_id) },
  'GET /v1/admin/bots': { any: ADMINS },
  'POST /v1/admin/bots': { any: ADMINS, body: { name: 'a bot', platform: 'discord' } },
  'POST /v1/admin/bots/{id}/update': { any: ADMINS, at: aBot, body: { name: 'b bot' } },
  'POST /v1/admin/bots/{id}/regenerate-key': { any: ADMINS, at: aBot },
  'POST /v1/admin/bots/{id}/reset-stats': { any: ADMINS, at: aBot },
  'POST /v1/admin/bots/{id}/delete': { any: ADMINS, at: aBot },
};
const COVERED = /^\w+ \/v1\/(portal|bots?|admin\/(chats|bots)|authentication\/bot)(\/|$)/;

// ---- people ----

let portal;
const people = {}; // by role: talkers of chatter.js
const keys = {}; // by role: an X-API-Key
before(async () => {
  portal = await startPortal({
    RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_ADMIN: '0', RATE_LIMIT_PUBLIC: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_HANDSHAKE: '0',
    RATE_LIMIT_EVENTS: '0', MESSAGE_RATE: '0', MESSAGE_RATE_CHAT: '0', CHAT_SLOTS_PREMIUM: '0', CHAT_SLOTS_ADMIN: '0',
    MATCH_RECENT: '0',
  });
  keys.bot = (await portal.bot('discord')).key;
  for (const role of ['stranger', 'member', 'ex', 'muted', 'banned', 'owner', 'victim']) people[role] = await portal.signIn();
  people.moderator = await portal.withLevel('moderator');
  people.boss = await portal.withLevel('owner');
  for (const role of ['admin', 'host']) people[role] = await portal.withLevel('admin'); // host: of official chats
  await portal.db.query('UPDATE users SET subscription_level = 2 WHERE id = $1', [people.owner.id]);
  for (const role of Object.keys(people)) if (role !== 'victim') people[role] = await talker(portal, people[role]);
});
after(async () => {
  for (const p of Object.values(people)) p.close?.();
  await portal.stop();
});

const who = (w, role) => (role === 'owner' && w.kind === 'official' ? people.host : people[role]);

async function makeDirect(w) {
  const two = [people.owner, people.member];
  await people.owner.post('/v1/portal/match/leave'); // the one before, if there was one
  const body = { interest: `pair${++serial}` };
  for (const p of two) w.id = (await p.post('/v1/portal/match', body)).body.chat?.chat.id;
  await Promise.all(two.map((p) => p.join(w.id)));
  await settle(w);
  return w;
}

async function makeWorld(kind) {
  const w = { kind };
  if (kind === 'direct') return makeDirect(w);
  const host = who(w, 'owner');
  const { rows: made } = await portal.db.query(
    'INSERT INTO chats (name, visibility, slug, owner_id, last_activity_at) VALUES ($1, $2, $3, $4, now()) RETURNING id::int',
    [`a ${kind} chat`, kind, kind === 'private' ? null : newSlug(), host.id]);
  w.id = made[0].id;
  const inside = [host, people.member, people.ex, people.muted, people.banned];
  for (const p of kind === 'private' ? inside : [host]) {
    await portal.db.query('INSERT INTO chat_members (chat_id, user_id) VALUES ($1, $2)', [w.id, p.id]);
  }
  await Promise.all(inside.map((p) => p.join(w.id)));
  for (const [call, p] of [['kick', people.ex], ['ban', people.banned], ['mute', people.muted]]) {
    const r = await host.post(`/v1/portal/chats/${w.id}/${call}`, { user_id: p.id, duration: 0 });
    assert.equal(r.status, 200, r.text);
  }
  await settle(w);
  return w;
}

// Who is in the room has heard of its epoch and holds the key.
async function settle(w) {
  w.epoch = Number(await portal.redis.get(`portal:chat:${w.id}:epoch`));
  for (const p of [who(w, 'owner'), people.member, ...(w.kind === 'direct' ? [] : [people.muted])]) await until(() => p.room(w.id).keyed >= w.epoch, 'the key');
  const now = Number(await portal.redis.get(`portal:chat:${w.id}:epoch`));
  if (now !== w.epoch) await settle(w);
}

// ---- calls ----

const isEvent = (name) => !name.includes(' ');

// What an answer is told by: {code (null: good), text: without the correlation id and what counts requests}.
const blank = (text) => text.replace(/"correlation_id":"[0-9a-f-]{36}"/, '"correlation_id":""');
const COUNTED = /^(x-correlation-id|ratelimit-|date|x-portal-steps)/;

async function callEvent(w, role, name, data) {
  const p = who(w, role);
  for (const key of await portal.redis.keys('portal:rate:key_request:*')) await portal.redis.del(key); // 3 a minute
  if (role === 'nobody') {
    const error = await connect(portal, {}, { by: 'none' }).then(() => null, (e) => e);
    return { code: error?.data?.code ?? null, text: '' };
  }
  if (role === 'bot') {
    const s = await connect({ ...portal, url: `${portal.url}/bot` }, {}, { by: 'none', auth: { api_key: keys.bot } });
    const ack = await s.ask(name, data);
    s.close();
    return { code: ack.ok ? null : ack.code, text: '' };
  }
  const raws = []; // acks as they came: this one's, and of keys that it shares meanwhile
  const seen = ({ type, data: text }) => type === 'message' && /^3\d/.test(text) && raws.push(text.replace(/^3\d+/, ''));
  p.socket.io.engine.on('packet', seen);
  const ack = await p.ask(name, data);
  p.socket.io.engine.off('packet', seen);
  const raw = raws.find((text) => isDeepStrictEqual(JSON.parse(text), [ack]));
  assert.ok(raw, `${name}: ${JSON.stringify(ack)} among ${raws.join(' ')}`);
  return { code: ack.ok ? null : ack.code, text: blank(raw) };
}

async function callRoute(w, role, name, at, body) {
  const [method, path] = name.split(' ');
  const target = path.replace(/\{(\w+)\}/g, (_, field) => encodeURIComponent(at[field]));
  const p = who(w, role);
  const r = await portal.send(method, target, { cookie: p?.token, from: p?.from, key: keys[role], body: method === 'POST' ? body : undefined });
  const headers = Object.entries(r.headers).filter(([h]) => !COUNTED.test(h)).map((h) => h.join(': ')).sort();
  return { r, code: r.status < 300 ? null : r.body?.code ?? r.text, text: [r.status, ...headers, blank(r.text)].join('\n') };
}

const valueOf = async (part, w, role) => (typeof part === 'function' ? part(w, role) : part);

async function callRow(name, row, w, role, chat, body) {
  if (isEvent(name)) return callEvent(w, role, name, { chat_id: chat, ...body });
  return callRoute(w, role, name, { id: chat, ...(await valueOf(row.at, w, role)) }, body);
}

const ABSENT = 999999999;
const namesChat = (name) => isEvent(name) || name.includes('chats/{id}');

// Held against an id that does not exist: the same bytes.
async function assertAbsent(name, row, w, role, answer, body) {
  const other = await callRow(name, row, w, role, ABSENT, body);
  assert.equal(answer.text, other.text, `${name}: ${role} can tell that the chat is there`);
  for (const bad of row.tries ?? []) {
    const [here, nowhere] = [await callRow(name, row, w, role, w.id, bad), await callRow(name, row, w, role, ABSENT, bad)];
    assert.equal(here.text, nowhere.text, `${name} ${JSON.stringify(bad)}: ${role} can tell that the chat is there`);
  }
}

async function assertCell(name, row, w, role, word) {
  if (row.keyed && word === 'ok') await settle(w);
  const body = await valueOf(row.body, w, role);
  const answer = await callRow(name, row, w, role, w.id, body);
  assert.equal(answer.code, WORDS[word], `${w.kind} ${name}: ${role}\n${answer.text}`);
  if (!isEvent(name) && word !== 'ok') assertError(answer.r, STATUS[word], WORDS[word]);
  const outside = w.kind === 'direct' ? word === 'gone' : OUTSIDE.includes(role) || (['admin', 'boss'].includes(role) && word !== 'ok');
  if (['private', 'direct'].includes(w.kind) && outside && namesChat(name)) await assertAbsent(name, row, w, role, answer, body);
}

// ---- the table ----

test('every route and every event of clients has a row, and every row is one', async () => {
  const { paths } = (await portal.get('/openapi.json')).body;
  const routes = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((m) => `${m.toUpperCase()} ${path}`));
  const { channels } = JSON.parse(await readFile(new URL('../../docs/asyncapi.json', import.meta.url)));
  const events = Object.entries(channels.socket.messages).filter(([id]) => id.startsWith('client.')).map(([, m]) => m.name);
  assert.ok(events.length > 0);
  assert.deepEqual(Object.keys(rows).sort(), [...routes.filter((r) => COVERED.test(r)), ...events].sort());
});

// null: there is no such thing in that kind of chat.
const lineOf = (row, kind) => (kind in row || kind === 'direct' ? row[kind] : row.open ?? row.any);
const worlds = {};

for (const [name, row] of Object.entries(rows)) {
  test(name, async () => {
    // A row that has but `any`: the kind of chat does not matter, one will do. `open`: official and public ones.
    for (const kind of row.any && !row.private ? ['public'] : KINDS) {
      if (lineOf(row, kind) === null) continue;
      const words = lineOf(row, kind).trim().split(/ +/);
      assert.equal(words.length, ROLES.length);
      for (const [i, role] of ROLES.entries()) {
        worlds[kind] ??= await makeWorld(kind);
        await assertCell(name, row, worlds[kind], role, words[i]);
        if (row.ends && words[i] === 'ok') delete worlds[kind];
      }
      if (row.spoils) delete worlds[kind];
    }
  });
}

// ---- what the table does not tell ----

test('a session or a key of one kind is none of the other: CONNECT', async () => {
  for (const options of [{ extraHeaders: { 'x-api-key': keys.bot } }, { auth: { api_key: keys.bot } }, { auth: { session: keys.bot } }]) {
    await assert.rejects(connect(portal, {}, { by: 'none', ...options }), (e) => e.data.code === 'ERR_AUTH_REQUIRED');
  }
  const bots = { ...portal, url: `${portal.url}/bot` };
  for (const options of [{ by: 'cookie' }, { by: 'none', auth: { api_key: people.boss.token } }]) {
    await assert.rejects(connect(bots, people.boss, options), (e) => e.data.code === 'ERR_INVALID_API_KEY');
  }
});

test('a private chat is in nobody\'s list who is outside, and its dead invite is an unknown code', async () => {
  const w = await makeWorld('private');
  const { code } = await anInvite(w);
  await people.owner.post(`/v1/portal/chats/${w.id}/invites/${code}/delete`);
  for (const role of [...OUTSIDE, 'admin', 'boss']) {
    for (const target of ['/v1/portal/directory?limit=100', '/v1/portal/chats?limit=500', '/v1/users/me/chats']) {
      const r = await people[role].get(target);
      assert.ok(!r.text.includes(`"id":${w.id},`), `${role}: ${target}`);
    }
    for (const method of ['GET', 'POST']) {
      const name = `${method} /v1/portal/resolve/{code}`;
      const [dead, unknown] = [await callRoute(w, role, name, { code }, {}), await callRoute(w, role, name, { code: 'x'.repeat(16) }, {})];
      assert.equal(dead.code, 'ERR_INVITE_NOT_FOUND');
      assert.equal(dead.text, unknown.text);
    }
  }
});

test('who is muted everywhere is told nothing of a private chat either', async () => {
  const w = await makeWorld('private');
  const body = { user_id: people.stranger.id };
  assert.equal((await people.boss.post('/v1/portal/hard-mute', body)).status, 200);
  for (const name of ['message:send', 'POST /v1/portal/chats/{id}/messages']) await assertCell(name, rows[name], w, 'stranger', 'gone');
  assert.equal((await people.boss.post('/v1/portal/hard-unmute', body)).status, 200);
});
