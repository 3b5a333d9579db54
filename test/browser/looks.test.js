// Every page as one meets it: fit for a phone of 360 px, for screen readers (axe) in light and dark, for the
// keyboard alone, and under the content security policy.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { randomPlatformId } from '../server/harness.js';
import { reads, say, startWeb } from './browser.js';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
let axe;
let web;
let ida; // an Owner
let tom; // signed in, no more

before(async () => {
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  web = await startWeb({ MESSAGE_RATE: '0', RATE_LIMIT_ADMIN: '0', RATE_LIMIT_AUTH: '0' });
  [ida, tom] = await Promise.all([web.person({ name: 'ida', level: 'owner' }), web.person({ name: 'tom' })]);
  for (const [name, slug] of [['Town square', 'town-square'], ['A chat whose name is as long as the server lets it be, and not less', null]]) {
    await ida.user.post('/v1/admin/chats', { name: name.slice(0, 64), slug, description: 'Where everybody passes by, and some stay for longer than they had meant to' });
  }
});
after(() => web.stop());

// What is wrong with the page as it stands: wide on a phone, or against a rule of axe; colours are looked at in
// both schemes, the rest in one.
async function look(page, name) {
  const found = [];
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe);
  for (const [width, colorScheme] of [[1280, 'light'], [360, 'dark']]) {
    await page.setViewportSize({ width, height: 740 });
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    const { wide, broken } = await page.evaluate(async ([tags, all]) => {
      const boxes = [document.documentElement, ...document.querySelectorAll('main, dialog, .scroller, .people')];
      const { violations } = await axe.run(document, { resultTypes: ['violations'], ...(all ? { runOnly: { type: 'tag', values: tags } } : { runOnly: ['color-contrast', 'target-size', 'scrollable-region-focusable'] }) });
      return { wide: Math.max(...boxes.map((b) => b.scrollWidth - b.clientWidth)), broken: violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target} ${n.any[0]?.message ?? ''}`).join(' | ')}`) };
    }, [RULES, width > 1000]);
    if (wide > 0) found.push(`${name}, ${width} px: ${wide} px too wide`);
    found.push(...broken.map((b) => `${name}, ${colorScheme}: ${b}`));
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  return found;
}

test('what axe and the width find is found', async () => {
  const page = await web.visit({ path: '/auth' });
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.evaluate(() => {
    const bad = document.createElement('button');
    bad.style.width = '500px';
    document.querySelector('main').append(bad);
  });
  const found = (await look(page, 'a bad page')).join('\n');
  assert.match(found, /too wide/);
  assert.match(found, /button-name/);
  await page.context().close();
});

test('the policy lets no inline script run, and a page that tries is told of', async () => {
  const page = await web.visit();
  const told = page.context().waitForEvent('console', (m) => /refused by the policy/.test(m.text()));
  await page.evaluate(() => {
    const s = document.createElement('script');
    s.textContent = 'globalThis.ran = true';
    document.body.append(s);
  });
  await told;
  assert.equal(await page.evaluate(() => globalThis.ran), undefined);
  assert.ok(web.problems.length > 0);
  web.problems.length = 0; // meant
  await page.context().close();
});

test('pages of who is signed out', async () => {
  const page = await web.visit();
  await page.getByText('Town square').waitFor();
  const found = await look(page, 'lobby');
  await page.goto('/auth');
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  found.push(...await look(page, 'sign-in'));
  await page.getByRole('button', { name: 'New here: choose a platform' }).click();
  await page.getByLabel('Your id there').fill('x');
  await page.getByRole('button', { name: 'Send me a code' }).click();
  await page.locator('.field.bad').waitFor();
  found.push(...await look(page, 'new here, refused'));
  await page.getByLabel('Your id there').fill(randomPlatformId());
  await page.getByRole('button', { name: 'Send me a code' }).click();
  await page.getByLabel('Code', { exact: true }).waitFor();
  found.push(...await look(page, 'code'));
  assert.deepEqual(found, []);
  await page.context().close();
});

test('pages of who is signed in', async () => {
  const found = [];
  const at = async (path, ready) => {
    await tom.goto(path);
    await ready.first().waitFor();
    found.push(...await look(tom, path));
  };
  await at('/', tom.getByText('Town square'));
  await at('/#/meet', tom.getByRole('button', { name: 'music' }));
  await tom.getByRole('button', { name: 'music' }).click();
  await tom.getByRole('button', { name: 'Meet someone who likes music' }).click();
  await tom.getByRole('heading', { name: 'Looking for someone' }).waitFor();
  found.push(...await look(tom, 'searching'));
  await tom.getByRole('button', { name: 'Stop searching' }).click();
  await tom.getByRole('heading', { name: 'Meet someone' }).waitFor();
  await at('/#/notifications', tom.locator('.notice'));
  await at('/#/account', tom.getByRole('heading', { name: 'Blocked people' }));
  await tom.getByRole('button', { name: 'Delete my account' }).click();
  found.push(...await look(tom, 'delete dialog'));
  await tom.keyboard.press('Escape');
  await at('/c/0000000000000000', tom.getByText('leads nowhere'));
  await at('/#/admin', tom.getByText('for Moderators and above'));
  await tom.route('**/v1/notifications?*', (route) => route.abort());
  await at('/#/notifications', tom.getByText('could not be reached'));
  await tom.unrouteAll();
  assert.deepEqual(found, []);
});

test('a chat and its dialogs', async () => {
  const found = [];
  for (const page of [ida, tom]) await page.goto('/c/town-square');
  await ida.getByText('Nothing said yet').waitFor();
  found.push(...await look(ida, 'empty chat'));
  await say(tom, 'A word that no line can hold: ' + 'abcdefghij'.repeat(20));
  await say(ida, 'Quite.');
  await reads(ida, 'A word that');
  await reads(tom, 'Quite.');
  await ida.getByRole('button', { name: 'Who is here' }).click();
  found.push(...await look(ida, 'chat'));
  await ida.getByRole('complementary', { name: 'Who is here' }).getByRole('button', { name: 'tom' }).click();
  await ida.getByRole('button', { name: 'Block from matching' }).waitFor();
  found.push(...await look(ida, 'person'));
  await ida.getByRole('button', { name: 'Mute', exact: true }).click();
  found.push(...await look(ida, 'mute'));
  await ida.keyboard.press('Escape');
  await ida.keyboard.press('Escape');
  await ida.getByRole('button', { name: 'Compare keys' }).click();
  found.push(...await look(ida, 'keys'));
  await ida.keyboard.press('Escape');
  await ida.getByRole('button', { name: 'Chat settings' }).click();
  for (const [tab, ready] of [['About', 'Kind'], ['Settings', 'Those who join'], ['Members', 'tom'], ['Activity', 'Nothing has']]) {
    await ida.getByRole('tab', { name: tab }).click();
    await ida.getByRole('tabpanel').getByText(ready).first().waitFor();
    found.push(...await look(ida, tab));
  }
  await ida.keyboard.press('Escape');
  assert.deepEqual(found, []);
});

test('the administration', async () => {
  const found = [];
  await ida.user.post('/v1/admin/announcements', { title: 'Quiet hour', body: 'At ten.' });
  for (const [section, ready] of [['bots', 'discord bot'], ['people', 'tom'], ['subscriptions', 'No subscriptions'], ['chats', 'Town square'], ['notices', 'Quiet hour'], ['audit', 'chat.create'], ['health', 'Resident']]) {
    await ida.goto(`/#/admin/${section}`);
    await ida.getByRole('main').getByText(ready).first().waitFor();
    found.push(...await look(ida, section));
  }
  for (const [section, row, title] of [['people', 'tom', 'tom'], ['chats', 'Town square', 'Town square'], ['bots', 'discord bot', 'Change discord bot']]) {
    await ida.goto(`/#/admin/${section}`);
    await ida.locator('.rows > li', { hasText: row }).first().getByRole('button', { name: /Open|Change/ }).click();
    await ida.getByRole('dialog', { name: title }).waitFor();
    found.push(...await look(ida, title));
    await ida.keyboard.press('Escape');
  }
  assert.deepEqual(found, []);
});

test('from the sign-in to a message without a mouse', async () => {
  const page = await web.visit({ path: '/auth' });
  const keys = page.keyboard;
  const named = () => page.evaluate(() => {
    const at = document.activeElement;
    return at.matches('a, button, input, textarea') ? (at.ariaLabel || at.labels?.[0]?.textContent || at.textContent).trim() : '';
  });
  const tabTo = async (name) => {
    for (let i = 0; i < 40; i++) {
      if (name.test(await named())) return;
      await keys.press('Tab');
    }
    assert.fail(`Tab does not lead to ${name}, but to ${await named()}`);
  };
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await tabTo(/^New here/);
  await keys.press('Enter');
  await page.getByLabel('Your id there').waitFor();
  const id = randomPlatformId();
  await tabTo(/^Your id there/);
  await keys.type(id);
  await keys.press('Enter');
  await page.getByLabel('Code', { exact: true }).waitFor();
  await tabTo(/^Code/);
  await keys.type(await web.portal.fetchCode('discord', id));
  await page.getByRole('heading', { name: 'Account' }).waitFor();
  await keys.press('Tab'); // the page begins anew
  await tabTo(/^Chats$/);
  await keys.press('Enter');
  await page.getByText('Town square').waitFor();
  await tabTo(/Town square/);
  await keys.press('Enter');
  await page.getByRole('heading', { name: 'Town square', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Compare keys' }).and(page.locator(':enabled')).waitFor();
  await tabTo(/^Message$/);
  await keys.type('no mouse was harmed');
  await keys.press('Enter');
  await reads(tom, 'no mouse was harmed');
  await page.context().close();
});
