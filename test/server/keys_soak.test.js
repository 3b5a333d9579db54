// Contract section 3.3 at length: sessions come, talk, leave, reload, break off and are put out at random,
// on two processes, while the epoch rotates; with clients that really encrypt (keys_client.js). Then the
// server is searched for what they said and for their keys (leaks.js).
//
// KEYS_PEOPLE and KEYS_SECONDS make it larger and longer: CI runs 20 people for 5 minutes.
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startPortal, startProcess, stopProcess, until } from './harness.js';
import { connectKeys, decrypt } from './keys_client.js';
import { leaks, Needles } from './leaks.js';
import { ownStores } from './own_stores.js';

const PEOPLE = Number(process.env.KEYS_PEOPLE ?? 6);
const SECONDS = Number(process.env.KEYS_SECONDS ?? 10);
const WITHOUT_KEY_MS = 2000;
const env = {
  RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_ADMIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_HANDSHAKE: '0', RATE_LIMIT_PUBLIC: '0',
  MESSAGE_RATE: '0', MESSAGE_RATE_CHAT: '0', RATE_LIMIT_EVENTS: '0', LOG_LEVEL: 'debug',
};
let stores, portal, second;
before(async () => {
  stores = await ownStores();
  await stores.redis.config('SET', 'aof-use-rdb-preamble', 'no');
  await stores.redis.config('SET', 'appendonly', 'yes'); // all that is ever written
  portal = await startPortal(env, { stores });
  second = await startProcess(stores, env);
});
after(async () => {
  await stopProcess(second);
  await portal.stop();
});

const people = (n) => Promise.all(Array.from({ length: n }, () => portal.signIn()));
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const secretText = () => `plain-${randomBytes(12).toString('hex')}`;
async function makeChat(owner, members = []) {
  const { rows } = await portal.db.query("INSERT INTO chats (name, visibility, owner_id) VALUES ('a chat', 'private', $1) RETURNING id::int", [owner.id]);
  for (const p of [owner, ...members]) await portal.db.query('INSERT INTO chat_members (chat_id, user_id) VALUES ($1, $2)', [rows[0].id, p.id]);
  return rows[0].id;
}

// Those who come and go in a chat, and what was said.
class Crowd {
  inside = new Map(); // person -> client
  outside = new Set(); // who was put out
  all = []; // every client there ever was
  said = []; // {text, id}: id when it was acknowledged
  problems = [];

  constructor(chat, secret, boss, code) {
    Object.assign(this, { chat, secret, boss, code });
  }

  async enter(p) {
    if (this.outside.delete(p)) assert.equal((await p.post(`/v1/portal/resolve/${this.code}`)).status, 200);
    const reuse = this.all.findLast((c) => c.person === p && c.out === undefined);
    const ids = [];
    const c = await connectKeys(portal, p, { process: randomInt(2) ? second : portal, reuse: randomInt(2) ? reuse : undefined, heard: (d) => ids.push(d.id) });
    c.ids = ids;
    this.all.push(c);
    const ack = await c.join(this.chat);
    if (!ack.ok) this.problems.push(ack);
    c.newest = ack.messages?.at(-1)?.id;
    this.inside.set(p, c);
    return c;
  }

  async putOut(p) {
    for (const x of this.all) if (x.person === p && x.out !== undefined) x.close(); // a session has ten sockets
    this.inside.delete(p);
    this.outside.add(p);
    const r = await this.boss.post(`/v1/portal/chats/${this.chat}/kick`, { user_id: p.id });
    assert.equal(r.status, 200, r.text);
    for (const c of this.all) {
      if (c.person !== p || c.out !== undefined) continue;
      c.out = this.said.length; // what is said from now on is not for it
    }
  }

  async leave(p, politely) {
    const c = this.inside.get(p);
    if (politely) await c.leave(this.chat);
    c.close();
    this.inside.delete(p);
  }

  async speak(c) {
    const message = { text: `${this.secret} ${this.said.length} of ${c.person.id}` };
    this.said.push(message);
    const ack = await c.send(this.chat, message.text);
    if (ack.ok) message.id = ack.id;
    else if (c.out === undefined) this.problems.push(ack);
  }

  async turn(p) {
    const c = this.inside.get(p);
    const dice = randomInt(8 * PEOPLE);
    if (!c) await this.enter(p);
    else if (dice < 2) await this.putOut(p);
    else if (dice < PEOPLE) await this.leave(p, dice % 2);
    else await this.speak(c);
  }
}

// Each message that a client heard is the next one of the chat: none twice, none left out.
function assertInOrder(c, order) {
  const from = order.indexOf(c.ids[0]);
  assert.deepEqual(c.ids, order.slice(from, from + c.ids.length));
  if (c.ids.length > 0 && c.newest) assert.equal(order[from - 1], c.newest, 'the first behind what the join told');
}

// Nobody who was out has the key of a message that was sent behind that.
function assertClosedToThoseOut(crowd, opened) {
  const outAt = new Map(); // key -> the first of its owners that was put out
  for (const c of crowd.all) {
    if (c.out === undefined) continue;
    for (const key of c.rooms.get(crowd.chat).keys.values()) outAt.set(hex(key), Math.min(c.out, outAt.get(hex(key)) ?? Infinity));
  }
  crowd.said.forEach(({ id, text }, i) => {
    if (!id) return;
    const { key, content } = opened.get(id);
    assert.equal(decrypt(key, content), text);
    assert.ok(!(outAt.get(hex(key)) <= i), `message ${i}: one who was out has its key`);
  });
  return outAt.size;
}

test('nobody who is in waits for 2 s, nobody who is out reads on, nothing is lost, nothing is kept in clear', async (t) => {
  const [boss, ...others] = await people(PEOPLE);
  const chat = await makeChat(boss, others);
  const { code } = (await boss.post(`/v1/portal/chats/${chat}/invites`, {})).body;
  const secret = secretText();
  const crowd = new Crowd(chat, secret, boss, code);
  const order = []; // ids, as one hears them who is always there
  const items = new Map();
  const owner = await connectKeys(portal, boss, { heard: (d) => (order.push(d.id), items.set(d.id, d)) });
  assert.ok((await owner.join(chat)).ok);
  const room = owner.rooms.get(chat);

  const end = Date.now() + 1000 * SECONDS;
  for (let cleared = Date.now(); Date.now() < end; ) {
    await Promise.all(others.map((p) => crowd.turn(p)));
    if (Date.now() - cleared > 1000) {
      cleared = Date.now();
      assert.equal((await boss.post(`/v1/portal/chats/${chat}/clear`)).status, 200);
    }
    await new Promise((done) => setTimeout(done, randomInt(10 * PEOPLE)));
  }
  const present = [owner, ...crowd.inside.values()];
  for (const c of present) await c.keyed(chat, WITHOUT_KEY_MS);
  await crowd.speak(owner);
  for (const c of present) await until(() => c.rooms.get(chat).read.includes(crowd.said.at(-1).text), 'the last message');

  assert.deepEqual(crowd.problems, []);
  let longest = 0;
  for (const c of [owner, ...crowd.all]) {
    c.rooms.get(chat).clock();
    longest = Math.max(longest, c.rooms.get(chat).longest);
    assert.deepEqual(c.errors, []);
  }
  const acknowledged = crowd.said.filter((m) => m.id);
  assert.deepEqual([...room.read].sort(), acknowledged.map((m) => m.text).sort()); // each once
  assert.deepEqual(room.unread, []);
  for (const c of crowd.all) assertInOrder(c, order);
  const opened = new Map(acknowledged.map(({ id }) => [id, { content: items.get(id).content, key: room.keys.get(items.get(id).epoch) }]));
  const tried = assertClosedToThoseOut(crowd, opened);
  assert.ok(tried > 0 && room.epoch > SECONDS / 2);
  t.diagnostic(`${crowd.all.length} clients, ${acknowledged.length} messages, epoch ${room.epoch}, longest without a key ${longest} ms`);
  assert.ok(longest < WITHOUT_KEY_MS, `${longest} ms without a key`);

  const needles = new Needles();
  needles.add('what was said', secret);
  for (const c of [owner, ...crowd.all]) {
    needles.add('a private key', c.pair.secretKey);
    for (const [epoch, key] of c.rooms.get(chat).keys) needles.add(`the key of epoch ${epoch}`, key);
  }
  assert.deepEqual(await leaks(needles, { stores, processes: [portal, second] }), []);
  for (const c of [owner, ...crowd.all]) c.close();
});

// The search finds what is there, in each place: else that it finds nothing would say nothing.
function planted() {
  const it = { text: secretText(), key: randomBytes(32), needles: new Needles() };
  it.needles.add('text', it.text);
  it.needles.add('key', it.key);
  it.found = (place, processes = [portal]) => leaks(it.needles, { stores, processes }, [place]);
  return it;
}

test('planted in messages that were not encrypted: found in Redis', async () => {
  const it = planted();
  const [boss] = await people(1);
  const chat = await makeChat(boss);
  const c = await connectKeys(portal, boss);
  await c.join(chat);
  await c.keyed(chat);
  assert.deepEqual(await it.found('Redis'), []);
  for (const plain of [Buffer.from(it.text), it.key]) {
    const ct = Buffer.concat([randomBytes(24), plain]).toString('base64');
    const { epoch } = c.rooms.get(chat);
    assert.ok((await c.call('message:send', { chat_id: chat, content: JSON.stringify({ v: 2, epoch, ct }) })).ok);
  }
  assert.deepEqual(await it.found('Redis'), ['Redis: key', 'Redis: text']);
  c.close();
});

test('planted in a description and in preferences: found in PostgreSQL', async () => {
  const it = planted();
  const [boss] = await people(1);
  const chat = await makeChat(boss);
  assert.deepEqual(await it.found('PostgreSQL'), []);
  assert.equal((await boss.post(`/v1/portal/chats/${chat}/config/update`, { description: it.text })).status, 200);
  assert.equal((await boss.post('/v1/users/me/preferences', { key: hex(it.key) })).status, 200);
  assert.deepEqual(await it.found('PostgreSQL'), ['PostgreSQL: key', 'PostgreSQL: text']);
});

test('planted in half a request: found in memory', async () => {
  const it = planted();
  assert.deepEqual(await it.found('memory', [second]), []);
  const socket = net.connect(new URL(second.url).port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(Buffer.concat([
    Buffer.from('POST /v1/authentication/request HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n'),
    it.key, Buffer.from(it.text)]));
  await until(async () => (await it.found('memory', [second])).length === 2, 'both');
  socket.destroy();
});

test('planted in a setting that is logged: found in the logs', async () => {
  const it = planted();
  const logged = (name) => startProcess(stores, { ...env, LISTEN: `unix:${path.join(stores.dir, name)}` });
  const processes = [await logged(it.text), await logged(it.key.toString('base64url'))];
  assert.deepEqual(await it.found('logs', processes), ['logs: key', 'logs: text']);
  for (const p of processes) await stopProcess(p);
});
