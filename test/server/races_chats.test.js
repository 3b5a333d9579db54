// Calls that fall together with a chat's end, or with its change from private to public and back (races.js).
import assert from 'node:assert/strict';
import { assertPresent } from './chatter.js';
import {
  assertNothingLeft, at, blobsOf, certain, epochOf, historyOf, invite, isMember, joining, moderating, newChat,
  newSlug, one, oneOf, other, owner, person, race, rest, room, speaking, third,
} from './races.js';

race({
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
});
