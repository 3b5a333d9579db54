// What every platform's bot does, with the real portald on real stores and a fake of the platform.
//
//   botCases('telegram', startTelegram, ({ at, known, … }) => { more tests });   // at(): {fake, env}
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startTap } from './bot_tap.js';
import { randomAddress, randomPlatformId, startPortal, until } from './harness.js';

const bots = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../src/bots');
const SITE = 'https://portal.example.org';
const limits = { RATE_LIMIT_LOGIN: '0', RATE_LIMIT_HANDSHAKE: '0' };

// A bot's process: lines of its log in `logs`.
export function runBot(platform, env) {
  const child = spawn(process.execPath, [path.join(bots, `${platform}.js`)], {
    env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'inherit', 'pipe'],
  });
  const bot = { logs: [], text: '', child };
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (chunk) => {
    bot.text += chunk;
    bot.logs = bot.text.split('\n').slice(0, -1).map((line) => {
      try {
        return JSON.parse(line);
      } catch {
        return { message: line, raw: true };
      }
    });
  });
  bot.exited = once(child, 'close').then(([code]) => code);
  bot.logged = (message, count = 1) => until(() => {
    if (child.exitCode !== null) throw new Error(`the bot ended: ${bot.text}`);
    return bot.logs.filter((l) => l.message === message).length >= count;
  }, `"${message}" in the bot's log`, 20_000);
  bot.stop = async () => {
    child.kill('SIGTERM');
    assert.equal(await bot.exited, 0, bot.text);
  };
  return bot;
}

export function botCases(platform, startPlatform, more) {
  let portal, fake, tap, bot, env;
  const token = `${platform.toUpperCase()}_TOKEN`;

  const ended = []; // logs of earlier runs
  async function start() {
    bot = runBot(platform, env);
    await bot.logged('ready');
    await bot.logged('connected to Portal');
  }
  async function restart() {
    await bot.stop();
    ended.push(bot.text);
    await start();
  }

  before(async () => {
    [portal, fake] = await Promise.all([startPortal(limits), startPlatform()]);
    tap = await startTap(portal.url);
    const { key } = await portal.bot(platform);
    env = { ...fake.tokens, PORTAL_URL: tap.url, PORTAL_API_KEY: key, SITE_URL: `${SITE}/`, UPDATE_SECONDS: '1' };
    await start();
  });
  after(async () => {

    if (bot?.child.exitCode === null) bot.child.kill('SIGKILL');
    await tap?.stop();
    await fake?.stop();
    await portal?.stop();
  });

  const person = () => ({ id: randomPlatformId().replace(/^\d{4}/, '5'), name: 'anna' });
  const calls = (call) => tap.requests.filter((r) => r.path === `/v1/authentication/bot/${call}`);
  const acks = () => tap.frames.filter((f) => f.startsWith('43/bot,'));
  // Asks for a web code and waits for what the bot says of its push: {from, ack}.
  async function request(p) {
    const [count, from] = [acks().length, randomAddress()];
    const r = await portal.post('/v1/authentication/request', { platform, platform_user_id: p.id }, { from });
    assert.equal(r.status, 200, r.text);
    await until(() => acks().length > count, 'an ack');
    return { from, ack: JSON.parse(acks()[count].replace(/^43\/bot,\d+/, ''))[0] };
  }
  async function requestUnseen(p) {
    fake.closed.add(p.id);
    const { from } = await request(p);
    fake.closed.delete(p.id);
    return from;
  }
  async function verify(code, from = randomAddress()) {
    const r = await portal.post('/v1/authentication/verify', { code }, { from });
    assert.equal(r.status, 200, r.text);
    return r.body;
  }
  // As if the bots had made too many requests in this window, which lasts so many milliseconds more.
  async function useUp(ms) {
    const counters = await until(async () => {
      const names = await portal.redis.keys('portal:rate:bot:*');
      return names.length && names;
    }, 'a counter');
    for (const name of counters) await portal.redis.set(name, 1e6, 'PX', ms);
  }
  const told = (p, pattern) => fake.next((m) => m.to === p.id && !m.public && pattern.test(m.text));
  const coded = async (p) => (await fake.next((m) => m.to === p.id && m.marked.length)).marked[0];
  // Somebody with an account, to whom nothing was said yet.
  async function known() {
    const p = person();
    const { from } = await request(p);
    const user = await verify(await coded(p), from);
    fake.sent.length = 0;
    return { ...p, user };
  }

  test('/login of somebody known: a quick code, which is good anywhere', async () => {
    const p = await known();
    fake.say(p, '/login');
    await told(p, /^.{8,10}\nis your Portal login code for the next (9|10) minutes\.\nEnter it at https:\/\/portal\.example\.org and nowhere else\.$/);
    const user = await verify(await coded(p));
    assert.deepEqual([user.id, user.user_created], [p.user.id, false]);
    assert.equal(calls('login-code').length, 0);
    const sent = JSON.parse(calls('send-code')[0].body);
    assert.deepEqual(sent, { platform, platform_user_id: p.id, platform_username: 'anna', platform_avatar_url: '' });
  });

  test('/otp of somebody new: the web code that is pending', async () => {
    const p = person();
    const from = await requestUnseen(p);
    fake.say(p, '/otp');
    assert.equal((await verify(await coded(p), from)).user_created, true);
  });

  test('neither: a pointer to the website', async () => {
    const p = person();
    fake.say(p, '/login');
    await told(p, /Sign up at https:\/\/portal\.example\.org first\.$/);
  });

  test('the website is due: a pointer, and a web code when there is one', async () => {
    const p = await known();
    await portal.db.query('UPDATE users SET bot_logins = 100 WHERE id = $1', [p.user.id]);
    fake.say(p, '/login');
    await told(p, /sign in at https:\/\/portal\.example\.org once/);
    const from = await requestUnseen(p);
    fake.say(p, '/login');
    assert.equal((await verify(await coded(p), from)).id, p.user.id);
  });

  test('somebody banned is told so', async () => {
    const p = await known();
    await portal.ctl(['user', 'ban', String(p.user.id), '--reason', 'spam', '--yes']);
    fake.say(p, '/login');
    await told(p, /^Your account is banned: spam$/);
  });

  test('a pushed code arrives and is acked', async () => {
    const p = person();
    const { from, ack } = await request(p);
    assert.deepEqual(ack, { delivered: true });
    await told(p, /It makes your account\.\nYou did not ask for it\? Then ignore it\.$/);
    assert.equal((await verify(await coded(p), from)).user_created, true);
  });

  test('direct messages are closed: not delivered, sent to nobody else, still to be fetched', async () => {
    const p = person();
    fake.closed.add(p.id);
    fake.sent.length = 0;
    const { from, ack } = await request(p);
    assert.deepEqual(ack, { delivered: false, reason: 'direct messages are closed' });
    await verify(await portal.fetchCode(platform, p.id), from);
    assert.deepEqual(fake.sent, []);
  });

  test('in a group there is a hint and never a code', async () => {
    const p = await known();
    fake.sayInGroup(p, '/login');
    await fake.next((m) => m.to === p.id && m.public);
    fake.say(p, '/login');
    const code = (await told(p, /is your Portal login code/)).marked[0];
    for (const m of fake.sent.filter((s) => s.public)) assert.ok(!m.text.includes(code) && !m.marked.length, m.text);
  });

  test('Portal wants less: the bot waits as long as it says', async () => {
    const p = await known();
    await useUp(2500);
    const count = calls('send-code').length;
    fake.say(p, '/login');
    await verify(await coded(p));
    assert.deepEqual(calls('send-code').slice(count).map((r) => r.status), [429, 200]);
  });

  test('Portal is away for a moment: the bot tries again', async () => {
    const p = await known();
    tap.breaks = { path: '/v1/authentication/bot/send-code', times: 2 };
    fake.say(p, '/login');
    await coded(p);
    assert.equal(tap.breaks.times, -1);
  });

  test('the platform does not answer in time: not delivered', async () => {
    let go;
    fake.stalled = new Promise((done) => {
      go = done;
    });
    const { ack } = await request(person());
    go();
    fake.stalled = null;
    assert.equal(ack.delivered, false);
    assert.match(ack.reason, /answer/);
  });

  test('the platform wants less: the message comes later', async () => {
    fake.limit = 1;
    const p = person();
    assert.deepEqual((await request(p)).ack, { delivered: true });
    assert.equal(fake.limit, 0);
    await coded(p);
  });

  // Two: the first may have been made up before.
  async function reported() {
    const updates = () => tap.requests.filter((r) => r.path === '/v1/bot/me/update' && r.status === 200);
    const count = updates().length;
    await until(() => updates().length >= count + 2, 'two updates');
  }
  test('Portal hears of the bot again and again', reported);

  test('a socket that was cut comes back', async () => {
    const count = bot.logs.filter((l) => l.message === 'connected to Portal').length;
    tap.cut();
    await bot.logged('connected to Portal', count + 1);
    assert.deepEqual((await request(person())).ack, { delivered: true });
  });

  more({
    at: () => ({ fake, env }),
    person, request, known, coded, reported, restart,
    me: async () => (await portal.get('/v1/bot/me', { key: env.PORTAL_API_KEY })).body,
  });

  test('what it cannot start without is named, and nothing secret is', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'bot-'));
    const refusedStart = async (changes, expected) => {
      const b = runBot(platform, { ...env, ...changes });
      assert.equal(await b.exited, 1, b.text);
      assert.equal(b.logs.at(-1).message, expected);
      return b;
    };
    // What both share costs too much time to be seen twice.
    const names = platform === 'telegram' ? [token, 'PORTAL_API_KEY', 'PORTAL_URL', 'SITE_URL'] : [token];
    await Promise.all(names.map((name) => refusedStart({ [name]: '' }, `${name} is not set (nor is ${name}_FILE)`)));
    if (platform === 'telegram') {
      const foreign = await portal.bot('discord');
      const plain = await portal.ctl(['bot', 'register', '--name', 'plain', '--platform', platform, '--no-login', '--json']);
      await Promise.all([
        refusedStart({ PORTAL_URL: 'portal' }, 'PORTAL_URL is not a URL with http or https'),
        refusedStart({ PORTAL_API_KEY: 'hbot_nonsense' }, 'PORTAL_API_KEY is refused by Portal'),
        refusedStart({ [token]: '', [`${token}_FILE`]: path.join(folder, 'none') }, `${token}_FILE names a file that cannot be read (ENOENT)`),
        refusedStart({ PORTAL_API_KEY: foreign.key }, 'PORTAL_API_KEY is that of a bot for discord, not for telegram'),
        refusedStart({ PORTAL_API_KEY: plain.api_key }, 'PORTAL_API_KEY is that of a bot that may not send login codes'),
      ]);
    }
    await writeFile(path.join(folder, 'token'), `${fake.wrong}\n`);
    const refused = await refusedStart({ [token]: '', [`${token}_FILE`]: path.join(folder, 'token') },
      `${token} is refused by ${platform[0].toUpperCase()}${platform.slice(1)}`);
    assert.ok(!refused.text.includes(fake.wrong));
    await rm(folder, { recursive: true });
  });

  test('it stops when told to, with an answer for who waits, and has kept what is secret to itself', async () => {
    const p = await known();
    await useUp(30_000);
    const count = calls('send-code').length;
    fake.say(p, '/login');
    await until(() => calls('send-code').length > count, 'the refusal');
    await bot.stop();
    await told(p, /^Portal cannot be reached right now/);
    assert.equal(bot.logs.at(-1).message, 'stopped');
    assert.deepEqual(bot.logs.filter((l) => l.raw), []);
    const codes = fake.sent.flatMap((m) => m.marked);
    for (const secret of [env[token], env.PORTAL_API_KEY, ...codes]) assert.ok(![...ended, bot.text].some((text) => text.includes(secret)));
    for (const r of tap.requests) assert.ok(!r.body.includes(env[token]) && !r.body.includes('/file/'), r.path);
    for (const f of tap.frames) assert.ok(!f.includes(env[token]), f);
  });
}
