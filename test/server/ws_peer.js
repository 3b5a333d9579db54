// A WebSocket client that may send anything: frames as they are told, cut as they are told; and the
// programs of test/conformance. For tests of the protocol.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { PORTALD } from './harness.js';

export const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, MORE = 0;

// A program of test/conformance on a free port: {port, process, errors, stop()}.
export async function startEcho(name) {
  const process_ = spawn(path.join(path.dirname(PORTALD), 'conformance', name), ['0'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const echo = { process: process_, errors: '' };
  process_.stderr.on('data', (d) => (echo.errors += d));
  echo.exit = once(process_, 'exit');
  let line = '';
  for await (const d of process_.stdout) if ((line += d).includes('\n')) break;
  echo.port = Number(/:(\d+)\n/.exec(line)?.[1]);
  assert.ok(echo.port, `${name} says "${line}" ${echo.errors}`);
  // Ends with every handle closed: status 0, and not a word from a sanitizer.
  echo.stop = async () => {
    process_.kill('SIGTERM');
    assert.deepEqual(await echo.exit, [0, null], echo.errors);
    assert.equal(echo.errors, '');
  };
  return echo;
}

export function frame(op, payload = '', { fin = 1, rsv = 0, mask = randomBytes(4), form, claim } = {}) {
  const body = Buffer.from(payload);
  const n = BigInt(claim ?? body.length);
  form ??= n < 126n ? 7 : n < 65536n ? 16 : 64;
  const head = Buffer.alloc(form === 7 ? 2 : form === 16 ? 4 : 10);
  head[0] = (fin << 7) | (rsv << 4) | op;
  head[1] = (mask ? 0x80 : 0) | (form === 7 ? Number(n) : form === 16 ? 126 : 127);
  if (form === 16) head.writeUInt16BE(Number(n), 2);
  if (form === 64) head.writeBigUInt64BE(n, 2);
  if (!mask) return Buffer.concat([head, body]);
  for (let i = 0; i < body.length; i++) body[i] ^= mask[i & 3];
  return Buffer.concat([head, mask, body]);
}

// One message in frames that end at the given places of its payload.
export function fragments(op, payload, ...ends) {
  const body = Buffer.from(payload);
  return [0, ...ends].map((at, i) =>
    frame(i === 0 ? op : MORE, body.subarray(at, ends[i] ?? body.length), { fin: i === ends.length ? 1 : 0 }));
}

export const closing = (code, reason = '') => {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code, 0);
  Buffer.from(reason).copy(payload, 2);
  return frame(CLOSE, payload);
};

export const handshake = (more = '', key = randomBytes(16).toString('base64')) =>
  `GET /any/path?x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
  `Sec-WebSocket-Key: ${key}\r\n${more}\r\n`;

export const acceptOf = (key) => createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

export class Peer {
  constructor(port) {
    this.socket = net.connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.pieces = [];
    this.have = 0;
    this.waiting = null;
    this.ended = false;
    this.socket.on('data', (d) => {
      this.pieces.push(d);
      this.have += d.length;
      this.waiting?.();
    });
    this.socket.on('error', (e) => (this.error = e));
    this.socket.on('close', () => {
      this.ended = true;
      this.waiting?.();
    });
  }

  static async open(port) {
    const peer = new Peer(port);
    await peer.send(handshake());
    assert.match(await peer.head(), /^HTTP\/1\.1 101 /);
    return peer;
  }

  // Each piece is with the kernel before the next is sent.
  async send(...pieces) {
    for (const piece of pieces) await new Promise((done) => this.socket.write(piece, done));
  }

  // In pieces of n bytes. The server may read several at once.
  async chop(bytes, n) {
    for (let i = 0; i < bytes.length; i += n) await this.send(bytes.subarray(i, i + n));
  }

  async wait() {
    await new Promise((done) => (this.waiting = done));
    this.waiting = null;
  }

  // n bytes, or undefined when the server has closed before them.
  async bytes(n) {
    while (this.have < n) {
      if (this.ended) return undefined;
      await this.wait();
    }
    const all = this.pieces.length === 1 ? this.pieces[0] : Buffer.concat(this.pieces);
    this.pieces = [all.subarray(n)];
    this.have -= n;
    return all.subarray(0, n);
  }

  async head() {
    let text = '';
    while (!text.endsWith('\r\n\r\n')) {
      const b = await this.bytes(1);
      if (!b) break;
      text += b.toString('latin1');
    }
    return text;
  }

  // The next frame of the server, which must be a proper one: {op, data}; undefined at the end.
  async next() {
    const head = await this.bytes(2);
    if (!head) return undefined;
    assert.equal(head[0] & 0xf0, 0x80, 'FIN and no reserved bit');
    assert.equal(head[1] & 0x80, 0, 'a server does not mask');
    let n = head[1];
    if (n === 126) {
      n = (await this.bytes(2)).readUInt16BE();
      assert.ok(n > 125);
    } else if (n === 127) {
      n = Number((await this.bytes(8)).readBigUInt64BE());
      assert.ok(n > 65535);
    }
    return { op: head[0] & 15, data: Buffer.from((await this.bytes(n)) ?? '') };
  }

  async expect(op, payload = '') {
    const got = await this.next();
    assert.ok(got, 'closed instead');
    assert.equal(got.op, op, `opcode ${got.op}: ${got.data.subarray(0, 100).toString('latin1')}`);
    assert.ok(got.data.equals(Buffer.from(payload)), `${got.data.length} bytes, ${got.data.subarray(0, 60).toString('hex')}`);
  }

  // A close frame (code undefined: without one), then the end of the connection, and nothing between.
  async expectClose(code, reason = '') {
    const got = await this.next();
    assert.ok(got, `closed without a frame: ${this.error}`);
    assert.equal(got.op, CLOSE, `opcode ${got.op}: ${got.data.subarray(0, 100).toString('latin1')}`);
    assert.equal(got.data.length >= 2 ? got.data.readUInt16BE() : undefined, code);
    assert.equal(got.data.subarray(2).toString(), reason);
    await this.expectEnd();
  }

  async expectEnd() {
    assert.equal(await this.bytes(1), undefined, 'nothing behind the close frame');
    assert.equal(this.error?.code, undefined, 'an end, not a reset');
  }

  // Still alive and in step?
  async finish() {
    await this.send(frame(PING, 'last'), closing(1000));
    await this.expect(PONG, 'last');
    await this.expectClose(1000);
  }
}
