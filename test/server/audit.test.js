// The audit log: append-only, proven, exported and pruned. Tampering is done as whoever owns the database
// would: with the triggers off.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { makeStores, portalctl } from './harness.js';

let stores;
let db;
before(async () => {
  stores = await makeStores();
  db = stores.db;
  await portalctl(stores, ['migrate']);
});
after(() => stores.release());

const one = async (sql, values) => (await db.query(sql, values)).rows[0];
async function write(n, event = 'test.event') {
  for (let i = 0; i < n; i++) await db.query('SELECT audit_write($1, $2, $3, NULL, $4)', [event, 7, 8, { n: i, text: 'ä "b" \\ 日本' }]);
}
// The whole log in pages, as store/audit.c does it: [fault, fault_id], or the mark of the last.
async function verify(page = 3) {
  let at = { id: 0, hash: Buffer.alloc(0) };
  for (;;) {
    at = await one('SELECT * FROM audit_verify($1, $2, $3)', [at.id, at.hash, page]);
    if (at.fault) return [at.fault, Number(at.fault_id)];
    if (at.ended) return { id: Number(at.id), hash: at.hash };
  }
}
// Runs `tamper`, looks, and puts everything back as it was.
async function tampered(tamper) {
  const client = await db.connect();
  try {
    await client.query('CREATE TABLE kept_log AS SELECT * FROM audit_log; CREATE TABLE kept_head AS SELECT * FROM audit_head');
    await client.query("SET session_replication_role = 'replica'");
    await tamper((sql, values) => client.query(sql, values));
    return await verify();
  } finally {
    await client.query(`DELETE FROM audit_log; INSERT INTO audit_log SELECT * FROM kept_log; DELETE FROM audit_head;
      INSERT INTO audit_head SELECT * FROM kept_head; DROP TABLE kept_log, kept_head; SET session_replication_role = 'origin'`);
    client.release();
  }
}

test('an empty log is whole; entries are numbered without a gap, also when many write at once', async () => {
  assert.equal((await verify()).id, 0);
  await Promise.all(Array.from({ length: 4 }, () => write(5)));
  const { rows } = await db.query('SELECT id FROM audit_log ORDER BY id');
  assert.deepEqual(rows.map((r) => Number(r.id)), Array.from({ length: 20 }, (_, i) => i + 1));
  assert.equal((await verify()).id, 20);
  for (const page of [1, 19, 20, 21]) assert.equal((await verify(page)).id, 20);
});

test('nothing is changed, removed or put in', async () => {
  for (const sql of ['UPDATE audit_log SET actor_id = 0', 'DELETE FROM audit_log', 'DELETE FROM audit_log WHERE id = 20', 'TRUNCATE audit_log',
    'DELETE FROM audit_head', 'TRUNCATE audit_head']) await assert.rejects(db.query(sql), /append-only/, sql);
  for (const sql of ['UPDATE audit_head SET id = 19', 'UPDATE audit_head SET hash = \'x\'', 'UPDATE audit_head SET id = 21']) {
    await assert.rejects(db.query(sql), /only follows/, sql);
  }
  const whole = await verify();
  await db.query('BEGIN; SELECT audit_write(\'test.undone\', 1, 1, NULL, NULL); ROLLBACK');
  assert.deepEqual(await verify(), whole, 'an entry of what was not done is not there');
});

const REHASH = 'UPDATE audit_log a SET hash = audit_hash(a) WHERE id = $1';
// Rewrites the chain from an entry to the end, as one would who knows how it is made.
async function rechain(query, from) {
  for (let id = from; id <= 20; id++) {
    await query('UPDATE audit_log a SET prev_hash = b.hash FROM audit_log b WHERE a.id = $1 AND b.id = $1 - 1', [id]);
    await query(REHASH, [id]);
  }
}
for (const [what, tamper, expected] of [
  ['who did it', (q) => q('UPDATE audit_log SET actor_id = 9 WHERE id = 5'), ['altered', 5]],
  ['when', (q) => q("UPDATE audit_log SET created_at = created_at - interval '1 us' WHERE id = 5"), ['altered', 5]],
  ['what', (q) => q("UPDATE audit_log SET data = '{}' WHERE id = 20"), ['altered', 20]],
  ['a hash', (q) => q("UPDATE audit_log SET hash = 'x' WHERE id = 1"), ['altered', 1]],
  ['an entry, its hash made anew', async (q) => (await q('UPDATE audit_log SET actor_id = 9 WHERE id = 5'), q(REHASH, [5])), ['altered', 5]],
  ['an entry, the chain made anew behind it', async (q) => (await q('UPDATE audit_log SET actor_id = 9 WHERE id = 5'), rechain(q, 5)), ['altered', 20]],
  ['two entries, both found', (q) => q('UPDATE audit_log SET actor_id = 9 WHERE id IN (6, 17)'), ['altered', 6]],
  ['the order of two', async (q) => {
    await q('UPDATE audit_log SET id = 1000 WHERE id = 5');
    await q('UPDATE audit_log SET id = 5 WHERE id = 6');
    await q('UPDATE audit_log SET id = 6 WHERE id = 1000');
  }, ['altered', 5]],
]) {
  test(`altered: ${what}`, async () => assert.deepEqual(await tampered(tamper), expected));
}
for (const [what, where, expected] of [
  ['the first', 'id = 1', 1], ['one in the middle', 'id = 5', 5], ['several', 'id BETWEEN 3 AND 7', 3], ['the last', 'id = 20', 20],
  ['the end', 'id > 12', 13], ['all', 'true', 1],
]) {
  test(`missing: ${what}`, async () => assert.deepEqual(await tampered((q) => q(`DELETE FROM audit_log WHERE ${where}`)), ['missing', expected]));
}
test('missing: one in the middle, the others moved up and the chain made anew', async () => {
  assert.deepEqual(await tampered(async (q) => {
    await q('DELETE FROM audit_log WHERE id = 5');
    await q('UPDATE audit_log SET id = id + 1000 WHERE id > 5');
    await q('UPDATE audit_log SET id = id - 1001 WHERE id > 5');
    for (let id = 5; id < 20; id++) {
      await q('UPDATE audit_log a SET prev_hash = b.hash FROM audit_log b WHERE a.id = $1 AND b.id = $1 - 1', [id]);
      await q(REHASH, [id]);
    }
  }), ['missing', 20]);
});
test('an entry that nobody wrote', async () => {
  assert.deepEqual(await tampered(async (q) => {
    await q("INSERT INTO audit_log SELECT 21, 'test.forged', 1, 1, NULL, '{}', now(), hash, 'x' FROM audit_log WHERE id = 20");
    await q(REHASH, [21]);
  }), ['altered', 21]);
});
test('after a cut the log goes on where it was: the gap stays', async () => {
  assert.deepEqual(await tampered(async (q) => {
    await q('DELETE FROM audit_log WHERE id > 18');
    await q("SET session_replication_role = 'origin'");
    await q("SELECT audit_write('test.later', 1, 1, NULL, NULL)");
    await q("SET session_replication_role = 'replica'");
  }), ['missing', 19]);
});

// ---- exported and pruned ----

test('an export proves itself: its hashes are of its texts', async () => {
  const { rows } = await db.query("SELECT encode(prev_hash, 'hex') AS prev, encode(hash, 'hex') AS hash, audit_text(a) AS text, id::int, data FROM audit_log a ORDER BY id");
  let prev = '';
  for (const r of rows) {
    assert.equal(r.prev, prev);
    prev = createHash('sha256').update(Buffer.from(prev, 'hex')).update(r.text).digest('hex');
    assert.equal(r.hash, prev);
    const [id, event, actor, target, chat, data, at] = JSON.parse(r.text);
    assert.deepEqual([id, event, actor, target, chat, data], [r.id, 'test.event', 7, 8, null, r.data]);
    assert.match(at, /^\d{4}-.*Z$/);
  }
});

const prune = async (id, hash) => (await one('SELECT audit_prune(NULL, $1, $2) AS outcome', [id, hash])).outcome;
const sweep = async (limit = 1000) => Number((await one('SELECT audit_sweep($1) AS gone', [limit])).gone);
const hashOf = async (id) => (await one('SELECT hash FROM audit_log WHERE id = $1', [id])).hash;

test('pruning: only up to an entry that was seen, and the rest of the chain is as provable as before', async () => {
  const [tenth, fifteenth] = [await hashOf(10), await hashOf(15)];
  assert.equal(await prune(10, fifteenth), 'unknown');
  assert.equal(await prune(99, tenth), 'unknown');
  assert.equal(await prune(10, tenth), 'ok');
  const record = await one('SELECT * FROM audit_log ORDER BY id DESC LIMIT 1');
  assert.equal(record.event_type, 'audit.prune');
  assert.deepEqual(record.data, { last_id: 10, hash: tenth.toString('hex'), entries: 10 });
  assert.equal((await verify()).id, 21, 'recorded, not swept');
  await assert.rejects(db.query('DELETE FROM audit_log WHERE id = 11'), /append-only/);
  await assert.rejects(db.query('TRUNCATE audit_log'), /append-only/);
  assert.equal(await sweep(4), 4);
  assert.equal((await verify()).id, 21, 'half swept');
  assert.equal(await sweep(), 6);
  assert.equal(await sweep(), 0);
  assert.equal((await verify()).id, 21);
  assert.equal(Number((await one('SELECT min(id) FROM audit_log')).min), 11);
  assert.equal(await prune(10, tenth), 'is');
  assert.equal(await prune(15, fifteenth), 'ok', 'again, over the record of the one before');
  await sweep();
  await write(3);
  assert.equal((await verify()).id, 25);
});

for (const [what, tamper, expected] of [
  ['removed behind what was pruned', (q) => q('DELETE FROM audit_log WHERE id BETWEEN 16 AND 17'), ['missing', 16]],
  ['altered behind what was pruned', (q) => q('UPDATE audit_log SET actor_id = 9 WHERE id = 16'), ['altered', 16]],
  ['removed, and the head moved as if it had been pruned', async (q) => {
    await q('UPDATE audit_head SET pruned_id = 17, pruned_hash = (SELECT hash FROM audit_log WHERE id = 17)');
    await q('DELETE FROM audit_log WHERE id < 18');
  }, ['missing', 17]],
  ['the record of the pruning removed', (q) => q("DELETE FROM audit_log WHERE id = 22"), ['missing', 15]],
]) {
  test(`a pruned log: ${what}`, async () => assert.deepEqual(await tampered(tamper), expected));
}

test('all may be pruned: the record remains', async () => {
  const { id, hash } = await verify();
  assert.equal(await prune(id, hash), 'ok');
  await sweep();
  const { rows } = await db.query('SELECT event_type FROM audit_log');
  assert.deepEqual(rows, [{ event_type: 'audit.prune' }]);
  assert.equal((await verify()).id, id + 1);
  await write(1);
  assert.equal((await verify()).id, id + 2);
});
