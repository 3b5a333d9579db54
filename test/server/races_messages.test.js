// Calls that fall together with what is said: cleared, muted, banned, ended sessions (races.js).
import assert from 'node:assert/strict';
import { until } from './harness.js';
import {
  assertEnded, assertEpochs, at, blobsOf, certain, epochOf, event, historyOf, leaver, moderating, newSlug, one,
  oneOf, other, owner, person, race, rest, room, speaking, third,
} from './races.js';

race({
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
});
