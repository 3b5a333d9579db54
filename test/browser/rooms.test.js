// Rooms: one key pair for all tabs of a session, a crowd, a wipe, a grace that runs out; all of it over TLS, too.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { startProcess, stopProcess, until } from '../server/harness.js';
import { connectKeys } from '../server/keys_client.js';
import { bubble, open as openChat, reads, say, startWeb } from './browser.js';

const env = { RATE_LIMIT_AUTH: '0', MATCH_GRACE: '3', ROSTER_MAX: '20' };
let web;
let ann;
let ben;
let chat; // official, /c/harbour

before(async () => {
  web = await startWeb(env);
  [ann, ben] = await Promise.all([web.person({ name: 'ann', level: 'owner' }), web.person({ name: 'ben', width: 390, height: 844 })]);
  chat = (await ann.user.post('/v1/admin/chats', { name: 'Harbour', slug: 'harbour' })).body.chat.id;
});
after(() => web.stop());

const open = async (...pages) => {
  for (const page of pages) await openChat(page, 'harbour');
};

test('two tabs of a session have one key pair', async () => {
  const cay = await web.person({ name: 'cay', path: '/livez' });
  const keys = [];
  cay.context().on('request', (r) => r.url().endsWith('/portal/keys') && keys.push(r.postDataJSON().public_key));
  const tab = await cay.context().newPage();
  await Promise.all([cay.goto('/c/harbour'), tab.goto('/c/harbour')]);
  await until(() => keys.length >= 2, 'both to have posted their key');
  assert.deepEqual(keys, keys.map(() => keys[0]));
  await open(ann);
  await say(ann, 'to either tab');
  await Promise.all([reads(cay, 'to either tab'), reads(tab, 'to either tab')]);
  await cay.context().close();
});

test('a wipe empties the chat for everyone, and what comes after is read', async () => {
  await open(ann, ben);
  await say(ann, 'gone in a while');
  await reads(ben, 'gone in a while');
  await web.portal.redis.zadd('portal:wipes', '1', String(chat));
  for (const page of [ann, ben]) await bubble(page, 'gone in a while').waitFor({ state: 'detached' });
  await say(ben, 'a clean slate');
  await reads(ann, 'a clean slate');
});

test('a crowd is counted, and listed page by page', async () => {
  await open(ann, ben);
  const crowd = await Promise.all(Array.from({ length: 55 }, async () => connectKeys(web.portal, await web.portal.signIn())));
  await Promise.all(crowd.map((c) => c.join(chat)));
  const people = ben.getByRole('complementary', { name: 'Who is here' });
  await ben.goto('/c/harbour');
  await ben.getByRole('button', { name: 'Who is here' }).click();
  await people.getByRole('heading', { name: '57 people here' }).waitFor();
  await people.getByRole('button', { name: 'Show more of 57' }).click();
  await until(async () => (await people.locator('.person').count()) === 57, 'all of them');
  await people.getByRole('button', { name: crowd[7].person.username }).click();
  await ben.getByRole('dialog', { name: crowd[7].person.username }).waitFor();
  await ben.keyboard.press('Escape');
  await people.getByRole('button', { name: 'Close' }).click();
  await say(ben, 'what a crowd');
  await reads(ann, 'what a crowd');
  for (const c of crowd) c.close();
});

test('a grace that runs out ends the chat plainly', async () => {
  for (const page of [ann, ben]) {
    await page.goto('/#/meet');
    await page.getByRole('button', { name: 'travel' }).click();
    await page.getByRole('button', { name: 'Meet someone who likes travel' }).click();
  }
  await ann.getByRole('heading', { name: 'ben', level: 1 }).waitFor();
  await ben.goto('about:blank');
  const bar = ann.getByRole('group', { name: 'Your match' });
  await bar.getByText(/Waiting [0-3] s/).waitFor();
  await bar.getByText('The other person did not come back.').waitFor();
  assert.ok(await ann.getByRole('textbox', { name: 'Message' }).isDisabled());
  await bar.getByRole('link', { name: 'Done' }).click();
  await ann.getByRole('heading', { name: 'Meet someone' }).waitFor();
  await ben.goBack();
  await ben.getByText(/not there|ended|Meet someone/).first().waitFor();
});

test('it speaks over TLS as over plain HTTP', async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'portal-web-'));
  const [key, cert] = [path.join(dir, 'key'), path.join(dir, 'cert')];
  await promisify(execFile)('openssl', ['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', key, '-out', cert, '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2']);
  const other = await startProcess(web.portal.stores, { ...env, TLS_CERT: cert, TLS_KEY: key, COOKIE_SECURE: 'true' }, { ready: false });
  const fay = await web.visit({ url: other.url.replace('http:', 'https:') });
  await web.signIn(fay, { name: 'fay' });
  assert.ok(fay.url().startsWith('https:'));
  const [cookie] = await fay.context().cookies();
  assert.ok(cookie.secure && cookie.httpOnly);
  await open(fay, ann);
  await say(fay, 'through the tunnel');
  await reads(ann, 'through the tunnel');
  await say(ann, 'loud and clear');
  await reads(fay, 'loud and clear');
  await fay.context().close();
  await stopProcess(other);
  await rm(dir, { recursive: true });
});
