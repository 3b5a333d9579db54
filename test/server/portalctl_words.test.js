// What portalctl tells without stores: help, manual pages, completion, checks of settings. All of it
// comes from the table of commands, so each is held against the others.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { PORTALCTL, PORTALD } from './harness.js';

let dir;
before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'portalctl-'));
});
after(() => rm(dir, { recursive: true }));

// Runs it to its end whatever that is: {code, stdout, stderr}.
const run = (program, args, env = {}) => new Promise((resolve) => {
  execFile(program, args, { env: { PATH: process.env.PATH, ...env }, timeout: 20_000 },
    (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr })).stdin.end();
});

async function commands() {
  const { stdout } = await run(PORTALCTL, ['--help']);
  const rows = [...stdout.matchAll(/^ {2}portalctl (.*)$/gm)].map((m) => m[1]);
  return rows.map((r) => ({ usage: r, name: r.match(/^[a-z]+(?: [a-z-]+)?/)[0].replace(/ $/, '') }));
}

// What bash offers behind these words; the last one is the one begun.
async function complete(...words) {
  const script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _portalctl; printf "%s\\n" "${COMPREPLY[@]}"';
  await writeFile(path.join(dir, 'completion'), (await run(PORTALCTL, ['completion', 'bash'])).stdout);
  const r = await run('bash', ['--norc', '-c', script, 'bash', path.join(dir, 'completion'), 'portalctl', ...words]);
  assert.equal(r.code, 0, r.stderr);
  assert.equal(r.stderr, '');
  return r.stdout.split('\n').filter(Boolean);
}

test('help of each command tells its options; a wrong word ends with 2', async () => {
  const all = await commands();
  assert.ok(all.length >= 19);
  for (const { name, usage } of all) {
    const help = await run(PORTALCTL, [...name.split(' '), '--help']);
    assert.equal(help.code, 0, name);
    for (const [option] of usage.matchAll(/--[a-z-]+/g)) assert.match(help.stdout, new RegExp(`^      ${option} +\\S`, 'm'), `${name} ${option}`);
  }
  for (const words of [['user', 'frob'], ['user'], ['frob'], []]) assert.equal((await run(PORTALCTL, words)).code, 2, words.join(' '));
  assert.match((await run(PORTALCTL, ['user', 'promote', '1', '--level', 'king'])).stderr, /user moderator admin owner/);
});

test('what cannot be written is no success', async () => {
  for (const words of ['--help', '--man', 'config check', 'completion bash']) {
    const r = await run('sh', ['-c', `"$0" ${words} > /dev/full`, PORTALCTL], { DATABASE_URL: 'postgresql:///x', REDIS_URL: 'redis://127.0.0.1' });
    assert.equal(r.code, 1, words);
    assert.equal(r.stderr, 'portalctl: standard output: No space left on device\n');
  }
});

test('completion: commands, then their words, options and values', async () => {
  const all = await commands();
  const first = new Set(all.map((c) => c.name.split(' ')[0]));
  assert.deepEqual(new Set((await complete('')).filter((w) => !w.startsWith('-'))), first);
  for (const noun of first) {
    const second = all.filter((c) => c.name.startsWith(`${noun} `)).map((c) => c.name.split(' ')[1]);
    if (second.length) assert.deepEqual(await complete(noun, ''), second, noun);
  }
  assert.deepEqual(await complete('us'), ['user']);
  assert.deepEqual(await complete('user', 'promote', 'anna', '--'), ['--level', '--json', '--yes', '--help']);
  assert.deepEqual(await complete('user', 'promote', 'anna', '--level', ''), ['user', 'moderator', 'admin', 'owner']);
  assert.deepEqual(await complete('user', 'list', '--search', ''), [], 'nobody knows what is searched for');
  assert.deepEqual(await complete('completion', ''), ['bash', 'zsh', '--json', '--yes', '--help']);
  const file = path.join(dir, 'a file');
  await writeFile(file, '');
  assert.ok((await complete('config', 'check', path.join(dir, 'a'))).includes(file), 'names of files, with spaces too');
  assert.match((await run(PORTALCTL, ['completion', 'zsh'])).stdout, /bashcompinit[^]*complete .*portalctl/);
  assert.equal((await run(PORTALCTL, ['completion', 'fish'])).code, 2);
});

test('the manual pages are what man takes, and name every command and setting', async () => {
  for (const [program, section] of [[PORTALCTL, 1], [PORTALD, 8]]) {
    const page = path.join(dir, `${path.basename(program)}.${section}`);
    const made = await run(program, ['--man']);
    assert.equal(made.code, 0);
    await writeFile(page, made.stdout);
    const shown = await run('groff', ['-man', '-ww', '-Tutf8', page], { GROFF_NO_SGR: '1' });
    assert.equal(shown.stderr, '', 'no warning');
    const text = shown.stdout.replace(/.\x08/g, '').replace(/\s+/g, ' ');
    if (section === 1) {
      for (const { usage } of await commands()) assert.ok(text.includes(`portalctl ${usage}`.replace(/\s+/g, ' ').slice(0, 60)), usage);
    } else {
      const settings = await run(PORTALD, ['--print-config'], { DATABASE_URL: 'postgresql:///x', REDIS_URL: 'redis://127.0.0.1' });
      for (const [, name] of settings.stdout.matchAll(/^([A-Z_]+)=/gm)) assert.match(text, new RegExp(` ${name} `), name);
    }
  }
});

test('config check: starts nothing; names the key that is wrong', async () => {
  const file = path.join(dir, 'portal.conf');
  const good = 'DATABASE_URL=postgresql:///portal\nREDIS_URL=redis://127.0.0.1:1/0\n';
  const check = async (text, ...more) => {
    await writeFile(file, text);
    return run(PORTALCTL, ['config', 'check', file, ...more]);
  };
  const fine = await check(good, '--json');
  assert.equal(fine.code, 0, fine.stderr);
  assert.deepEqual(JSON.parse(fine.stdout), { settings: 'ok', mode: 'local', listen: '127.0.0.1:8080', secret_key: false });
  for (const [line, sentence] of [
    ['LISTEN=nowhere', /LISTEN/], ['FROB=1', /FROB is not a setting/], ['CODE_TTL=x', /CODE_TTL must be a number/],
    ['LISTEN=0.0.0.0:80', /SECRET_KEY is required/], ['SECRET_KEY=short', /SECRET_KEY must be at least/],
  ]) {
    const r = await check(`${good}${line}\n`);
    assert.equal(r.code, 1, line);
    assert.match(r.stderr, sentence);
    assert.match(r.stderr, /^portalctl: .+\n$/, 'one sentence');
  }
  assert.match((await check('REDIS_URL=redis://127.0.0.1\nDATABASE_URL=postgresql://%zz/x\n')).stderr, /DATABASE_URL/);
  assert.match((await check('DATABASE_URL=postgresql:///x\nREDIS_URL=redis://127.0.0.1/many\n')).stderr, /REDIS_URL/);
  assert.match((await run(PORTALCTL, ['config', 'check', path.join(dir, 'none')])).stderr, /cannot be opened/);
  assert.equal((await run(PORTALCTL, ['config', 'check'], { DATABASE_URL: 'postgresql:///x', REDIS_URL: 'redis://127.0.0.1' })).code, 0, 'the environment');
});
