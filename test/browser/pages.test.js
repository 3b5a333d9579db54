// The other pages: a private chat and its invites, settings, history, notifications, the account, the
// what is shown when nothing goes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../server/harness.js';
import { bubble, reads, say, shot, startWeb } from './browser.js';

let web;
let olga;
let paul;

before(async () => {
  web = await startWeb({ MESSAGE_RATE: '0', MESSAGE_RATE_CHAT: '0' });
  [olga, paul] = [await web.person({ name: 'olga', level: 'owner' }), await web.person({ name: 'paul', width: 390, height: 844 })];
});
after(() => web.stop());

test('an invite leads into a private chat', async () => {
  await olga.goto('/');
  await olga.getByRole('button', { name: 'New chat' }).click();
  await olga.getByLabel('Name').fill('Reading circle');
  await olga.getByRole('button', { name: 'Create chat' }).click();
  await olga.getByRole('heading', { name: 'Reading circle', level: 1 }).waitFor();
  await olga.getByRole('button', { name: 'Chat settings' }).click();
  await olga.getByRole('tab', { name: 'Invites' }).click();
  await olga.getByText('No live invites').waitFor();
  await olga.getByRole('button', { name: 'Make an invite' }).click();
  const address = await olga.locator('.rows code').innerText();
  await shot(olga, 'invites-desktop');
  await olga.keyboard.press('Escape');
  await paul.goto(new URL(address).pathname);
  await paul.getByRole('button', { name: 'Join Reading circle' }).click();
  await say(paul, 'Thank you for having me');
  await reads(olga, 'Thank you for having me');
  await paul.goto('/c/0000000000000000');
  await paul.getByText('leads nowhere').waitFor();
});

test('settings change the chat for everyone', async () => {
  await paul.goto('/');
  await paul.getByRole('link', { name: /Reading circle/ }).click();
  await reads(paul, 'Thank you for having me');
  await olga.getByRole('button', { name: 'Chat settings' }).click();
  await olga.getByRole('tab', { name: 'Settings' }).click();
  await olga.getByLabel('Name').fill('Slow readers');
  await olga.getByLabel('Messages are wiped after').selectOption('1h');
  await shot(olga, 'settings-desktop');
  await olga.getByRole('button', { name: 'Save' }).click();
  await paul.getByRole('heading', { name: 'Slow readers', level: 1 }).waitFor();
});

test('history pages upward and keeps the place', async () => {
  await olga.evaluate(() => { // as fast as one can write
    const box = document.querySelector('.writer textarea');
    for (let i = 0; i < 60; i++) {
      box.value = `line ${i}.`;
      box.form.requestSubmit();
    }
  });
  await until(async () => (await olga.locator('.sending').count()) === 0, 'all sent', 20_000);
  await paul.reload();
  await reads(paul, 'line 59.');
  assert.equal(await bubble(paul, 'line 0.').count(), 0);
  const scroller = paul.getByRole('region', { name: /^Messages/ });
  await scroller.evaluate((node) => node.scrollTo(0, 0));
  await bubble(paul, 'Thank you for having me').waitFor({ state: 'attached' });
  assert.equal(await bubble(paul, 'line 0.').count(), 1);
  await bubble(paul, 'line 11.').waitFor(); // what stood there still does
});

test('own messages can be deleted, and are gone for all', async () => {
  await say(olga, 'a slip of the pen');
  await reads(paul, 'line 59.');
  const line = olga.locator('.message', { hasText: 'a slip of the pen' });
  await line.hover();
  await line.getByRole('button', { name: 'Delete this message' }).click();
  await line.waitFor({ state: 'detached' });
  await until(async () => (await bubble(paul, 'a slip of the pen').count()) === 0, 'gone there too');
});

test('notifications arrive, count, and are read', async () => {
  await paul.goto('/#/notifications');
  await paul.getByText(/Welcome/).first().waitFor();
  await olga.goto('/#/admin/notices');
  const card = olga.locator('section', { hasText: 'Notify every account, or some' });
  await card.getByLabel('Title').fill('Tea at five');
  await card.getByLabel('Text').fill('All are welcome.');
  await card.getByRole('button', { name: 'Send' }).click();
  await paul.locator('.notices').getByText('Tea at five').waitFor();
  await shot(paul, 'notifications-phone');
  await paul.getByRole('button', { name: 'Mark all as read' }).click();
  await until(async () => (await paul.locator('.notice.unread').count()) === 0, 'all read');
});

test('the account: a taken name, devices, another session ended', async () => {
  await paul.goto('/#/account');
  await paul.getByLabel('Name').fill('Olga');
  await paul.getByRole('button', { name: 'Save' }).click();
  await paul.getByText('username is already taken').waitFor();
  const other = await web.visit({ dark: true });
  await other.goto('/auth');
  await other.getByLabel('Your username').fill('paul');
  await other.keyboard.press('Enter');
  await other.getByRole('button', { name: 'Discord' }).click();
  await other.getByLabel('Code', { exact: true }).fill(await web.portal.fetchCode('discord', paul.user.platform_user_id));
  await other.getByRole('heading', { name: 'Hello, paul' }).waitFor();
  await shot(other, 'lobby-desktop-dark');
  await paul.reload();
  await paul.getByRole('button', { name: 'End this session' }).click();
  await other.getByText('This session was ended from another of your devices.').first().waitFor();
  await paul.getByText('This device').waitFor();
  await shot(paul, 'account-phone');
  await other.context().close();
});

test('what cannot be loaded says so, and can be tried again', async () => {
  await paul.route('**/v1/notifications?*', (route) => route.abort());
  await paul.goto('/#/notifications');
  await paul.getByText('The server could not be reached').waitFor();
  await paul.unroute('**/v1/notifications?*');
  await paul.getByRole('button', { name: 'Try again' }).click();
  await paul.locator('.notices').getByText('Tea at five').waitFor();
});
