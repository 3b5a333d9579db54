// How cost grows: with the members of a chat, sockets, open chats, people who wait for the matcher, and rows in
// PostgreSQL. Each figure must stay flat or grow in proportion, as its row says.
//
//   node growth.mjs [--only members,sockets,chats,queue,people] [--most N] [--write]
//
// --most: no point beyond. --write: docs/growth.md and its pictures, too. Figures go to build/bench/growth.json.
// Needs what bench.mjs needs. PostgreSQL tells time and pages of each statement itself (auto_explain) in
// the log of private stores (PORTAL_STORES).
//
// To add a figure: a row in one of the parts below. To add a part: its function, its entry in PARTS.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chatsPart, membersPart, socketsPart } from './growth_sockets.mjs';
import { peoplePart, queuePart } from './growth_stores.mjs';
import { LOAD_CORE, pin } from './measure.mjs';
import { OUT, makePortal } from './servers.mjs';
import { drawGrowth } from './svg.mjs';

const { values: flags } = parseArgs({ options: { only: { type: 'string' }, most: { type: 'string' }, write: { type: 'boolean' } } });
const most = Number(flags.most ?? Infinity);
const docs = fileURLToPath(new URL('../../docs/', import.meta.url));

const PARTS = {
  members: { title: 'Members of a chat', unit: 'members', run: membersPart, points: [10, 100, 1000, 10000] },
  sockets: { title: 'Sockets', unit: 'sockets', run: socketsPart, points: [100, 1000, 10000, 20000] },
  chats: { title: 'Open chats', unit: 'chats', run: chatsPart, points: [10, 100, 1000, 10000, 100000] },
  queue: { title: 'People who wait for the matcher', unit: 'waiting', run: queuePart, points: [10, 100, 1000, 10000, 100000] },
  people: { title: 'People and sessions', unit: 'people', run: peoplePart, points: [1000, 10000, 100000, 1000000] },
};
const SOCKETS = ['members', 'sockets']; // with a person and a descriptor for each
const SPARE = 1000; // descriptors that are no counted socket's
const descriptors = Number(execFileSync('bash', ['-c', 'ulimit -Hn'], { encoding: 'utf8' })) || Infinity;

// ---- what is expected ----

const FLAT = 2; // so much more at the last point than at the first is flat
const LINEAR = 1.5; // so much more than in proportion is linear

// A figure: {title, unit, grows: 'flat' | 'linear', points: [[n, value], …]}. What is below `noise` counts as that; `from`: it
// holds for that many and more.
const seen = (figure) => figure.points.map(([n, v]) => [n, Math.max(v, figure.noise ?? 0.001)]);

function judge(figure) {
  const points = seen(figure).filter(([n]) => n >= (figure.from ?? 0));
  const [n, v] = points[0];
  const expected = points.map(([m]) => [m, figure.grows === 'flat' ? v : (v * m) / n]);
  const times = points.at(-1)[1] / v;
  return { expected, times, met: times <= (figure.grows === 'flat' ? FLAT : (LINEAR * points.at(-1)[0]) / n) };
}

// ---- reports ----

const number = (v) => (v >= 100 ? String(Math.round(v)) : v.toPrecision(3));

function rowsOf(figures) {
  return figures.map((f) => {
    const { times, met } = judge(f);
    return [`${f.title}, ${f.unit}`, ...f.points.map(([, v]) => number(v)), f.grows, `${number(times)} x`, met ? 'met' : 'missed'];
  });
}
const headOf = (unit, figures) => [unit, ...figures[0].points.map(([n]) => n.toLocaleString('en')), 'expected', 'grows', ''];

function print({ title, unit, figures }) {
  const table = [headOf(unit, figures), ...rowsOf(figures)];
  const widths = table[0].map((_, i) => Math.max(...table.map((r) => r[i].length)));
  console.log(`\n${title}`);
  for (const row of table) console.log(`  ${row.map((c, i) => (i === 0 ? c.padEnd(widths[i]) : c.padStart(widths[i]))).join('  ')}`);
}

function section({ name, title, unit, text, figures }) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const head = headOf(unit, figures);
  writeFileSync(path.join(docs, `growth-${name}.svg`), drawGrowth(figures.map((f) => (
    { title: `${f.title}, ${f.unit}`, points: seen(f), expected: judge(f).expected }))));
  return `## ${title}\n\n${text}\n\n${[line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rowsOf(figures).map(line)].join('\n')}\n\n` +
    `![${title}](growth-${name}.svg)`;
}

function write(parts) {
  const text = [
    '# How cost grows',
    'Written by `make bench`, on the machine and with the cores of [benchmarks.md](benchmarks.md). Each row is measured at points ten times apart. ' +
    `\`flat\`: at most ${FLAT} times as much at the last point as at the first; \`linear\`: at most ${LINEAR} times as much as in proportion. Dashed lines ` +
    'are what is expected. That no statement reads a whole table that grows is a test (`test/unit/test_statements.c`).',
    ...parts.map(section),
  ].join('\n\n');
  writeFileSync(path.join(docs, 'growth.md'), `${text}\n`);
  console.log('\ndocs/growth.md is written');
}

// ---- the run ----

mkdirSync(OUT, { recursive: true });
pin(process.pid, LOAD_CORE);
const portal = await makePortal();
const parts = [];
try {
  const chosen = Object.entries(PARTS).filter(([n]) => !flags.only || flags.only.split(',').includes(n))
    .map(([name, part]) => ({ ...part, name, points: part.points.filter((n) => n <= most) }));
  for (const p of chosen.filter(({ name }) => SOCKETS.includes(name))) p.points = [...new Set(p.points.map((n) => Math.min(n, descriptors - SPARE)))];
  portal.sockets = Math.max(0, ...chosen.filter((p) => SOCKETS.includes(p.name)).map((p) => p.points.at(-1)));
  for (const { name, title, unit, run, points } of chosen) {
    const began = Date.now();
    parts.push({ name, title, unit, ...await run(portal, points) });
    print(parts.at(-1));
    console.log(`  (${Math.round((Date.now() - began) / 1000)} s)`);
  }
} catch (e) {
  console.error(`growth: ${e.message}`);
  process.exitCode = 1;
}
await portal.stores.release();
if (process.exitCode) process.exit();
writeFileSync(path.join(OUT, 'growth.json'), `${JSON.stringify(parts, null, 2)}\n`);
if (flags.write) write(parts);
