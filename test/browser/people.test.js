// What happens to people: platforms, their data, blocks, announcements, warnings, mutes, time-outs and bans
// as they see them live, the end of an account.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { randomPlatformId } from '../server/harness.js';
import { reads, say, shot, startWeb } from './browser.js';

let web;
let ona;
let sam;
let kim;

before(async () => {
  web = await startWeb({ RATE_LIMIT_ADMIN: '0' });
  [ona, sam, kim] = await Promise.all([web.person({ name: 'ona', level: 'owner' }), web.person({ name: 'sam', width: 390, height: 844 }), web.person({ name: 'kim' })]);
});
after(() => web.stop());

// A person's record in the administration.
async function record(name) {
  await ona.goto('/#/admin/people');
  const rows = ona.locator('.rows > li');
  await rows.nth(1).waitFor(); // everybody, at first
  await ona.getByLabel('Search people by name or number').fill(name);
  await rows.nth(1).waitFor({ state: 'detached' });
  await rows.filter({ hasText: name }).getByRole('button', { name: 'Open' }).click();
  return ona.getByRole('dialog', { name, exact: true });
}
async function act(on, name, { reason = '', duration } = {}) {
  await (await record(on)).getByRole('button', { name, exact: true }).click();
  const dialog = ona.getByRole('dialog', { name: `${name}: ${on}` });
  await dialog.getByLabel('Reason').fill(reason);
  if (duration) await dialog.getByLabel('How long').selectOption(duration);
  await dialog.getByRole('button', { name, exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await ona.keyboard.press('Escape');
}

test('a platform is linked by a code, one that is taken is not, and the last one stays', async () => {
  await sam.goto('/#/account');
  const platforms = sam.getByRole('region', { name: 'Linked platforms' });
  const link = async (id) => {
    await platforms.getByRole('button', { name: 'Link Telegram' }).click();
    const dialog = sam.getByRole('dialog', { name: 'Link Telegram' });
    await dialog.getByLabel('Your id there').fill(id);
    await dialog.getByRole('button', { name: 'Continue' }).click();
    await dialog.getByLabel('Code').fill(await (await dialog.getByLabel('Code').waitFor(), web.portal.fetchCode('telegram', id)));
    await dialog.getByRole('button', { name: 'Continue' }).click();
  };
  const taken = randomPlatformId();
  await web.portal.signIn({ platform: 'telegram', id: taken });
  await link(taken);
  await sam.getByRole('dialog').getByText(/already|taken|belongs/i).waitFor();
  await sam.keyboard.press('Escape');
  assert.equal(await platforms.getByRole('button', { name: 'Unlink' }).count(), 0);
  await link(randomPlatformId());
  await platforms.getByText('Telegram', { exact: true }).waitFor();
  await platforms.locator('li', { hasText: 'Discord' }).getByRole('button', { name: 'Unlink' }).click();
  await sam.getByRole('dialog').getByRole('button', { name: 'Unlink' }).click();
  await platforms.getByRole('button', { name: 'Link Discord' }).waitFor();
  assert.equal(await platforms.getByRole('button', { name: 'Unlink' }).count(), 0);
});

test('what is kept of somebody is theirs as a file', async () => {
  const [download] = await Promise.all([sam.waitForEvent('download'), sam.getByRole('button', { name: 'Export everything' }).click()]);
  assert.equal(download.suggestedFilename(), 'portal-sam.json');
  const kept = await readFile(await download.path(), 'utf8');
  assert.match(JSON.stringify(JSON.parse(kept)), /"username":"sam"/);
});

test('who is blocked is not met, until that is taken back', async () => {
  const blocked = sam.getByRole('region', { name: 'Blocked people' });
  await blocked.getByLabel('Find someone to block').fill('nobody.at.all');
  await blocked.getByText('Nobody is called').waitFor();
  await blocked.getByLabel('Find someone to block').fill('ki');
  await blocked.getByRole('button', { name: 'Block', exact: true }).click();
  await blocked.getByRole('button', { name: 'Unblock' }).waitFor();
  await shot(sam, 'account-blocked');
  for (const page of [sam, kim]) {
    await page.goto('/#/meet');
    await page.getByRole('button', { name: 'space' }).click();
    await page.getByRole('button', { name: 'Meet someone who likes space' }).click();
    await page.getByRole('heading', { name: 'Looking for someone' }).waitFor();
  }
  const { body } = await kim.user.get('/v1/portal/match/status');
  assert.equal(body.state, 'searching');
  await sam.goto('/#/account');
  await blocked.getByRole('button', { name: 'Unblock' }).click();
  await kim.getByRole('heading', { name: 'sam', level: 1 }).waitFor();
  await sam.getByRole('heading', { name: 'kim', level: 1 }).waitFor();
});

test('both see the same numbers to compare, and a block can be made from the chat', async () => {
  const numbers = async (page) => {
    await page.getByRole('button', { name: 'Compare keys' }).click();
    const text = await page.locator('.fingerprint').innerText();
    await page.keyboard.press('Escape');
    return text;
  };
  await say(sam, 'Hello!');
  await reads(kim, 'Hello!');
  const hers = await numbers(kim);
  assert.match(hers.replace(/\s/g, ''), /^\d{30}$/);
  assert.equal(await numbers(sam), hers);
  await kim.getByRole('button', { name: 'sam', exact: true }).first().click();
  await kim.getByRole('dialog').getByRole('button', { name: 'Block from matching' }).click();
  await kim.getByRole('dialog').getByRole('button', { name: 'Unblock' }).click();
  await kim.getByRole('dialog').getByRole('button', { name: 'Block from matching' }).waitFor();
  await kim.keyboard.press('Escape');
  await kim.getByRole('group', { name: 'Your match' }).getByRole('button', { name: 'Leave' }).click();
});

test('an announcement reaches everyone, signed in or not, until it is taken back', async () => {
  await ona.goto('/#/admin/notices');
  const card = ona.getByRole('region', { name: /^Announce to everyone/ });
  await card.getByLabel('Title').fill('Quiet hour');
  await card.getByLabel('Text').fill('We sweep the floor at ten.');
  await card.getByRole('button', { name: 'Send' }).click();
  await sam.locator('.toast', { hasText: 'Quiet hour' }).waitFor();
  const stranger = await web.visit();
  const news = stranger.getByRole('region', { name: 'Announcements' });
  await news.getByText('We sweep the floor at ten.').waitFor();
  await news.getByRole('button', { name: 'Close: Quiet hour' }).click();
  await stranger.reload();
  await stranger.getByRole('heading', { name: 'Come in' }).waitFor();
  await stranger.getByText(/online/).first().waitFor();
  assert.equal(await news.getByText('Quiet hour').count(), 0);
  await ona.getByRole('region', { name: 'Live announcements' }).getByRole('button', { name: 'Take back' }).click();
  await ona.getByText('What you announce stands here').waitFor();
  const later = await web.visit();
  await later.getByText(/online/).first().waitFor();
  assert.equal(await later.getByText('Quiet hour').count(), 0);
  await Promise.all([stranger, later].map((p) => p.context().close()));
});

test('a warning is told at once, and stands in the own record', async () => {
  await sam.goto('/#/account');
  await act('sam', 'Warn', { reason: 'Mind your words' });
  await sam.locator('.toast', { hasText: 'Mind your words' }).waitFor();
  await sam.reload();
  await sam.getByRole('region', { name: 'Standing' }).getByText('Mind your words').waitFor();
});

test('who is muted everywhere is told, reads on, and writes again when it is lifted', async () => {
  const { body: chat } = await ona.user.post('/v1/admin/chats', { name: 'Square', slug: 'square' });
  assert.ok(chat.chat.id);
  for (const page of [sam, kim]) await page.goto('/c/square');
  await say(kim, 'Anybody here?');
  await reads(sam, 'Anybody here?');
  await act('sam', 'Mute everywhere', { duration: '3600' });
  await sam.getByText('You are muted everywhere').waitFor();
  const box = sam.getByRole('textbox', { name: 'Message' });
  await box.and(sam.locator(':disabled')).waitFor();
  await say(kim, 'You are so quiet');
  await reads(sam, 'You are so quiet');
  await act('sam', 'Unmute everywhere');
  await sam.getByText('You are muted everywhere').waitFor({ state: 'hidden' });
  await say(sam, 'I may speak again');
  await reads(kim, 'I may speak again');
});

test('who is banned from a chat is told, also when they come back', async () => {
  await ona.goto('/c/square');
  await ona.getByRole('button', { name: 'Who is here' }).click();
  await ona.getByRole('complementary', { name: 'Who is here' }).getByRole('button', { name: 'sam' }).click();
  await ona.getByRole('dialog').getByRole('button', { name: 'Ban', exact: true }).click();
  await ona.getByRole('dialog', { name: 'Ban: sam' }).getByRole('button', { name: 'Ban', exact: true }).click();
  await sam.getByText('You were banned from this chat.').first().waitFor();
  assert.ok(await sam.getByRole('textbox', { name: 'Message' }).isDisabled());
  await sam.reload();
  await sam.getByText(/banned/i).first().waitFor();
  await shot(sam, 'chat-banned');
});

test('who is timed out is put out at once, and reads why when signing in', async () => {
  await act('kim', 'Time out', { reason: 'Cool down', duration: '3600' });
  await kim.getByText('This account was timed out.').waitFor();
  await kim.getByRole('button', { name: 'New here: choose a platform' }).click();
  await kim.getByLabel('Your id there').fill(kim.user.platform_user_id);
  await kim.getByRole('button', { name: 'Send me a code' }).click();
  await kim.getByLabel('Code', { exact: true }).waitFor();
  await kim.getByLabel('Code', { exact: true }).fill(await web.portal.fetchCode('discord', kim.user.platform_user_id));
  await kim.getByText('Account timed out: Cool down').waitFor();
  await shot(kim, 'auth-timeout');
});

test('who is banned is put out at once', async () => {
  const lea = await web.person({ name: 'lea' });
  await lea.getByRole('heading', { name: 'Hello, lea' }).waitFor();
  await act('lea', 'Ban', { reason: 'spam' });
  await lea.getByText('This account was banned.').waitFor();
  await lea.getByRole('heading', { name: 'Sign in' }).waitFor();
  await lea.context().close();
});

test('an account is deleted by its own name only, and is gone', async () => {
  await sam.goto('/#/account');
  await sam.getByRole('button', { name: 'Delete my account' }).click();
  const dialog = sam.getByRole('dialog', { name: 'Delete your account' });
  await dialog.getByLabel('Type your name, sam').fill('kim');
  await dialog.getByRole('button', { name: 'Delete for ever' }).click();
  await dialog.getByText('That is not your name.').waitFor();
  await dialog.getByLabel('Type your name, sam').fill('sam');
  await dialog.getByRole('button', { name: 'Delete for ever' }).click();
  await sam.getByText(/account was deleted/).first().waitFor();
  await sam.getByLabel('Your username').fill('sam');
  await sam.keyboard.press('Enter');
  await sam.getByText('Nobody here is called sam.').waitFor();
});
