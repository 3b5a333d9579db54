// People in browsers: they sign in, talk in a public chat that only they can read, come back after a
// reload and a lost connection, and one who is kicked reads no more.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../server/harness.js';
import { bubble, reads, say, shot, startWeb } from './browser.js';

let web;
let alice;
let bob;
let carol;

before(async () => {
  web = await startWeb();
  [alice, bob, carol] = [await web.visit({}), await web.visit({ dark: true }), await web.visit({ width: 390, height: 844 })];
});
after(() => web.stop());

test('the lobby reads signed out, and leads to signing in', async () => {
  await alice.getByRole('heading', { name: 'Come in' }).waitFor();
  await alice.getByText('No chats yet').waitFor();
  const policy = (await alice.request.get('/')).headers()['content-security-policy'];
  assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/);
  await alice.getByRole('link', { name: 'Sign in' }).click();
  await alice.getByRole('heading', { name: 'Sign in' }).waitFor();
  await shot(alice, 'auth-desktop');
});

test('new people sign in by platform, known ones by name', async () => {
  await web.signIn(alice, { name: 'alice', level: 'owner' });
  const b = await web.signIn(bob, { name: 'bob' });
  await web.signIn(carol, { name: 'carol' });
  await bob.getByRole('button', { name: 'Sign out' }).click();
  await bob.getByText('You signed out.').first().waitFor();
  await bob.getByLabel('Your username').fill('nobody.here');
  await bob.keyboard.press('Enter');
  await bob.getByText('Nobody here is called nobody.here.').waitFor();
  await bob.getByLabel('Your username').fill('Bob');
  await bob.keyboard.press('Enter');
  await bob.getByRole('button', { name: 'Discord' }).click();
  await bob.getByLabel('Code', { exact: true }).fill('wrongone');
  await bob.getByText('Invalid or expired code').waitFor();
  await bob.getByLabel('Code', { exact: true }).fill(await web.portal.fetchCode('discord', b.platformId));
  await bob.getByRole('heading', { name: 'Hello, bob' }).waitFor();
});

test('two meet in a public chat and read each other; the server cannot', async () => {
  await alice.reload();
  await alice.goto('/');
  await alice.getByRole('button', { name: 'New chat' }).click();
  const dialog = alice.getByRole('dialog');
  await dialog.getByLabel('Name').fill('Night owls');
  await dialog.getByLabel('Description').fill('For those who are up late');
  await dialog.getByLabel('Address').fill('night-owls');
  await dialog.getByRole('button', { name: 'Create chat' }).click();
  await alice.waitForURL('**/c/night-owls');
  await bob.goto('/c/night-owls');
  await say(alice, 'Good evening, Bob');
  await reads(bob, 'Good evening, Bob');
  await say(bob, 'And to you <b>Alice</b>');
  await reads(alice, 'And to you <b>Alice</b>');
  const { rows } = await web.portal.db.query("SELECT id FROM chats WHERE slug = 'night-owls'");
  const kept = JSON.stringify(await alice.evaluate((id) => fetch(`/v1/portal/chats/${id}/history`).then((r) => r.json()), Number(rows[0].id)));
  assert.doesNotMatch(kept, /Good evening/);
  await alice.getByText('Seen by bob').waitFor();
});

test('typing shows, and who is here', async () => {
  await bob.getByRole('textbox', { name: 'Message' }).pressSequentially('hm, let me see…', { delay: 200 });
  await alice.getByText('bob is typing…').waitFor();
  await bob.getByRole('textbox', { name: 'Message' }).fill('');
  await alice.getByRole('button', { name: 'Who is here' }).click();
  await alice.getByRole('heading', { name: '2 people here' }).waitFor();
  const people = alice.getByRole('complementary', { name: 'Who is here' });
  await people.getByText('bob').waitFor();
  await shot(alice, 'chat-desktop');
  await shot(bob, 'chat-desktop-dark');
});

test('both have the same key to compare', async () => {
  const numbers = async (page) => {
    await page.getByRole('button', { name: 'Compare keys' }).click();
    const text = await page.locator('.fingerprint').innerText();
    await page.keyboard.press('Escape');
    return text;
  };
  const first = await numbers(alice);
  assert.match(first.replace(/\s/g, ''), /^\d{30}$/);
  assert.equal(await numbers(bob), first);
});

test('a reload keeps what was said, and a second tab reads it too', async () => {
  await bob.reload();
  await reads(bob, 'Good evening, Bob');
  await say(bob, 'back again');
  await reads(alice, 'back again');
  const tab = await bob.context().newPage();
  await tab.goto('/c/night-owls');
  await reads(tab, 'Good evening, Bob');
  await say(tab, 'from a second tab');
  await reads(alice, 'from a second tab');
  await reads(bob, 'from a second tab');
  await tab.close();
});

test('what is written without a connection is sent when it is back, once', async () => {
  await bob.context().setOffline(true);
  await bob.getByText('You are offline').waitFor();
  await say(bob, 'written in a tunnel');
  await bob.getByText('waiting').waitFor();
  await bob.context().setOffline(false);
  await reads(alice, 'written in a tunnel');
  await until(async () => (await bubble(bob, 'written in a tunnel').count()) === 1, 'one message');
  assert.equal(await bubble(alice, 'written in a tunnel').count(), 1);
});

test('who joins on a phone gets the key, and reads along', async () => {
  await carol.goto('/c/night-owls');
  await say(carol, 'hello from the phone');
  await reads(alice, 'hello from the phone');
  await reads(carol, 'Good evening, Bob');
  await shot(carol, 'chat-phone');
});

test('who is kicked reads no more', async () => {
  const people = alice.getByRole('complementary', { name: 'Who is here' });
  await people.getByRole('button', { name: 'carol' }).click();
  await alice.getByRole('dialog').getByRole('button', { name: 'Kick' }).click();
  await alice.getByRole('dialog', { name: 'Kick: carol' }).getByRole('button', { name: 'Kick' }).click();
  await carol.getByText('You were put out of this chat.').first().waitFor();
  assert.ok(await carol.getByRole('textbox', { name: 'Message' }).isDisabled());
  await say(alice, 'now without carol');
  await reads(bob, 'now without carol');
  assert.equal(await bubble(carol, 'now without carol').count(), 0);
});

test('who comes later reads what is said since the key was changed, and is told of the rest', async () => {
  const dave = await web.visit();
  await web.signIn(dave, { name: 'dave' });
  await dave.goto('/c/night-owls');
  await reads(dave, 'now without carol');
  await dave.getByText('Earlier messages cannot be read here').waitFor();
  assert.equal(await bubble(dave, 'Good evening, Bob').count(), 0);
  await say(dave, 'and now with dave');
  await reads(alice, 'and now with dave');
  await dave.context().close();
});

test('who is muted is told, and may not write', async () => {
  const people = alice.getByRole('complementary', { name: 'Who is here' });
  await people.getByRole('button', { name: 'bob' }).click();
  await alice.getByRole('dialog').getByRole('button', { name: 'Mute', exact: true }).click();
  await alice.getByRole('dialog', { name: 'Mute: bob' }).getByRole('button', { name: 'Mute' }).click();
  await bob.getByText(/You are muted until/).waitFor();
  assert.ok(await bob.getByRole('textbox', { name: 'Message' }).isDisabled());
});

test('a session that is ended elsewhere says so', async () => {
  await web.portal.ctl(['session', 'end', '--user', 'bob', '--all', '--yes']);
  await bob.getByText(/session was ended|session is over/i).first().waitFor();
  await bob.getByRole('heading', { name: 'Sign in' }).waitFor();
});
