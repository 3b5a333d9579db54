// Chromium on the web client that portald serves: a browser of its own for each person.
//
//   const web = await startWeb();                       // portald with bots and stores, Chromium
//   const alice = await web.visit({width: 390});        // a page at `/`, its own cookies and storage
//   const me = await web.signIn(alice, {name: 'alice'});  // by the sign-in page and a code of the bot
//   const bob = await web.person({name: 'bob', level: 'admin'});  // a page of somebody who is signed in: page.user
//   await web.stop();
//
// A page that logs an error, or breaks the content security policy, fails its test at stop(). Pages come from
// `url`, another process or listener on the same stores, where one is given.
// SHOTS=dir: `shot(page, name)` keeps a picture there.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { randomAddress, randomPlatformId, startPortal, until } from '../server/harness.js';

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export async function startWeb(env = {}) {
  const portal = await startPortal({ RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_PUBLIC: '0', ...env });
  const chrome = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags });
  const problems = [];

  async function visit({ width = 1280, height = 800, dark = false, path = '/', url = portal.url, cookie } = {}) {
    const context = await chrome.newContext({
      baseURL: url, viewport: { width, height }, colorScheme: dark ? 'dark' : 'light', locale: 'en-GB', ignoreHTTPSErrors: true, reducedMotion: 'reduce',
      extraHTTPHeaders: { 'x-forwarded-for': randomAddress() },
    });
    context.setDefaultTimeout(15_000);
    context.on('weberror', (e) => problems.push(`${e.error().stack}`));
    context.on('console', (m) => m.type() === 'error' && !/Failed to load resource|WebSocket connection/.test(m.text()) && problems.push(m.text()));
    await context.addInitScript(() => addEventListener('securitypolicyviolation', (e) => console.error(`refused by the policy: ${e.violatedDirective} ${e.blockedURI}`)));
    if (cookie) await context.addCookies([{ name: 'psession', value: cookie, url, httpOnly: true }]);
    const page = await context.newPage();
    await page.goto(path);
    return page;
  }

  // What an operator has done for somebody.
  async function raise(id, level, premium) {
    if (level) await portal.ctl(['user', 'promote', String(id), '--level', level]);
    if (premium) await portal.db.query('UPDATE users SET subscription_level = 3 WHERE id = $1', [id]);
  }

  // Signed in without the pages for it; page.user is a person of harness.js.
  async function person({ name, level, premium, id, ...where }) {
    const user = await portal.signIn({ id });
    await user.post('/v1/users/me/update', { username: name });
    await raise(user.id, level, premium);
    return Object.assign(await visit({ ...where, cookie: user.token }), { user });
  }

  async function signIn(page, { name, platform = 'discord', id = randomPlatformId(), level, premium } = {}) {
    await page.goto('/auth');
    await page.getByRole('button', { name: 'New here: choose a platform' }).click();
    await page.getByText('Discord', { exact: true }).click();
    await page.getByLabel('Your id there').fill(id);
    await page.getByRole('button', { name: 'Send me a code' }).click();
    await page.getByLabel('Code', { exact: true }).waitFor();
    await page.getByLabel('Code', { exact: true }).fill(await portal.fetchCode(platform, id));
    await page.getByRole('heading', { name: 'Account' }).waitFor();
    const { id: user } = await page.evaluate(() => fetch('/v1/users/me').then((r) => r.json()));
    if (name) {
      await page.getByLabel('Name').fill(name);
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('Saved.').waitFor();
    }
    await raise(user, level, premium);
    return { id: user, platformId: id };
  }

  return {
    portal, chrome, problems, visit, person, signIn,
    async stop() {
      await chrome.close();
      await portal.stop();
      assert.deepEqual(problems, [], 'no page has logged an error');
    },
  };
}

export async function shot(page, name) {
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });
}

// What people do in a chat.
export async function say(page, text) {
  await until(async () => (await page.locator('dialog').count()) === 0, 'no dialog, which would take the keys');
  const box = page.getByRole('textbox', { name: 'Message' });
  await box.fill(text);
  await box.press('Enter');
}
export const bubble = (page, text) => page.locator('.bubble p', { hasText: text });
export const reads = (page, text) => bubble(page, text).first().waitFor();
// A chat by its address, until its key is there.
export async function open(page, slug) {
  await page.goto(`/c/${slug}`);
  await page.getByRole('button', { name: 'Compare keys' }).and(page.locator(':enabled')).waitFor();
}
