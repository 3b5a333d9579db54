// Two browsers meet through the matcher: they talk, one reloads within the grace, the other leaves.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { reads, say, shot, startWeb } from './browser.js';

let web;
let ada;
let ben;
const bar = (page) => page.getByRole('group', { name: 'Your match' });

before(async () => {
  web = await startWeb();
  [ada, ben] = [await web.person({ name: 'ada' }), await web.person({ name: 'ben', width: 390, height: 844, dark: true })];
});
after(() => web.stop());

test('interests are chosen, at most three of them', async () => {
  await ada.getByRole('link', { name: 'Meet', exact: true }).click();
  await ada.getByRole('button', { name: 'music' }).click();
  await ada.getByLabel('Add your own').fill('No!');
  await ada.getByRole('button', { name: 'Add' }).click();
  await ada.getByText('Three to twelve letters or digits.').waitFor();
  await ada.getByLabel('Add your own').fill('stars');
  await ada.getByRole('button', { name: 'Add' }).click();
  await ada.getByRole('button', { name: 'films' }).click();
  assert.ok(await ada.getByRole('button', { name: 'games' }).isDisabled());
  await shot(ada, 'meet-desktop');
});

test('a search is waited for, can be stopped, and survives a reload', async () => {
  await ada.getByRole('button', { name: /^Meet someone who likes/ }).click();
  await ada.getByRole('heading', { name: 'Looking for someone' }).waitFor();
  await ada.getByRole('button', { name: 'Stop searching' }).click();
  await ada.getByRole('heading', { name: 'Meet someone' }).waitFor();
  await ada.getByRole('button', { name: /^Meet someone who likes/ }).click();
  await ada.getByRole('heading', { name: 'Looking for someone' }).waitFor();
  await ada.reload();
  await ada.getByRole('heading', { name: 'Looking for someone' }).waitFor();
  await shot(ada, 'meet-waiting');
});

test('two with a common interest are put together and talk', async () => {
  await ben.goto('/#/meet');
  await ben.getByLabel('Add your own').fill('stars');
  await ben.getByRole('button', { name: 'Add' }).click();
  await ben.getByRole('button', { name: 'Meet someone who likes stars' }).click();
  await bar(ada).getByText('stars').waitFor();
  await bar(ben).getByText('stars').waitFor();
  await ada.getByRole('heading', { name: 'ben', level: 1 }).waitFor();
  await say(ada, 'Which one is your favourite?');
  await reads(ben, 'Which one is your favourite?');
  await say(ben, 'Vega');
  await reads(ada, 'Vega');
  await shot(ben, 'direct-phone-dark');
});

test('who reloads within the grace is waited for and loses nothing', async () => {
  await ben.goto('about:blank');
  await bar(ada).getByText(/The other person is away\. Waiting \d+ s/).waitFor();
  await shot(ada, 'direct-away');
  await ben.goBack();
  await reads(ben, 'Which one is your favourite?');
  await bar(ada).getByText('stars').waitFor();
  await say(ben, 'Here again');
  await reads(ada, 'Here again');
});

test('looking around does not end the chat', async () => {
  await ben.getByRole('link', { name: 'Back to the chats' }).click();
  await ben.getByRole('link', { name: /ada/ }).waitFor();
  await say(ada, 'Still there?');
  await ben.getByRole('link', { name: /ada/ }).click();
  await reads(ben, 'Still there?');
  await bar(ada).getByText('stars').waitFor();
});

test('when one leaves, the other is told and goes on to the next', async () => {
  await bar(ada).getByRole('button', { name: 'Leave' }).click();
  await ada.getByRole('heading', { name: 'Meet someone' }).waitFor();
  await bar(ben).getByText('The chat has ended.').waitFor();
  assert.ok(await ben.getByRole('textbox', { name: 'Message' }).isDisabled());
  await bar(ben).getByRole('button', { name: 'Next' }).click();
  await ben.getByRole('heading', { name: 'Looking for someone' }).waitFor();
});
