// The results as a table on the terminal, and as docs/benchmarks.md.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MATCH_HEAD, MATCH_TEXT, matchAlone, matchRows, matchTargets } from './match.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const PEER = 'fastify';
const OURS = 'portald';
const SOCKET_PEER = 'socket.io';

function versionOf(command, args, pattern) {
  try {
    return pattern.exec(execFileSync('bash', ['-c', `${command} ${args} 2>&1 || :`], { encoding: 'utf8' }))?.[1];
  } catch {
    return undefined;
  }
}

export function describeMachine(postgres, redisInfo) {
  const os_ = readFileSync('/etc/os-release', 'utf8');
  const npm = (name) => JSON.parse(readFileSync(path.join(root, 'test/node_modules', name, 'package.json'), 'utf8')).version;
  return {
    cpu: os.cpus()[0].model.trim(),
    cores: os.cpus().length,
    memory_gib: Math.round(os.totalmem() / 2 ** 30),
    system: /PRETTY_NAME="(.*)"/.exec(os_)?.[1],
    kernel: os.release(),
    versions: {
      Node: process.versions.node, fastify: npm('fastify'), 'socket.io': npm('socket.io'), ioredis: npm('ioredis'), pg: npm('pg'),
      PostgreSQL: postgres.rows[0].server_version.split(' ')[0], Redis: /redis_version:(\S+)/.exec(redisInfo)?.[1],
      wrk: versionOf('wrk', '-v', /wrk (?:\w+\/)?(\S+)/), nginx: versionOf('nginx', '-v', /nginx\/(\S+)/),
    },
  };
}

function time(us) {
  return us < 1000 ? `${Math.round(us)} us` : `${(us / 1000).toFixed(us < 10000 ? 2 : 1)} ms`;
}

const times = (a, b) => (a && b ? `${(a / b).toFixed(2)} x` : '');

// One row a server: [name, rate, p50, p99, CPU, rate against the peer, CPU against the peer, CPU
// against the floor, Redis and PostgreSQL CPU, errors].
const UWS_100 = 1.28; // 1.15 x uWebSockets, which takes 2.0 us a delivery where the floor takes 1.8
const HEAD = ['server', 'per second', 'p50', 'p99', 'CPU us', 'rate / fastify', 'CPU / fastify', 'CPU / floor', 'Redis us',
  'PostgreSQL us', 'errors'];
// Of sockets: for one delivery, or one connection; times are those of the last who gets a message.
const SOCKET_HEAD = ['server', 'per second', 'p50', 'p99', 'CPU us', 'rate / socket.io', 'CPU / socket.io', 'CPU / floor', 'Redis us',
  'PostgreSQL us', 'bytes', 'errors'];
const headOf = (scenario) => (scenario.matcher ? MATCH_HEAD : scenario.sockets ? SOCKET_HEAD : HEAD);
function socketRowsOf(scenario) {
  const by = (name) => scenario.servers.find((s) => s.name === name);
  return scenario.servers.map((s) => [
    s.name, String(Math.round(s.rate)), time(s.p50), time(s.p99), s.cpu.toFixed(2), times(s.rate, by(SOCKET_PEER)?.rate),
    times(s.cpu, by(SOCKET_PEER)?.cpu), times(s.cpu, by('floor')?.cpu), s.redis.toFixed(2), s.postgres.toFixed(2),
    s.bytes ? String(Math.round(s.bytes)) : '', String(s.errors),
  ]);
}

function rowsOf(scenario) {
  if (scenario.matcher) return matchRows(scenario);
  if (scenario.sockets) return socketRowsOf(scenario);
  const by = (name) => scenario.servers.find((s) => s.name === name);
  return scenario.servers.map((s) => [
    s.name, String(Math.round(s.rate)), time(s.p50), time(s.p99), s.cpu.toFixed(1), times(s.rate, by(PEER)?.rate),
    times(s.cpu, by(PEER)?.cpu), times(s.cpu, by('floor')?.cpu), s.redis.toFixed(1), s.postgres.toFixed(1), String(s.errors),
  ]);
}

function memoryRows(memory) {
  return memory.map((m) => [m.name, `${(m.bytes / 1024).toFixed(2)} KiB`, String(m.lost)]);
}
const MEMORY_HEAD = ['server', 'memory each', 'lost'];

// Growth for each of so many, and for each between the first number and the last.
function idleRows(idle) {
  const kib = (bytes) => `${(bytes / 1024).toFixed(2)} KiB`;
  return idle.flatMap(({ name, list }) => list.map((i, at) => [
    name, String(i.count), kib(i.rss / i.count), kib(i.pss / i.count),
    at > 0 ? kib((i.rss - list[0].rss) / (i.count - list[0].count)) : '', String(i.lost),
  ]));
}
const IDLE_HEAD = ['server', 'sockets', 'RSS each', 'PSS each', 'each beyond the first row', 'lost'];

// What the project wants of itself: [sentence, figure, met]. Only what was measured.
function targets(results) {
  const find = (scenario, server) => results.scenarios.find((s) => s.scenario === scenario)?.servers.find((s) => s.name === server);
  const list = [];
  const want = (sentence, figure, met) => {
    if (Number.isFinite(figure)) list.push([sentence, figure.toFixed(2), met(figure)]);
  };
  const ratio = (a, b, field) => (a && b ? a[field] / b[field] : NaN);
  const ours = (scenario) => find(scenario, OURS);
  const atMost = (n) => (v) => v <= n;
  const atLeast = (n) => (v) => v >= n;
  want('GET /livez: CPU at most 1.15 x the floor', ratio(ours('livez'), find('livez', 'floor'), 'cpu'), atMost(1.15));
  want('GET /livez: at least nginx\'s rate', ratio(ours('livez'), find('livez', 'nginx'), 'rate'), atLeast(1));
  want('session only: CPU at most 18 us', ours('session')?.cpu, atMost(18));
  want('session only: rate at least 1.5 x webdis, with a script of the same work', ratio(ours('session'), find('session', 'webdis, script'), 'rate'), atLeast(1.5));
  want('session only: rate at least 3 x fastify', ratio(ours('session'), find('session', PEER), 'rate'), atLeast(3));
  want('GET /v1/users/me: CPU at most 30 us', ours('me')?.cpu, atMost(30));
  want('GET /v1/users/me: CPU at most 1/8 of fastify', ratio(ours('me'), find('me', PEER), 'cpu'), atMost(1 / 8));
  want('GET /v1/users/me: rate at least 5 x fastify', ratio(ours('me'), find('me', PEER), 'rate'), atLeast(5));
  want('whole sign-in: rate at least 6 x fastify', ratio(ours('signin'), find('signin', PEER), 'rate'), atLeast(6));
  matchTargets({ find, want, ours: OURS, peer: PEER, results });
  want('idle connection: at most 0.75 KiB', results.memory.find((m) => m.name === OURS)?.bytes / 1024, atMost(0.75));
  const sends = (scenario, who, most) => want(
    `message:send to ${who}: CPU a delivery at most ${most} x the floor`, ratio(ours(scenario), find(scenario, 'floor'), 'cpu'), atMost(most));
  const lighter = (scenario, who, least) => want(
    `message:send to ${who}: CPU a delivery at least ${least} x less than socket.io`, ratio(find(scenario, SOCKET_PEER), ours(scenario), 'cpu'), atLeast(least));
  sends('send100', '100', UWS_100);
  lighter('send100', '100', 6);
  sends('send1000', '1,000, 4 under way', 1.1);
  lighter('send1000', '1,000, 4 under way', 4);
  sends('send1', '1,000, one at a time', 1.1);
  lighter('send1', '1,000, one at a time', 1.8);
  for (const i of results.idle.find((m) => m.name === OURS)?.list ?? [])
    want(`idle socket, signed in and in one room, of ${i.count}: at most 1.5 KiB`, i.rss / i.count / 1024, atMost(1.5));
  want('new sockets: at least 5,000 a second', ours('connect')?.rate, atLeast(5000));
  want('new sockets: rate at least 4 x socket.io', ratio(ours('connect'), find('connect', SOCKET_PEER), 'rate'), atLeast(4));
  return list;
}

function printTable(head, rows) {
  const widths = head.map((h, i) => Math.max(h.length, ...rows.map((r) => r[i].length)));
  for (const row of [head, ...rows])
    console.log(`  ${row.map((c, i) => (i === 0 ? c.padEnd(widths[i]) : c.padStart(widths[i]))).join('  ')}`);
}

export function printReport(results) {
  for (const s of results.scenarios) {
    console.log(`\n${s.title}`);
    printTable(headOf(s), rowsOf(s));
  }
  if (results.memory.length) {
    console.log(`\nidle keep-alive connections, ${results.settings.connections} of them`);
    printTable(MEMORY_HEAD, memoryRows(results.memory));
  }
  for (const line of matchAlone(results.matcher)) console.log(`\n${line}`);
  if (results.idle.length) {
    console.log('\nidle sockets, signed in and in one room');
    printTable(IDLE_HEAD, idleRows(results.idle));
  }
  const wanted = targets(results);
  if (wanted.length) console.log('\ntargets');
  for (const [sentence, figure, met] of wanted) console.log(`  ${met ? 'met   ' : 'MISSED'}  ${sentence}: ${figure}`);
}

function markdown(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

const SOCKETS_TEXT = '## Sockets\n\nThe load is one process on the clients of `test/load` (`test/bench/fanout.c`), the same for ' +
  'all. Portal does the whole `message:send`: rate rules (off by settings), membership, key and epoch, stored in the Redis stream, published, ' +
  'given to all, acked; senders are members, each has one message under way, all have sessions of their own. Content is a CiphertextV2 of 1,024 characters. ' +
  'socket.io (`test/bench/peer_sockets.mjs`, with `ws`, WebSocket only) gives the same content to a room and acks: no store, no check. The floor ' +
  '(`test/bench/floor_fanout.c`) is bare epoll: what came in a turn is in frames once and leaves as one write to each; it gets messages as long ' +
  'as what Portal makes of the content, so that the same bytes leave. uWebSockets could not take part; where both were measured it took 1.1 times ' +
  'the floor (2.0 us a delivery against 1.8 to 100, 4.3 to 4.6 against 4.1 to 1,000), so its target is told as a ratio to the floor. ' +
  'CPU is for one delivery, p50 and p99 are from the send until the last member has it. New sockets: 256 on their way at once, to a server that checks ' +
  'the session (Portal also counts, subscribes, and sends the chats).';

const sections = (scenarios) => scenarios.map((sc) => `## ${sc.title}\n\n${markdown(headOf(sc), rowsOf(sc))}`);

export function writeReport(results) {
  const { machine: m, settings: s } = results;
  const versions = Object.entries(m.versions).filter(([, v]) => v).map(([name, v]) => `${name} ${v}`).join(', ');
  const parts = [
    '# Benchmarks',
    `Written by \`make bench\`. Medians of ${s.rounds} interleaved rounds of ${s.seconds} s. The server runs on core 0; wrk (one thread, ` +
    '64 connections), Redis and PostgreSQL (Unix sockets, no fsync) share core 1. "CPU us" is the user and system time of ' +
    'the server\'s process for one request (for one sign-in in the last table of rates), and the figure to trust: many rates end where core 1 is full. ' +
    'Absolute figures move from machine to machine; ratios within one run are what counts.',
    'How cost grows with members, sockets, people who search and rows: [growth.md](growth.md). What five times the capacity does: [overload.md](overload.md).',
    `Machine: ${m.cores} cores of ${m.cpu}, ${m.memory_gib} GiB, ${m.system}, Linux ${m.kernel}. Versions: ${versions}.`,
    'The peer (`test/bench/peer.mjs`) is fastify with ioredis (auto-pipelining) and pg (named statements, 16 connections), one process, on the same ' +
    'tables. The floor (`test/bench/floor.c`) is bare epoll and looks at nothing. nginx returns a fixed text. webdis puts HTTP before Redis and does nothing else: `GET` reads one key, `script` runs the peer\'s script for session and rate limit. ' +
    'Rate limits are counted by Portal and by the peer, too high to be reached; that of `/livez` is off. `portald, logging` writes a line for each ' +
    `request into a pipe that is read, the others log warnings only. verify: ${s.codes} people who have an account, each with a code of an address of their own.`,
    ...sections(results.scenarios.filter((sc) => !sc.sockets && !sc.matcher)),
  ];
  if (results.memory.length)
    parts.push(`## Idle keep-alive connections\n\nGrowth of the process for each of ${s.connections} connections that have made one request.\n\n` +
      markdown(MEMORY_HEAD, memoryRows(results.memory)));
  const strangers = results.scenarios.filter((sc) => sc.matcher);
  if (strangers.length) parts.push(`${sections(strangers)}\n\n${MATCH_TEXT}`, ...matchAlone(results.matcher), '![How long people waited](matcher-waiting.svg)');
  const socketScenarios = results.scenarios.filter((sc) => sc.sockets);
  if (socketScenarios.length) parts.push(SOCKETS_TEXT, ...sections(socketScenarios));
  if (results.idle.length)
    parts.push(`## Idle sockets\n\nGrowth of the process for each socket that is signed in and in one room, beyond the first 256 ` +
      '(as many come at once; what is set up for a burst is not theirs). RSS and PSS from /proc, after settling.\n\n' +
      markdown(IDLE_HEAD, idleRows(results.idle)));
  parts.push(`## Targets\n\n${markdown(['target', 'measured', ''], targets(results).map(([t, f, met]) => [t, f, met ? 'met' : 'missed']))}`);
  parts.push(readFileSync(path.join(root, 'test/bench/profile.md'), 'utf8').trim());
  writeFileSync(path.join(root, 'docs/benchmarks.md'), `${parts.join('\n\n')}\n`);
  console.log('\ndocs/benchmarks.md is written');
}
