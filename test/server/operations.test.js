// Contract section 9 and the generated pages.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertError, startPortal, startProcess, send, stopProcess } from './harness.js';

let portal;
before(async () => {
  portal = await startPortal({ RATE_LIMIT_HEALTH: '0' });
});
after(() => portal.stop());

test('/health tells of both stores with their latency', async () => {
  const r = await portal.get('/health');
  assert.equal(r.status, 200);
  assert.equal(r.body.status, 'healthy');
  assert.equal(typeof r.body.database_statistics.latency_ms, 'number');
  assert.equal(typeof r.body.cache_statistics.latency_ms, 'number');
  assert.deepEqual(r.body.errors, []);
  assert.match(r.body.started_at, /Z$/);
  assert.equal((await portal.get('/livez')).status, 200);
  assert.equal((await portal.get('/readyz')).status, 200);
});

test('the HEALTH tier: 300 a minute per address on /health and the probes', async () => {
  const p = await startProcess(portal.stores, { RATE_LIMIT_HEALTH: '3' });
  for (const target of ['/health', '/livez']) {
    const from = target === '/health' ? '10.1.1.1' : '10.1.1.2';
    for (let i = 0; i < 3; i++) assert.equal((await send(p, 'GET', target, { from })).status, 200);
    assertError(await send(p, 'GET', target, { from }), 429, 'ERR_RATE_LIMITED');
  }
  await stopProcess(p);
});

test('/metrics is for METRICS_ALLOW only, and is Prometheus text', async () => {
  await portal.get('/v1/version');
  const r = await portal.get('/metrics');
  assert.equal(r.status, 200);
  assert.match(r.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const lines = r.text.trim().split('\n');
  for (const line of lines) {
    assert.match(line, /^(# (HELP|TYPE) [a-z_:]+ .+|[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^}]*\})? -?[0-9.e+-]+|.*NaN|.*\+Inf)$/, line);
  }
  assert.match(r.text, /route="\/v1\/version",status="200"\} 1\b/);
  for (const word of ['loop_lag', 'connections', 'store="cache"|cache', 'store="database"|database', 'tasks', 'bucket']) assert.match(r.text, new RegExp(word));
  assertError(await portal.get('/metrics', { from: '10.1.2.3' }), 403, 'ERR_ACCESS_DENIED');
});

test('/openapi.json describes every route; /docs reads well', async () => {
  const r = await portal.get('/openapi.json');
  assert.equal(r.status, 200);
  assert.match(r.body.openapi, /^3\.1/);
  const paths = Object.keys(r.body.paths);
  for (const path of ['/v1/authentication/verify', '/v1/users/me', '/v1/users/{id}', '/v1/bot/me/update', '/v1/admin/bots/{id}/regenerate-key', '/health']) {
    assert.ok(paths.includes(path), path);
  }
  const verify = r.body.paths['/v1/authentication/verify'].post;
  assert.ok(verify.responses['400'] && verify.responses['200']);
  assert.deepEqual(verify.requestBody.content['application/json'].schema.required, ['code']);
  // Every operation says what it answers and where it may be refused.
  for (const [path, methods] of Object.entries(r.body.paths)) {
    for (const [method, op] of Object.entries(methods)) {
      assert.ok(op.summary, `${method} ${path}`);
      assert.ok(Object.keys(op.responses).some((s) => s.startsWith('2')), `${method} ${path}`);
    }
  }
  const docs = await portal.get('/docs');
  assert.equal(docs.status, 200);
  assert.match(docs.headers['content-type'], /^text\/html/);
  assert.match(docs.headers['content-security-policy'], /default-src 'none'/);
  for (const path of paths) assert.ok(docs.text.includes(path), path);
});

test('/v1/version', async () => {
  const { body } = await portal.get('/v1/version');
  assert.deepEqual(Object.keys(body), ['version', 'commit', 'started_at']);
});
