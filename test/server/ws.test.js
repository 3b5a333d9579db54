// RFC 6455 on the protocol layer alone (test/conformance/ws-echo). The families are those of the
// Autobahn suite, all but compression, and every case that depends on how bytes are cut is cut
// everywhere.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { acceptOf, BINARY, CLOSE, closing, fragments, frame, handshake, MORE, Peer, PING, PONG, startEcho, TEXT } from './ws_peer.js';

let echo;
before(async () => (echo = await startEcho('ws-echo')));
after(() => echo.stop());

const open = () => Peer.open(echo.port);
const MIB = 1024 * 1024;
const letters = (n) => Buffer.alloc(n, 'abcdefghijklmnopqrstuvwxyz');
const noise = (n) => Buffer.from(Array.from({ length: Math.min(n, 4096) }, (_, i) => (i * 167 + 13) & 255));
const bytes = (n) => Buffer.alloc(n, n > 0 ? noise(n) : 0);

// All of it at once, byte by byte, and in two pieces at each byte; `check` tells what must come.
async function everyCut(stream, check) {
  const whole = await open();
  await whole.send(stream);
  await check(whole);
  const single = await open();
  single.chop(stream, 1);
  await check(single);
  for (let i = 1; i < stream.length; i++) {
    const peer = await open();
    await peer.send(stream.subarray(0, i), stream.subarray(i));
    await check(peer);
  }
}

async function refused(code, ...frames) {
  const peer = await open();
  await peer.send(frame(TEXT, 'before'), Buffer.concat(frames), frame(PING, 'after'));
  await peer.expect(TEXT, 'before');
  await peer.expectClose(code);
}

// ---- 1: framing ----

test('1: text and binary of every length at a border come back', async () => {
  const peer = await open();
  for (const n of [0, 1, 125, 126, 127, 128, 4095, 4096, 65535, 65536, 65537, 200000]) {
    await peer.send(frame(TEXT, letters(n)));
    await peer.expect(TEXT, letters(n));
    await peer.send(frame(BINARY, bytes(n)));
    await peer.expect(BINARY, bytes(n));
  }
  await peer.finish();
});

test('1: lengths at a border in chops', async () => {
  const peer = await open();
  for (const n of [0, 1, 125, 126, 127, 128, 65535, 65536]) {
    for (const chop of n > 1000 ? [997] : [1, 2, 3, 7]) {
      await peer.chop(frame(TEXT, letters(n)), chop);
      await peer.expect(TEXT, letters(n));
      await peer.chop(frame(BINARY, bytes(n)), chop);
      await peer.expect(BINARY, bytes(n));
    }
  }
  await peer.finish();
});

test('1: a length in a longer form than it needs is refused', async () => {
  for (const n of [0, 1, 125]) await refused(1002, frame(TEXT, letters(n), { form: 16 }));
  for (const n of [0, 125, 126, 65535]) await refused(1002, frame(BINARY, letters(n), { form: 64 }));
  await refused(1002, frame(BINARY, 'some bytes', { form: 64, claim: 1n << 63n }));
});

test('1: a frame that is not masked is refused', async () => {
  for (const op of [TEXT, BINARY, PING, PONG, CLOSE]) await refused(1002, frame(op, op === CLOSE ? '' : 'x', { mask: null }));
  await refused(1002, frame(TEXT, '', { mask: null }));
  await refused(1002, frame(TEXT, letters(70000), { mask: null }));
  const peer = await open();
  await peer.send(frame(TEXT, 'masked with nothing', { mask: Buffer.alloc(4) }));
  await peer.expect(TEXT, 'masked with nothing');
  await peer.finish();
});

test('a stream cut at every byte', async () => {
  const stream = Buffer.concat([
    frame(TEXT, 'κόσμε'), frame(PING, 'p1'), ...fragments(BINARY, 'in three parts', 3, 8), frame(PONG, 'unasked'),
    frame(TEXT, letters(126)), frame(TEXT, ''), closing(3001, 'bye')]);
  await everyCut(stream, async (peer) => {
    await peer.expect(TEXT, 'κόσμε');
    await peer.expect(PONG, 'p1');
    await peer.expect(BINARY, 'in three parts');
    await peer.expect(TEXT, letters(126));
    await peer.expect(TEXT, '');
    await peer.expectClose(3001);
  });
});

// ---- 2: pings and pongs ----

test('2: pings are answered with their payload, in order; pongs are not answered', async () => {
  const peer = await open();
  for (const payload of ['', 'Hello, world!', Buffer.from([0, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0, 0xff]), bytes(125)]) {
    await peer.send(frame(PING, payload));
    await peer.expect(PONG, payload);
    await peer.chop(frame(PING, payload), 1);
    await peer.expect(PONG, payload);
  }
  await peer.send(frame(PONG), frame(PONG, 'unsolicited'), frame(PING, 'a'));
  await peer.expect(PONG, 'a');
  const ten = Array.from({ length: 10 }, (_, i) => `payload-${i}`);
  await peer.send(Buffer.concat(ten.map((p) => frame(PING, p))));
  for (const p of ten) await peer.expect(PONG, p);
  await peer.chop(Buffer.concat(ten.map((p) => frame(PING, p))), 1);
  for (const p of ten) await peer.expect(PONG, p);
  await peer.finish();
});

test('2: a ping of 126 bytes is refused', async () => {
  await refused(1002, frame(PING, bytes(126)));
  await refused(1002, frame(PONG, bytes(126)));
  await refused(1002, frame(CLOSE, bytes(126)));
  await refused(1002, frame(PING, bytes(70000)));
});

// ---- 3: reserved bits; 4: reserved opcodes ----

test('3: reserved bits are refused, wherever they stand', async () => {
  for (let rsv = 1; rsv < 8; rsv++) {
    await refused(1002, frame(TEXT, 'Hello', { rsv }));
    await refused(1002, frame(BINARY, '', { rsv }));
    await refused(1002, frame(PING, 'Hello', { rsv }));
    await refused(1002, frame(CLOSE, '', { rsv }));
    await refused(1002, frame(TEXT, 'a', { fin: 0 }), frame(MORE, 'b', { rsv }));
    const peer = await open();
    await peer.send(frame(TEXT, 'Hello'), frame(TEXT, 'world', { rsv }), frame(PING));
    await peer.expect(TEXT, 'Hello');
    await peer.expectClose(1002);
  }
  await everyCut(Buffer.concat([frame(TEXT, 'Hello'), frame(TEXT, 'world', { rsv: 4 }), frame(PING)]), async (peer) => {
    await peer.expect(TEXT, 'Hello');
    await peer.expectClose(1002);
  });
});

test('4: reserved opcodes are refused, wherever they stand', async () => {
  for (const op of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    await refused(1002, frame(op));
    await refused(1002, frame(op, 'payload'));
    await refused(1002, frame(TEXT, 'a', { fin: 0 }), frame(op, 'x'));
  }
  await everyCut(Buffer.concat([frame(TEXT, 'Hello'), frame(5, 'x'), frame(PING)]), async (peer) => {
    await peer.expect(TEXT, 'Hello');
    await peer.expectClose(1002);
  });
});

// ---- 5: fragmentation ----

test('5: control frames in fragments are refused', async () => {
  for (const op of [PING, PONG, CLOSE]) {
    await refused(1002, ...fragments(op, 'fragments', 4));
    await refused(1002, frame(op, '', { fin: 0 }));
  }
});

test('5: a message in fragments, with pings between them', async () => {
  const text = 'fragment1fragment2κόσμε';
  const n = Buffer.byteLength(text);
  for (const op of [TEXT, BINARY]) {
    const peer = await open();
    for (let at = 0; at <= n; at++) {
      const [a, b] = fragments(op, text, at);
      await peer.send(Buffer.concat([a, b]));
      await peer.expect(op, text);
      await peer.send(a, frame(PING, `ping ${at}`));
      await peer.expect(PONG, `ping ${at}`);
      await peer.send(frame(PONG, 'x'), b);
      await peer.expect(op, text);
    }
    await peer.send(...fragments(op, text, ...Array.from({ length: n - 1 }, (_, i) => i + 1)));
    await peer.expect(op, text);
    await peer.send(...fragments(op, text, 9, 9, 9, 18), ...fragments(op, '', 0, 0));
    await peer.expect(op, text);
    await peer.expect(op, '');
    await peer.finish();
  }
});

test('5: five fragments, pings among them, cut at every byte', async () => {
  const f = fragments(TEXT, 'fragment1fragment2fragment3fragment4fragment5', 9, 18, 27, 36);
  await everyCut(Buffer.concat([f[0], f[1], frame(PING, 'one'), f[2], f[3], frame(PING, 'two'), f[4], closing(1000)]), async (peer) => {
    await peer.expect(PONG, 'one');
    await peer.expect(PONG, 'two');
    await peer.expect(TEXT, 'fragment1fragment2fragment3fragment4fragment5');
    await peer.expectClose(1000);
  });
});

test('5: a continuation of nothing, and a message inside another, are refused', async () => {
  for (const fin of [0, 1]) {
    await refused(1002, frame(MORE, 'non-continuation payload', { fin }), frame(TEXT, 'Hello'));
    await refused(1002, frame(MORE, '', { fin }));
    for (const op of [TEXT, BINARY]) await refused(1002, frame(TEXT, 'fragment1', { fin: 0 }), frame(op, 'fragment2', { fin }));
  }
  const peer = await open();
  await peer.send(Buffer.concat([...fragments(TEXT, 'fragment1fragment2', 9), frame(MORE, 'fragment3', { fin: 0 }), frame(TEXT, 'x')]));
  await peer.expect(TEXT, 'fragment1fragment2');
  await peer.expectClose(1002);
});

// ---- 6: UTF-8 ----

const hex = (s) => Buffer.from(s.replace(/ /g, ''), 'hex');
const valid = [
  '', '48656c6c6f2dc2b540c39fc3b6c3a4c3bcc3a0c3a12d5554462d382121', 'cebae1bdb9cf83cebcceb5', '00', 'c280', 'e0a080', 'f0908080', '7f', 'dfbf', 'efbfbf', 'f48fbfbf',
  'ed9fbf', 'ee8080', 'efbfbd', 'efbfbe', 'f09fbfbe', 'f09fbfbf', 'f0afbfbf', 'f3bfbfbf', 'e0a0bf', 'f09080bf', 'f1808080', 'e18080', 'ecbfbf',
];
const invalid = [
  'cebae1bdb9cf83cebcceb5eda080656469746564', // 6.3
  'f8888080 80', 'fc8480808080', 'f7bfbfbf', 'fbbfbfbfbf', 'fdbfbfbfbfbf', 'f4908080', // too long, too high
  '80', 'bf', '80bf', '80bf80bf80bf80', // tails alone
  'c020', 'c3', 'c328', 'e0', 'e0a0', 'e28228', 'e2 82', 'f0', 'f09f98', 'f09f9828', 'f8', 'fc', // leads alone, cut short
  'fe', 'ff', 'fefeffff', 'c0af', 'e080af', 'f08080af', 'f8808080af', 'fc80808080af', 'c1bf', 'e09fbf', 'f08fbfbf', 'c080', 'e08080', 'f0808080', // overlong
  'eda080', 'edadbf', 'edae80', 'edafbf', 'edb080', 'edbe80', 'edbfbf', 'eda080edb080', 'edafbfedbfbf', // surrogates
  'cebae1bdb9cf83cebcceb5f4908080656469746564',
];

test('6: valid UTF-8, whole, in fragments split at every byte, and byte by byte', async () => {
  const peer = await open();
  for (const s of valid) {
    const text = hex(s);
    await peer.send(frame(TEXT, text));
    await peer.expect(TEXT, text);
    for (let at = 0; at <= text.length; at++) {
      await peer.send(Buffer.concat(fragments(TEXT, text, at)));
      await peer.expect(TEXT, text);
    }
    await peer.send(Buffer.concat(fragments(TEXT, text, ...Array.from({ length: text.length }, (_, i) => i))));
    await peer.expect(TEXT, text);
    await peer.chop(frame(TEXT, text), 1);
    await peer.expect(TEXT, text);
  }
  await peer.finish();
});

test('6: invalid UTF-8 is refused with 1007, whole, in fragments split at every byte, and byte by byte', async () => {
  for (const s of invalid) {
    const text = hex(s);
    await refused(1007, frame(TEXT, text));
    await refused(1007, frame(TEXT, Buffer.concat([letters(40), text])));
    for (let at = 0; at <= text.length; at++) await refused(1007, ...fragments(TEXT, text, at));
    const peer = await open();
    peer.chop(frame(TEXT, text), 1);
    await peer.expectClose(1007);
  }
});

test('6: binary is not looked at', async () => {
  const peer = await open();
  for (const s of invalid) {
    await peer.send(...fragments(BINARY, hex(s), 1));
    await peer.expect(BINARY, hex(s));
  }
  await peer.finish();
});

test('6: fails fast: at the first byte that cannot be right, before the rest was sent', async () => {
  const good = hex('cebae1bdb9cf83cebcceb5');
  for (const [first, wrong] of [['f490', '80'], ['', 'f490'], ['', '80'], ['', 'c0'], ['ce', '20'], ['', 'eda0'], ['', 'ff'], ['', 'f8']]) {
    // In fragments, of which the last is never sent.
    let peer = await open();
    const ok = Buffer.concat([good, hex(first === 'f490' ? '' : first)]);
    const bad = hex(first === 'f490' ? 'f49080' : wrong);
    await peer.send(frame(TEXT, ok, { fin: 0 }), frame(PING, 'still well'));
    await peer.expect(PONG, 'still well');
    await peer.send(frame(MORE, bad, { fin: 0 }));
    await peer.expectClose(1007);
    // In one frame, of which the rest is never sent.
    peer = await open();
    const all = frame(TEXT, Buffer.concat([ok, bad, letters(100)]));
    await peer.chop(all.subarray(0, all.length - 100), 3);
    await peer.expectClose(1007);
  }
});

test('6: a character that is begun and not ended', async () => {
  const peer = await open();
  await peer.send(frame(TEXT, hex('f09f98'), { fin: 0 }), frame(PING, 'x'));
  await peer.expect(PONG, 'x');
  await peer.send(frame(MORE, ''));
  await peer.expectClose(1007);
});

// ---- 7: closing ----

test('7: a close frame is answered once, and nothing behind it is', async () => {
  for (const behind of [[], [closing(1000)], [frame(PING, 'late')], [frame(TEXT, 'late')], [Buffer.from([0xff, 0xff, 0xff])], [frame(TEXT, bytes(100000))]]) {
    const peer = await open();
    await peer.send(frame(TEXT, 'Hello'), Buffer.concat([closing(1000), ...behind]));
    await peer.expect(TEXT, 'Hello');
    await peer.expectClose(1000);
  }
  const peer = await open();
  await peer.send(frame(TEXT, 'fragment1', { fin: 0 }), closing(1000), frame(MORE, 'fragment2'));
  await peer.expectClose(1000);
});

test('7: a large message, a close and a ping', async () => {
  const peer = await open();
  await peer.send(Buffer.concat([frame(TEXT, letters(256 * 1024)), closing(1000), frame(PING, 'late')]));
  await peer.expect(TEXT, letters(256 * 1024));
  await peer.expectClose(1000);
});

test('7: what a close frame may say', async () => {
  const cases = [
    ['', undefined], ['03', 1002], ['03e8', 1000], [Buffer.concat([hex('03e8'), letters(5)]), 1000],
    [Buffer.concat([hex('03e8'), letters(123)]), 1000], [Buffer.concat([hex('03e8'), letters(124)]), 1002],
    ['03e8cebae1bdb9cf83cebcceb5', 1000], ['03e8cebae1bdb9cf83cebcceb5eda080656469746564', 1007], ['03e8ff', 1007], ['03e8f09f98', 1007],
  ];
  for (const [payload, code] of cases) {
    const peer = await open();
    await peer.send(frame(CLOSE, typeof payload === 'string' ? hex(payload) : payload));
    await peer.expectClose(code);
  }
});

test('7: one byte is no code, whatever the control frame before it held', async () => {
  const peer = await open();
  await peer.send(frame(TEXT, 'a', { fin: 0 }), frame(PING, hex('03e8')), frame(CLOSE, hex('03')));
  await peer.expect(PONG, hex('03e8'));
  await peer.expectClose(1002);
});

test('7: codes that may be sent, and those that may not', async () => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
    const peer = await open();
    await peer.send(closing(code, 'reason'));
    await peer.expectClose(code);
  }
  for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 5001, 65535]) {
    const peer = await open();
    await peer.send(closing(code));
    await peer.expectClose(1002);
  }
});

test('7: a close frame cut at every byte', async () => {
  await everyCut(closing(4000, 'tschüß'), (peer) => peer.expectClose(4000));
  await everyCut(closing(999), (peer) => peer.expectClose(1002));
});

test('7: a peer that leaves without a word, anywhere, leaves nothing behind', async () => {
  for (const bytes_ of ['', frame(TEXT, 'Hello').subarray(0, 1), frame(TEXT, 'Hello').subarray(0, 7), frame(TEXT, 'a', { fin: 0 })]) {
    for (const leave of ['end', 'resetAndDestroy']) {
      const peer = await open();
      if (bytes_) await peer.send(bytes_);
      peer.socket[leave]();
      if (leave === 'end') await peer.expectEnd();
    }
  }
});

// ---- 9: limits; 10: many frames ----

for (const op of [TEXT, BINARY]) {
  const make = op === TEXT ? letters : bytes;
  const kind = op === TEXT ? 'text' : 'binary';

  test(`9: ${kind} of up to 16 MiB, whole`, async () => {
    const peer = await open();
    for (const n of [65536, 256 * 1024, MIB, 4 * MIB, 8 * MIB, 16 * MIB]) {
      peer.send(frame(op, make(n)));
      await peer.expect(op, make(n));
    }
    await peer.finish();
  });

  test(`9: ${kind} of 4 MiB in fragments`, async () => {
    const peer = await open();
    for (const size of [256, 1024, 4096, 16384, 65536, 256 * 1024, MIB, 4 * MIB]) {
      peer.send(Buffer.concat(fragments(op, make(4 * MIB), ...Array.from({ length: 4 * MIB / size - 1 }, (_, i) => (i + 1) * size))));
      await peer.expect(op, make(4 * MIB));
    }
    await peer.finish();
  });

  test(`9: ${kind} of 1 MiB in chops`, async () => {
    const peer = await open();
    for (const size of [64, 128, 256, 512, 1024, 2048]) {
      peer.chop(frame(op, make(MIB)), size);
      await peer.expect(op, make(MIB));
    }
    await peer.finish();
  });

  test(`9: a thousand ${kind} messages of each size`, async () => {
    const peer = await open();
    for (const n of [0, 16, 64, 256, 1024, 4096, 16384]) {
      peer.send(Buffer.concat(Array.from({ length: 1000 }, () => frame(op, make(n)))));
      for (let i = 0; i < 1000; i++) await peer.expect(op, make(n));
    }
    await peer.finish();
  });
}

test('9: 16 MiB in chops of 64 KiB; one byte more is refused as soon as it is announced', async () => {
  let peer = await open();
  peer.chop(frame(BINARY, bytes(16 * MIB)), 65536);
  await peer.expect(BINARY, bytes(16 * MIB));
  await peer.finish();
  peer = await open();
  await peer.send(frame(BINARY, 'the first bytes', { claim: 16 * MIB + 1 }));
  await peer.expectClose(1009);
  peer = await open();
  peer.send(frame(BINARY, bytes(16 * MIB), { fin: 0 }), frame(MORE, '', { fin: 0 }), frame(PING, 'x'));
  await peer.expect(PONG, 'x');
  await peer.send(frame(MORE, '1'));
  await peer.expectClose(1009);
});

test('10: 64 KiB in frames of 1300 bytes', async () => {
  const peer = await open();
  await peer.send(Buffer.concat(fragments(TEXT, letters(65536), ...Array.from({ length: 50 }, (_, i) => (i + 1) * 1300))));
  await peer.expect(TEXT, letters(65536));
  await peer.finish();
});

test('a peer that does not read is not read from, and misses nothing', async () => {
  const peer = await open();
  peer.socket.pause();
  let sent = 0;
  for (let i = 0; i < 96; i++) peer.send(frame(BINARY, Buffer.alloc(MIB, i))).then(() => sent++);
  // Its queue stands still once the server has had enough.
  for (let before = -1; before !== sent; await new Promise((done) => setTimeout(done, 300))) before = sent;
  assert.ok(sent < 96, 'the server took all of it');
  peer.socket.resume();
  for (let i = 0; i < 96; i++) await peer.expect(BINARY, Buffer.alloc(MIB, i));
  await peer.finish();
});

// ---- the opening handshake ----

test('the opening handshake', async () => {
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  const peer = new Peer(echo.port);
  await peer.send(handshake('Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: chat\r\n', key));
  const head = await peer.head();
  assert.match(head, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  assert.match(head, /\r\nUpgrade: websocket\r\n/i);
  assert.match(head, /\r\nConnection: Upgrade\r\n/i);
  assert.ok(head.includes(`\r\nSec-WebSocket-Accept: ${acceptOf(key)}\r\n`), head);
  assert.doesNotMatch(head, /extensions|protocol:|content-length/i);
  await peer.finish();
});

test('frames right behind the handshake, cut at every byte', async () => {
  const bytes_ = Buffer.concat([Buffer.from(handshake()), frame(TEXT, 'at once'), closing(1000)]);
  for (let i = 1; i <= bytes_.length; i++) {
    const peer = new Peer(echo.port);
    await peer.send(bytes_.subarray(0, i), bytes_.subarray(i));
    assert.match(await peer.head(), /^HTTP\/1\.1 101 /);
    await peer.expect(TEXT, 'at once');
    await peer.expectClose(1000);
  }
});

async function answer(text) {
  const peer = new Peer(echo.port);
  await peer.send(text);
  const head = await peer.head();
  peer.socket.destroy();
  return head;
}

test('handshakes as clients vary them', async () => {
  for (const [from, to] of [
    ['Upgrade: websocket', 'uPGRADE: WebSocket'], ['Connection: Upgrade', 'Connection: keep-alive, Upgrade'], ['Connection: Upgrade', 'connection: upgrade'],
    ['Upgrade: websocket', 'Upgrade: h2c, websocket'], ['/any/path?x', '/'], ['Host: x', 'Host: x\r\nOrigin: http://example.com'],
  ]) {
    assert.match(await answer(handshake().replace(from, to)), /^HTTP\/1\.1 101 /, to);
  }
});

test('what is no handshake is refused', async () => {
  for (const [from, to] of [
    [/Upgrade: websocket\r\n/, ''], [/Upgrade: websocket/, 'Upgrade: h2c'], [/Upgrade: websocket/, 'Upgrade: websockets'], [/Connection: Upgrade\r\n/, ''],
    [/Connection: Upgrade/, 'Connection: close'], [/Sec-WebSocket-Key: .*\r\n/, ''], [/Sec-WebSocket-Key: .*/, 'Sec-WebSocket-Key: short=='],
    [/Sec-WebSocket-Key: .*/, `Sec-WebSocket-Key: ${Buffer.alloc(15).toString('base64')}`],
    [/Sec-WebSocket-Key: .*/, `Sec-WebSocket-Key: ${Buffer.alloc(17).toString('base64')}`],
    [/GET/, 'POST'], [/HTTP\/1.1/, 'HTTP/1.0'],
  ]) {
    assert.match(await answer(handshake().replace(from, to)), /^HTTP\/1\.1 400 /, String(from) + to);
  }
  for (const [from, to] of [[/: 13/, ': 8'], [/: 13/, ': 14'], [/: 13/, ': 013'], [/: 13/, ': 13, 8'], [/Sec-WebSocket-Version: 13\r\n/, '']]) {
    const head = await answer(handshake().replace(from, to));
    assert.match(head, /^HTTP\/1\.1 426 Upgrade Required\r\n/, to);
    assert.match(head, /\r\nSec-WebSocket-Version: 13\r\n/);
  }
});

// ---- a stock client ----

test('the ws client: text, binary, pings, fragments, closing', async () => {
  const ws = new WebSocket(`ws://127.0.0.1:${echo.port}/some/path`);
  await once(ws, 'open');
  assert.equal(ws.extensions, '');
  const said = async (...args) => {
    ws.send(...args);
    return once(ws, 'message');
  };
  assert.deepEqual(await said('κόσμε'), [Buffer.from('κόσμε'), false]);
  assert.deepEqual(await said(bytes(300000)), [bytes(300000), true]);
  ws.ping('are you there');
  assert.deepEqual(await once(ws, 'pong'), [Buffer.from('are you there')]);
  ws.send('one ', { fin: false });
  ws.send('two ', { fin: false });
  assert.deepEqual(await said('three', { fin: true }), [Buffer.from('one two three'), false]);
  ws.close(4321, 'enough');
  const [code] = await once(ws, 'close');
  assert.equal(code, 4321);
});

test('two hundred ws clients at once', async () => {
  await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    const ws = new WebSocket(`ws://127.0.0.1:${echo.port}/${i}`);
    await once(ws, 'open');
    for (let k = 0; k < 10; k++) {
      ws.send(`${i}: ${k}`);
      assert.equal(String((await once(ws, 'message'))[0]), `${i}: ${k}`);
    }
    ws.close();
    assert.equal((await once(ws, 'close'))[0], 1005);
  }));
});

// ---- stopping ----

test('SIGTERM closes every socket with 1001 and leaves an empty loop, also past peers that do not answer', async () => {
  const own = await startEcho('ws-echo');
  const polite = new WebSocket(`ws://127.0.0.1:${own.port}/`);
  await once(polite, 'open');
  const silent = await Peer.open(own.port); // never answers the close
  const partial = await Peer.open(own.port);
  await partial.send(frame(TEXT, 'half', { fin: 0 }));
  const begun = new Peer(own.port);
  await begun.send('GET / HT');
  const closed = once(polite, 'close');
  const stopped = own.stop();
  assert.equal((await closed)[0], 1001);
  for (const peer of [silent, partial]) {
    const { op, data } = await peer.next();
    assert.equal(op, CLOSE);
    assert.equal(data.readUInt16BE(), 1001);
  }
  begun.socket.end();
  await stopped;
});
