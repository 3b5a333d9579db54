// What is read off a run: wrk's figures, and the CPU time of processes.
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'wrk.lua');
const TICK_US = 1e6 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

export const SERVER_CORE = '0';
export const LOAD_CORE = '1';

// What follows the name of the command, which may hold blanks.
function stat(pid) {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
}

// User and system time of a process in microseconds; with `waited` that of its ended children too.
export function cpuOf(pid, waited = false) {
  const s = stat(pid);
  return (Number(s[11]) + Number(s[12]) + (waited ? Number(s[13]) + Number(s[14]) : 0)) * TICK_US;
}

export function childrenOf(pid) {
  return readdirSync('/proc').filter((p) => {
    try {
      return /^\d+$/.test(p) && Number(stat(p)[1]) === pid;
    } catch {
      return false; // gone meanwhile
    }
  }).map(Number);
}

export function parentOf(pid) {
  return Number(stat(pid)[1]);
}

export function pin(pid, core) {
  execFileSync('taskset', ['-a', '-p', '-c', core, String(pid)]);
}

export function memoryOf(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const bytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)[1]) * 1024;
  return { rss: bytes('Rss'), pss: bytes('Pss') };
}

export function cpuOfTree(pid) {
  return childrenOf(pid).reduce((sum, child) => {
    try {
      return sum + cpuOf(child);
    } catch {
      return sum;
    }
  }, cpuOf(pid, true));
}

const UNITS = { us: 1, ms: 1e3, s: 1e6, m: 6e7 };
function micros(text) {
  const [, number, unit] = /^([\d.]+)(us|ms|s|m)$/.exec(text);
  return Number(number) * UNITS[unit];
}

// One run of wrk: 64 connections, one thread. Without args: one fixed GET of `target`.
export async function wrk(port, { target = '/', seconds, args }) {
  const options = ['-c', LOAD_CORE, 'wrk', '-t1', '-c64', `-d${seconds}s`, '--timeout', '5s', '--latency'];
  if (args) options.push('-s', script);
  options.push(`http://127.0.0.1:${port}${target}`);
  if (args) options.push('--', ...args.map(String));
  const { stdout, stderr } = await run('taskset', options, { maxBuffer: 1 << 24 });
  if (stderr) process.stderr.write(stderr);
  const number = (pattern) => Number(pattern.exec(stdout)?.[1] ?? 0);
  const latency = (percent) => micros(new RegExp(`^\\s+${percent}%\\s+(\\S+)$`, 'm').exec(stdout)?.[1] ?? '0us'); // a short one may have none
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout);
  return {
    requests: number(/(\d+) requests in/),
    rate: number(/Requests\/sec:\s+([\d.]+)/),
    finished: number(/^finished: (\d+)$/m),
    p50: latency(50),
    p99: latency(99),
    errors: number(/Non-2xx or 3xx responses: (\d+)/) + (sockets ?? []).slice(1).reduce((sum, n) => sum + Number(n), 0),
  };
}

// The same with the CPU time that server and stores took for a request, or, where one operation is
// several requests, for an operation.
export async function measure(server, stores, load, perOperation = false) {
  const before = { server: cpuOf(server.pid), redis: cpuOf(stores.redis), postgres: cpuOfTree(stores.postgres) };
  const r = await wrk(server.port, load);
  const count = perOperation ? r.finished : r.requests;
  return {
    rate: perOperation ? (r.rate * r.finished) / r.requests : r.rate,
    p50: r.p50,
    p99: r.p99,
    cpu: (cpuOf(server.pid) - before.server) / count,
    redis: (cpuOf(stores.redis) - before.redis) / count,
    postgres: (cpuOfTree(stores.postgres) - before.postgres) / count,
    errors: r.errors,
    requests: r.requests,
  };
}

export function median(list) {
  const sorted = [...list].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
