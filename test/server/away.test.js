// Contract 4.4 with sockets open: Redis comes back empty, the bus is away while the data is there, Redis
// freezes, PostgreSQL is away at CONNECT and while people talk. (HTTP under the same: chaos.test.js.)
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { talker } from './chatter.js';
import { randomAddress, send, startPortal, startProcess, stopProcess, until } from './harness.js';
import { ownStores } from './own_stores.js';

const env = {
  STORE_TIMEOUT_MS: '600', RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_PUBLIC: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_HEALTH: '0',
  RATE_LIMIT_HANDSHAKE: '0', RATE_LIMIT_EVENTS: '0', MATCH_GRACE: '1', MESSAGE_RATE: '0', MESSAGE_RATE_CHAT: '0',
};
let stores, portal, other;
const talkers = [];
const SECOND = ['SETUSER', 'second', 'on', '>word', '~*', '+@all'];
before(async () => {
  stores = await ownStores();
  await stores.redis.acl(...SECOND, 'allchannels');
  portal = await startPortal(env, { stores });
  other = await startProcess({ ...stores, redisUrl: stores.redisUrl.replace('unix://', 'unix://second:word@') }, env);
});
after(async () => {
  for (const one of talkers) one.close();
  await stopProcess(other);
  await portal.stop();
});

const ready = (p) => until(async () => (await send(p, 'GET', '/readyz', { from: randomAddress() })).status === 200, 'readyz', 20_000);
const notReady = (p) => until(async () => (await send(p, 'GET', '/readyz', { from: randomAddress() })).status === 503, 'readyz to tell');
async function publicChats(n) {
  const slug = randomBytes(6).toString('hex');
  const { rows } = await portal.db.query(
    "INSERT INTO chats (name, visibility, slug) SELECT 'a chat', 'public', $1 || i FROM generate_series(1, $2) i RETURNING id::int", [slug, n]);
  return rows.map((r) => r.id);
}
// Two people, one in each process, in the chats.
async function pair(chats) {
  const both = [];
  for (const url of [portal.url, other.url]) {
    const one = await talker(portal, await portal.signIn(), { url });
    for (const chat of chats) await one.join(chat);
    one.ends = [];
    one.socket.on('disconnect', (reason) => one.ends.push(reason));
    both.push(one);
    talkers.push(one);
  }
  return both;
}
const ids = (who, chat) => who.items(chat).map((m) => m.id);
// Sends until it is acknowledged, as a front end does: with the same client_id.
async function insist(who, chat, client_id) {
  for (;;) {
    const r = await who.say(chat, { client_id }).catch((e) => ({ code: e.message }));
    if (r.ok) return r.id;
    assert.ok(['ERR_UNAVAILABLE', 'operation has timed out'].includes(r.code), JSON.stringify(r));
    await new Promise((done) => setTimeout(done, 20));
  }
}
const close = (...all) => all.forEach((x) => x.close());

test('Redis is killed and comes back empty: people return, post their key, join, and talk', async () => {
  const [chat] = await publicChats(1);
  const both = await pair([chat]);
  const [a, b] = both;
  assert.ok((await a.say(chat)).ok);
  await b.heard(chat, 'message:new');
  const { epoch } = a.room(chat);
  const back = both.map((x) => new Promise((done) => x.socket.once('connect', done)));
  await stores.killRedis();
  await stores.startRedis();
  await stores.redis.acl(...SECOND, 'allchannels');
  await Promise.all(back);
  for (const x of both) {
    assert.deepEqual(x.ends, ['transport close']);
    const r = await x.post('/v1/portal/keys', { public_key: randomBytes(32).toString('base64') });
    assert.deepEqual([r.status, r.body], [200, { status: 'registered' }]);
    const joined = await x.join(chat);
    assert.ok(joined.epoch > epoch, `${joined.epoch} is behind ${epoch}`);
    assert.deepEqual(joined.messages, []);
  }
  const { id } = await b.say(chat);
  for (const x of both) await x.heard(chat, 'message:new', (m) => m.id === id);
  close(...both);
});

test('the bus of one process is away, the data is there: not ready, then everything once and in order', async () => {
  const chats = await publicChats(50); // more than catch up side by side
  const [a, b] = await pair(chats);
  await stores.redis.acl('SETUSER', 'second', 'resetchannels');
  await notReady(other);
  const sent = new Map(chats.map((chat) => [chat, []]));
  const say = async (chat) => {
    const r = await a.say(chat);
    assert.ok(r.ok, JSON.stringify(r));
    sent.get(chat).push(r.id);
  };
  for (let i = 0; i < 3; i++) await Promise.all(chats.map(say));
  assert.equal((await send(other, 'GET', '/readyz')).status, 503);
  assert.ok(chats.every((chat) => ids(b, chat).length === 0));
  await stores.redis.acl('SETUSER', 'second', 'allchannels');
  const talking = (async () => {
    for (let i = 0; i < 5; i++) await Promise.all(chats.map(say));
  })();
  await ready(other);
  await talking;
  await Promise.all(chats.map(say));
  for (const chat of chats) {
    for (const x of [a, b]) {
      await x.heard(chat, 'message:new', (m) => m.id === sent.get(chat).at(-1));
      assert.deepEqual(ids(x, chat), sent.get(chat));
    }
  }
  assert.deepEqual([a.ends, b.ends], [[], []]);
  close(a, b);
});

test('Redis freezes for 3 s: sockets stay, and what is insisted upon is said once', async () => {
  const [chat] = await publicChats(1);
  const [a, b] = await pair([chat]);
  const sent = [];
  for (let i = 0; i < 3; i++) sent.push(await insist(a, chat, `before-${i}`));
  await stores.freezeRedis();
  const thaw = new Promise((done) => setTimeout(done, 3000)).then(() => stores.thawRedis());
  const refused = await a.say(chat);
  assert.equal(refused.code, 'ERR_UNAVAILABLE');
  for (let i = 0; i < 10; i++) sent.push(await insist(a, chat, `while-${i}`));
  await thaw;
  await Promise.all([ready(portal), ready(other)]);
  sent.push(await insist(b, chat, 'behind'));
  for (const x of [a, b]) {
    await x.heard(chat, 'message:new', (m) => m.id === sent.at(-1));
    const mine = x.items(chat).filter((m) => m.client_id);
    assert.deepEqual(mine.map((m) => m.id), sent);
    assert.equal(new Set(ids(x, chat)).size, ids(x, chat).length, 'none twice');
    assert.deepEqual(x.ends, []);
  }
  close(a, b);
});

test('PostgreSQL is killed: who is joined talks on or is told, and nothing acknowledged is lost', async () => {
  const [chat] = await publicChats(1);
  const [a, b] = await pair([chat]);
  const acknowledged = [];
  let refused = 0;
  const say = async (who) => {
    const r = await who.say(chat);
    if (r.ok) acknowledged.push(r.id);
    else assert.equal(r.code, 'ERR_UNAVAILABLE');
    refused += !r.ok;
  };
  for (let i = 0; i < 5; i++) await say(a);
  await stores.killPg();
  await notReady(portal);
  for (let i = 0; i < 20; i++) await say(i % 2 ? a : b);
  await stores.startPg();
  await Promise.all([ready(portal), ready(other)]);
  const before_ = refused;
  for (let i = 0; i < 5; i++) await say(i % 2 ? a : b);
  assert.equal(refused, before_);
  for (const x of [a, b]) {
    await x.heard(chat, 'message:new', (m) => m.id === acknowledged.at(-1));
    const all = ids(x, chat);
    assert.equal(new Set(all).size, all.length, 'none twice');
    assert.deepEqual(all.filter((id) => acknowledged.includes(id)), acknowledged);
    assert.deepEqual(x.ends, []);
  }
  close(a, b);
});

test('PostgreSQL is away at CONNECT: the transport closes, the client tries again and gets in', async () => {
  const person = await portal.signIn();
  await stores.killPg();
  await notReady(portal);
  const refusals = [];
  let closed = 0;
  const socket = io(portal.url, { auth: { session: person.token }, transports: ['websocket'], forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
  socket.on('connect_error', (e) => refusals.push(e));
  socket.io.on('close', () => closed++);
  await until(() => closed >= 2, 'two transports that were closed');
  assert.ok(!socket.connected);
  const connected = new Promise((done) => socket.once('connect', done));
  await stores.startPg();
  await connected;
  assert.deepEqual(refusals.filter((e) => e.data), [], 'no CONNECT_ERROR');
  socket.close();
  await Promise.all([ready(portal), ready(other)]);
});

test('PostgreSQL is away for longer than the grace of a direct chat: there is time to return', async () => {
  const [a, b] = await Promise.all([1, 2].map(async () => talker(portal, await portal.signIn())));
  const found = [a, b].map((x) => new Promise((done) => x.socket.once('match:found', done)));
  await a.post('/v1/portal/match', { interest: 'patience' });
  await b.post('/v1/portal/match', { interest: 'patience' });
  const [{ chat: { id } }] = await Promise.all(found);
  const present = () => portal.redis.hget(`portal:room:${id}:people`, b.id);
  await until(async () => (await present()) === '1', 'b in the room');
  await stores.killPg();
  await notReady(portal);
  b.close();
  const left = await a.heard(id, 'room:peer_left');
  await until(() => Date.now() > left.grace_until_ms, 'the grace to have run out');
  await stores.startPg();
  await Promise.all([ready(portal), ready(other)]);
  await a.heard(id, 'room:peer_left', (d) => d.grace_until_ms > Date.now() + 5000);
  const back = await talker(portal, b);
  assert.ok((await back.ask('room:join', { chat_id: id })).ok);
  await a.heard(id, 'room:peer_back');
  assert.ok(!a.room(id).events.some((e) => e.name === 'match:ended'));
  await a.post('/v1/portal/match/leave');
  close(a, back);
});
