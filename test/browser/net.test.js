// Bad networks: what is written is sent once and never lost, what was missed is read, a restart is sat out.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startProcess, stopProcess, until } from '../server/harness.js';
import { connectKeys, encrypt } from '../server/keys_client.js';
import { bubble, open as openChat, reads, say, shot, startWeb } from './browser.js';

const env = { RATE_LIMIT_AUTH: '0', MESSAGE_RATE: '0', MESSAGE_RATE_CHAT: '0' };
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
const once = async (page, text) => {
  await reads(page, text);
  await until(async () => (await page.locator('.sending').count()) === 0, 'nothing left to send');
  assert.equal(await bubble(page, text).count(), 1, text);
};

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
  await say(ann, 'better unsaid');
  await say(ann, 'well, well');
  await reads(ben, 'well, well');
  const c = await connectKeys(web.portal, await web.portal.signIn());
  await c.join(chat);
  await c.keyed(chat);
  await ben.context().setOffline(true);
  await ben.getByText('You are offline').waitFor();
  const { key, epoch } = c.rooms.get(chat);
  let anew = 0;
  ann.on('websocket', () => anew++);
  for (let i = 0; i < 130; i++) { // more than a join brings
    const sent = await c.person.post(`/v1/portal/chats/${chat}/messages`, { content: encrypt(key, epoch, `line ${i}.`) });
    assert.equal(sent.status, 200, sent.text);
  }
  await reads(ann, 'line 129.');
  assert.equal(anew, 0, 'who reads along is not taken for a flood');
  const line = ann.locator('.message', { hasText: 'better unsaid' });
  await line.hover();
  await line.getByRole('button', { name: 'Delete this message' }).click();
  await line.waitFor({ state: 'detached' });
  await ben.context().setOffline(false);
  await reads(ben, 'line 129.');
  await bubble(ben, 'better unsaid').waitFor({ state: 'detached' }); // deleted meanwhile
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

test('a network that fails again while an absence is filled loses nothing', async () => {
  await open(ann, ben);
  const c = await connectKeys(web.portal, await web.portal.signIn());
  await c.join(chat);
  await c.keyed(chat);
  await ben.context().setOffline(true);
  await ben.getByText('You are offline').waitFor();
  const { key, epoch } = c.rooms.get(chat);
  for (let i = 0; i < 110; i++) { // more than a join brings
    const sent = await c.person.post(`/v1/portal/chats/${chat}/messages`, { content: encrypt(key, epoch, `word ${i}.`) });
    assert.equal(sent.status, 200, sent.text);
  }
  // The page behind the join's answer does not come; what is said just then does.
  let failed = false;
  await ben.route('**/history?limit=500*', async (route) => {
    if (failed) return route.continue();
    failed = true;
    await c.send(chat, 'the newest');
    await reads(ann, 'the newest');
    return route.abort();
  });
  await ben.context().setOffline(false);
  await reads(ben, 'the newest');
  await reads(ben, 'word 109.');
  assert.ok(failed);
  const words = (await ben.locator('.bubble p').allInnerTexts()).filter((t) => /^word|^the newest/.test(t));
  assert.deepEqual(words, [...Array.from({ length: 110 }, (_, i) => `word ${i}.`), 'the newest']);
  await ben.unrouteAll();
  c.close();
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
