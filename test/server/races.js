// Pairs of calls that fall together, in all their orders; each pair states the outcome. Two processes on the same
// stores: `a` runs on one, `b` on the other. The test build holds a task behind its k-th operation (X-Portal-Fault,
// portal_fault: "hold:k") until it is released, so the orders are made, not waited for:
//
//   a b         one after the other, both ways
//   a (b) a     a held behind each of its operations, b whole, the rest of a; and the other way round
//   a b a b     both held, a ends, then b (a grid over the operations; RACES_ALL=1: all of it)
//   a | b       at once, as it comes
//
// A pair is {scene, a, b, holds}: scene makes a fresh chat; a and b start the calls; holds(w, a's answer, b's
// answer, order) asserts what must be so behind every order; `order` is 'ab' or 'ba' when one ended before the
// other began, so that its answer is certain. 50 uses of an invite for one: chats.test.js.
//
//   race({ 'ban against room:join': { scene, a, b, holds }, … });      // a test each; the processes are this file's
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { assertPresent, bundle, isPresent, talker } from './chatter.js';
import { randomAddress, send, startPortal, startProcess, stopProcess, until } from './harness.js';

const GRID = process.env.RACES_ALL ? Infinity : 3; // operations of each, spread evenly
const AT_ONCE = 4;
const STEPS_MAX = 40;
const WAIT_MS = 100; // b may wait for a: then a goes on

export let one, other; // the processes
export let owner, person, third; // owner, third: on `one`; person: on `other`
before(async () => {
  const env = {
    RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_ADMIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_PUBLIC: '0', RATE_LIMIT_HEALTH: '0',
    RATE_LIMIT_HANDSHAKE: '0', RATE_LIMIT_EVENTS: '0', MESSAGE_RATE: '0', MESSAGE_RATE_CHAT: '0',
  };
  one = await startPortal(env);
  other = await startProcess(one.stores, env);
  [owner, third] = [await comes(one), await comes(one)];
  person = await comes(other);
});
after(async () => {
  for (const t of [owner, third, person]) t.close();
  await stopProcess(other);
  await one.stop();
});

async function comes(on) {
  const t = await talker(one, await one.signIn(), { url: on.url });
  return Object.assign(t, { on });
}

// ---- calls that can be held ----

// {on, go(fault)}: go resolves with {ok, code, body}.
export const rest = (on, who, call, body = {}) => ({
  on,
  go: async (fault) => {
    const r = await send(on, 'POST', `/v1/${call}`, { cookie: who.token, from: who.from, body, headers: fault ? { 'x-portal-fault': fault } : {} });
    return { ok: r.status === 200, code: r.body?.code, body: r.body };
  },
});
export const event = (who, name, data) => ({
  on: who.on,
  go: async (fault) => {
    const ask = async () => (who.socket.connected ? who.ask(name, fault ? { ...data, portal_fault: fault } : data) : Promise.reject());
    const body = await ask().catch(() => ({ code: 'gone' })); // the socket has, or goes meanwhile
    return { ok: body.ok === true, code: body.code, body };
  },
});

// Starts a call that is to stop behind its k-th operation. held: whether it has so many.
async function start(call, k) {
  const from = call.on.logs.length;
  const done = call.go(`hold:${k}`);
  const held = call.on.logged((l) => l.message === 'a task is held', 20_000, from).then(() => true, () => false);
  return { done, held: await Promise.race([held, done.then(() => false)]) };
}
const release = (on) => send(on, 'GET', '/livez', { from: randomAddress(), headers: { 'x-portal-fault': 'release' } });
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// first is held behind its k-th operation while second runs (or waits for first). Tells false behind the last k.
async function inside(first, second, k) {
  const { done, held } = await start(first, k);
  const running = held ? second.go() : done.then(() => second.go());
  if (held) {
    await Promise.race([running, pause(WAIT_MS)]);
    await release(first.on);
  }
  return { held, first: await done, second: await running };
}

// Both are held, first ends, then second.
async function across(first, j, second, k) {
  const f = await start(first, j);
  const s = await start(second, k);
  if (f.held) await release(first.on);
  await Promise.race([f.done, pause(WAIT_MS)]);
  if (s.held) await release(second.on);
  return [await f.done, await s.done];
}

const spread = (n) => (n <= GRID ? [...Array(n).keys()] : Array.from({ length: GRID }, (_, i) => Math.round((i * (n - 1)) / (GRID - 1))));

// Runs a pair in all orders. Answers how many there were.
async function orders({ scene, a, b, holds }) {
  let n = 0;
  const run = async (what, order, work) => {
    const w = await scene();
    const [x, y] = [a(w), b(w)];
    const [ra, rb] = await work(x, y);
    n += 1;
    try {
      await holds(w, ra, rb, order);
    } catch (error) {
      throw new Error(`${what}: a ${JSON.stringify(ra)}, b ${JSON.stringify(rb)}`, { cause: error });
    } finally {
      await w.over?.();
    }
  };
  const lengths = [];
  for (const swap of [false, true]) {
    for (let k = 0, held = true; held; k++) {
      assert.ok(k < STEPS_MAX, 'no end of operations');
      await run(`${swap ? 'a in b' : 'b in a'} behind ${k}`, null, async (x, y) => {
        const r = await (swap ? inside(y, x, k) : inside(x, y, k));
        held = r.held;
        lengths[Number(swap)] = k;
        return swap ? [r.second, r.first] : [r.first, r.second];
      });
    }
    await run(swap ? 'b a' : 'a b', swap ? 'ba' : 'ab', async (x, y) => {
      if (!swap) return [await x.go(), await y.go()];
      const ry = await y.go();
      return [await x.go(), ry];
    });
  }
  for (const j of spread(lengths[0])) {
    for (const k of spread(lengths[1])) {
      await run(`a ${j} b ${k}: a b`, null, (x, y) => across(x, j, y, k));
      await run(`b ${k} a ${j}: b a`, null, async (x, y) => (await across(y, k, x, j)).reverse());
    }
  }
  for (let i = 0; i < AT_ONCE; i++) {
    await run('at once', null, async (x, y) => (i % 2 ? Promise.all([x.go(), y.go()]) : (await Promise.all([y.go(), x.go()])).reverse()));
  }
  return n;
}

// ---- chats ----

let serial = 0;
export const newSlug = () => `races-${process.pid}-${++serial}`;
export async function newChat(visibility, members = []) {
  const { rows } = await one.db.query('INSERT INTO chats (name, visibility, slug, owner_id, last_activity_at) VALUES ($1, $2, $3, $4, now()) RETURNING id::int',
    ['a chat', visibility, visibility === 'private' ? null : newSlug(), owner.id]);
  for (const p of [owner, ...members]) await one.db.query('INSERT INTO chat_members (chat_id, user_id) VALUES ($1, $2)', [rows[0].id, p.id]);
  return rows[0].id;
}
// A chat with these in the room, all with the key.
export async function room(visibility, ...people) {
  const chat = await newChat(visibility, visibility === 'private' ? people : []);
  for (const p of [owner, ...people]) await p.join(chat);
  for (const p of [owner, ...people]) await p.keyed(chat);
  return { chat, epoch: owner.room(chat).epoch };
}
export const invite = async (chat) => {
  const code = `races${String(++serial).padStart(11, '0')}`;
  await one.db.query('INSERT INTO invites (code, chat_id, created_by) VALUES ($1, $2, $3)', [code, chat, owner.id]);
  return code;
};
export const at = (w, call) => `portal/chats/${w.chat}/${call}`;
export const epochOf = async (chat) => Number(await one.redis.get(`portal:chat:${chat}:epoch`));
export const blobsOf = (chat, epoch) => one.redis.hgetall(`portal:e2ee:chatkey:${chat}:${epoch}`);
export const historyOf = async (who, chat) => (await send(one, 'GET', `/v1/portal/chats/${chat}/history`, { cookie: who.token })).body;
export const isMember = async (chat, who) => (await one.db.query('SELECT FROM chat_members WHERE chat_id = $1 AND user_id = $2', [chat, who.id])).rowCount === 1;
export const told = (t, chat, name) => t.room(chat).events.filter((e) => e.name === name).map((e) => e.data);
export const oneOf = (answer, ...codes) => assert.ok(answer.ok || codes.includes(answer.code), `${answer.code} is none of ${codes}`);
export const certain = (answer, code) => assert.equal(answer.ok ? null : answer.code, code);
// What a room tells rises: each epoch once, in order.
export const assertEpochs = (t, chat) => {
  const heard = told(t, chat, 'room:epoch_changed').map((d) => d.epoch);
  assert.deepEqual(heard, [...new Set(heard)].sort((x, y) => x - y));
};

export const joining = (w) => event(person, 'room:join', { chat_id: w.chat });
export const speaking = (who) => (w) => event(who, 'message:send', { chat_id: w.chat, content: bundle(w.epoch) });
export const moderating = (call, whom = () => person) => (w) => rest(one === whom(w).on ? other : one, owner, at(w, call), { user_id: whom(w).id });

// owner holds the key and says nothing by itself, person stands in the room without it.
export async function keyless(visibility) {
  const chat = await newChat(visibility, visibility === 'private' ? [person] : []);
  owner.silent = person.silent = true;
  const mine = await owner.ask('room:join', { chat_id: chat });
  await owner.heard(chat, 'room:key_needed');
  const key = async (epoch, ...sessions) => owner.ask('room:key_share', { chat_id: chat, epoch, keys: sessions.map((session_id) => ({ session_id, blob: randomBytes(72).toString('base64') })) });
  assert.equal((await key(mine.epoch, mine.session_id)).stored, 1);
  const { session_id } = await person.ask('room:join', { chat_id: chat });
  return {
    chat, epoch: mine.epoch, session: session_id, mine: mine.session_id, key,
    over: () => {
      owner.silent = person.silent = false;
    },
  };
}
export const sharing = (w) => event(owner, 'room:key_share', { chat_id: w.chat, epoch: w.epoch, keys: [{ session_id: w.session, blob: randomBytes(72).toString('base64') }] });
// Whoever is out has no blob of the epoch that is, and gets none.
export async function assertNoLaterBlob(w) {
  const epoch = await epochOf(w.chat);
  assert.equal(epoch, w.epoch + 1, 'one epoch on');
  assert.deepEqual(await blobsOf(w.chat, w.epoch), {}, 'the blobs of the old one are dropped');
  await owner.heard(w.chat, 'room:key_needed', (d) => d.epoch === epoch);
  const later = await w.key(epoch, w.mine, w.session);
  assert.deepEqual([later.stored, later.skipped], [1, 1], JSON.stringify(later));
  assert.deepEqual(Object.keys(await blobsOf(w.chat, epoch)), [`${owner.id}:${w.mine}`]);
  assert.ok(!told(person, w.chat, 'room:key').some((d) => d.epoch > w.epoch));
}



export async function leaver(visibility, inside_) {
  const who = await comes(other);
  const chat = await newChat(visibility);
  if (inside_) {
    await owner.join(chat);
    await who.join(chat);
  }
  return { chat, epoch: await epochOf(chat), who, over: () => who.close() };
}
export async function assertEnded(w) {
  await until(() => w.who.socket.disconnected, 'the disconnect');
  await until(async () => !(await isPresent(one, w.chat, w.who)), 'the room to be left');
  await until(async () => !(await one.redis.exists(`portal:sockets:${w.who.id}`)), 'the seat to be free');
  const blobs = Object.keys(await blobsOf(w.chat, await epochOf(w.chat)));
  assert.ok(!blobs.some((f) => f.startsWith(`${w.who.id}:`)), 'no blob is left');
  assert.equal((await w.who.get('/v1/users/me')).status, 401);
}

// But for counters and the like, which end by themselves.
export async function assertNothingLeft(w) {
  await until(async () => {
    const names = [`chat:${w.chat}:*`, `room:${w.chat}:*`, `e2ee:chatkey:${w.chat}:*`, ...['asks', 'circle', 'joined'].map((k) => `e2ee:${k}:${w.chat}`)];
    const keys = (await Promise.all(names.map((name) => one.redis.keys(`portal:${name}`)))).flat();
    w.left = [];
    for (const key of keys) if ((await one.redis.pttl(key)) === -1) w.left.push(key);
    return w.left.length === 0;
  }, 'nothing to be left', 2000).catch(() => assert.deepEqual(w.left, []));
  assert.equal(await one.redis.zscore('portal:wipes', w.chat), null);
  assert.equal((await one.db.query('SELECT FROM room_changes WHERE chat_id = $1', [w.chat])).rowCount, 0);
  certain(await joining(w).go(), 'ERR_CHAT_NOT_FOUND');
  certain(await speaking(person)({ epoch: 1, ...w }).go(), 'ERR_CHAT_NOT_FOUND');
}

export function race(pairs) {
  for (const [name, pair] of Object.entries(pairs)) {
    test(name, async (t) => {
      t.diagnostic(`${await orders(pair)} orders`);
    });
  }
}
