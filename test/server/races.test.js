// Calls that fall together: who comes into a chat, who is put out of it, and who has its key (races.js).
import assert from 'node:assert/strict';
import { assertPresent } from './chatter.js';
import { until } from './harness.js';
import {
  assertEpochs, assertNoLaterBlob, at, blobsOf, certain, epochOf, event, invite, isMember, joining, keyless,
  moderating, newChat, one, oneOf, other, owner, person, race, rest, room, sharing, third, told,
} from './races.js';

race({
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
});
