// The Telegram bot against a fake of Telegram; what is Telegram's own. The rest: bot_cases.js.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { botCases, runBot } from './bot_cases.js';
import { until } from './harness.js';
import { startTelegram } from './telegram_fake.js';

botCases('telegram', startTelegram, ({ at, person, request, known, coded, reported, restart, me }) => {
  test('/start greets; by the link of a group it is /login', async () => {
    const { fake } = at();
    const p = await known();
    fake.sayInGroup(p, '/otp@portal_test_bot');
    const hint = await fake.next((m) => m.to === p.id && m.public);
    assert.match(hint.text, /https:\/\/t\.me\/portal_test_bot\?start=login$/);
    fake.say(p, '/start');
    await fake.next((m) => m.to === p.id && m.text === 'I send the login codes of https://portal.example.org. Write /login to get one.');
    fake.say(p, '/start login');
    await coded(p);
  });

  test('somebody who waits for Portal keeps nobody else waiting', async () => {
    const { fake } = at();
    const [first, second] = [await known(), await known()];
    fake.limit = 1;
    fake.say(first, '/login');
    await until(() => fake.limit === 0, 'the limit');
    fake.say(second, '/login');
    await coded(first);
    const order = fake.sent.map((m) => m.to);
    assert.deepEqual(order, [second.id, first.id]);
  });

  test('groups and their people; who throws it out is forgotten; Portal remembers them over a restart', async () => {
    const { fake } = at();
    const [stays, throws, vanishes] = [fake.join(7), fake.join(20), fake.join(3)];
    const counted = (groups, users) => until(async () => {
      const bot = await me();
      return bot.groups === groups && bot.users === users && bot;
    }, `${groups} groups with ${users} people`);
    const all = await until(async () => {
      const bot = await me();
      return [stays, throws, vanishes].every((id) => bot.group_ids.includes(id)) && bot;
    }, 'three groups');
    assert.ok(all.latency_ms >= 0 && !all.avatar_url);
    fake.join(0, 'kicked', throws);
    fake.groups.delete(vanishes); // of this it hears only when it counts
    const bot = await counted(1, 7);
    assert.deepEqual(bot.group_ids, [stays]);
    await restart();
    await reported();
    assert.deepEqual((await me()).group_ids, [stays]);
  });

  test('no file, no picture: their URLs hold the token', async () => {
    const { fake } = at();
    await request(person());
    const allowed = ['getMe', 'deleteWebhook', 'setMyCommands', 'getUpdates', 'sendMessage', 'getChatMemberCount'];
    assert.deepEqual([...new Set(fake.methods)].filter((m) => !allowed.includes(m)), []);
  });

  test('a second program that polls with the token: it ends and says so', async () => {
    const { fake, env } = at();
    fake.conflict = true;
    const second = runBot('telegram', env);
    assert.equal(await second.exited, 1);
    assert.equal(second.logs.at(-1).message, 'another program polls Telegram with this TELEGRAM_TOKEN');
    fake.conflict = false;
  });
});
