// kill -9 of a store or of one of two portald while 200 people talk: portal-load plays the people,
// portal-check proves from the history that everybody has exactly what was acknowledged, once, in order.
//
// What "acknowledged" survives: a message is acknowledged when its Redis script has answered. Redis runs
// with appendfsync always here, so that it answers nothing that is not on disk: then no acknowledged
// message may be missing, and nobody may be told of a gap. In the last test Redis comes back empty,
// and what it held is gone (contract 4.4): whoever was there when it died is told of the gap by the
// answer to their next join; only what such a gap covers may be missing, and from then on nothing.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { PORTALD, portalctl, randomPlatformId, send, startProcess, stopProcess } from './harness.js';
import { ownStores } from './own_stores.js';

const PEOPLE = 200;
const program = (name) => path.join(path.dirname(PORTALD), name);
const env = {
  RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_PUBLIC: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_HEALTH: '0',
  RATE_LIMIT_HANDSHAKE: '0', RATE_LIMIT_EVENTS: '0', MESSAGE_RATE: '0', MESSAGE_RATE_CHAT: '0',
};
const host = randomPlatformId();
let stores;
let portals;
let bot;

before(async () => {
  stores = await ownStores({ durable: true });
  portals = [await startProcess(stores, env), await startProcess(stores, env)];
  bot = (await portalctl(stores, ['bot', 'register', '--name', 'load bot', '--platform', 'discord', '--json'])).api_key;
  // The person whose chats the runs make.
  const identity = { platform: 'discord', platform_user_id: host };
  await send(portals[0], 'POST', '/v1/authentication/request', { body: identity });
  const { body: { code } } = await send(portals[0], 'POST', '/v1/authentication/bot/login-code', { body: { ...identity, platform_username: 'host', platform_avatar_url: '' }, key: bot });
  const { body: { id } } = await send(portals[0], 'POST', '/v1/authentication/verify', { body: { code } });
  await portalctl(stores, ['--yes', 'user', 'promote', String(id), '--level', 'owner']);
});
after(async () => {
  for (const p of portals ?? []) await stopProcess(p);
  await stores?.release();
});

async function finished(child) {
  const out = [];
  child.stdout.on('data', (chunk) => out.push(chunk));
  const [code, signal] = await once(child, 'close');
  return { code: code ?? signal, out: Buffer.concat(out).toString() };
}

// A run of 200 people in 10 chats, ten of whom lose their network each second. `hurt` happens once messages have flowed for a second; it gives what
// portal-load tells and what portal-check says of the history.
async function talk(name, hurt, { gaps = false } = {}) {
  const history = path.join(stores.dir, `${name}.history`);
  const load = spawn(program('portal-load'), [
    'chat', ...portals.flatMap((p) => ['--url', p.url]), '--bot-key', bot, '--host', host,
    '--clients', String(PEOPLE), '--rooms', '10', '--rate', '200', '--seconds', '5', '--settle', '20', '--cuts', '10',
    '--retry-ms', '100', '--ack-ms', '2000', '--history', history,
  ], { stdio: ['ignore', 'pipe', 'pipe'] });
  const end = finished(load);
  const lines = [];
  const flowing = new Promise((resolve, reject) => {
    createInterface({ input: load.stderr }).on('line', (line) => {
      lines.push(line);
      if (/ s +\d+ open .* acked [1-9]/.test(line)) resolve();
    });
    end.then(() => reject(new Error(`portal-load ended:\n${lines.join('\n')}`)));
  });
  await flowing;
  await hurt();
  const { code, out } = await end;
  assert.equal(code, 0, lines.join('\n'));
  const result = JSON.parse(out);
  const check = await finished(spawn(program('portal-check'), [...(gaps ? ['--gaps'] : []), history], { stdio: ['ignore', 'pipe', 'inherit'] }));
  const told = `${JSON.stringify({ ...result, seconds: undefined })}\n${lines.slice(-12).join('\n')}\n${check.out}`;
  assert.equal(check.code, 0, told);
  assert.equal(result.unsettled, 0, told);
  assert.equal(result.meters.sent.count, 1000, told);
  assert.equal(result.meters.acked.count, 1000, told); // each in the end, however often it took
  return { result, told, history: () => readFile(history, 'utf8') };
}

test('Redis is killed and comes back with its data', async () => {
  const { result, told } = await talk('redis', async () => {
    await stores.killRedis();
    await stores.startRedis();
  });
  assert.ok(result.meters.resent.count > 0, told); // it was felt
  assert.equal(result.meters.gaps.count, 0, told);
});

test('PostgreSQL is killed and comes back', async () => {
  const { result, told } = await talk('postgres', async () => {
    await stores.killPg();
    await stores.startPg();
  });
  assert.equal(result.meters.gaps.count, 0, told);
});

test('one of two portald is killed: its people go on at the other, and it comes back', async () => {
  const { result, told } = await talk('portald', async () => {
    const port = new URL(portals[0].url).port;
    await stopProcess(portals[0], 'SIGKILL');
    portals[0] = await startProcess(stores, { ...env, LISTEN: `127.0.0.1:${port}` });
  });
  assert.ok(result.meters.reconnected.count >= PEOPLE / 2, told);
  assert.equal(result.meters.gaps.count, 0, told);
});

test('Redis is killed and comes back empty: everybody is told of the gap, nothing is lost from then on', async () => {
  const { result, told } = await talk('empty', async () => {
    await stores.killRedis();
    await stores.forgetRedis();
    await stores.startRedis();
  }, { gaps: true });
  assert.ok(result.meters.gaps.count >= PEOPLE / 2, told);
});
