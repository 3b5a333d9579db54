// How the web client is served; what it does is tested in test/browser/.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { request } from 'undici';
import { assertError, startPortal } from './harness.js';

let portal;
before(async () => {
  portal = await startPortal({ PUBLIC_API_KEYS: 'key-of-the-front-end' });
});
after(() => portal.stop());

const scriptOf = (page) => page.match(/<script type="module" src="([^"]+)"/)[1];

test('the page is at /, /auth and /c/{slug}, under a strict policy', async () => {
  for (const path of ['/', '/auth', '/c/night-owls', '/?from=elsewhere']) {
    const r = await portal.get(path);
    assert.equal(r.status, 200, path);
    assert.equal(r.headers['content-type'], 'text/html; charset=utf-8');
    assert.match(r.headers['content-security-policy'], /^default-src 'none'; script-src 'self'; style-src 'self';.* frame-ancestors 'none'$/);
    assert.equal(r.headers['x-content-type-options'], 'nosniff');
    assert.equal(r.headers['referrer-policy'], 'no-referrer');
    assert.equal(r.headers['cache-control'], 'no-cache');
    assert.doesNotMatch(r.text, /@VERSION@|<style|style=|onclick|<script>/);
  }
  assertError(await portal.get('/c/a/b'), 404, 'ERR_NOT_FOUND');
  assertError(await portal.post('/', {}), 405, 'ERR_METHOD');
});

test('all that the page names is there, with its type, for ever', async () => {
  const page = (await portal.get('/')).text;
  const types = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' };
  const named = [...page.matchAll(/(?:src|href)="(\/web\/[^"]+)"/g)].map((m) => m[1]);
  assert.ok(named.length >= 4);
  const seen = new Set();
  const visit = async (path) => {
    if (seen.has(path)) return;
    seen.add(path);
    const r = await portal.get(path);
    assert.equal(r.status, 200, path);
    assert.equal(r.headers['content-type'], types[path.split('.').pop()], path);
    assert.equal(r.headers['cache-control'], 'public, max-age=31536000, immutable');
    for (const [, file] of r.text.matchAll(/^import .* from '\.\/([\w.]+)'/gm)) await visit(new URL(file, `http://x${path}`).pathname);
  };
  for (const path of named) await visit(path);
  assert.ok([...seen].some((p) => p.endsWith('/room.js')));
  const script = scriptOf(page);
  const old = await portal.get(script.replace(/\/web\/[^/]+/, '/web/another'));
  assert.equal(old.status, 200);
  assert.equal(old.headers['cache-control'], 'no-cache', 'another version is not kept');
  assertError(await portal.get('/web/x/nothing.js'), 404, 'ERR_NOT_FOUND');
  assertError(await portal.get('/web/x/..%2Findex.html'), 404, 'ERR_NOT_FOUND');
});

test('compressed for those who take it, 304 for those who have it, HEAD without a body', async () => {
  const script = scriptOf((await portal.get('/')).text);
  const plain = await portal.get(script);
  assert.equal(plain.headers['content-encoding'], undefined);
  const r = await request(portal.url + script, { headers: { 'accept-encoding': 'br, gzip' }, dispatcher: portal.agent });
  const bytes = Buffer.from(await r.body.arrayBuffer());
  assert.equal(r.headers['content-encoding'], 'gzip');
  assert.equal(r.headers.vary, 'Accept-Encoding');
  assert.equal(gunzipSync(bytes).toString(), plain.text);
  assert.notEqual(r.headers.etag, plain.headers.etag);
  const again = await portal.get(script, { headers: { 'if-none-match': plain.headers.etag } });
  assert.equal(again.status, 304);
  assert.equal(again.text, '');
  assert.equal((await portal.get(script, { headers: { 'if-none-match': '"old"' } })).status, 200);
  const head = await portal.send('HEAD', script);
  assert.equal(head.status, 200);
  assert.equal(head.text, '');
  assert.equal(Number(head.headers['content-length']), Buffer.byteLength(plain.text));
});

test('the client is told the platforms and the public key', async () => {
  const r = await portal.get('/web/config');
  assert.deepEqual(r.body, { platforms: ['discord', 'telegram'], public_key: 'key-of-the-front-end' });
});
