// docs/operations/: the Grafana dashboard and the Prometheus rules speak of what /metrics says. With promtool
// on the PATH (Debian's package prometheus) it checks the rules, and every query of the dashboard, too.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connect, startPortal } from './harness.js';

const run = promisify(execFile);
const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../docs/operations');

let portal;
let metrics; // name -> type
let labels; // of http_requests_total
before(async () => {
  portal = await startPortal();
  const person = await portal.signIn();
  const socket = await connect(portal, person); // so that each figure has had something to count
  const { text } = await portal.get('/metrics');
  socket.close();
  metrics = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map((m) => [m[1], m[2]]));
  metrics.set('portal_process_open_descriptors', 'gauge'); // not told before Linux 6.2
  labels = new Set([...text.matchAll(/([a-z_]+)="/g)].map((m) => m[1]).concat('instance', 'job'));
});
after(() => portal.stop());

const dashboard = async () => JSON.parse(await readFile(path.join(folder, 'grafana.json'), 'utf8'));
const queries = async () => (await dashboard()).panels.flatMap((p) => (p.targets ?? []).map((t) => t.expr));

// The rules file is the plainest YAML: blocks of two spaces, one-line values, and ">-" for long ones.
function rulesOf(text) {
  const rules = [];
  let into; // of a long value
  for (const line of text.split('\n')) {
    const indent = line.search(/\S/);
    if (indent < 0 || line.trim().startsWith('#')) continue;
    assert.ok(!line.includes('\t') && indent % 2 === 0, `indented by spaces: ${line}`);
    if (into && indent > into.indent) {
      into.rule[into.key] = `${into.rule[into.key]} ${line.trim()}`.trim();
      continue;
    }
    into = undefined;
    const m = line.match(/^ *(- )?([a-z]+):(?: (.*))?$/);
    assert.ok(m, `understood: ${line}`);
    const [, item, key, value] = m;
    if (item && key === 'alert') rules.push({ alert: value });
    else if (indent >= 8 && rules.length) {
      const rule = rules.at(-1);
      if (value === '>-') into = { rule, key, indent };
      assert.ok(!(key in rule), `${rule.alert}: ${key} once`);
      rule[key] = value === '>-' ? '' : value;
    } else assert.ok(['groups', 'name', 'rules'].includes(key), line);
  }
  return rules;
}
const rules = async () => rulesOf(await readFile(path.join(folder, 'alerts.yml'), 'utf8'));

// Brackets that close, metrics that exist and are asked for what they are, labels that exist.
function checkQuery(expr) {
  const open = [];
  for (const c of expr.replace(/"[^"]*"/g, '""')) {
    if ('([{'.includes(c)) open.push(')]}'['([{'.indexOf(c)]);
    else if (')]}'.includes(c)) assert.equal(c, open.pop(), `brackets of ${expr}`);
  }
  assert.deepEqual(open, [], `brackets of ${expr}`);
  const names = [...expr.matchAll(/\bportal_[a-z0-9_]+/g)].map((m) => m[0]);
  assert.ok(names.length > 0 || expr.startsWith('up{'), `${expr} names a figure`);
  for (const name of names) {
    const base = name.replace(/_(bucket|sum|count)$/, '');
    const type = metrics.get(name) ?? (metrics.get(base) === 'histogram' ? 'counter' : undefined);
    assert.ok(type, `${name} is in /metrics`);
    const counted = new RegExp(`(rate|increase|resets)\\(${name}\\b`).test(expr);
    assert.equal(counted, type === 'counter', `${name} is a ${type}: ${expr}`);
  }
  for (const m of expr.matchAll(/\bby \(([^)]*)\)/g)) {
    for (const label of m[1].split(',')) assert.ok(labels.has(label.trim()), `${label} in ${expr}`);
  }
  for (const m of expr.matchAll(/[{,]\s*([a-z_]+)\s*(=|!=|=~|!~)"/g)) assert.ok(labels.has(m[1]), `${m[1]} in ${expr}`);
}

test('every query of the dashboard asks for figures that are there', async () => {
  const { panels, templating } = await dashboard();
  assert.equal(new Set(panels.map((p) => p.id)).size, panels.length, 'ids are told apart');
  for (const p of panels) {
    assert.ok(p.title && p.gridPos.x + p.gridPos.w <= 24, p.title);
    assert.ok(p.type === 'row' || p.targets.length > 0, p.title);
  }
  for (const a of panels) {
    for (const b of panels.filter((x) => x.id > a.id)) {
      const [p, q] = [a.gridPos, b.gridPos];
      assert.ok(p.x + p.w <= q.x || q.x + q.w <= p.x || p.y + p.h <= q.y || q.y + q.h <= p.y, `${a.title} and ${b.title} overlap`);
    }
  }
  for (const expr of await queries()) checkQuery(expr);
  for (const v of templating.list.filter((x) => x.type === 'query')) assert.ok(metrics.has(v.query.match(/portal_[a-z_]+/)[0]), v.query);
});

test('the rules are well-formed, and ask for figures that are there', async () => {
  const list = await rules();
  assert.ok(list.length >= 10);
  assert.equal(new Set(list.map((r) => r.alert)).size, list.length);
  for (const r of list) {
    assert.match(r.alert, /^Portal[A-Za-z]+$/);
    checkQuery(r.expr);
    assert.match(r.labels, /^\{severity: (critical|warning)\}$/, r.alert);
    for (const key of ['summary', 'description']) assert.match(r[key], /^"[^"]+"$/, `${r.alert}: ${key}`);
    if (r.for) assert.match(r.for, /^\d+[smh]$/);
  }
});

test('promtool takes them', async (t) => {
  try {
    await run('promtool', ['--version']);
  } catch {
    t.skip('promtool is not here');
    return;
  }
  await run('promtool', ['check', 'rules', path.join(folder, 'alerts.yml')]);
  // The dashboard's queries as rules, Grafana's variables filled in.
  const dir = await mkdtemp(path.join(os.tmpdir(), 'pt-rules-'));
  const lines = (await queries()).map((q, i) => `      - record: q${i}\n        expr: ${JSON.stringify(q.replaceAll('$job', 'portal').replaceAll('$instance', '.*'))}`);
  await writeFile(path.join(dir, 'q.yml'), `groups:\n  - name: q\n    rules:\n${lines.join('\n')}\n`);
  await run('promtool', ['check', 'rules', path.join(dir, 'q.yml')]);
  await rm(dir, { recursive: true });
});
