// The pictures in docs/: node test/browser/pictures.js docs (under test/dev/with-stores.sh).
import { startWeb } from './browser.js';

const out = process.argv[2];
const web = await startWeb({ MESSAGE_RATE: '0', MESSAGE_RATE_CHAT: '0' });
const [mara, theo, ines] = [await web.visit({ width: 1200, height: 760 }), await web.visit({ width: 390, height: 760, dark: true }), await web.visit({})];
for (const [page, name] of [[mara, 'mara'], [theo, 'theo'], [ines, 'ines']]) await web.signIn(page, { name, level: name === 'mara' ? 'admin' : undefined });
await mara.reload();
const call = (page, path, body) => page.evaluate(([p, b]) => fetch(p, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(b) }).then((r) => r.json()), [path, body]);
await call(mara, '/v1/admin/chats', { name: 'Town square', slug: 'town-square', description: 'Where everybody passes by' });
for (const [name, slug, description] of [['Night owls', 'night-owls', 'For those who are up late'], ['Bread bakers', 'bread', 'Sourdough, patience, flour everywhere'], ['Film club', 'film-club', 'One film a week, and what we made of it']]) {
  await call(mara, '/v1/portal/chats', { name, slug, description });
}
const say = async (page, text) => {
  await page.getByRole('textbox', { name: 'Message' }).fill(text);
  await page.keyboard.press('Enter');
  for (const other of [mara, theo, ines]) await other.locator('.bubble p', { hasText: text }).first().waitFor();
};
for (const page of [mara, theo, ines]) await page.goto('/c/night-owls');
await mara.getByRole('button', { name: 'Who is here' }).click();
await say(ines, 'Anyone else watching the meteor shower?');
await say(theo, 'From the roof, with a blanket and far too much tea.');
await say(theo, 'Eleven so far');
await say(mara, 'Clouds here. Describe them to me?');
await say(ines, 'Like someone striking matches very far away.');
await say(mara, 'That will do nicely.');
await mara.getByText(/^Seen by/).waitFor();
await mara.locator('.toast').first().waitFor({ state: 'detached' });
await theo.getByRole('textbox', { name: 'Message' }).blur();
await mara.screenshot({ path: `${out}/web-chat.png` });
await theo.screenshot({ path: `${out}/web-phone.png` });
await ines.setViewportSize({ width: 1200, height: 760 });
await ines.goto('/');
await ines.getByText('Bread bakers').waitFor();
await ines.getByText(/online/).last().waitFor();
await ines.screenshot({ path: `${out}/web-lobby.png` });
await web.stop();
