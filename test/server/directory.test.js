// The directory (contract section 3.1): official chats, then public ones, the busiest first. Redis has the order of those that
// people are in, PostgreSQL that of the others; the pages must be what sorting all of them at once says.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { talker } from './chatter.js';
import { assertError, connect, startPortal, startProcess, stopProcess, until } from './harness.js';

const base = '/v1/portal';
const limits = { RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_PUBLIC: '0', RATE_LIMIT_HANDSHAKE: '0' };
let portal;
let maker;
let guests; // sockets of people, in no room at first
before(async () => {
  portal = await startPortal(limits);
  maker = await portal.signIn();
  guests = await Promise.all(Array.from({ length: 4 }, async () => talker(portal, await portal.signIn())));
});
after(async () => {
  for (const g of guests) g.close();
  await portal.stop();
});

let serial = 0;
// `idle`: hours since somebody said something.
async function makeChat({ name = 'a chat', visibility = 'public', idle = 0, by = maker } = {}) {
  serial += 1;
  const { rows } = await portal.db.query(
    `INSERT INTO chats (name, slug, visibility, owner_id, last_activity_at)
     VALUES ($1, $2, $3, $4, now() - make_interval(hours => $5)) RETURNING id::int`,
    [name, visibility === 'private' ? null : `dir-${serial}`, visibility, by.id, idle]);
  return rows[0].id;
}
const directory = async (query = '', who = portal) => (await who.get(`${base}/directory?${query}`)).body;
const leave = (guest, chat) => guest.ask('room:leave', { chat_id: chat });

// All open chats in order, as [id, people there], from what both stores have.
async function sorted() {
  const { rows } = await portal.db.query(`SELECT id::int, visibility, extract(epoch FROM last_activity_at)::float8 AS active
    FROM chats WHERE visibility <> 'private'`);
  for (const c of rows) c.online = await portal.redis.hlen(`portal:room:${c.id}:people`);
  const keys = (c) => [c.visibility === 'official' ? 1 : 0, c.online, c.online ? Math.floor(c.active) : c.active, c.id];
  rows.sort((a, b) => keys(b).map((k, i) => k - keys(a)[i]).find((d) => d !== 0) ?? 0);
  return rows.map((c) => [c.id, c.online]);
}
const shown = (body) => body.chats.map((c) => [c.id, c.online]);

async function assertOrder(what) {
  const all = await sorted();
  const whole = await directory('limit=100');
  assert.deepEqual(shown(whole), all, what);
  assert.equal(whole.total, all.length, what);
  for (let offset = 0; offset <= all.length; offset += 3) {
    const page = await directory(`offset=${offset}&limit=3`);
    assert.deepEqual(shown(page), all.slice(offset, offset + 3), `${what}, from ${offset}`);
    assert.equal(page.total, all.length, what);
  }
}

test('the order follows those who come, go, are put out and speak', async () => {
  const [a, b] = [await makeChat({ idle: 9 }), await makeChat({ idle: 8 })];
  const official = await makeChat({ visibility: 'official', idle: 99 });
  const still = await makeChat({ visibility: 'official', idle: 98 });
  for (let i = 0; i < 6; i++) await makeChat({ idle: i });
  const [one, two, three] = guests;
  await assertOrder('nobody is anywhere');
  await one.join(a);
  await assertOrder('one is in a');
  await two.join(b);
  await assertOrder('one in each: the latest active first');
  await three.join(a);
  await assertOrder('two in a');
  await leave(three, a);
  await assertOrder('one in each again');
  await one.say(a);
  assert.equal((await sorted())[2][0], a);
  await assertOrder('a is the latest active');
  await three.join(official);
  await assertOrder('an official one');
  assert.deepEqual(shown(await directory('limit=2')), [[official, 1], [still, 0]]);
  await three.join(b);
  await maker.post(`${base}/chats/${b}/kick`, { user_id: three.id });
  await assertOrder('kicked from b');
  three.close();
  await until(async () => (await portal.redis.hlen(`portal:room:${official}:people`)) === 0, 'the socket to be gone');
  await assertOrder('a socket went');
  await leave(one, a);
  await leave(two, b);
  await assertOrder('all have left');
  assert.equal(await portal.redis.exists('portal:directory'), 0);
});

test('a person with several sessions counts once', async () => {
  const [a, b] = [await makeChat(), await makeChat({ idle: 1 })];
  const person = await portal.signIn();
  const mine = [await talker(portal, person), await talker(portal, await portal.signIn({ id: person.platform_user_id }))];
  await guests[0].join(b);
  for (const m of mine) await m.join(a);
  assert.equal(mine[0].id, mine[1].id);
  await assertOrder('two sessions in a');
  await leave(mine[0], a);
  await assertOrder('one is left');
  mine.forEach((m) => m.close());
  await until(async () => (await portal.redis.hlen(`portal:room:${a}:people`)) === 0, 'the sockets to be gone');
  await leave(guests[0], b);
  await assertOrder('nobody');
});

test('a change of visibility takes a chat that people are in out and in; a chat that is deleted is gone', async () => {
  const chat = await makeChat({ idle: 1 });
  await makeChat({ idle: 2 });
  const boss = await talker(portal, maker);
  await boss.join(chat);
  await guests[0].join(chat);
  await assertOrder('public');
  const update = (slug) => maker.post(`${base}/chats/${chat}/config/update`, { slug });
  assert.equal((await update(null)).status, 200);
  await assertOrder('private');
  assert.equal(await portal.redis.exists('portal:directory'), 0);
  assert.equal((await update('open-again')).status, 200);
  assert.deepEqual((await sorted()).find(([id]) => id === chat), [chat, 1]);
  await assertOrder('public again');
  assert.equal((await maker.post(`${base}/chats/${chat}/delete`)).status, 200);
  await assertOrder('deleted');
  assert.equal(await portal.redis.exists('portal:directory'), 0);
  boss.close();
});

test('in one list, whichever process people are at; who dies is no longer counted', async () => {
  const [a, b] = [await makeChat({ idle: 5 }), await makeChat({ idle: 6 })];
  const other = await startProcess(portal.stores, limits);
  const away = [await talker(portal, await portal.signIn(), other), await talker(portal, await portal.signIn(), other)];
  await guests[0].join(a);
  for (const g of away) await g.join(b);
  await assertOrder('two at the other process');
  await stopProcess(other, 'SIGKILL');
  await until(async () => (await portal.redis.hlen(`portal:room:${b}:people`)) === 0, 'the other process to be swept');
  await assertOrder('the other process is dead');
  away.forEach((g) => g.close());
  await leave(guests[0], a);
});

test('q filters by name and slug, in the same order; private chats are never there', async () => {
  const word = `dir${process.pid}`;
  const quiet = await makeChat({ name: `${word} quiet` });
  const busy = await makeChat({ name: `${word} busy`, idle: 4 });
  const official = await makeChat({ name: `${word} official`, visibility: 'official' });
  const hidden = await makeChat({ name: `${word} private`, visibility: 'private' });
  const [one, two] = guests;
  await one.join(busy);
  await two.join(busy);
  for (const who of [portal, one, maker]) {
    const r = await directory(`q=${word.toUpperCase()}`, who.get ? who : portal);
    assert.deepEqual(shown(r), [[official, 0], [busy, 2], [quiet, 0]]);
    assert.deepEqual([r.total, r.limit, r.offset], [3, 50, 0]);
  }
  const { rows } = await portal.db.query('SELECT slug FROM chats WHERE id = $1', [quiet]);
  assert.deepEqual((await directory(`q=${rows[0].slug}`)).chats.map((x) => x.id), [quiet], 'the slug is looked at, too');
  assert.equal((await directory('q=%25')).total, 0, 'a wildcard is a letter');
  const page = await directory(`q=${word}&offset=1&limit=1`);
  assert.deepEqual([shown(page), page.total], [[[busy, 2]], 3]);
  assert.deepEqual((await directory(`q=${word}&offset=9`)).chats, []);
  assertError(await portal.get(`${base}/directory?limit=101`), 400, 'ERR_INVALID_REQUEST', /^limit /);
  const owner = await portal.withLevel('owner');
  const seen = async (who) => (await directory(`q=${word}`, who)).chats;
  assert.ok((await seen(maker)).every((x) => x.config), 'config for managers');
  assert.ok((await seen(owner)).every((x) => x.config), 'an Owner manages all of them');
  assert.ok((await seen(portal)).every((x) => !x.config));
  assert.ok(!(await directory('limit=100', maker)).chats.some((x) => x.id === hidden));
  for (const g of [one, two]) await leave(g, busy);
});

test('GET chats: the viewer\'s own in front, then the directory; no chat is twice or missing on its pages', async () => {
  const person = await portal.signIn();
  const own = [await makeChat({ visibility: 'private', by: person, idle: 3 }), await makeChat({ visibility: 'private', by: person, idle: 2 })];
  const me = await talker(portal, person);
  await me.join(own[0]);
  await guests[0].join(await makeChat({ idle: 30 }));
  const expected = [[own[0], 1], [own[1], 0], ...await sorted()];
  const chats = async (query) => (await person.get(`${base}/chats?${query}`)).body.map((c) => [c.id, c.online]);
  assert.deepEqual(await chats('limit=500'), expected);
  for (let offset = 0; offset <= expected.length; offset += 1) {
    assert.deepEqual(await chats(`offset=${offset}&limit=3`), expected.slice(offset, offset + 3), `from ${offset}`);
  }
  const s = await connect(portal, person);
  assert.deepEqual((await s.next('chat:list')).chats.map((c) => c.id).slice(2), (await sorted()).map(([id]) => id));
  s.close();
  me.close();
});
