// Chromium on the web client that portald serves: a browser of its own for each person.
//
//   const web = await startWeb();                       // portald with bots and stores, Chromium
//   const alice = await web.visit({width: 390});        // a page at `/`, its own cookies and storage
//   const me = await web.signIn(alice, {name: 'alice'});  // by the sign-in page and a code of the bot
//   await web.stop();
//
// A page that logs an error, or breaks the content security policy, fails its test at stop().
// SHOTS=dir: `shot(page, name)` keeps a picture there.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { randomAddress, randomPlatformId, startPortal } from '../server/harness.js';

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export async function startWeb(env = {}) {
  const portal = await startPortal({ RATE_LIMIT_LOGIN: '0', RATE_LIMIT_AUTH: '0', RATE_LIMIT_PUBLIC: '0', ...env });
  const chrome = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags });
  const problems = [];

  async function visit({ width = 1280, height = 800, dark = false, path = '/' } = {}) {
    const context = await chrome.newContext({
      baseURL: portal.url, viewport: { width, height }, colorScheme: dark ? 'dark' : 'light', locale: 'en-GB',
      extraHTTPHeaders: { 'x-forwarded-for': randomAddress() },
    });
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    page.on('pageerror', (error) => problems.push(`${error.stack}`));
    page.on('console', (m) => m.type() === 'error' && !/Failed to load resource|WebSocket connection/.test(m.text()) && problems.push(m.text()));
    await page.goto(path);
    return page;
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
    if (level) await portal.ctl(['user', 'promote', String(user), '--level', level]);
    if (premium) await portal.db.query('UPDATE users SET subscription_level = 3 WHERE id = $1', [user]);
    return { id: user, platformId: id };
  }

  return {
    portal, chrome, visit, signIn,
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
