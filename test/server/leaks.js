// Looks for secrets wherever a server keeps something: the memory of its processes, Redis, PostgreSQL,
// the logs. A secret is looked for as it is, in hex and in base64, wherever that begins.
//
//   const needles = new Needles();
//   needles.add('the key of epoch 3', bytes);
//   await leaks(needles, { stores, processes });   // ['memory: the key of epoch 3', …]
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import path from 'node:path';

const CHUNK = 16 << 20;
const REGION_MAX = 2 ** 32; // a larger one is the shadow of a sanitizer: reserved, and no data

// The characters that only the secret decides, for each of the three ways it may fall into base64.
function base64Forms(bytes) {
  return [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const inner = text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

export class Needles {
  #starts = new Uint8Array(1 << 21); // a bit for each three bytes that a form begins with
  #forms = new Map(); // the three bytes -> [{name, bytes}]
  #known = new Set();
  longest = 0;

  add(name, secret) {
    const bytes = Buffer.from(secret);
    const hex = bytes.toString('hex');
    if (this.#known.has(hex)) return;
    this.#known.add(hex);
    const texts = new Set([hex, hex.toUpperCase(), ...base64Forms(bytes)]);
    for (const form of [bytes, ...[...texts].map((t) => Buffer.from(t))]) {
      const start = form.readUIntBE(0, 3);
      this.#starts[start >> 3] |= 1 << (start & 7);
      this.#forms.set(start, [...(this.#forms.get(start) ?? []), { name, bytes: form }]);
      this.longest = Math.max(this.longest, form.length);
    }
  }

  // The names of those that are in the buffer.
  in(buffer) {
    const found = new Set();
    let start = 0;
    for (let i = 0; i < buffer.length; i++) {
      start = ((start << 8) | buffer[i]) & 0xffffff;
      if (!(this.#starts[start >> 3] & (1 << (start & 7)))) continue;
      for (const { name, bytes } of this.#forms.get(start) ?? [])
        if (buffer.compare(bytes, 0, bytes.length, i - 2, Math.min(i - 2 + bytes.length, buffer.length)) === 0) found.add(name);
    }
    return [...found];
  }
}

// What a running process has given back in the meantime is not there to be searched.
function gone(read, otherwise) {
  try {
    return read();
  } catch (e) {
    if (e.code === 'ENOENT' || e.code === 'EIO') return otherwise;
    throw e;
  }
}

// All that the process may write to: heap, stack, globals; under a sanitizer what was freed lately, too.
function* memoryOf(pid, overlap) {
  const fd = openSync(`/proc/${pid}/mem`, 'r');
  const chunk = Buffer.alloc(CHUNK);
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')) {
      const [, from, to] = line.match(/^([0-9a-f]+)-([0-9a-f]+) rw/) ?? [];
      if (!from) continue;
      const [begin, end] = [parseInt(from, 16), parseInt(to, 16)];
      if (end - begin > REGION_MAX) continue;
      for (let at = begin; at < end; at += CHUNK - overlap) {
        yield chunk.subarray(0, gone(() => readSync(fd, chunk, 0, Math.min(CHUNK, end - at), at), 0));
        if (at + CHUNK >= end) break;
      }
    }
  } finally {
    closeSync(fd);
  }
}

function* filesUnder(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const file = path.join(dir, entry.name);
    if (entry.isDirectory()) yield* filesUnder(file);
    else if (entry.isFile()) yield gone(() => readFileSync(file), Buffer.alloc(0));
  }
}

// Dumps of all keys, and the files: the last snapshot, and the log of all that was ever written.
async function* redisOf({ redis, redisDir }) {
  await redis.config('SET', 'rdbcompression', 'no');
  for (const key of await redis.keys('*')) yield Buffer.concat([Buffer.from(key), (await redis.dumpBuffer(key)) ?? Buffer.alloc(0)]);
  await redis.save();
  yield* filesUnder(redisDir);
}

// What can be asked for, and the files with the write-ahead log.
async function* postgresOf({ dumpPg, pgDir, db }) {
  yield await dumpPg();
  await db.query('CHECKPOINT');
  yield* filesUnder(pgDir);
}

const sources = {
  memory: async function* ({ processes }, overlap) {
    for (const p of processes) yield* memoryOf(p.child.pid, overlap);
  },
  Redis: ({ stores }) => redisOf(stores),
  PostgreSQL: ({ stores }) => postgresOf(stores),
  logs: ({ processes }) => processes.map((p) => Buffer.from(JSON.stringify(p.logs))),
};

// `where` is {stores (own_stores.js'), processes}. Gives "place: name" of each that was found.
export async function leaks(needles, where, places = Object.keys(sources)) {
  const found = new Set();
  for (const place of places)
    for await (const piece of sources[place](where, needles.longest)) for (const name of needles.in(piece)) found.add(`${place}: ${name}`);
  return [...found].sort();
}
