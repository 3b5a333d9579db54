// Contract 4.3: the namespace /bot with the stock client; login codes pushed to bots.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect, randomAddress, randomPlatformId, startPortal, startProcess, stopProcess, until } from './harness.js';

let portal, other;
const limits = { RATE_LIMIT_LOGIN: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_HANDSHAKE: '0' };
before(async () => {
  portal = await startPortal(limits);
  other = await startProcess(portal.stores, limits);
});
after(async () => {
  await stopProcess(other);
  await portal.stop();
});

const register = async (...args) => {
  const made = await portal.ctl(['bot', 'register', '--name', 'a bot', '--platform', 'discord', ...args, '--json']);
  return { key: made.api_key, id: made.bot.id };
};

// A bot's socket. `answer`: what it acks a login:code with; null: nothing.
async function bot(p, key, answer = { delivered: true }, options = { auth: { api_key: key } }) {
  const s = await connect({ ...p, url: `${p.url}/bot` }, {}, { by: 'none', ...options });
  s.on('login:code', (data, ack) => answer && ack(answer));
  return s;
}
const request = async (id, from = randomAddress(), platform = 'discord') => {
  const r = await portal.post('/v1/authentication/request', { platform, platform_user_id: id }, { from });
  assert.equal(r.status, 200, r.text);
  return r.body;
};
const codes = (...sockets) => sockets.flatMap((s) => s.events.filter((e) => e.name === 'login:code'));
const close = (...sockets) => Promise.all(sockets.map(async (s) => {
  s.close();
  await s.gone;
}));
// No process is told to have bots any more: what follows begins without.
const nobody = () => until(async () => (await portal.redis.zcount('portal:bots:discord', Date.now(), '+inf')) === 0, 'no bots');
// A push that must not come would have come before the one for somebody else.
async function quiet(s, count, platform = 'discord') {
  const id = randomPlatformId();
  await request(id, randomAddress(), platform);
  await s.next('login:code', (d) => d.platform_user_id === id);
  assert.equal(codes(s).length, count + 1);
}

test('the key comes in the header or in auth; bad ones are refused', async () => {
  const { key } = await register();
  const byAuth = await bot(portal, key);
  const byHeader = await bot(portal, key, null, { extraHeaders: { 'x-api-key': key } });
  const byPolling = await bot(portal, key, null, { extraHeaders: { 'x-api-key': key }, transports: ['polling'] });
  const bad = [
    bot(portal, '', null, {}), bot(portal, 'nonsense'), bot(portal, `hbot_${'x'.repeat(43)}`), bot(portal, 7),
    bot(portal, key, null, { auth: { api_key: key }, extraHeaders: { 'x-api-key': 'nonsense' } }),
  ];
  await Promise.all(bad.map((refused) => assert.rejects(refused, (e) => {
    assert.deepEqual([e.message, e.data], ['Invalid API key', { code: 'ERR_INVALID_API_KEY' }]);
    return true;
  })));
  assert.equal((await byAuth.ask('room:join', { chat_id: 1 })).code, 'ERR_NOT_FOUND');
  await close(byAuth, byHeader, byPolling);
  await nobody();
});

test('a code is pushed at once, and can be fetched and verified', async () => {
  const { key } = await register();
  const s = await bot(portal, key);
  const [id, from] = [randomPlatformId(), randomAddress()];
  const bus = portal.redis.duplicate();
  const told = [];
  await bus.psubscribe('*');
  bus.on('pmessage', (pattern, channel, text) => told.push(text));
  await request(randomPlatformId());
  const began = Date.now();
  const { expires_at } = await request(id, from);
  const got = await s.next('login:code', (d) => d.platform_user_id === id);
  assert.ok(s.events.at(-1).at - began < 100, `${s.events.at(-1).at - began} ms`);
  const code = await portal.fetchCode('discord', id);
  assert.deepEqual(got, { platform: 'discord', platform_user_id: id, code, expires_at, is_new_user: true });
  assert.equal(told.filter((text) => text.startsWith('c !login:push')).length, 2);
  assert.ok(!told.some((text) => text.includes(code) || text.includes(id)));
  await bus.quit();
  const r = await portal.post('/v1/authentication/verify', { code: got.code }, { from });
  assert.deepEqual([r.status, r.body.user_created], [200, true], r.text);
  await request(id, from);
  const again = await s.next('login:code', (d) => d.platform_user_id === id, { from: 2 });
  assert.equal(again.is_new_user, false);
  assert.notEqual(again.code, got.code);
  await close(s);
  await nobody();
});

test('not delivered: another bot, also of another process, each once; the code stays fetchable', async () => {
  const a = await register(), b = await register();
  const sockets = [
    await bot(portal, a.key, { delivered: false, reason: 'closed messages' }), await bot(portal, b.key, { delivered: false }),
    await bot(other, a.key, { delivered: 'true' }), await bot(other, b.key, {}),
  ];
  const id = randomPlatformId();
  await request(id);
  for (const s of sockets) await s.next('login:code');
  const seen = codes(...sockets).map((e) => e.data.code);
  assert.deepEqual(seen, Array(4).fill(await portal.fetchCode('discord', id)));
  const good = await bot(other, b.key);
  const next = randomPlatformId();
  await request(next);
  await good.next('login:code', (d) => d.platform_user_id === next);
  await close(...sockets, good);
  await nobody();
});

test('one of several gets it; one that does not answer is passed over after 3 s', async () => {
  const { key } = await register();
  const [mute, second] = [await bot(portal, key, null), await bot(portal, key)];
  const began = Date.now();
  const ids = Array.from({ length: 4 }, randomPlatformId);
  await Promise.all(ids.map((id) => request(id)));
  for (const id of ids) await second.next('login:code', (d) => d.platform_user_id === id);
  const waited = codes(second).filter((e) => e.at - began > 2900).map((e) => e.data.platform_user_id).sort();
  assert.deepEqual(waited, codes(mute).map((e) => e.data.platform_user_id).sort());
  assert.equal(waited.length, 2);
  await close(mute);
  const third = await bot(other, key);
  for (let i = 0; i < 6; i++) await request(randomPlatformId());
  await until(() => codes(second, third).length >= 10, 'all pushes');
  assert.equal(codes(second, third).length, 10);
  await close(second, third);
  await nobody();
});

test('a bot that leaves while it has a code: another gets it', async () => {
  const { key } = await register();
  const leaver = await bot(portal, key, null);
  leaver.on('login:code', () => leaver.disconnect());
  const stays = await bot(portal, key);
  const id = randomPlatformId();
  await request(id);
  await stays.next('login:code', (d) => d.platform_user_id === id);
  assert.equal(codes(leaver).length, 1);
  await leaver.gone;
  await close(stays);
  await nobody();
});

test('only bots of the platform that may sign people in', async () => {
  const [good, plain] = [await register(), await register('--no-login')];
  const telegram = await portal.bot('telegram');
  const [weak, foreign] = [await bot(portal, plain.key), await bot(portal, telegram.key)];
  const long = await register('--no-login');
  await portal.db.query("UPDATE bots SET platform = repeat('p', 64) WHERE id = $1", [long.id]);
  await close(await bot(portal, long.key));
  await request(randomPlatformId()); // there is no bot: nothing is pushed, and nothing counts
  const id = randomPlatformId();
  for (let i = 0; i < 4; i++) await request(id);
  const s = await bot(portal, good.key);
  await request(id);
  await s.next('login:code');
  await quiet(s, 1);
  assert.equal(codes(weak, foreign).length, 0);
  await close(s, weak, foreign);
  await nobody();
});

test('again from the same address: every 30 s; 3 in 10 minutes', async () => {
  const { key } = await register();
  const s = await bot(portal, key);
  const [id, from] = [randomPlatformId(), randomAddress()];
  const first = await request(id, from);
  const got = await s.next('login:code');
  assert.deepEqual(await request(id, from), first);
  await quiet(s, 1);
  for (const name of await portal.redis.keys('portal:code:*')) { // as if 30 s had passed
    if (await portal.redis.hexists(name, 't')) await portal.redis.hincrby(name, 't', -30_000_000);
  }
  assert.deepEqual(await request(id, from), first);
  await s.next('login:code', (d) => d.code === got.code, { from: 2 });
  await request(id);
  await s.next('login:code', (d) => d.platform_user_id === id && d.code !== got.code);
  await request(id); // the fourth
  await quiet(s, 4);
  assert.equal((await portal.fetchCode('discord', id)).length, 8);
  await close(s);
  await nobody();
});

test('a key that is regenerated, a bot that is deactivated, deleted: the sockets go at once', async () => {
  const owner = await portal.withLevel('owner');
  const act = async (id, what, body) => {
    const r = await owner.post(`/v1/admin/bots/${id}/${what}`, body);
    assert.equal(r.status, 200, r.text);
  };
  for (const [what, body] of [['regenerate-key'], ['update', { is_active: false }], ['delete']]) {
    const { key, id } = await register();
    const bystander = await register();
    const [mine, elsewhere, stays] = [await bot(portal, key), await bot(other, key), await bot(other, bystander.key)];
    await act(id, what, body);
    const answered = Date.now();
    assert.deepEqual([await mine.gone, await elsewhere.gone], ['io server disconnect', 'io server disconnect']);
    assert.ok(Date.now() - answered < 500, `${Date.now() - answered} ms`);
    await assert.rejects(bot(portal, key), (e) => e.data.code === 'ERR_INVALID_API_KEY');
    await quiet(stays, 0);
    await close(stays);
    await nobody();
  }
  const { key, id } = await register();
  const s = await bot(other, key);
  await portal.ctl(['bot', 'regenerate-key', String(id), '--yes']);
  assert.equal(await s.gone, 'io server disconnect');
});

test('an account that is deleted: the sockets of its bots go at once', async () => {
  const person = await portal.signIn();
  const { key } = await register('--owner', String(person.id));
  const sockets = [await bot(portal, key), await bot(other, key)];
  assert.equal((await person.post('/v1/users/me/delete', { username: person.username })).status, 200);
  const answered = Date.now();
  for (const s of sockets) assert.equal(await s.gone, 'io server disconnect');
  assert.ok(Date.now() - answered < 2000, `${Date.now() - answered} ms`);
  await nobody();
});

test('the eleventh socket of a bot is refused by its process', async () => {
  const { key } = await register();
  const sockets = [];
  for (let i = 0; i < 10; i++) sockets.push(await bot(portal, key));
  await assert.rejects(bot(portal, key), (e) => {
    assert.deepEqual([e.message, e.data], ['Too many sockets', { code: 'ERR_TOO_MANY_SOCKETS' }]);
    return true;
  });
  const another = await register();
  sockets.push(await bot(other, key), await bot(portal, another.key));
  await close(sockets.pop(), sockets.pop(), sockets.pop());
  sockets.push(await until(() => bot(portal, key).catch(() => null), 'a free place'));
  await close(...sockets);
  await nobody();
});

test('a bot whose login is taken away stays and gets nothing; given back, it does', async () => {
  const owner = await portal.withLevel('owner');
  const { key, id } = await register();
  const s = await bot(other, key);
  const may = async (login) => assert.equal((await owner.post(`/v1/admin/bots/${id}/update`, { login })).status, 200);
  await may(false);
  await request(randomPlatformId());
  await nobody(); // and no push is under way
  await until(async () => {
    await may(true);
    return (await portal.redis.zcard('portal:bots:discord')) === 1;
  }, 'the lease');
  await quiet(s, 0);
  await close(s);
  await nobody();
});

test('a process that died is not asked for long', async () => {
  const { key } = await register();
  const p = await startProcess(portal.stores, limits);
  const s = await bot(p, key);
  await stopProcess(p, 'SIGKILL');
  await s.gone;
  await nobody();
  const next = await bot(portal, key);
  await quiet(next, 0);
  await close(next);
});

test('a key that dies where nobody hears of it gets no code', async () => {
  const { key, id } = await register();
  const s = await bot(portal, key);
  await portal.db.query('UPDATE bots SET is_active = false WHERE id = $1', [id]);
  const other_ = await register();
  const good = await bot(other, other_.key);
  for (let i = 0; i < 4; i++) await quiet(good, i);
  assert.equal(codes(s).length, 0);
  await close(s, good);
});

test('a flood of events ends the connection', async () => {
  const { key } = await register();
  const s = await bot(portal, key);
  for (let i = 0; i < 101; i++) s.emit('nothing', {});
  assert.equal(await s.gone, 'transport close');
});
