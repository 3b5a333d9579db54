// The wire: what a client may send, in any pieces, and what closes the connection.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { readFile } from 'node:fs/promises';
import { assertError, PORTALD, startPortal, startProcess, stopProcess, until } from './harness.js';

let portal;
before(async () => {
  portal = await startPortal({ RATE_LIMIT_LOGIN: '0', RATE_LIMIT_PUBLIC: '0', RATE_LIMIT_HEALTH: '0' });
});
after(() => portal.stop());

const port = (p = portal) => Number(new URL(p.url).port);

function open(p = portal) {
  const socket = net.connect(port(p), '127.0.0.1');
  socket.text = '';
  socket.setEncoding('latin1');
  socket.on('data', (d) => (socket.text += d));
  socket.on('error', () => {}); // once() would reject on it
  socket.ended = new Promise((done) => socket.on('close', () => done(socket.text)));
  return socket;
}

// Sends pieces and gives all bytes until the server closes.
async function talk(...pieces) {
  const socket = open();
  await once(socket, 'connect');
  for (const piece of pieces) socket.write(Buffer.from(piece, 'latin1'));
  return socket.ended;
}

const body = '{"username":"nobody.at.all"}';
const lookup = (more = '', b = body) =>
  `POST /v1/authentication/lookup HTTP/1.1\r\nHost: x\r\n${more}Content-Length: ${b.length}\r\n\r\n${b}`;
const bye = 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const statuses = (text) => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((m) => Number(m[1]));

test('a request cut at every byte gives the same answer', async () => {
  const whole = lookup('Connection: close\r\n');
  for (let i = 1; i < whole.length; i++) {
    const socket = open();
    await once(socket, 'connect');
    socket.setNoDelay(true);
    await new Promise((done) => socket.write(whole.slice(0, i), done));
    await new Promise(setImmediate);
    socket.write(whole.slice(i));
    assert.deepEqual(statuses(await socket.ended), [404], `cut at ${i}`);
  }
});

test('pipelined requests are answered in order', async () => {
  const text = await talk(lookup() + 'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n' + lookup('', '{}') + bye);
  assert.deepEqual(statuses(text), [404, 404, 400, 200]);
  assert.ok(text.indexOf('ERR_USER_NOT_FOUND') < text.indexOf('ERR_NOT_FOUND'));
});

test('chunked bodies, Expect, HEAD, absolute-form, percent-encoding, HTTP/1.0', async () => {
  const chunked = `POST /v1/authentication/lookup HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${[...body].map((c) => `1\r\n${c}\r\n`).join('')}0\r\n\r\n`;
  assert.deepEqual(statuses(await talk(chunked + bye)), [404, 200]);
  const socket = open();
  await once(socket, 'connect');
  socket.write(`POST /v1/authentication/lookup HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`);
  await once(socket, 'data');
  assert.match(socket.text, /^HTTP\/1\.1 100 Continue\r\n\r\n$/);
  socket.write(body);
  assert.deepEqual(statuses(await socket.ended), [100, 404]);

  const head = await talk('HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n' + bye);
  assert.deepEqual(statuses(head), [200, 200]);
  const first = head.slice(0, head.indexOf('HTTP/1.1 200', 5));
  assert.match(first, /Content-Length: [1-9]/i);
  assert.ok(first.endsWith('\r\n\r\n'), 'no body');

  assert.deepEqual(statuses(await talk('GET http://portal.example/livez HTTP/1.1\r\nHost: portal.example\r\nConnection: close\r\n\r\n')), [200]);
  assert.deepEqual(statuses(await talk('GET /%6civez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')), [200]);
  assert.deepEqual(statuses(await talk('GET /v1/users/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')), [400]);
  const old = await talk('GET /livez HTTP/1.0\r\n\r\n');
  assert.deepEqual(statuses(old), [200]);
});

test('a client that closes its sending side still gets its answer', async () => {
  const socket = open();
  await once(socket, 'connect');
  socket.end(lookup());
  assert.deepEqual(statuses(await socket.ended), [404]);
});

const smuggling = {
  'both Content-Length and Transfer-Encoding': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'two Content-Lengths': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde',
  'the same Content-Length twice': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd',
  'a list of Content-Lengths': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4, 4\r\n\r\nabcd',
  'a signed Content-Length': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nabcd',
  'a hexadecimal Content-Length': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x4\r\n\r\nabcd',
  'an overflowing Content-Length': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551620\r\n\r\nabcd',
  'a Transfer-Encoding that is not chunked': 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n',
  'chunked not last': 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n',
  'two Transfer-Encodings': 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a space before the colon': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 4\r\n\r\nabcd',
  'a folded header': 'GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n',
  'a bare LF after a header': 'GET / HTTP/1.1\nHost: x\n\n',
  'an empty header ended by a lone CR': 'GET / HTTP/1.1\r\nHost: x\r\nX-A:\rTransfer-Encoding: chunked\r\n\r\n',
  'a lone CR in a value': 'GET / HTTP/1.1\r\nHost: x\r\nX-A: b\rc\r\n\r\n',
  'a lone CR where the blank line should be': 'GET / HTTP/1.1\r\nHost: x\r\n\rX: y\r\n\r\n',
  'a NUL in a value': 'GET / HTTP/1.1\r\nHost: x\r\nX-A: b\0c\r\n\r\n',
  'no Host': 'GET / HTTP/1.1\r\n\r\n',
  'two Hosts': 'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n',
  'a bad chunk size': 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  'a chunk size with a sign': 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n',
  'a chunk without CRLF': 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n',
  'another version': 'GET / HTTP/2.0\r\nHost: x\r\n\r\n',
  'no request at all': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
};
for (const [name, bytes] of Object.entries(smuggling)) {
  test(`refused with 400 and close: ${name}`, async () => {
    // What follows must not be taken for a request of its own.
    const text = await talk(bytes + bye);
    assert.deepEqual(statuses(text), [400]);
    const json = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4));
    assert.equal(json.code, 'ERR_INVALID_REQUEST');
    assert.match(json.correlation_id, /^[0-9a-f-]{36}$/);
  });
}

test('64 KiB of headers and of body, not more', async () => {
  const big = (n) => `GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Big: ${'a'.repeat(n)}\r\n\r\n`;
  assert.deepEqual(statuses(await talk(big(60_000))), [200]);
  assert.deepEqual(statuses(await talk(big(70_000))), [431]);
  const filled = (n) => `{"username":"nobody","x":"${'a'.repeat(n - 28)}"}`;
  assert.deepEqual(statuses(await talk(lookup('Connection: close\r\n', filled(65_536)))), [404]);
  const large = await talk(lookup('', filled(65_537)));
  assert.deepEqual(statuses(large), [413]);
  assert.match(large, /ERR_TOO_LARGE/);
  const chunk = `${'10000\r\n' + 'a'.repeat(65536)}\r\n1\r\na\r\n0\r\n\r\n`;
  assert.deepEqual(statuses(await talk(`POST /v1/authentication/lookup HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`)), [413]);
});

test('JSON: deep nesting, numbers beyond 2^53, invalid UTF-8, odd types', async () => {
  const post = (b) => portal.send('POST', '/v1/authentication/lookup', { body: Buffer.from(b, 'latin1') });
  assertError(await post(`{"username":${'['.repeat(1000)}${']'.repeat(1000)}}`), 400, 'ERR_INVALID_REQUEST');
  assertError(await post('{"username":9007199254740993}'), 400, 'ERR_INVALID_REQUEST', 'username must be a string');
  assertError(await post('{"username":"\xc3\x28abc"}'), 400, 'ERR_INVALID_REQUEST', 'Invalid request');
  assertError(await post('{"username":"abc\\u0000d"}'), 400, 'ERR_INVALID_REQUEST', 'username contains invalid characters');
  assertError(await post('{"username":"nobody"} trailing'), 400, 'ERR_INVALID_REQUEST', 'Invalid request');
  assertError(await post('{"username":"nobody","unknown":{"a":[1,2,3e400]}}'), 400, 'ERR_INVALID_REQUEST');
  assert.equal((await post('{"username":"nobody","unknown":{"a":[1,2,18446744073709551615]}}')).status, 404, 'unknown fields are ignored');
});

test('slow senders of headers and bodies are let go', async () => {
  const p = await startProcess(portal.stores, { HEADER_TIMEOUT: '1', BODY_TIMEOUT: '2' });
  const started = Date.now();
  const silent = open(p);
  const head = open(p);
  head.write('GET /livez HTTP/1.1\r\nHo');
  const slow = open(p);
  slow.write(lookup().slice(0, -5));
  await silent.ended;
  await head.ended;
  assert.ok(Date.now() - started < 4_000);
  await slow.ended;
  assert.ok(Date.now() - started >= 1_500, 'a body has longer than a head');
  assert.deepEqual(statuses(await slow.ended), [408]);
  await stopProcess(p);
});

test('5,000 half-open connections do not stop the others', async () => {
  const sockets = [];
  for (let i = 0; i < 5_000; i++) {
    const socket = net.connect(port(), '127.0.0.1');
    socket.on('error', () => {});
    sockets.push(socket);
    if (i % 250 === 249) await once(socket, 'connect');
    socket.write('GET /livez HTTP/1.1\r\nX:');
  }
  assert.equal((await portal.get('/livez')).status, 200);
  for (const s of sockets) s.destroy();
  assert.equal((await portal.get('/livez')).status, 200);
});

test('descriptors used up: those connected are served, newcomers closed, no spinning', async () => {
  // A process with few descriptors.
  const p = await startProcess(portal.stores, {}, { wrap: ['bash', '-c', 'ulimit -n 96; exec "$0"', PORTALD] });
  const kept = open(p);
  await once(kept, 'connect');
  kept.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(kept, 'data');
  const crowd = Array.from({ length: 200 }, () => open(p));
  await until(() => crowd.filter((s) => s.closed || s.destroyed).length > 80, 'newcomers to be closed');
  const ticks = async () => Number((await readFile(`/proc/${p.child.pid}/stat`, 'utf8')).split(') ')[1].split(' ')[11]);
  kept.text = '';
  kept.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(kept, 'data');
  assert.deepEqual(statuses(kept.text), [200]);
  const before_ = await ticks();
  await new Promise((done) => setTimeout(done, 1000));
  assert.ok((await ticks()) - before_ < 50, 'less than half a core');
  for (const s of crowd) s.destroy();
  kept.destroy();
  await until(() => served(p), 'new connections again');
  await stopProcess(p);
});

async function served(p) {
  const socket = open(p);
  socket.write(bye);
  return statuses(await socket.ended)[0] === 200;
}
