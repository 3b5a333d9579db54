// The sweep of what no client asks for: the matcher puts the sockets of a pair into their direct chat. At each operation
// of that it fails, its deadline passes, or the chat ends meanwhile. (Requests and events: sweep.test.js, sweep_events.test.js.)
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertPresent, hears, talker } from './chatter.js';
import { faulted, randomAddress, startPortal, until } from './harness.js';

const STEPS_MAX = 30;

let portal;
let serial = 0;
before(async () => {
  portal = await startPortal({ RATE_LIMIT_LOGIN: '0', RATE_LIMIT_HANDSHAKE: '0', RATE_LIMIT_EVENTS: '0', RATE_LIMIT_HEALTH: '0' });
});
after(() => portal.stop());

// The put-in of who comes second is hit; behind it the socket, Redis and the bus agree, and the client joins by itself.
async function cutPut(kind, k, meanwhile = async () => {}) {
  const [first, second] = [await talker(portal, await portal.signIn()), await talker(portal, await portal.signIn())];
  const interest = `put${++serial}`;
  const found = [first, second].map((t) => new Promise((resolve) => t.socket.once('match:found', resolve)));
  await first.post('/v1/portal/match', { interest });
  const { result: chat, steps } = await faulted(portal, 'direct join', async () => {
    await portal.get('/livez', { from: randomAddress(), headers: { 'x-portal-fault': `${kind}:${k} direct join` } });
    assert.equal((await second.post('/v1/portal/match', { interest })).body.state, 'matched');
    const [{ chat: { id } }] = await Promise.all(found);
    await meanwhile(first, id);
    return id;
  });
  return { first, second, chat, steps };
}
const leaveDirect = async ({ first, second, chat }) => {
  assert.equal((await first.post('/v1/portal/match/leave')).status, 200);
  await until(async () => !(await portal.redis.keys(`portal:room:${chat}:*`)).length, 'nothing to be left of the room');
  for (const t of [first, second]) t.close();
};

for (const kind of ['fail', 'deadline']) {
  test(`put into a direct chat: ${kind} at each step`, async () => {
    let k = 0;
    for (let missed = false; !missed; k++) {
      assert.ok(k < STEPS_MAX, 'the sweep reached the end');
      const pair = await cutPut(kind, k);
      const { first, second, chat, steps } = pair;
      missed = k >= steps;
      await assertPresent(portal, first, chat, true);
      await assertPresent(portal, second, chat, missed || await hears(portal, second, chat));
      assert.ok((await second.ask('room:join', { chat_id: chat })).ok);
      await assertPresent(portal, second, chat, true);
      assert.equal((await portal.redis.zrange('portal:match:graces', 0, -1)).filter((g) => g.startsWith(`${chat}:`)).length, 0);
      await leaveDirect(pair);
    }
    assert.ok(k > 2, `only ${k} steps`);
  });
}

test('put into a direct chat that ends meanwhile: nobody is in it, nothing is left', async () => {
  let k = 0;
  for (let missed = false; !missed; k++) {
    assert.ok(k < STEPS_MAX, 'the sweep reached the end');
    const from = portal.logs.length;
    const { first, second, chat, steps } = await cutPut('hold', k, async (t) => {
      await until(() => portal.logs.slice(from).some((l) => l.task === 'direct join'), 'it to be held, or to end');
      assert.equal((await t.post('/v1/portal/match/leave')).status, 200);
      await portal.get('/livez', { from: randomAddress(), headers: { 'x-portal-fault': 'release' } });
    });
    missed = k >= steps;
    for (const t of [first, second]) {
      await t.heard(chat, 'match:ended');
      assert.equal(await hears(portal, t, chat), false);
      assert.equal((await t.ask('room:join', { chat_id: chat })).code, 'ERR_CHAT_NOT_FOUND');
      t.close();
    }
    await until(async () => !(await portal.redis.keys(`portal:room:${chat}:*`)).length, 'nothing to be left of the room');
  }
});
