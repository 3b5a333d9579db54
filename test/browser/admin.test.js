// The administration: bots, people and their subscriptions, chats, notices, the audit log, how the server is.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../server/harness.js';
import { shot, startWeb } from './browser.js';

let web;
let olga; // an Owner
let paul;

before(async () => {
  web = await startWeb({ RATE_LIMIT_ADMIN: '0', RATE_LIMIT_AUTH: '0' });
  [olga, paul] = await Promise.all([web.person({ name: 'olga', level: 'owner' }), web.person({ name: 'paul', width: 390, height: 844 })]);
});
after(() => web.stop());

test('a bot is registered, its key shown once, a new one made, disabled', async () => {
  await olga.goto('/#/admin');
  await olga.getByRole('button', { name: 'Register a bot' }).click();
  await olga.getByRole('dialog').getByLabel('Name').fill('Helper');
  await olga.getByRole('dialog').getByRole('button', { name: 'Register' }).click();
  const key = await olga.locator('.secret code').innerText();
  assert.equal((await web.portal.get('/v1/bot/me', { key })).body.name, 'Helper');
  await olga.getByRole('button', { name: 'I have kept it' }).click();
  const row = olga.locator('.rows > li', { hasText: 'Helper' });
  await row.getByRole('button', { name: 'New key' }).click();
  await olga.getByRole('button', { name: 'Make a new key' }).click();
  const fresh = await olga.locator('.secret code').innerText();
  await olga.getByRole('button', { name: 'I have kept it' }).click();
  assert.equal((await web.portal.get('/v1/bot/me', { key })).status, 401);
  assert.equal((await web.portal.get('/v1/bot/me', { key: fresh })).status, 200);
  await row.getByRole('button', { name: 'Disable' }).click();
  await row.getByText('disabled').waitFor();
  assert.equal((await web.portal.get('/v1/bot/me', { key: fresh })).status, 401);
  await row.getByRole('button', { name: 'Change' }).click();
  const dialog = olga.getByRole('dialog', { name: 'Change Helper' });
  await dialog.getByLabel('Name').fill('Handy');
  await dialog.getByLabel('Kind').selectOption('verified');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await olga.locator('.rows > li', { hasText: 'Handy' }).getByText('verified').waitFor();
  await shot(olga, 'admin-bots');
  await olga.locator('.rows > li', { hasText: 'Handy' }).getByRole('button', { name: 'Change' }).click();
  await olga.getByRole('button', { name: 'Delete this bot' }).click();
  await olga.getByRole('dialog', { name: 'Delete?' }).getByRole('button', { name: 'Delete', exact: true }).click();
  await olga.getByText('Handy is removed.').waitFor();
  assert.equal(await olga.locator('.rows > li', { hasText: 'Handy' }).count(), 0);
});

async function record(name) {
  await olga.goto('/#/admin/people');
  const rows = olga.locator('.rows > li');
  await rows.nth(1).waitFor(); // everybody, at first
  await olga.getByLabel('Search people by name or number').fill(name.slice(0, 3));
  await rows.nth(1).waitFor({ state: 'detached' });
  await rows.filter({ hasText: name }).getByRole('button', { name: 'Open' }).click();
  return olga.getByRole('dialog', { name, exact: true });
}

test('a subscription is granted, shows to who has it, and is revoked with a reason', async () => {
  const dialog = await record('paul');
  await dialog.getByLabel('Days').fill('90');
  await dialog.getByLabel('Reason').fill('a friend of the house');
  await dialog.getByRole('button', { name: 'Grant' }).click();
  await dialog.getByText(/Premium until/).waitFor();
  await shot(olga, 'admin-person');
  await paul.goto('/#/account');
  await paul.getByRole('region', { name: 'Standing' }).getByText('Premium').waitFor();
  await olga.keyboard.press('Escape');
  await olga.getByRole('link', { name: 'Subscriptions' }).click();
  const row = olga.locator('.rows > li', { hasText: 'paul' });
  await row.getByRole('button', { name: 'Revoke the subscription' }).click();
  const revoke = olga.getByRole('dialog', { name: /^Revoke/ });
  await revoke.getByRole('button', { name: 'Revoke the subscription' }).click();
  await revoke.getByText('A reason is needed.').waitFor();
  await revoke.getByLabel('Reason').fill('moved out');
  await revoke.getByRole('button', { name: 'Revoke the subscription' }).click();
  await row.waitFor({ state: 'detached' });
  await paul.reload();
  await paul.getByRole('region', { name: 'Standing' }).getByText('Basic').waitFor();
});

test('a moderator sees the audit log and nothing else of this', async () => {
  const dialog = await record('paul');
  await dialog.getByLabel('Permission').selectOption('1');
  await dialog.getByRole('button', { name: 'Set' }).click();
  await olga.getByRole('button', { name: 'Change', exact: true }).click();
  await olga.getByText('Saved.').waitFor();
  await olga.keyboard.press('Escape');
  await paul.goto('/');
  await paul.reload();
  await paul.getByRole('link', { name: 'Admin' }).click();
  await paul.locator('.rows > li', { hasText: 'user.permission' }).first().waitFor();
  assert.deepEqual(await paul.getByRole('navigation', { name: 'Administration' }).getByRole('link').allInnerTexts(), ['Audit log']);
});

test('a chat is made, changed, given to another, and they own it', async () => {
  await olga.goto('/#/admin/chats');
  await olga.getByRole('button', { name: 'New official chat' }).click();
  const dialog = olga.getByRole('dialog');
  await dialog.getByLabel('Name').fill('Town square');
  await dialog.getByLabel(/^Address/).fill('No Such Address');
  await dialog.getByRole('button', { name: 'Create', exact: true }).click();
  await dialog.getByText(/slug/).waitFor();
  await dialog.getByLabel(/^Address/).fill('town-square');
  await dialog.getByRole('button', { name: 'Create', exact: true }).click();
  const row = olga.locator('.rows > li', { hasText: 'Town square' });
  await row.getByRole('button', { name: 'Open' }).click();
  await dialog.getByLabel('Label').fill('busy');
  await dialog.getByLabel('Messages are wiped after').selectOption('1h');
  await shot(olga, 'admin-chat');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await row.getByText('busy').waitFor();
  await row.getByRole('button', { name: 'Open' }).click();
  await dialog.getByLabel('Give this chat to another person').fill('pau');
  await dialog.getByRole('button', { name: 'Give it to them' }).click();
  await olga.getByRole('dialog', { name: 'Give it away?' }).getByRole('button', { name: 'Give it to them' }).click();
  await row.getByText('owner paul').waitFor();
  await paul.goto('/c/town-square');
  await paul.getByRole('button', { name: 'Chat settings' }).click();
  await paul.getByRole('tab', { name: 'Settings' }).click();
  assert.equal(await paul.getByLabel('Messages are wiped after').inputValue(), '1h');
  await paul.keyboard.press('Escape');
});

test('a person is put out of a chat, which goes when it is deleted', async () => {
  await olga.goto('/#/admin/chats');
  const row = olga.locator('.rows > li', { hasText: 'Town square' });
  await row.getByRole('button', { name: 'Open' }).click();
  const quin = await web.person({ name: 'quin', path: '/c/town-square' });
  await quin.getByRole('heading', { name: 'Town square', level: 1 }).waitFor();
  await quin.getByRole('button', { name: 'Compare keys' }).and(quin.locator(':enabled')).waitFor();
  const dialog = olga.getByRole('dialog', { name: 'Town square' });
  await dialog.getByLabel('Whom').fill('quin');
  await dialog.getByRole('button', { name: 'Put out' }).click();
  await quin.getByText('You were put out of this chat.').first().waitFor();
  await dialog.getByRole('button', { name: 'Delete this chat' }).click();
  await olga.getByRole('dialog', { name: 'Delete?' }).getByRole('button', { name: 'Delete', exact: true }).click();
  await paul.getByText('“Town square” was deleted.').first().waitFor();
  await quin.context().close();
});

test('some people are notified, and no others', async () => {
  await olga.goto('/#/admin/notices');
  const card = olga.getByRole('region', { name: 'Notify every account, or some' });
  await card.getByRole('button', { name: 'Send' }).click();
  await card.getByText('A title is needed.').waitFor();
  await card.getByLabel('Title').fill('Only for you');
  await card.getByLabel('Add a person').fill('pau');
  await card.getByRole('button', { name: 'Add', exact: true }).click();
  await card.getByRole('button', { name: 'Not paul' }).waitFor();
  await card.getByRole('button', { name: 'Send' }).click();
  await paul.locator('.toast', { hasText: 'Only for you' }).waitFor();
  await olga.goto('/#/notifications');
  await olga.getByText(/Welcome/).first().waitFor();
  assert.equal(await olga.getByText('Only for you').count(), 0);
});

test('the audit log is filtered by what, whom and when', async () => {
  await olga.goto('/#/admin/audit');
  const rows = olga.locator('.rows > li');
  await rows.first().waitFor();
  const only = async (event) => {
    await olga.getByRole('search').getByLabel('Event').fill(event);
    return until(async () => { // what was asked for is there, and nothing else
      const events = await rows.locator('strong').allInnerTexts();
      return events.every((e) => e === event) && events.length;
    }, `only ${event}`);
  };
  assert.equal(await only('chat.transfer'), 1);
  assert.ok((await only('subscription.grant')) === 1);
  await shot(olga, 'admin-audit');
  await olga.getByRole('search').getByLabel('On (number)').fill(String(olga.user.id));
  await olga.getByText('No entry fits what you ask for.').waitFor();
  await olga.getByRole('search').getByLabel('On (number)').fill(String(paul.user.id));
  await rows.first().waitFor();
  await olga.getByRole('search').getByLabel('To').fill('2020-01-01T00:00');
  await olga.getByText('No entry fits what you ask for.').waitFor();
});

test('the server tells how it is', async () => {
  await olga.goto('/#/admin/health');
  await olga.getByRole('region', { name: 'Server' }).getByText('healthy').waitFor();
  await olga.getByRole('region', { name: 'Memory' }).getByText(/MiB/).first().waitFor();
});
