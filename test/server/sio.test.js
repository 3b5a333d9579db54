// Socket.IO version 5 on the protocol layer alone (test/conformance/sio-echo): the stock client,
// and raw packets for what it would never send.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { BINARY, CLOSE, closing, frame, Peer, startEcho, TEXT } from './ws_peer.js';

let echo;
before(async () => (echo = await startEcho('sio-echo')));
after(() => echo.stop());

const client = (nsp = '/', options = {}) => io(`http://127.0.0.1:${echo.port}${nsp}`, { forceNew: true, reconnection: false, ...options });
async function connected(nsp, options) {
  const socket = client(nsp, options);
  const [[auth]] = await Promise.all([once(socket, 'auth'), once(socket, 'connect')]);
  return { socket, auth };
}
const back = async (socket, ...args) => {
  const got = once(socket, 'message-back');
  socket.emit('message', ...args);
  return got;
};

// ---- raw packets ----

const upgrade =
  'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
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
async function raw() {
  const peer = new Peer(echo.port);
  await peer.send(upgrade);
  assert.match(await peer.head(), /^HTTP\/1\.1 101 /);
  assert.match((await peer.next()).data.toString(), /^0\{"sid":/);
  return peer;
}
async function enter(peer, nsp = '') {
  await peer.send(frame(TEXT, `40${nsp}`));
  const f = await frameOf(peer);
  assert.match(f.data.toString(), /^40(\/custom,)?\{"sid":"[A-Za-z0-9_-]{20}"\}$/);
  await expect(peer, TEXT, `42${nsp && nsp + ','}["auth",{}]`);
}
async function closed(peer, code) {
  const f = await frameOf(peer);
  assert.equal(f?.op, CLOSE, `not closed: ${f?.data.subarray(0, 80)}`);
  assert.equal(f.data.length >= 2 ? f.data.readUInt16BE() : undefined, code);
  await peer.send(closing(code));
  await peer.expectEnd();
}

// ---- the stock client ----

for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']])
  test(`the stock client over ${transports.join(' and ')}`, async () => {
    const { socket, auth } = await connected('/', { transports, upgrade: transports.length > 1, auth: { session: 'abc', n: [1, { k: null }] } });
    assert.deepEqual(auth, { session: 'abc', n: [1, { k: null }] });
    const args = [1, -1.5e300, 'ünïcödé "🎈" \\ \x1f', [true, null], { a: { b: [] } }];
    assert.deepEqual(await back(socket, ...args), args);
    assert.deepEqual(await back(socket), []);
    const large = 'x'.repeat(500000);
    assert.ok((await back(socket, large))[0] === large);
    assert.deepEqual(await new Promise((done) => socket.emit('message-with-ack', ...args, (...got) => done(got))), args);
    assert.deepEqual(await socket.timeout(2000).emitWithAck('message-with-ack', 'x'), 'x');
    socket.disconnect();
  });

for (const transports of [['polling'], ['websocket']])
  test(`binary attachments over ${transports}`, async () => {
    const { socket } = await connected('/custom', { transports });
    const args = [Buffer.from([1, 2, 3]), { deep: [Buffer.from('abc'), 'text', Buffer.alloc(0)] }, Buffer.alloc(200000, 7)];
    const same = (got) => {
      assert.ok(args[0].equals(got[0]) && args[1].deep[0].equals(got[1].deep[0]) && args[2].equals(got[2]));
      assert.equal(got[1].deep[1], 'text');
      assert.equal(got[1].deep[2].length, 0);
    };
    same(await back(socket, ...args));
    same(await new Promise((done) => socket.emit('message-with-ack', ...args, (...got) => done(got))));
    socket.disconnect();
  });

test('1,000 events come back once and in order, through the upgrade', async () => {
  const socket = client();
  const got = [];
  const all = new Promise((done) => socket.on('message-back', (n) => got.push(n) === 1000 && done()));
  for (let n = 0; n < 1000; n++) socket.emit('message', n);
  await all;
  assert.deepEqual(got, Array.from({ length: 1000 }, (_, n) => n));
  socket.disconnect();
});

test('two namespaces on one connection are apart', async () => {
  const { socket } = await connected('/', { forceNew: false, multiplex: true });
  const custom = socket.io.socket('/custom', { auth: { who: 'second' } });
  const [auth] = await once(custom, 'auth');
  assert.deepEqual(auth, { who: 'second' });
  assert.notEqual(socket.id, custom.id);
  assert.deepEqual(await back(custom, 'c'), ['c']);
  custom.disconnect();
  assert.deepEqual(await back(socket, 'main'), ['main']);
  custom.connect();
  await once(custom, 'auth');
  assert.deepEqual(await back(custom, 'again'), ['again']);
  socket.io._close();
});

test('an unknown namespace is a CONNECT_ERROR, and the connection lives', async () => {
  const { socket } = await connected('/');
  const other = socket.io.socket('/random');
  const [error] = await once(other, 'connect_error');
  assert.equal(error.message, 'Invalid namespace');
  assert.deepEqual(await back(socket, 1), [1]);
  socket.io._close();
});

test('a client that is cut off comes back by itself', async () => {
  const { socket } = await connected('/', { transports: ['websocket'], reconnection: true, reconnectionDelay: 10 });
  const first = socket.id;
  socket.io.engine.transport.ws._socket?.destroy() ?? socket.io.engine.transport.ws.close();
  await once(socket, 'connect');
  assert.notEqual(socket.id, first);
  assert.deepEqual(await back(socket, 'back'), ['back']);
  socket.disconnect();
});

// ---- packets that are none ----

test('a client that breaks the protocol is closed', async () => {
  const cases = ['abc', '7', '', '-', '2', '2[]', '2{}', '2"x"', '2[1]', '2["x"', '2["x",{"a":1,"a":2}]', '2abc["x"]', '2["disconnect"]',
    '2["connect"]', '299999999999999999999["x"]', '2["m",' + '['.repeat(100) + ']'.repeat(100) + ']', '3', '3[]', '4{"message":"x"}', '40',
    '1{}', '0', '0{}', '2/custom,["x"]', '3/custom,1[]', '5["x"]', '50-["x"]', '511-["x"]', '51-["x",{"_placeholder":true,"num":1}]'];
  for (const packet of cases) {
    const peer = await raw();
    await enter(peer);
    await peer.send(frame(TEXT, `4${packet}`));
    await closed(peer, 1002);
  }
});

test('events before CONNECT are not served', async () => {
  for (const packet of ['2["message",1]', '3/custom,1[]', '51-["message"]']) {
    const peer = await raw();
    await peer.send(frame(TEXT, `4${packet}`));
    if (packet[0] === '5') await peer.send(frame(BINARY, 'x'));
    await closed(peer, 1002);
  }
});

test('attachments are neither missing nor too many', async () => {
  const unannounced = await raw();
  await enter(unannounced);
  await unannounced.send(frame(BINARY, 'x'));
  await closed(unannounced, 1002);
  const interrupted = await raw();
  await enter(interrupted);
  await interrupted.send(frame(TEXT, '451-["message",{"_placeholder":true,"num":0}]'), frame(TEXT, '42["message",1]'));
  await closed(interrupted, 1002);
  const heavy = await raw();
  await enter(heavy);
  await heavy.send(frame(TEXT, '455-["message"]'));
  for (let i = 0; i < 5; i++) heavy.socket.write(frame(BINARY, Buffer.alloc(1000000)));
  await closed(heavy, 1002);
});

test('acks and disconnects of nobody do no harm', async () => {
  const peer = await raw();
  await enter(peer);
  await peer.send(frame(TEXT, '43999["?"]'), frame(TEXT, '41/custom,'), frame(TEXT, '461-7[{"_placeholder":true,"num":0}]'), frame(BINARY, 'x'));
  await peer.send(frame(TEXT, '42["message","on"]'), frame(TEXT, '42["unknown"]'), frame(TEXT, '4212["unknown"]'), frame(TEXT, '421["message-with-ack"]'));
  await expect(peer, TEXT, '42["message-back","on"]');
  await expect(peer, TEXT, '431[]');
  await peer.send(frame(TEXT, '41'));
  await enter(peer);
  await enter(peer, '/custom');
  peer.socket.destroy();
});

test('raw slices come back byte for byte', async () => {
  const peer = await raw();
  await enter(peer);
  await peer.send(frame(TEXT, '42["message" , { "a" : [ 1.0e+2 , "\\u00e9,]" ] } ,null ]'));
  await expect(peer, TEXT, '42["message-back",{ "a" : [ 1.0e+2 , "\\u00e9,]" ] },null]');
  peer.socket.destroy();
});
