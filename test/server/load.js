// portal-load and portal-check as tests drive them.
//
//   const target = await loadTarget(stores, portals);               // a bot that fetches codes, a person who makes chats
//   const load = startLoad('chat', target, ['--clients', '200']);
//   await load.flowing;                                               // the load has begun
//   const { result, told } = await load.ended();                      // asserts exit code 0 and that all settled
//   await checkHistory(file, { gaps: true });
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { PORTALD, portalctl, randomPlatformId, send } from './harness.js';

const program = (name) => path.join(path.dirname(PORTALD), name);

// Limits that a load would only measure.
export const NO_LIMITS = {
  RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_PUBLIC: '0', RATE_LIMIT_BOT: '0', RATE_LIMIT_HEALTH: '0',
  RATE_LIMIT_HANDSHAKE: '0', RATE_LIMIT_EVENTS: '0', MESSAGE_RATE: '0', MESSAGE_RATE_CHAT: '0',
};

export async function loadTarget(stores, portals) {
  const bot = (await portalctl(stores, ['bot', 'register', '--name', 'load bot', '--platform', 'discord', '--json'])).api_key;
  const host = randomPlatformId();
  const identity = { platform: 'discord', platform_user_id: host };
  await send(portals[0], 'POST', '/v1/authentication/request', { body: identity });
  const { body: { code } } = await send(portals[0], 'POST', '/v1/authentication/bot/login-code', { body: { ...identity, platform_username: 'host', platform_avatar_url: '' }, key: bot });
  const { body: { id } } = await send(portals[0], 'POST', '/v1/authentication/verify', { body: { code } });
  await portalctl(stores, ['--yes', 'user', 'promote', String(id), '--level', 'owner']);
  return { portals, bot, host };
}

async function finished(child) {
  const out = [];
  child.stdout.on('data', (chunk) => out.push(chunk));
  const [code, signal] = await once(child, 'close');
  return { code: code ?? signal, out: Buffer.concat(out).toString() };
}

// What portal-load says when it will not begin with these arguments.
export async function refusedLoad(args) {
  const child = spawn(program('portal-load'), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (d) => (said += d));
  const { code } = await finished(child);
  assert.equal(code, 2, said);
  return said;
}

// portal-load with these arguments alone; its output.
export async function runLoad(args) {
  const { code, out } = await finished(spawn(program('portal-load'), args, { stdio: ['ignore', 'pipe', 'inherit'] }));
  assert.equal(code, 0);
  return out;
}

export function startLoad(scenario, { portals, bot, host, trust = [] }, args) {
  const child = spawn(program('portal-load'), [
    scenario, ...portals.flatMap((p) => ['--url', p.url]), ...trust, '--bot-key', bot, '--host', host, '--sign-ins', '16', ...args.map(String),
  ], { stdio: ['ignore', 'pipe', 'pipe'] });
  process.once('exit', () => child.kill('SIGKILL')); // of a test that failed meanwhile
  const end = finished(child);
  const load = { child, lines: [] };
  // A line of progress that fits.
  load.line = (match) => new Promise((resolve, reject) => {
    const look = (line) => match.test(line) && resolve(line);
    load.lines.forEach(look);
    reader.on('line', look);
    end.then(() => reject(new Error(`portal-load ended:\n${load.lines.join('\n')}`)));
  });
  const reader = createInterface({ input: child.stderr }).on('line', (line) => load.lines.push(line));
  load.flowing = load.line(/^load begins/);
  load.flowing.catch(() => {}); // told by ended
  load.ended = async () => {
    const { code, out } = await end;
    assert.equal(code, 0, load.lines.join('\n'));
    if (args.includes('--json')) return {}; // the result is in that file
    const result = JSON.parse(out);
    const told = `${JSON.stringify({ ...result, seconds: undefined })}\n${load.lines.slice(-12).join('\n')}`;
    assert.equal(result.unsettled, 0, told);
    return { result, told };
  };
  return load;
}

// What portal-check says; asserts that it holds.
export async function checkHistory(file, { gaps = false, told = '' } = {}) {
  const { code, out } = await finished(spawn(program('portal-check'), [...(gaps ? ['--gaps'] : []), file], { stdio: ['ignore', 'pipe', 'inherit'] }));
  assert.equal(code, 0, `${told}\n${out}`);
  return out;
}
