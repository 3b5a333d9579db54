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
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { assertPresent, bundle, isPresent, talker } from './chatter.js';
import { randomAddress, send, startPortal, startProcess, stopProcess, until } from './harness.js';

const GRID = process.env.RACES_ALL ? Infinity : 3; // operations of each, spread evenly
const AT_ONCE = 8;
const STEPS_MAX = 40;
const WAIT_MS = 100; // b may wait for a: then a goes on

let one, other; // the processes
let owner, person, third; // owner, third: on `one`; person: on `other`
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
const rest = (on, who, call, body = {}) => ({
  on,
  go: async (fault) => {
    const r = await send(on, 'POST', `/v1/${call}`, { cookie: who.token, from: who.from, body, headers: fault ? { 'x-portal-fault': fault } : {} });
    return { ok: r.status === 200, code: r.body?.code, body: r.body };
  },
});
const event = (who, name, data) => ({
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
const newSlug = () => `races-${process.pid}-${++serial}`;
async function newChat(visibility, members = []) {
  const { rows } = await one.db.query('INSERT INTO chats (name, visibility, slug, owner_id, last_activity_at) VALUES ($1, $2, $3, $4, now()) RETURNING id::int',
    ['a chat', visibility, visibility === 'private' ? null : newSlug(), owner.id]);
  for (const p of [owner, ...members]) await one.db.query('INSERT INTO chat_members (chat_id, user_id) VALUES ($1, $2)', [rows[0].id, p.id]);
  return rows[0].id;
}
// A chat with these in the room, all with the key.
async function room(visibility, ...people) {
  const chat = await newChat(visibility, visibility === 'private' ? people : []);
  for (const p of [owner, ...people]) await p.join(chat);
  for (const p of [owner, ...people]) await p.keyed(chat);
  return { chat, epoch: owner.room(chat).epoch };
}
const invite = async (chat) => {
  const code = `races${String(++serial).padStart(11, '0')}`;
  await one.db.query('INSERT INTO invites (code, chat_id, created_by) VALUES ($1, $2, $3)', [code, chat, owner.id]);
  return code;
};
const at = (w, call) => `portal/chats/${w.chat}/${call}`;
const epochOf = async (chat) => Number(await one.redis.get(`portal:chat:${chat}:epoch`));
const blobsOf = (chat, epoch) => one.redis.hgetall(`portal:e2ee:chatkey:${chat}:${epoch}`);
const historyOf = async (who, chat) => (await send(one, 'GET', `/v1/portal/chats/${chat}/history`, { cookie: who.token })).body;
const isMember = async (chat, who) => (await one.db.query('SELECT FROM chat_members WHERE chat_id = $1 AND user_id = $2', [chat, who.id])).rowCount === 1;
const told = (t, chat, name) => t.room(chat).events.filter((e) => e.name === name).map((e) => e.data);
const oneOf = (answer, ...codes) => assert.ok(answer.ok || codes.includes(answer.code), `${answer.code} is none of ${codes}`);
const certain = (answer, code) => assert.equal(answer.ok ? null : answer.code, code);
// What a room tells rises: each epoch once, in order.
const assertEpochs = (t, chat) => {
  const heard = told(t, chat, 'room:epoch_changed').map((d) => d.epoch);
  assert.deepEqual(heard, [...new Set(heard)].sort((x, y) => x - y));
};

const joining = (w) => event(person, 'room:join', { chat_id: w.chat });
const speaking = (who) => (w) => event(who, 'message:send', { chat_id: w.chat, content: bundle(w.epoch) });
const moderating = (call, whom = () => person) => (w) => rest(one === whom(w).on ? other : one, owner, at(w, call), { user_id: whom(w).id });

// owner holds the key and says nothing by itself, person stands in the room without it.
async function keyless(visibility) {
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
const sharing = (w) => event(owner, 'room:key_share', { chat_id: w.chat, epoch: w.epoch, keys: [{ session_id: w.session, blob: randomBytes(72).toString('base64') }] });
// Whoever is out has no blob of the epoch that is, and gets none.
async function assertNoLaterBlob(w) {
  const epoch = await epochOf(w.chat);
  assert.equal(epoch, w.epoch + 1, 'one epoch on');
  assert.deepEqual(await blobsOf(w.chat, w.epoch), {}, 'the blobs of the old one are dropped');
  await owner.heard(w.chat, 'room:key_needed', (d) => d.epoch === epoch);
  const later = await w.key(epoch, w.mine, w.session);
  assert.deepEqual([later.stored, later.skipped], [1, 1], JSON.stringify(later));
  assert.deepEqual(Object.keys(await blobsOf(w.chat, epoch)), [`${owner.id}:${w.mine}`]);
  assert.ok(!told(person, w.chat, 'room:key').some((d) => d.epoch > w.epoch));
}

// ---- the pairs ----

const pairs = {
  // Banned: out, whatever came first; who had got in was put out again.
  'ban against room:join': {
    scene: async () => ({ chat: await newChat('public') }),
    a: joining,
    b: moderating('ban'),
    holds: async (w, join, ban, order) => {
      assert.ok(ban.ok);
      oneOf(join, 'ERR_BANNED', 'ERR_NOT_JOINED');
      if (order) certain(join, order === 'ab' ? null : 'ERR_BANNED');
      if (join.ok) assert.equal((await person.heard(w.chat, 'room:kicked')).reason, 'ban');
      await assertPresent(one, person, w.chat, false);
      certain(await joining(w).go(), 'ERR_BANNED');
    },
  },
  // Lifted, a ban holds nobody back; before it does. Everyone agrees on which it was.
  'unban against room:join': {
    scene: async () => {
      const w = { chat: await newChat('public') };
      assert.ok((await moderating('ban')(w).go()).ok);
      return w;
    },
    a: joining,
    b: moderating('unban'),
    holds: async (w, join, unban, order) => {
      assert.ok(unban.ok);
      oneOf(join, 'ERR_BANNED');
      if (order) certain(join, order === 'ab' ? 'ERR_BANNED' : null);
      await assertPresent(one, person, w.chat, join.ok);
      assert.ok((await joining(w).go()).ok);
    },
  },
  // The same by invite: no membership outlives the ban.
  'ban against joining by invite': {
    scene: async () => {
      const chat = await newChat('private');
      return { chat, code: await invite(chat) };
    },
    a: (w) => rest(other, person, `portal/resolve/${w.code}`),
    b: moderating('ban'),
    holds: async (w, join, ban, order) => {
      assert.ok(ban.ok);
      oneOf(join, 'ERR_BANNED', 'ERR_CHAT_NOT_FOUND');
      if (order) certain(join, order === 'ab' ? null : 'ERR_BANNED');
      assert.equal(await isMember(w.chat, person), false);
      certain(await joining(w).go(), 'ERR_CHAT_NOT_FOUND');
    },
  },
  // Who is put out of a private chat gets no later blob: the share was before, and its blob went with the epoch,
  // or it is refused, or it serves nobody.
  'kick against key share': {
    scene: () => keyless('private'),
    a: sharing,
    b: (w) => rest(other, owner, at(w, 'kick'), { user_id: person.id }),
    holds: async (w, share, kick, order) => {
      assert.ok(kick.ok);
      oneOf(share, 'ERR_EPOCH_MISMATCH');
      if (order) certain(share, order === 'ab' ? null : 'ERR_EPOCH_MISMATCH');
      if (order === 'ab') assert.equal(share.body.stored, 1);
      await person.heard(w.chat, 'room:kicked');
      const names = person.room(w.chat).events.map((e) => e.name);
      assert.ok(!names.slice(names.indexOf('room:kicked')).includes('room:key'));
      await assertNoLaterBlob(w);
      await assertPresent(one, person, w.chat, false);
    },
  },
  // Ending one's membership is the same, but for what it is called.
  'leave against key share': {
    scene: () => keyless('private'),
    a: sharing,
    b: (w) => rest(other, person, at(w, 'leave')),
    holds: async (w, share, leave, order) => {
      assert.ok(leave.ok);
      oneOf(share, 'ERR_EPOCH_MISMATCH');
      if (order) certain(share, order === 'ab' ? null : 'ERR_EPOCH_MISMATCH');
      await assertNoLaterBlob(w);
      await assertPresent(one, person, w.chat, false);
    },
  },
  // Leaving the room of an open chat turns no epoch: served while there, skipped when gone.
  'room:leave against key share': {
    scene: () => keyless('public'),
    a: sharing,
    b: (w) => event(person, 'room:leave', { chat_id: w.chat }),
    holds: async (w, share, leave, order) => {
      assert.ok(share.ok && leave.ok);
      if (order) assert.equal(share.body.stored, order === 'ab' ? 1 : 0);
      assert.equal(share.body.stored + share.body.skipped, 1);
      assert.equal(await epochOf(w.chat), w.epoch);
      await assertPresent(one, person, w.chat, false);
      assert.equal((await w.key(w.epoch, w.session)).skipped, 1);
    },
  },
  // Sent before, and cleared with the rest; or of an epoch that is over. Nothing of it is left.
  'clear against send': {
    scene: () => room('private', person),
    a: (w) => speaking(person)(w),
    b: (w) => rest(one, owner, at(w, 'clear')),
    holds: async (w, sent, clear, order) => {
      assert.ok(clear.ok);
      oneOf(sent, 'ERR_EPOCH_MISMATCH');
      if (order) certain(sent, order === 'ab' ? null : 'ERR_EPOCH_MISMATCH');
      assert.equal(clear.body.cleared, sent.ok ? 1 : 0);
      assert.deepEqual((await historyOf(owner, w.chat)).map((m) => m.type), ['system']);
      await owner.heard(w.chat, 'portal:cleared');
      const names = owner.room(w.chat).events.map((e) => (e.name === 'message:new' ? e.data.type : e.name));
      assert.ok(!names.slice(names.indexOf('portal:cleared')).includes('user'), 'nothing of the old epoch is told behind it');
      assertEpochs(owner, w.chat);
    },
  },
  // Each is out, each turned the epoch once, and there is one key in the end.
  'two kicks': {
    scene: () => room('private', person, third),
    a: moderating('kick'),
    b: moderating('kick', () => third),
    holds: async (w, x, y) => {
      assert.ok(x.ok && y.ok);
      assert.equal(await epochOf(w.chat), w.epoch + 2);
      for (const t of [person, third]) await assertPresent(one, t, w.chat, false);
      await until(() => owner.room(w.chat).keyed === w.epoch + 2, 'the key of the last epoch');
      assert.deepEqual(Object.keys(await blobsOf(w.chat, w.epoch + 2)), [`${owner.id}:${owner.session_id}`]);
      for (const epoch of [w.epoch, w.epoch + 1]) assert.deepEqual(await blobsOf(w.chat, epoch), {});
      assert.deepEqual(told(owner, w.chat, 'room:epoch_changed').map((d) => d.epoch).slice(-2), [w.epoch + 1, w.epoch + 2]);
      assertEpochs(owner, w.chat);
    },
  },
  // Nothing that was said before is left, no epoch is told twice, and whoever is in has the key of the last.
  'clear against a change of visibility': {
    scene: async () => {
      const w = await room('private', person);
      assert.ok((await speaking(person)(w).go()).ok);
      return w;
    },
    a: (w) => rest(one, owner, at(w, 'clear')),
    b: (w) => rest(other, owner, at(w, 'config/update'), { slug: newSlug() }),
    holds: async (w, clear, change) => {
      assert.ok(clear.ok && change.ok);
      const epoch = await epochOf(w.chat);
      assert.ok(epoch >= w.epoch + 2, `${epoch}`);
      assert.ok((await historyOf(third, w.chat)).every((m) => m.type === 'system'));
      for (const t of [owner, person]) {
        await until(() => t.room(w.chat).keyed === epoch, 'the key of the last epoch');
        assertEpochs(t, w.chat);
      }
      for (let e = w.epoch; e < epoch; e++) assert.deepEqual(await blobsOf(w.chat, e), {});
    },
  },
  // Private: a stranger is out, or never was in.
  'a chat becomes private against room:join': {
    scene: async () => ({ chat: await newChat('public') }),
    a: joining,
    b: (w) => rest(one, owner, at(w, 'config/update'), { slug: null }),
    holds: async (w, join, change, order) => {
      assert.ok(change.ok);
      oneOf(join, 'ERR_CHAT_NOT_FOUND', 'ERR_NOT_JOINED');
      if (order) certain(join, order === 'ab' ? null : 'ERR_CHAT_NOT_FOUND');
      if (join.ok) assert.equal((await person.heard(w.chat, 'room:kicked')).reason, 'private');
      await assertPresent(one, person, w.chat, false);
      certain(await joining(w).go(), 'ERR_CHAT_NOT_FOUND');
    },
  },
  // Public: a stranger who got in is in, and was shown nothing that was said in private. Whoever comes in finds the
  // epoch that the change begins: the one before has the key of what members said until the commit.
  'a chat becomes public against room:join': {
    scene: async () => {
      const w = await room('private');
      assert.ok((await speaking(owner)(w).go()).ok);
      return w;
    },
    a: joining,
    b: (w) => rest(one, owner, at(w, 'config/update'), { slug: newSlug() }),
    holds: async (w, join, change, order) => {
      assert.ok(change.ok);
      oneOf(join, 'ERR_CHAT_NOT_FOUND');
      if (order) certain(join, order === 'ab' ? 'ERR_CHAT_NOT_FOUND' : null);
      if (join.ok) {
        assert.ok(join.body.messages.every((m) => m.type === 'system'));
        assert.equal(join.body.epoch, await epochOf(w.chat), 'the epoch behind the change');
      }
      await assertPresent(one, person, w.chat, join.ok);
      assert.ok((await joining(w).go()).ok);
      await person.keyed(w.chat);
    },
  },
  // What is said while it becomes public is refused, gone, or sealed with a key that strangers never get.
  'a chat becomes public against send': {
    scene: () => room('private', person),
    a: (w) => speaking(person)(w),
    b: (w) => rest(one, owner, at(w, 'config/update'), { slug: newSlug() }),
    holds: async (w, sent, change, order) => {
      assert.ok(change.ok);
      oneOf(sent, 'ERR_EPOCH_MISMATCH');
      if (order) certain(sent, order === 'ab' ? null : 'ERR_EPOCH_MISMATCH');
      const epoch = await epochOf(w.chat);
      assert.ok((await historyOf(third, w.chat)).every((m) => m.type === 'system' || m.epoch < epoch));
      for (let e = w.epoch; e < epoch; e++) assert.deepEqual(await blobsOf(w.chat, e), {});
    },
  },
  // Everything about it goes, also what came while it went.
  'delete against send': {
    scene: () => room('private', person),
    a: (w) => speaking(person)(w),
    b: (w) => rest(one, owner, at(w, 'delete')),
    holds: async (w, sent, gone, order) => {
      assert.ok(gone.ok);
      oneOf(sent, 'ERR_CHAT_NOT_FOUND', 'ERR_NOT_JOINED');
      if (order) certain(sent, order === 'ab' ? null : 'ERR_CHAT_NOT_FOUND');
      await assertNothingLeft(w);
    },
  },
  'delete against room:join': {
    scene: async () => ({ chat: await newChat('public') }),
    a: joining,
    b: (w) => rest(one, owner, at(w, 'delete')),
    holds: async (w, join, gone, order) => {
      assert.ok(gone.ok);
      oneOf(join, 'ERR_CHAT_NOT_FOUND', 'ERR_NOT_JOINED');
      if (order) certain(join, order === 'ab' ? null : 'ERR_CHAT_NOT_FOUND');
      if (join.ok) await person.heard(w.chat, 'room:destroyed');
      await assertNothingLeft(w);
    },
  },
  'delete against joining by invite': {
    scene: async () => {
      const chat = await newChat('private');
      return { chat, code: await invite(chat) };
    },
    a: (w) => rest(other, person, `portal/resolve/${w.code}`),
    b: (w) => rest(one, owner, at(w, 'delete')),
    holds: async (w, join, gone, order) => {
      assert.ok(gone.ok);
      oneOf(join, 'ERR_INVITE_NOT_FOUND', 'ERR_CHAT_NOT_FOUND');
      if (order) certain(join, order === 'ab' ? null : 'ERR_INVITE_NOT_FOUND');
      assert.equal(await isMember(w.chat, person), false);
      await assertNothingLeft(w);
    },
  },
  // Both say something in the chat behind their commit.
  'delete against kick': {
    scene: () => room('private', person),
    a: moderating('kick'),
    b: (w) => rest(other, owner, at(w, 'delete')),
    holds: async (w, kick, gone, order) => {
      assert.ok(gone.ok);
      oneOf(kick, 'ERR_CHAT_NOT_FOUND');
      if (order) certain(kick, order === 'ab' ? null : 'ERR_CHAT_NOT_FOUND');
      await assertNothingLeft(w);
    },
  },
  'delete against a change of its wipe timer': {
    scene: async () => {
      const w = await room('private', person);
      assert.ok((await speaking(person)(w).go()).ok);
      return w;
    },
    a: (w) => rest(other, owner, at(w, 'config/update'), { wipe_preset: '1h' }),
    b: (w) => rest(one, owner, at(w, 'delete')),
    holds: async (w, change, gone, order) => {
      assert.ok(gone.ok);
      oneOf(change, 'ERR_CHAT_NOT_FOUND');
      if (order) certain(change, order === 'ab' ? null : 'ERR_CHAT_NOT_FOUND');
      await assertNothingLeft(w);
    },
  },
  'delete against clear': {
    scene: () => room('private', person),
    a: (w) => rest(other, owner, at(w, 'clear')),
    b: (w) => rest(one, owner, at(w, 'delete')),
    holds: async (w, clear, gone, order) => {
      assert.ok(gone.ok);
      oneOf(clear, 'ERR_CHAT_NOT_FOUND');
      if (order) certain(clear, order === 'ab' ? null : 'ERR_CHAT_NOT_FOUND');
      await assertNothingLeft(w);
    },
  },
  // Muted: what was acknowledged was before, and nothing is afterwards.
  'mute against send': {
    scene: () => room('private', person),
    a: (w) => speaking(person)(w),
    b: moderating('mute'),
    holds: async (w, sent, mute, order) => {
      assert.ok(mute.ok);
      oneOf(sent, 'ERR_MUTED');
      if (order) certain(sent, order === 'ab' ? null : 'ERR_MUTED');
      certain(await speaking(person)(w).go(), 'ERR_MUTED');
      assert.equal((await historyOf(owner, w.chat)).filter((m) => m.type === 'user').length, sent.ok ? 1 : 0);
    },
  },
  // A banned person's message is acknowledged before the ban or not at all.
  'ban against send': {
    scene: () => room('public', person),
    a: (w) => speaking(person)(w),
    b: moderating('ban'),
    holds: async (w, sent, ban, order) => {
      assert.ok(ban.ok);
      oneOf(sent, 'ERR_BANNED', 'ERR_NOT_JOINED', 'ERR_EPOCH_MISMATCH');
      if (order) certain(sent, order === 'ab' ? null : 'ERR_BANNED');
      certain(await speaking(person)(w).go(), 'ERR_BANNED');
      assert.equal((await historyOf(owner, w.chat)).filter((m) => m.type === 'user').length, sent.ok ? 1 : 0);
    },
  },
  // A session that has ended is in no room and has no blob.
  'the end of a session against room:join': {
    scene: () => leaver('public', false),
    a: (w) => event(w.who, 'room:join', { chat_id: w.chat }),
    b: (w) => rest(one, w.who, 'authentication/logout'),
    holds: async (w, join, end, order) => {
      assert.ok(end.ok);
      oneOf(join, 'gone', 'ERR_NOT_JOINED');
      if (order) certain(join, order === 'ab' ? null : 'gone');
      await assertEnded(w);
    },
  },
  'the end of a session against send': {
    scene: () => leaver('public', true),
    a: (w) => speaking(w.who)(w),
    b: (w) => rest(one, w.who, 'authentication/logout'),
    holds: async (w, sent, end, order) => {
      assert.ok(end.ok);
      oneOf(sent, 'gone', 'ERR_NO_ROOM_KEY', 'ERR_NOT_JOINED');
      if (order) certain(sent, order === 'ab' ? null : 'gone');
      await assertEnded(w);
      const said = (await historyOf(owner, w.chat)).filter((m) => m.type === 'user').length;
      assert.ok(sent.ok ? said === 1 : said <= 1, 'what was acknowledged is there');
    },
  },
};


async function leaver(visibility, inside_) {
  const who = await comes(other);
  const chat = await newChat(visibility);
  if (inside_) {
    await owner.join(chat);
    await who.join(chat);
  }
  return { chat, epoch: await epochOf(chat), who, over: () => who.close() };
}
async function assertEnded(w) {
  await until(() => w.who.socket.disconnected, 'the disconnect');
  await until(async () => !(await isPresent(one, w.chat, w.who)), 'the room to be left');
  await until(async () => !(await one.redis.exists(`portal:sockets:${w.who.id}`)), 'the seat to be free');
  const blobs = Object.keys(await blobsOf(w.chat, await epochOf(w.chat)));
  assert.ok(!blobs.some((f) => f.startsWith(`${w.who.id}:`)), 'no blob is left');
  assert.equal((await w.who.get('/v1/users/me')).status, 401);
}

// But for counters and the like, which end by themselves.
async function assertNothingLeft(w) {
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

for (const [name, pair] of Object.entries(pairs)) {
  test(name, async (t) => {
    t.diagnostic(`${await orders(pair)} orders`);
  });
}
