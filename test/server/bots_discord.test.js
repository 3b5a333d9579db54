// The Discord bot against a fake of Discord; what is Discord's own. The rest: bot_cases.js.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { botCases, runBot } from './bot_cases.js';
import { until } from './harness.js';
import { startDiscord } from './discord_fake.js';

botCases('discord', startDiscord, ({ at, known, coded, me }) => {
  test('its commands are there, in servers and in direct messages', () => {
    assert.deepEqual(at().fake.commands.map((c) => [c.name, c.contexts]), [['login', [0, 1]], ['otp', [0, 1]]]);
  });

  test('/login in a server: the code comes as a direct message, the answer is for that person only', async () => {
    const { fake } = at();
    const p = await known();
    fake.sayInGroup(p, '/login');
    const answer = await fake.next((m) => m.to === p.id && m.public);
    assert.deepEqual([answer.text, answer.ephemeral], ['I have sent you a direct message.', true]);
    const [code] = fake.sent.filter((m) => !m.public);
    assert.deepEqual([code.to, code.marked.length], [p.id, 1]);
  });

  test('/login in a server, direct messages closed: a note that says how to open them', async () => {
    const { fake } = at();
    const p = await known();
    fake.closed.add(p.id);
    fake.sayInGroup(p, '/otp');
    const answer = await fake.next((m) => m.to === p.id);
    assert.match(answer.text, /^I cannot write to you\. Allow direct messages/);
    assert.deepEqual([answer.public, answer.ephemeral, fake.sent.length], [true, true, 1]);
  });

  test('it tells of its servers, their people, its latency and its picture', async () => {
    const bot = await until(async () => {
      const seen = await me();
      return seen.users === 30 && seen.latency_ms !== null && seen;
    }, 'the figures');
    assert.equal(bot.groups, 2);
    assert.match(bot.avatar_url, /^https:\/\/cdn\.discordapp\.com\/avatars\/123456789012345678\/\w+\.png$/);
  });

  test('a gateway that drops the connection is resumed', async () => {
    const { fake } = at();
    const p = await known();
    fake.cut();
    await until(() => fake.resumed === 1, 'the resumption');
    fake.say(p, '/login');
    await coded(p);
  });

  test('a gateway that ends the session for good: it ends and says so', async () => {
    const { fake, env } = at();
    const second = runBot('discord', env);
    await second.logged('ready');
    fake.end(4014);
    assert.equal(await second.exited, 1);
    assert.equal(second.logs.at(-1).message, 'Discord has closed the connection for good (4014)');
  });
});
