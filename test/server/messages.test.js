// Contract section 3.2 over HTTP and over sockets.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, test } from 'node:test';
import { bundle, talker } from './chatter.js';
import { assertError, startPortal, startProcess, stopProcess, until } from './harness.js';

let portal;
let owner;
let alice;
let bob;
let stranger;
let moderator;
let admin;
const sockets = [];
const off = { RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_ADMIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_PUBLIC: '0', RATE_LIMIT_HANDSHAKE: '0' };
before(async () => {
  portal = await startPortal({ ...off, MESSAGE_RATE: '0', MESSAGE_RATE_CHAT: '0', HISTORY_MAX: '50' });
  [owner, alice, bob, stranger] = await Promise.all([1, 2, 3, 4].map(() => portal.signIn()));
  moderator = await portal.withLevel('moderator');
  admin = await portal.withLevel('admin');
});
afterEach(() => {
  for (const s of sockets.splice(0)) s.close();
});
after(() => portal.stop());

let serial = 0;
async function makeChat({ visibility = 'public', members = [], history = true, wipe = '24h' } = {}) {
  const slug = visibility === 'public' ? `talk-${(serial += 1)}` : null;
  const { rows } = await portal.db.query(
    'INSERT INTO chats (name, visibility, slug, owner_id, history_visible, wipe_preset) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id::int',
    ['A "chat" — ü', visibility, slug, owner.id, history, wipe]);
  for (const p of [owner, ...members]) await portal.db.query('INSERT INTO chat_members (chat_id, user_id) VALUES ($1, $2)', [rows[0].id, p.id]);
  return rows[0].id;
}
async function enter(person, chat, after) {
  const t = await talker(portal, person);
  sockets.push(t);
  t.joined = await t.join(chat, after);
  return t;
}
const at = (chat, call) => `/v1/portal/chats/${chat}/${call}`;
const history = async (person, chat, query = '') => {
  const r = await person.get(at(chat, `history${query}`));
  assert.equal(r.status, 200, r.text);
  return r.body;
};
const sql = (text, ...args) => portal.db.query(text, args);
const said = async (t, chat, o) => {
  const r = await t.say(chat, o);
  assert.ok(r.ok, JSON.stringify(r));
  return r.id;
};

test('a message is acknowledged, told to the room and kept, all three alike', async () => {
  const chat = await makeChat();
  const [a, b] = [await enter(alice, chat), await enter(bob, chat)];
  const content = bundle(a.room(chat).epoch);
  const id = await said(a, chat, { content, client_id: 'mine-1' });
  const rest = await bob.post(at(chat, 'messages'), { content: bundle(b.room(chat).epoch) });
  assert.equal(rest.status, 200, rest.text);
  for (const t of [a, b]) await until(() => t.items(chat).length === 2, 'both messages');
  assert.deepEqual(a.items(chat), b.items(chat));
  assert.deepEqual(await history(stranger, chat), a.items(chat));
  const [first, second] = a.items(chat);
  assert.deepEqual(first, {
    chat_id: chat, chat_name: 'A "chat" — ü', id, permission_level: 0, content, type: 'user', epoch: a.room(chat).epoch,
    sender: { id: alice.id, username: alice.username, avatar_url: null, permission_level: 0 },
    timestamp: first.timestamp, client_id: 'mine-1',
  });
  assert.equal(Date.parse(first.timestamp), Number(id.split('-')[0]));
  assert.equal(second.id, rest.body.id);
  assert.equal(second.client_id, null);
});

test('what is no bundle is refused, whoever sends it', async () => {
  const chat = await makeChat();
  const a = await enter(alice, chat);
  const epoch = a.room(chat).epoch;
  for (const content of ['', 'hello', '{}', JSON.stringify({ v: 1, epoch, ct: Buffer.alloc(48).toString('base64') }),
    bundle(epoch, 39), `${bundle(epoch)} x`, bundle(epoch, 4000)]) {
    assertError(await alice.post(at(chat, 'messages'), { content }), 422, 'ERR_BAD_CIPHERTEXT', 'Content is not a CiphertextV2 bundle');
    assert.equal((await a.say(chat, { content })).code, 'ERR_BAD_CIPHERTEXT');
  }
  assertError(await alice.post(at(chat, 'messages'), {}), 400, 'ERR_INVALID_REQUEST', 'content is required');
  assertError(await alice.post(at(chat, 'messages'), { content: 7 }), 400, 'ERR_INVALID_REQUEST', 'content must be a string');
  for (const client_id of ['', 'a_b', 'x'.repeat(37), 'ü']) {
    assertError(await alice.post(at(chat, 'messages'), { content: bundle(epoch), client_id }), 400, 'ERR_INVALID_REQUEST', /^client_id /);
  }
  assert.equal((await history(alice, chat)).length, 0);
});

test('each refusal says why', async () => {
  const chat = await makeChat();
  const a = await enter(alice, chat);
  const send = (person, epoch = a.room(chat).epoch) => person.post(at(chat, 'messages'), { content: bundle(epoch) });
  assertError(await send(stranger), 403, 'ERR_NOT_JOINED');
  const wrong = await send(alice, 999);
  assertError(wrong, 403, 'ERR_EPOCH_MISMATCH');
  assert.equal(wrong.body.epoch, a.room(chat).epoch);
  const ack = await a.say(chat, { epoch: 999 });
  assert.equal(ack.code, 'ERR_EPOCH_MISMATCH');
  assert.equal(ack.epoch, a.room(chat).epoch);

  await portal.redis.hdel(`portal:e2ee:chatkey:${chat}:${a.room(chat).epoch}`, `${alice.id}:${a.session_id}`);
  assertError(await send(alice), 403, 'ERR_NO_ROOM_KEY');

  const hidden = await makeChat({ visibility: 'private' });
  assertError(await stranger.post(at(hidden, 'messages'), { content: bundle(1) }), 404, 'ERR_CHAT_NOT_FOUND');
  assertError(await admin.post(at(hidden, 'messages'), { content: bundle(1) }), 404, 'ERR_CHAT_NOT_FOUND');
  assertError(await alice.post(at(987654, 'messages'), { content: bundle(1) }), 404, 'ERR_CHAT_NOT_FOUND');
  assertError(await portal.post(at(chat, 'messages'), { content: bundle(1) }), 401, 'ERR_AUTH_REQUIRED');
});

test('the session that sends must be in the room, not only its person', async () => {
  const chat = await makeChat();
  const a = await enter(alice, chat);
  const again = await portal.signIn({ id: alice.platform_user_id });
  assert.equal(again.id, alice.id);
  assertError(await again.post(at(chat, 'messages'), { content: bundle(a.room(chat).epoch) }), 403, 'ERR_NOT_JOINED');
  assert.equal((await alice.post(at(chat, 'messages'), { content: bundle(a.room(chat).epoch) })).status, 200);
  a.close();
  await until(async () => (await alice.post(at(chat, 'messages'), { content: bundle(a.room(chat).epoch) })).status === 403, 'the room to be left');
});

test('a client_id counts once, whichever way and however often', async () => {
  const chat = await makeChat();
  const [a, b] = [await enter(alice, chat), await enter(bob, chat)];
  const body = () => ({ content: bundle(a.room(chat).epoch), client_id: 'same' });
  const all = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? a.say(chat, body()) : alice.post(at(chat, 'messages'), body()).then((r) => r.body))));
  assert.equal(new Set(all.map((r) => r.id)).size, 1);
  assert.notEqual(await said(b, chat, { client_id: 'same' }), all[0].id);
  assert.equal((await history(alice, chat)).length, 2);
  const old = body();
  assert.equal((await owner.post(at(chat, 'clear'))).status, 200);
  const r = await alice.post(at(chat, 'messages'), old);
  assert.equal(r.status, 200, r.text);
  assert.equal(r.body.id, all[0].id);
  assert.equal((await history(alice, chat)).filter((m) => m.type === 'user').length, 0);
  await until(() => b.items(chat).length === 3, 'two messages and what the system said');
});

test('everyone has the same messages in the same order', async () => {
  const chat = await makeChat();
  const all = await Promise.all([alice, bob, stranger].map((p) => enter(p, chat)));
  const ids = (await Promise.all(all.flatMap((t) => Array.from({ length: 15 }, () => said(t, chat))))).sort((x, y) => {
    const [p, q] = [x, y].map((id) => id.split('-').map(Number));
    return p[0] - q[0] || p[1] - q[1];
  });
  for (const t of all) {
    await until(() => t.items(chat).length === 45, 'all messages');
    assert.deepEqual(t.items(chat).map((m) => m.id), ids);
  }
  assert.deepEqual((await history(bob, chat)).map((m) => m.id), ids);
});

test('history is paged both ways and keeps the newest', async () => {
  const chat = await makeChat();
  const a = await enter(alice, chat);
  const ids = [];
  for (let i = 0; i < 60; i++) ids.push((await alice.post(at(chat, 'messages'), { content: bundle(a.room(chat).epoch) })).body.id);
  const kept = ids.slice(10);
  const list = async (q) => (await history(bob, chat, q)).map((m) => m.id);
  assert.deepEqual(await list(''), kept);
  assert.deepEqual(await list('?limit=5'), kept.slice(-5));
  assert.deepEqual(await list(`?limit=5&before=${kept[10]}`), kept.slice(5, 10));
  assert.deepEqual(await list(`?limit=5&after=${kept[10]}`), kept.slice(11, 16));
  assert.deepEqual(await list(`?after=${ids[3]}&limit=2`), kept.slice(0, 2));
  assert.deepEqual(await list(`?after=${kept[49]}`), []);
  assert.deepEqual(await list('?before=0-0'), [], 'nothing comes before the first id there can be');
  assert.deepEqual(await list('?after=0-0&limit=2'), kept.slice(0, 2));
  for (const q of ['before=7', 'after=x', 'after=1-2-3', `after=(${kept[0]}`]) {
    assertError(await bob.get(at(chat, `history?${q}`)), 400, 'ERR_INVALID_REQUEST', /must be a message id$/);
  }
  for (const q of ['limit=0', 'limit=501']) assertError(await bob.get(at(chat, `history?${q}`)), 400, 'ERR_INVALID_REQUEST', 'limit must be between 1 and 500');

  const back = await enter(bob, chat, kept[40]);
  assert.deepEqual(back.joined.messages.map((m) => m.id), kept.slice(41));
  assert.deepEqual([back.joined.more, back.joined.gap], [false, false]);
  const late = await enter(stranger, chat, ids[0]);
  assert.deepEqual([late.joined.more, late.joined.gap], [false, true]);
  assert.deepEqual(late.joined.messages.map((m) => m.id), kept);
});

test('history is for those who may see the chat and are not banned', async () => {
  const open = await makeChat();
  const hidden = await makeChat({ visibility: 'private', members: [alice] });
  await sql('INSERT INTO chat_bans (chat_id, user_id) VALUES ($1, $2)', open, bob.id);
  assertError(await bob.get(at(open, 'history')), 403, 'ERR_BANNED');
  await history(stranger, open);
  await history(alice, hidden);
  await history(owner, hidden);
  for (const p of [stranger, moderator, admin]) assertError(await p.get(at(hidden, 'history')), 404, 'ERR_CHAT_NOT_FOUND');
  assertError(await portal.get(at(open, 'history')), 401, 'ERR_AUTH_REQUIRED');
  assertError(await alice.get(at(987654, 'history')), 404, 'ERR_CHAT_NOT_FOUND');
});

test('without history_visible nobody reads what came before them, but managers', async () => {
  const open = await makeChat({ history: false });
  const a = await enter(alice, open);
  const first = await said(a, open);
  assert.deepEqual(await history(stranger, open), []);
  await new Promise((done) => setTimeout(done, 5)); // so that the join is of a later millisecond
  const b = await enter(bob, open);
  assert.deepEqual(b.joined.messages, []);
  await a.keyed(open);
  const second = await said(a, open);
  assert.deepEqual((await history(bob, open)).map((m) => m.id), [second]);
  assert.deepEqual((await history(alice, open)).map((m) => m.id), [first, second]);
  assert.deepEqual((await history(owner, open)).map((m) => m.id), [first, second]);

  const hidden = await makeChat({ visibility: 'private', members: [alice], history: false });
  const c = await enter(alice, hidden);
  const old = await said(c, hidden);
  await new Promise((done) => setTimeout(done, 5));
  await sql('INSERT INTO chat_members (chat_id, user_id) VALUES ($1, $2)', hidden, bob.id);
  assert.deepEqual(await history(bob, hidden), []);
  assert.deepEqual((await history(alice, hidden)).map((m) => m.id), [old]);
});

test('people delete their own, moderators any', async () => {
  const chat = await makeChat();
  const [a, b] = [await enter(alice, chat), await enter(bob, chat)];
  const remove = (person, ids) => person.post(at(chat, 'messages/delete'), { ids });
  const mine = [await said(a, chat), await said(a, chat)];
  const theirs = await said(b, chat);
  assertError(await remove(alice, [mine[0], theirs]), 403, 'ERR_ACCESS_DENIED');
  assertError(await remove(stranger, [mine[0]]), 403, 'ERR_ACCESS_DENIED');
  assert.equal((await history(alice, chat)).length, 3);
  assert.deepEqual((await remove(alice, [mine[0], mine[0], '1-1'])).body, { deleted: 1 });
  assert.deepEqual((await b.heard(chat, 'message:bulk_deleted')).ids, [mine[0]]);
  assert.deepEqual((await remove(owner, [theirs])).body, { deleted: 1 });
  assert.deepEqual((await remove(moderator, [mine[1]])).body, { deleted: 1 });
  for (const ids of [[], ['x'], [7], Array(101).fill('1-1'), undefined]) assertError(await remove(alice, ids), 400, 'ERR_INVALID_REQUEST', /^ids /);

  for (let i = 0; i < 3; i++) await said(i % 2 ? b : a, chat);
  assert.deepEqual((await alice.post(at(chat, 'messages/delete-mine'))).body, { deleted: 2 });
  assert.deepEqual((await alice.post(at(chat, 'messages/delete-mine'))).body, { deleted: 0 });
  const last = [await said(a, chat), await said(b, chat)];
  assertError(await alice.post(at(chat, 'messages/delete-last'), { count: 2 }), 403, 'ERR_ACCESS_DENIED');
  assert.deepEqual((await moderator.post(at(chat, 'messages/delete-last'), { count: 2 })).body, { deleted: 2 });
  await b.heard(chat, 'message:bulk_deleted', (d) => d.ids.join() === last.join());
  assert.equal((await history(alice, chat)).length, 1);
  for (const count of [0, 101, undefined]) assertError(await moderator.post(at(chat, 'messages/delete-last'), { count }), 400, 'ERR_INVALID_REQUEST');

  const hidden = await makeChat({ visibility: 'private', members: [alice] });
  const c = await enter(alice, hidden);
  const id = await said(c, hidden);
  for (const p of [stranger, moderator]) assertError(await p.post(at(hidden, 'messages/delete'), { ids: [id] }), 404, 'ERR_CHAT_NOT_FOUND');
  assertError(await stranger.post(at(hidden, 'messages/delete-mine')), 404, 'ERR_CHAT_NOT_FOUND');
  assert.deepEqual((await admin.post(at(hidden, 'messages/delete'), { ids: [id] })).body, { deleted: 1 });
});

test('clearing empties the chat, turns the epoch and says so', async () => {
  const chat = await makeChat();
  const [a, b] = [await enter(alice, chat), await enter(bob, chat)];
  for (let i = 0; i < 3; i++) await said(a, chat);
  const epoch = a.room(chat).epoch;
  for (const p of [alice, stranger, moderator]) assertError(await p.post(at(chat, 'clear')), 403, 'ERR_ACCESS_DENIED');
  const r = await owner.post(at(chat, 'clear'));
  assert.deepEqual(r.body, { ok: true, cleared: 3 });
  assert.deepEqual(await b.heard(chat, 'portal:cleared'), { chat_id: chat, epoch: epoch + 1, reason: 'clear' });
  assert.deepEqual(await b.heard(chat, 'room:epoch_changed'), { chat_id: chat, epoch: epoch + 1, reason: 'clear' });
  const names = b.room(chat).events.map((e) => e.name);
  assert.ok(names.indexOf('portal:cleared') < names.lastIndexOf('message:new'), 'what the system says comes behind it');
  const [item, ...rest] = await history(bob, chat);
  assert.deepEqual(rest, []);
  assert.deepEqual(item, {
    ...item, type: 'system', sender: null, permission_level: 0, epoch: 0, client_id: null, content: `${owner.username} cleared the chat`,
  });
  assert.equal((await a.say(chat, { epoch })).code, 'ERR_EPOCH_MISMATCH');
  await a.keyed(chat);
  await said(a, chat);
  const { rows } = await sql("SELECT user_id::int FROM chat_activity WHERE chat_id = $1 AND action = 'clear'", chat);
  assert.deepEqual(rows, [{ user_id: owner.id }]);
  assert.equal((await admin.post(at(chat, 'clear'))).body.cleared, 2);

  const hidden = await makeChat({ visibility: 'private' });
  assertError(await stranger.post(at(hidden, 'clear')), 404, 'ERR_CHAT_NOT_FOUND');
  assert.equal((await admin.post(at(hidden, 'clear'))).status, 200);
});

test('clear against send: what was acknowledged before is gone, what comes after is of the new epoch', async () => {
  const chat = await makeChat();
  const a = await enter(alice, chat);
  const epoch = a.room(chat).epoch;
  const sends = Array.from({ length: 20 }, () => a.say(chat, { epoch }));
  const clear = owner.post(at(chat, 'clear'));
  const more = Array.from({ length: 20 }, () => a.say(chat, { epoch }));
  const acks = await Promise.all([...sends, ...more]);
  const { cleared } = (await clear).body;
  const added = acks.filter((r) => r.ok).length;
  assert.ok(acks.every((r) => r.ok || r.code === 'ERR_EPOCH_MISMATCH'));
  assert.equal(cleared, added);
  assert.deepEqual((await history(alice, chat)).map((m) => m.type), ['system']);
});

test('a chat is wiped a while after the first message of a person', async () => {
  const chat = await makeChat({ wipe: '1m' });
  const [a, b] = [await enter(alice, chat), await enter(bob, chat)];
  const due = async () => Number(await portal.redis.zscore('portal:wipes', String(chat)));
  await said(a, chat);
  const first = await due();
  assert.ok(Math.abs(first - Date.now() - 60_000) < 5000);
  await said(a, chat);
  assert.equal(await due(), first);
  const epoch = a.room(chat).epoch;
  await portal.redis.zadd('portal:wipes', '1', String(chat));
  assert.deepEqual(await b.heard(chat, 'portal:cleared'), { chat_id: chat, epoch: epoch + 1, reason: 'wipe' });
  await until(async () => (await history(bob, chat)).length === 1, 'what the system says');
  assert.equal(await portal.redis.zscore('portal:wipes', String(chat)), null);
  await a.keyed(chat);
  await said(a, chat);
  assert.ok(await due() > Date.now());
});

test('messages outlive the process, and what fell due while none ran is wiped at its start', async () => {
  const p2 = await startPortal(off);
  const { rows } = await p2.db.query("INSERT INTO chats (name, visibility) VALUES ('c', 'official'), ('d', 'official') RETURNING id::int");
  const [kept, due] = rows.map((r) => r.id);
  const person = await p2.signIn();
  const t = await talker(p2, person);
  for (const c of [kept, due]) {
    await t.join(c);
    await said(t, c);
  }
  const before = (await person.get(at(kept, 'history'))).body;
  t.close();
  await stopProcess(p2, 'SIGKILL');
  await p2.stores.redis.zadd('portal:wipes', '1', String(due));
  const next = await startProcess(p2.stores, off);
  try {
    const read = async (c) => (await p2.stores.redis.xrange(`portal:chat:${c}:stream`, '-', '+')).map(([id]) => id);
    assert.deepEqual(await read(kept), before.map((m) => m.id));
    await until(async () => (await p2.stores.redis.zscore('portal:wipes', String(due))) === null, 'the wipe');
    assert.equal((await read(due)).length, 1);
  } finally {
    await stopProcess(next);
    await p2.stores.release();
  }
});

test('a room is one over two processes', async () => {
  const second = await startProcess(portal.stores, { ...off, MESSAGE_RATE: '0', MESSAGE_RATE_CHAT: '0', HISTORY_MAX: '50' });
  try {
    const chat = await makeChat();
    const a = await enter(alice, chat);
    const b = await talker(portal, bob, { url: second.url });
    await b.join(chat);
    const ids = [];
    for (let i = 0; i < 20; i++) ids.push(await said(i % 2 ? a : b, chat));
    for (const t of [a, b]) {
      await until(() => t.items(chat).length === 20, 'all messages');
      assert.deepEqual(t.items(chat).map((m) => m.id), ids);
    }
    b.close();
  } finally {
    await stopProcess(second);
  }
});

test('a send uses the name, level and mute of now', async () => {
  const chat = await makeChat();
  const person = await portal.signIn();
  const t = await enter(person, chat);
  const last = async () => {
    const id = await said(t, chat);
    await until(() => t.items(chat).some((m) => m.id === id), 'the message');
    return t.items(chat).find((m) => m.id === id);
  };
  assert.equal((await last()).sender.username, person.username);
  await person.post('/v1/users/me/update', { username: 'renamed.one' });
  assert.equal((await last()).sender.username, 'renamed.one');
  await portal.ctl(['user', 'promote', String(person.id), '--level', 'moderator']);
  assert.equal((await last()).permission_level, 1);
  assert.equal((await owner.post(at(chat, 'mute'), { user_id: person.id, duration: 120 })).status, 200);
  const muted = await t.say(chat);
  assert.equal(muted.code, 'ERR_MUTED');
  assert.ok(muted.ttl > 100 && muted.ttl <= 120, JSON.stringify(muted));
  assertError(await person.post(at(chat, 'messages'), { content: bundle(t.room(chat).epoch) }), 403, 'ERR_MUTED');
  assert.equal((await owner.post(at(chat, 'unmute'), { user_id: person.id })).status, 200);
  await last();
  assert.equal((await owner.post(at(chat, 'ban'), { user_id: person.id })).status, 200);
  assert.equal((await t.say(chat)).code, 'ERR_BANNED');
});

test('a redis that was emptied forgets no mute', async () => {
  const chat = await makeChat();
  const person = await portal.signIn();
  const t = await enter(person, chat);
  await said(t, chat);
  await sql('INSERT INTO chat_mutes (chat_id, user_id) VALUES ($1, $2)', chat, person.id);
  for (const key of await portal.redis.keys('portal:*:card:*')) await portal.redis.del(key);
  assert.equal((await t.say(chat)).ttl, 0);
});

test('rates: 10 in 5 s in a chat, 30 in 10 s in all', async () => {
  const p2 = await startPortal(off);
  try {
    const chats = [];
    for (let i = 0; i < 4; i++) {
      const { rows } = await p2.db.query("INSERT INTO chats (name, visibility) VALUES ('c', 'official') RETURNING id::int");
      chats.push(rows[0].id);
    }
    const t = await talker(p2, await p2.signIn());
    for (const c of chats) await t.join(c);
    const codes = [];
    for (const c of chats) for (let i = 0; i < 12; i++) codes.push(await t.say(c));
    t.close();
    const ok = (from, n) => codes.slice(from, from + n).filter((r) => r.ok).length;
    assert.deepEqual([ok(0, 12), ok(12, 12), ok(24, 12), ok(36, 12)].slice(0, 2), [10, 10]);
    assert.ok(ok(24, 24) <= 10, 'refused in one chat or in all');
    const refused = codes.find((r) => !r.ok);
    assert.equal(refused.code, 'ERR_MESSAGE_RATE');
    assert.ok(refused.retry_after >= 1 && refused.retry_after <= 5);
  } finally {
    await p2.stop();
  }
});

test('the calendar of the script is the calendar', async () => {
  const text = await readFile(new URL('../../schema/redis/message_send.lua', import.meta.url), 'utf8');
  const fn = text.match(/local function time_of[\s\S]*?\nend\n/)[0];
  const times = ['1970-01-01T00:00:00.000Z', '2000-02-29T23:59:59.999Z', '2100-02-28T12:00:00.001Z', '2100-03-01T00:00:00Z', '2400-12-31T23:59:59Z']
    .map((t) => Date.parse(t));
  for (let i = 0; i < 2000; i++) times.push(Math.floor(Math.random() * 4_102_444_800_000));
  const got = await portal.redis.eval(`${fn} local out = {} for i, ms in ipairs(ARGV) do out[i] = time_of(ms .. '-7') end return out`, 0, ...times);
  assert.deepEqual(got, times.map((ms) => new Date(ms).toISOString().replace('Z', '000Z')));
});

// ---- cut short at each step (as sweep.test.js) ----

async function sweep(call) {
  for (const kind of ['drop', 'fail', 'deadline']) {
    let steps = Infinity;
    let k = 0;
    for (; k < steps && k < 30; k++) {
      const { send, check } = await call(`${kind}-${k}`);
      const r = await send({ headers: { 'x-portal-fault': `${kind}:${k}` } }).catch((error) => assert.equal(kind, 'drop', `${error}`));
      if (r?.status === 200 && r.headers['x-portal-steps']) steps = Number(r.headers['x-portal-steps']);
      if (r && r.status >= 400) assertError(r, 503, 'ERR_UNAVAILABLE');
      const again = await send();
      assert.equal(again.status, 200, `${kind}:${k}: ${again.text}`);
      await check?.(again);
    }
    assert.ok(k > 1 && k < 30, `the sweep reached the end after ${k} steps`);
  }
}

test('a send that is cut short anywhere can be made again, and counts once', async () => {
  const chat = await makeChat();
  const a = await enter(alice, chat);
  for (const cold of [true, false]) {
    await sweep(async (name) => {
      await sql("UPDATE chats SET last_activity_at = now() - interval '1 hour' WHERE id = $1", chat);
      if (cold) await portal.redis.del(`portal:chat:${chat}:card:${alice.id}`);
      const client_id = `${name}-${cold}`;
      return {
        send: (o) => alice.post(at(chat, 'messages'), { content: bundle(a.room(chat).epoch), client_id }, o),
        check: async (r) => {
          const mine = (await history(alice, chat)).filter((m) => m.client_id === client_id);
          assert.deepEqual(mine.map((m) => m.id), [r.body.id]);
        },
      };
    });
  }
});

test('reading, deleting and clearing that are cut short can be made again', async () => {
  const chat = await makeChat();
  const a = await enter(owner, chat);
  const one = () => owner.post(at(chat, 'messages'), { content: bundle(a.room(chat).epoch) });
  const ids = [(await one()).body.id];
  await sweep(async () => ({ send: (o) => alice.get(at(chat, 'history'), o) }));
  await sweep(async () => ({ send: (o) => owner.post(at(chat, 'messages/delete'), { ids }, o) }));
  await sweep(async () => ({ send: (o) => owner.post(at(chat, 'messages/delete-mine'), undefined, o) }));
  await sweep(async () => ({ send: (o) => owner.post(at(chat, 'messages/delete-last'), { count: 1 }, o) }));
  await sweep(async () => ({ send: (o) => owner.post(at(chat, 'clear'), undefined, o) }));
});
