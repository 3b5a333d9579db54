// Bad networks and busy rooms: what is written is sent once and never lost, what was missed is read, a
// restart is sat out; a crowd, a wipe, a grace that runs out; one key pair a session; TLS.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { startProcess, stopProcess, until } from '../server/harness.js';
import { connectKeys, encrypt } from '../server/keys_client.js';
import { bubble, reads, say, shot, startWeb } from './browser.js';

const ROSTER_MAX = 20;
const env = { RATE_LIMIT_AUTH: '0', MESSAGE_RATE: '0', MESSAGE_RATE_CHAT: '0', MATCH_GRACE: '3', ROSTER_MAX: String(ROSTER_MAX) };
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

const open = async (page, ...others) => {
  for (const p of [page, ...others]) {
    await p.goto('/c/harbour');
    await p.getByRole('button', { name: 'Compare keys' }).and(p.locator(':enabled')).waitFor(); // has the key
  }
};
const once = async (page, text) => {
  await reads(page, text);
  await until(async () => (await page.locator('.sending').count()) === 0, 'nothing left to send');
  assert.equal(await bubble(page, text).count(), 1, text);
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

test('who comes while a chat opens is in its list', async () => {
  await open(ben);
  const late = await web.portal.signIn();
  // The answer to the join waits until the next event of the chat is there, too.
  let join;
  let ack;
  await ann.routeWebSocket(/socket\.io/, (ws) => {
    const server = ws.connectToServer();
    ws.onMessage((m) => {
      if (/^42\d+\["room:join"/.test(m)) join = m.match(/^42(\d+)/)[1];
      server.send(m);
    });
    server.onMessage((m) => {
      if (join && !ack && String(m).startsWith(`43${join}[`)) ack = m;
      else if (ack && m.includes('room:member_joined')) {
        ws.send(ack);
        ws.send(m);
        join = undefined;
      } else ws.send(m);
    });
  });
  await ann.goto('/c/harbour');
  await until(() => ack, 'the answer');
  const c = await connectKeys(web.portal, late);
  await c.join(chat);
  await ann.getByRole('button', { name: 'Who is here' }).click();
  await ann.getByRole('complementary', { name: 'Who is here' }).getByText(late.username).waitFor();
  c.close();
  await ann.unrouteAll();
});

test('what is refused says why, and can be tried again or dropped', async () => {
  let refuse = 2;
  await ann.routeWebSocket(/socket\.io/, (ws) => {
    const server = ws.connectToServer();
    ws.onMessage((m) => {
      const [, id] = m.match?.(/^42(\d+)\["message:send"/) ?? [];
      if (id && refuse-- > 0) ws.send(`43${id}[{"error":"The hamster sleeps","code":"ERR_HAMSTER"}]`);
      else server.send(m);
    });
  });
  await open(ann);
  await say(ann, 'first try');
  await ann.getByText('The hamster sleeps').waitFor();
  await shot(ann, 'chat-refused');
  await ann.reload(); // it is still there then
  await ann.getByText('The hamster sleeps').waitFor();
  await ann.getByRole('button', { name: 'Try again' }).click();
  await until(() => refuse === 0, 'the second refusal');
  await ann.getByRole('button', { name: 'Try again' }).click();
  await once(ben, 'first try');
  await once(ann, 'first try');
  refuse = 1;
  await say(ann, 'never mind');
  await ann.getByRole('button', { name: 'Discard' }).click();
  await bubble(ann, 'never mind').waitFor({ state: 'detached' });
  await ann.unrouteAll();
});

test('what is written offline is sent though the chat was left, even by the next visit', async () => {
  await open(ann, ben);
  await ben.context().setOffline(true);
  await ben.getByText('You are offline').waitFor();
  await say(ben, 'on my way home');
  await ben.getByText('waiting').waitFor();
  await ben.getByRole('link', { name: 'Back to the chats' }).click();
  await ben.getByRole('heading', { name: 'Hello, ben' }).waitFor();
  await ben.context().setOffline(false);
  await once(ann, 'on my way home');
  await open(ben);
  await ben.context().setOffline(true);
  await ben.getByText('You are offline').waitFor();
  await say(ben, 'the tunnel is long');
  await ben.getByText('waiting').waitFor();
  const { user } = ben;
  const next = await ben.context().newPage();
  await ben.close();
  await ann.locator('.message').first().waitFor();
  await next.context().setOffline(false);
  await next.goto('/');
  await once(ann, 'the tunnel is long');
  ben = Object.assign(next, { user });
  await open(ben);
  await once(ben, 'the tunnel is long');
});

test('a long absence is filled, in order, and the place is kept while others talk', async () => {
  await open(ann, ben);
  const c = await connectKeys(web.portal, await web.portal.signIn());
  await c.join(chat);
  await c.keyed(chat);
  await ben.context().setOffline(true);
  await ben.getByText('You are offline').waitFor();
  const { key, epoch } = c.rooms.get(chat);
  for (let i = 0; i < 130; i++) { // more than a join brings
    const sent = await c.person.post(`/v1/portal/chats/${chat}/messages`, { content: encrypt(key, epoch, `line ${i}.`) });
    assert.equal(sent.status, 200, sent.text);
  }
  await ben.context().setOffline(false);
  await reads(ben, 'line 129.');
  const lines = (await ben.locator('.bubble p').allInnerTexts()).filter((t) => t.startsWith('line'));
  assert.deepEqual(lines, Array.from({ length: 130 }, (_, i) => `line ${i}.`));
  const scroller = ben.getByRole('region', { name: /^Messages/ });
  const top = () => bubble(ben, 'line 40.').evaluate((node) => node.getBoundingClientRect().top);
  await bubble(ben, 'line 40.').evaluate((node) => node.scrollIntoView({ block: 'center' }));
  const before_ = await top();
  await c.send(chat, 'and one more');
  await ben.getByRole('button', { name: 'New messages' }).waitFor();
  assert.ok(Math.abs((await top()) - before_) < 2);
  await ben.getByRole('button', { name: 'New messages' }).click();
  await until(() => scroller.evaluate((n) => n.scrollHeight - n.scrollTop - n.clientHeight < 2), 'the end');
  c.close();
});

test('a wipe empties the chat for everyone, and what comes after is read', async () => {
  await open(ann, ben);
  await say(ann, 'gone in a while');
  await reads(ben, 'gone in a while');
  await web.portal.redis.zadd('portal:wipes', '1', String(chat));
  for (const page of [ann, ben]) await bubble(page, 'gone in a while').waitFor({ state: 'detached' });
  await say(ben, 'a clean slate');
  await reads(ann, 'a clean slate');
  assert.equal(await bubble(ann, 'line 129.').count(), 0);
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

test('a restart is sat out: it says so, nothing is lost, nothing comes twice', async () => {
  let other = await startProcess(web.portal.stores, env);
  const listen = new URL(other.url).host;
  const cookie = ben.user.token;
  const eve = await web.visit({ url: other.url, cookie, path: '/c/harbour' });
  await eve.getByRole('button', { name: 'Compare keys' }).and(eve.locator(':enabled')).waitFor();
  await say(eve, 'before it');
  await reads(ann, 'before it');
  await stopProcess(other);
  await eve.getByText('Reconnecting').waitFor();
  await say(eve, 'meanwhile');
  await say(ann, 'are you there?');
  await eve.getByText('waiting').waitFor();
  await shot(eve, 'chat-reconnecting');
  other = await startProcess(web.portal.stores, { ...env, LISTEN: listen });
  await once(ann, 'meanwhile');
  await once(eve, 'are you there?');
  await once(eve, 'before it');
  await once(eve, 'meanwhile');
  assert.equal(await eve.getByText('Reconnecting').isVisible(), false);
  await eve.context().close();
  await stopProcess(other);
});

test('a server that is away when the page opens is waited for, not taken for a sign-out', async () => {
  await ben.route('**/v1/users/me', (route) => route.abort());
  await ben.goto('/#/account');
  await ben.reload();
  await ben.getByText('The server could not be reached').waitFor();
  await ben.unroute('**/v1/users/me');
  await ben.getByRole('heading', { name: 'Account' }).waitFor();
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
