// Engine.IO version 4 on the protocol layer alone (test/conformance/eio-echo): the stock client,
// and raw requests for what it would never send. Among them what the reference server's published
// advisories were about: frames with reserved bits, resets in mid-handshake, binary POST bodies,
// odd transports, over-long session ids.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { Socket } from 'engine.io-client';
import { BINARY, CLOSE, closing, fragments, frame, Peer, TEXT, startEcho } from './ws_peer.js';

const RS = '\x1e';
let echo, url;
before(async () => {
  echo = await startEcho('eio-echo');
  url = `http://127.0.0.1:${echo.port}/engine.io/`;
});
after(() => echo.stop());

const ask = async (query, options) => {
  const r = await fetch(`${url}?${query}`, options);
  return { status: r.status, headers: r.headers, text: await r.text() };
};
const post = (sid, body, options = {}) => ask(`EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body, ...options });
const poll = (sid) => ask(`EIO=4&transport=polling&sid=${sid}`);
async function session() {
  const r = await ask('EIO=4&transport=polling');
  assert.equal(r.status, 200);
  return JSON.parse(r.text.slice(1)).sid;
}
const refused = (r, code, message, status = 400) => {
  assert.equal(r.status, status, r.text);
  assert.deepEqual(JSON.parse(r.text), { code, message });
};
const gone = async (sid) => refused(await poll(sid), 1, 'Session ID unknown');
// What a poll brings, pings apart.
async function fetched(sid) {
  for (;;) {
    const r = await poll(sid);
    assert.equal(r.status, 200, r.text);
    const rest = r.text.split(RS).filter((p) => p !== '2');
    if (rest.length < r.text.split(RS).length) await post(sid, '3');
    if (rest.length > 0) return rest.join(RS);
  }
}

const upgrade = (query, { key = 'dGhlIHNhbXBsZSBub25jZQ==', version = 13 } = {}) =>
  `GET /engine.io/?${query} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  `Sec-WebSocket-Version: ${version}\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
// A raw WebSocket; `status` of the answer to its handshake.
async function raw(query, status = 101, options) {
  const peer = new Peer(echo.port);
  await peer.send(upgrade(query, options));
  const head = await peer.head();
  assert.equal(Number(head.split(' ')[1]), status, head);
  return peer;
}
async function rawSession() {
  const peer = await raw('EIO=4&transport=websocket');
  const { op, data } = await peer.next();
  assert.equal(op, TEXT);
  peer.sid = JSON.parse(data.toString().slice(1)).sid;
  return peer;
}
// The next frame but pings, which it answers.
async function frameOf(peer) {
  for (;;) {
    const f = await peer.next();
    if (f?.op !== TEXT || f.data.toString() !== '2') return f;
    await peer.send(frame(TEXT, '3'));
  }
}
async function expect(peer, op, payload) {
  const f = await frameOf(peer);
  assert.deepEqual([f?.op, f?.data.toString('latin1')], [op, Buffer.from(payload).toString('latin1')]);
}
async function closed(peer, code) {
  const f = await frameOf(peer);
  assert.equal(f?.op, CLOSE, 'ended without a close frame');
  assert.equal(f.data.length >= 2 ? f.data.readUInt16BE() : undefined, code);
  await peer.send(closing(code));
  await peer.expectEnd();
}
async function alive() {
  const sid = await session();
  assert.equal((await post(sid, '4alive')).text, 'ok');
  assert.equal(await fetched(sid), '4alive');
}

// ---- the stock client ----

const open = async (transports, more = {}) => {
  const client = new Socket(`http://127.0.0.1:${echo.port}`, { transports, ...more });
  await once(client, 'open');
  return client;
};
async function echoes(client, messages) {
  const got = [];
  const all = new Promise((done) => client.on('message', (m) => got.push(m) === messages.length && done()));
  for (const m of messages) client.send(m);
  await all;
  for (const [i, m] of messages.entries()) assert.ok(Buffer.from(got[i]).equals(Buffer.from(m)), `message ${i}: ${String(got[i]).slice(0, 50)}`);
}

for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']])
  test(`the stock client over ${transports.join(' and ')}`, async () => {
    const client = await open(transports, { upgrade: transports.length > 1 });
    client.binaryType = 'nodebuffer';
    if (transports.length > 1) await once(client, 'upgrade');
    await echoes(client, ['hello', 'ünïcödé 🎈', Buffer.from([0, 1, 254, 255]), 'x'.repeat(300000), 'last']);
    const end = once(client, 'close');
    client.close();
    await end;
  });

test('messages that are sent while the transport changes come once and in order', async () => {
  for (let i = 0; i < 10; i++) {
    const client = new Socket(`http://127.0.0.1:${echo.port}`, { transports: ['polling', 'websocket'] });
    const want = Array.from({ length: 200 }, (_, k) => `message ${k}`), got = [];
    const all = new Promise((done) => client.on('message', (m) => got.push(m) === want.length && done()));
    let k = 0;
    const pump = setInterval(() => {
      for (let n = 0; n < 10 && k < want.length; n++) client.send(want[k++]);
      if (k === want.length) clearInterval(pump);
    }, 1);
    await all;
    assert.deepEqual(got, want);
    assert.equal(client.transport.name, 'websocket');
    client.close();
  }
});

test('the stock client stays through heartbeats', async () => {
  const clients = await Promise.all([open(['polling'], { upgrade: false }), open(['websocket'])]);
  for (const client of clients) for (let i = 0; i < 4; i++) await once(client, 'ping');
  for (const client of clients) await echoes(client, ['still here']);
  for (const client of clients) client.close();
});

// ---- handshakes ----

test('the handshake has five members and is not kept by caches', async () => {
  const r = await ask('EIO=4&transport=polling&t=abc&b64=1');
  const { sid, ...rest } = JSON.parse(r.text.slice(1));
  assert.match(sid, /^[A-Za-z0-9_-]{20,}$/);
  assert.deepEqual(rest, { upgrades: ['websocket'], pingInterval: 300, pingTimeout: 200, maxPayload: 1000000 });
  assert.equal(r.headers.get('content-type'), 'text/plain; charset=UTF-8');
  assert.equal(r.headers.get('cache-control'), 'no-store');
  assert.notEqual(await session(), await session());
});

test('handshakes that cannot be are refused with the numbers of the reference server', async () => {
  for (const transport of ['', 'abc', 'webtransport', '__proto__', 'constructor', 'polling%00', 'websocket,polling', 'Polling'])
    refused(await ask(`EIO=4&transport=${transport}`), 0, 'Transport unknown');
  refused(await ask(''), 0, 'Transport unknown');
  for (const version of ['EIO=3', 'EIO=5', 'EIO=abc', 'EIO=', 'EIO=04', 'x=4'])
    refused(await ask(`${version}&transport=polling`), 5, 'Unsupported protocol version');
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
    refused(await ask('EIO=4&transport=polling', { method }), 2, 'Bad handshake method');
  refused(await ask('EIO=4&transport=websocket'), 3, 'Bad request');
});

test('WebSocket handshakes that cannot be are refused', async () => {
  await raw('EIO=3&transport=websocket', 400);
  await raw('transport=websocket', 400);
  await raw('EIO=4&transport=abc', 400);
  await raw('EIO=4&transport=__proto__', 400);
  await raw('EIO=4&transport=websocket', 400, { key: 'short' });
  await raw('EIO=4&transport=websocket', 426, { version: 8 });
  await raw('EIO=4&transport=websocket&sid=unknown', 400);
});

test('an unknown session id of any length and form is refused', async () => {
  const sid = await session();
  const other = (sid[0] === 'A' ? 'B' : 'A') + sid.slice(1);
  const last = sid.slice(0, 11) + (sid[11] === 'A' ? 'B' : 'A') + sid.slice(12);
  for (const bad of ['a', other, last, sid + 'A', sid.slice(1), sid.toLowerCase() + '!', '__proto__', 'A'.repeat(22), 'A'.repeat(20000), '%00', '%ff%fe'])
    refused(await poll(bad), 1, 'Session ID unknown');
  await alive();
});

test('a session keeps its version and its transport', async () => {
  const sid = await session();
  refused(await ask(`EIO=3&transport=polling&sid=${sid}`), 3, 'Bad request');
  refused(await ask(`transport=polling&sid=${sid}`), 3, 'Bad request');
  refused(await ask(`EIO=4&transport=websocket&sid=${sid}`), 3, 'Bad request');
  refused(await ask(`EIO=4&transport=polling&sid=${sid}`, { method: 'PUT', body: '4x' }), 3, 'Bad request');
  const peer = await rawSession();
  refused(await poll(peer.sid), 3, 'Bad request');
  refused(await post(peer.sid, '4x'), 3, 'Bad request');
  await peer.send(frame(TEXT, '4still there'));
  await expect(peer, TEXT, '4still there');
  const second = await raw(`EIO=4&transport=websocket&sid=${peer.sid}`);
  await closed(second, 1008);
  await peer.send(frame(TEXT, '1'));
  await closed(peer, 1000);
});

// ---- long-polling ----

test('a payload that is none ends the session', async () => {
  for (const body of ['abc', '7', '', RS, `4a${RS}`, `4a${RS}${RS}4b`, 'b!', 'bAAA', '2', Buffer.from([0x34, 0xff, 0xfe]), Buffer.from([0x34, 0xc0, 0x80])]) {
    const sid = await session();
    const r = await post(sid, body);
    if (body !== '2') refused(r, 3, 'Bad request');
    await gone(sid);
  }
});

test('a binary body ends the session', async () => {
  const sid = await session();
  refused(await post(sid, Buffer.from([4, 0, 255]), { headers: { 'Content-Type': 'application/octet-stream' } }), 3, 'Bad request');
  await gone(sid);
  await alive();
});

test('bodies up to maxPayload, and no larger', async () => {
  const sid = await session();
  const body = '4' + 'x'.repeat(999999);
  assert.equal((await post(sid, body)).text, 'ok');
  assert.equal(await fetched(sid), body);
  assert.equal((await post(sid, body + 'x')).status, 413);
  await alive();
});

test('a second poll ends the session, and both are answered', async () => {
  const sid = await session();
  const [one, two] = await Promise.all([poll(sid), poll(sid)]);
  assert.deepEqual([one.status, two.status].sort(), [200, 400]);
  assert.equal(one.status === 200 ? one.text : two.text, '1');
  await gone(sid);
});

test('a poll whose client leaves ends the session', async () => {
  for (const how of ['end', 'destroy', 'resetAndDestroy']) {
    const sid = await session();
    const socket = net.connect(echo.port, '127.0.0.1');
    socket.on('error', () => {});
    const get = () => new Promise((done) => socket.write(`GET /engine.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: x\r\n\r\n`, done));
    await post(sid, '4first');
    await Promise.all([once(socket, 'data'), get()]); // the server knows this connection
    await get();
    await post(sid, '6'); // so it has read this poll before that
    socket[how]();
    assert.equal((await poll(sid)).status, 400); // unknown, or a second poll
    await gone(sid);
  }
  await alive();
});

test('a client that closes gets a noop for its poll', async () => {
  const sid = await session();
  const waiting = poll(sid);
  await post(sid, '6');
  assert.equal((await post(sid, `1${RS}4never`)).text, 'ok');
  assert.equal((await waiting).text, '6');
  await gone(sid);
});

// ---- WebSocket ----

test('a packet that is none ends the session with 1002', async () => {
  for (const packet of ['abc', '', '7', '2', 'b!']) {
    const peer = await rawSession();
    await peer.send(frame(TEXT, packet));
    await closed(peer, 1002);
    await gone(peer.sid);
  }
});

test('frames that break RFC 6455 end the session with the right code', async () => {
  for (const [code, bytes] of [
    [1002, frame(TEXT, '4x', { rsv: 4 })],
    [1002, frame(TEXT, '4x', { rsv: 2 })],
    [1002, frame(TEXT, '4x', { rsv: 7 })],
    [1002, frame(TEXT, '4x', { mask: null })],
    [1002, frame(3, '4x')],
    [1007, frame(TEXT, Buffer.from([0x34, 0xff]))],
    [1009, frame(BINARY, '', { claim: 1000001 })],
  ]) {
    const peer = await rawSession();
    await peer.send(bytes);
    await closed(peer, code);
    await gone(peer.sid);
  }
  await alive();
});

test('messages in fragments, and many in one piece', async () => {
  const peer = await rawSession();
  await peer.send(...fragments(TEXT, '4in three frames', 3, 8));
  await expect(peer, TEXT, '4in three frames');
  await peer.send(Buffer.concat([frame(TEXT, '4a'), frame(BINARY, 'b'), frame(TEXT, 'bYw=='), frame(TEXT, '6'), frame(TEXT, '4d')]));
  await expect(peer, TEXT, '4a');
  await expect(peer, BINARY, 'b');
  await expect(peer, BINARY, 'c');
  await expect(peer, TEXT, '4d');
  await peer.send(frame(TEXT, '1'), frame(TEXT, '4never'));
  await closed(peer, 1000);
});

test('resets in the middle of handshakes harm nobody', async () => {
  const text = upgrade('EIO=4&transport=websocket');
  for (const part of [1, 20, text.length - 2, text.length]) {
    const socket = net.connect(echo.port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    await new Promise((done) => socket.write(text.slice(0, part), done));
    socket.resetAndDestroy();
  }
  const sid = await session();
  const peer = await raw(`EIO=4&transport=websocket&sid=${sid}`);
  await peer.send(frame(TEXT, '2probe'));
  await expect(peer, TEXT, '3probe');
  peer.socket.resetAndDestroy();
  assert.equal((await post(sid, '4on')).text, 'ok');
  assert.equal(await fetched(sid).then((t) => t.replace(`6${RS}`, '')), '4on');
  await alive();
});

// ---- upgrades ----

async function probed(sid) {
  const peer = await raw(`EIO=4&transport=websocket&sid=${sid}`);
  await peer.send(frame(TEXT, '2probe'));
  await expect(peer, TEXT, '3probe');
  return peer;
}

test('an upgrade ends the poll with a noop and moves what waits', async () => {
  const sid = await session();
  const waiting = poll(sid);
  await post(sid, '6');
  const peer = await probed(sid);
  assert.equal((await waiting).text, '6');
  assert.equal((await post(sid, `4one${RS}bAQID${RS}4two`)).text, 'ok');
  await peer.send(frame(TEXT, '5'));
  await expect(peer, TEXT, '4one');
  await expect(peer, BINARY, Buffer.from([1, 2, 3]));
  await expect(peer, TEXT, '4two');
  refused(await poll(sid), 3, 'Bad request');
  await closed(await raw(`EIO=4&transport=websocket&sid=${sid}`), 1008);
  await peer.send(frame(TEXT, '4on'));
  await expect(peer, TEXT, '4on');
  await peer.send(frame(TEXT, '1'));
  await closed(peer, 1000);
});

test('two upgrades at once: the second is closed, the first goes on', async () => {
  const sid = await session();
  const peer = await probed(sid);
  await closed(await raw(`EIO=4&transport=websocket&sid=${sid}`), 1008);
  await peer.send(frame(TEXT, '5'), frame(TEXT, '4on'));
  await expect(peer, TEXT, '4on');
  await peer.send(frame(TEXT, '1'));
  await closed(peer, 1000);
});

test('a probe that is none is closed, and polling goes on', async () => {
  for (const first of ['5', '4hello', '2', '2probe2', '3probe', 'abc']) {
    const sid = await session();
    const peer = await raw(`EIO=4&transport=websocket&sid=${sid}`);
    await peer.send(frame(TEXT, first));
    await closed(peer, 1000);
    assert.equal((await post(sid, '4on')).text, 'ok');
    assert.equal(await fetched(sid), '4on');
    const again = await probed(sid);
    await again.send(frame(TEXT, '5'), frame(TEXT, '4changed'));
    await expect(again, TEXT, '4changed');
    again.socket.destroy();
  }
});

test('a session that ends takes its probe along', async () => {
  const sid = await session();
  const peer = await probed(sid);
  await post(sid, '1');
  await closed(peer, 1000);
  await gone(sid);
});

// ---- heartbeats ----

test('without a pong the session ends in time, also when it talks', async () => {
  const peer = await rawSession();
  const started = Date.now();
  const talk = setInterval(() => peer.socket.write(frame(TEXT, '4x')), 50);
  while (await peer.next());
  clearInterval(talk);
  assert.ok(Date.now() - started >= 490 && Date.now() - started < 1500, `${Date.now() - started} ms`);
  await gone(peer.sid);
});

test('pongs that nobody asked for do not put off the ping', async () => {
  const peer = await rawSession();
  const talk = setInterval(() => peer.socket.write(frame(TEXT, '3')), 20);
  const started = Date.now();
  await peer.expect(TEXT, '2');
  clearInterval(talk);
  assert.ok(Date.now() - started < 1000);
  peer.socket.destroy();
});

test('other paths are not Engine.IO', async () => {
  assert.equal((await fetch(`http://127.0.0.1:${echo.port}/engine.io`)).status, 404);
});
