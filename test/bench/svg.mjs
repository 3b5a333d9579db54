// Pictures as SVG that stand alone: how figures grow, a panel for each, both axes logarithmic (drawGrowth); and how they
// went over time, both axes linear (drawTimes).
const W = 420, H = 220, LEFT = 56, RIGHT = 16, TOP = 40, BELOW = 30;

const short = (n) => (n >= 1e6 ? `${n / 1e6}M` : n >= 1e3 ? `${n / 1e3}k` : `${Number(n.toPrecision(2))}`);
const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');

function powers(least, most) {
  const list = [];
  for (let e = Math.floor(Math.log10(least)); e <= Math.ceil(Math.log10(most)); e++) list.push(10 ** e);
  return list;
}

// `expected`: a dashed line, flat or in proportion, from the first point on.
function panel({ title, points, expected }, atX, atY) {
  const xs = points.map(([n]) => n);
  const lines = [points, expected];
  const ys = powers(Math.min(...lines.flat().map(([, v]) => v)), Math.max(...lines.flat().map(([, v]) => v)));
  if (ys.length === 1) ys.push(ys[0] * 10);
  const scale = (value, least, most, from, to) => from + (Math.log10(value / least) / Math.log10(most / least)) * (to - from);
  const x = (n) => scale(n, xs[0], xs.at(-1), atX + LEFT, atX + W - RIGHT);
  const y = (v) => scale(v, ys[0], ys.at(-1), atY + H - BELOW, atY + TOP);
  const path = (list) => list.map(([n, v]) => `${x(n).toFixed(1)},${y(v).toFixed(1)}`).join(' ');
  return [
    `<text x="${atX + 12}" y="${atY + 24}" font-weight="bold">${escape(title)}</text>`,
    ...ys.map((v) => `<path d="M${atX + LEFT} ${y(v).toFixed(1)}H${atX + W - RIGHT}" stroke="#ddd"/>` +
      `<text x="${atX + LEFT - 6}" y="${(y(v) + 4).toFixed(1)}" text-anchor="end">${short(v)}</text>`),
    ...xs.map((n) => `<text x="${x(n).toFixed(1)}" y="${atY + H - BELOW + 18}" text-anchor="middle">${short(n)}</text>`),
    `<polyline points="${path(expected)}" fill="none" stroke="#999" stroke-dasharray="4 4"/>`,
    `<polyline points="${path(points)}" fill="none" stroke="#4878a8" stroke-width="2"/>`,
    ...points.map(([n, v]) => `<circle cx="${x(n).toFixed(1)}" cy="${y(v).toFixed(1)}" r="3" fill="#4878a8"/>`),
  ].join('\n');
}

const COLOURS = ['#4878a8', '#d9622b', '#3b9a5b'];

function timesPanel({ title, lines }, atX, atY) {
  const all = lines.flatMap((l) => l.points);
  const lastX = Math.max(...all.map(([t]) => t)), mostY = Math.max(...all.map(([, v]) => v)) || 1;
  const unit = 10 ** Math.floor(Math.log10(mostY)), top = Math.ceil(mostY / unit) * unit;
  const x = (t) => atX + LEFT + (t / lastX) * (W - LEFT - RIGHT);
  const y = (v) => atY + H - BELOW - (v / top) * (H - BELOW - TOP);
  return [
    `<text x="${atX + 12}" y="${atY + 18}" font-weight="bold">${escape(title)}</text>`,
    ...[0, top / 2, top].map((v) => `<path d="M${atX + LEFT} ${y(v).toFixed(1)}H${atX + W - RIGHT}" stroke="#ddd"/>` +
      `<text x="${atX + LEFT - 6}" y="${(y(v) + 4).toFixed(1)}" text-anchor="end">${short(v)}</text>`),
    ...[0, lastX / 2, lastX].map((t) => `<text x="${x(t).toFixed(1)}" y="${atY + H - BELOW + 18}" text-anchor="middle">${Math.round(t)} s</text>`),
    ...lines.flatMap(({ name, points, dashed }, i) => [
      `<polyline points="${points.map(([t, v]) => `${x(t).toFixed(1)},${y(v).toFixed(1)}`).join(' ')}" fill="none" stroke="${COLOURS[i]}"${dashed ? ' stroke-dasharray="4 4"' : ''}/>`,
      `<text x="${atX + LEFT + i * 90}" y="${atY + 33}" fill="${COLOURS[i]}">${escape(name)}</text>`,
    ]),
  ].join('\n');
}

function drawPanels(panels, one) {
  const rows = Math.ceil(panels.length / 2);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${2 * W} ${rows * H}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
${panels.map((p, i) => one(p, (i % 2) * W, Math.floor(i / 2) * H)).join('\n')}
</svg>
`;
}

// Panels {title, points: [[n, value], …], expected: the same}, two in a row.
export const drawGrowth = (panels) => drawPanels(panels, panel);
// Panels {title, lines: up to three {name, points: [[second, value], …], dashed}}.
export const drawTimes = (panels) => drawPanels(panels, timesPanel);
