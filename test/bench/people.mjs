// What a measurement has beside servers: people, and the stores' processes.
import path from 'node:path';
import { LOAD_CORE, childrenOf, parentOf, pin, wrk } from './measure.mjs';
import { OUT } from './servers.mjs';

// Redis, and PostgreSQL's first process; all that exist are moved to the core of the load.
export async function storePids(stores) {
  const redis = Number(/process_id:(\d+)/.exec(await stores.redis.info('server'))[1]);
  const { rows } = await stores.db.query('SELECT pg_backend_pid() AS pid');
  const postgres = parentOf(rows[0].pid);
  for (const pid of [redis, postgres, ...childrenOf(postgres)]) pin(pid, LOAD_CORE);
  return { redis, postgres };
}

// Accounts with an identity, so that verify is the sign-in of people who return.
export async function makePeople(side, count) {
  await side.stores.db.query(`INSERT INTO users (username) SELECT 'person_' || i FROM generate_series(0, $1 - 1) i`, [count]);
  await side.stores.db.query(`INSERT INTO identities (platform, platform_user_id, user_id)
    SELECT 'discord', (100000000000 + substr(username, 8)::bigint)::text, id FROM users WHERE username LIKE 'person\\_%'`);
  await side.stores.db.query('VACUUM ANALYZE');
}

// Codes or tokens of `count` people, written to a file by a run of wrk that ends when it has them.
export async function prepare(side, server, step, from, count, name) {
  const file = path.join(OUT, name);
  const r = await wrk(server.port, { seconds: 120, args: ['flow', step, from, count, side.key, file] });
  if (r.finished !== count) throw new Error(`${server.name}: ${r.finished} of ${count} people got their ${step}`);
  return file;
}
