/** A replay as one page that needs nothing from anywhere: what a person can send by mail and open. */
import { dollars } from '../../domain/money.ts';
import type { Course, Figures } from './figures.ts';

export interface Shown {
  readonly trace: string;
  readonly processors: number;
  readonly policy: string;
  readonly figures: Figures;
  readonly course: Course;
}

const width = 720;
const height = 300;
const edge = { left: 70, right: 20, top: 15, bottom: 40 };
const colours = ['#4269d0', '#c2540a', '#2e8b57', '#a3479a', '#8a6d00', '#c0392b', '#1b7f8c', '#555555'];

export function page(shown: readonly Shown[]): string {
  const traces = [...new Set(shown.map((s) => s.trace))];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Spillway replay</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; font-size: 14px } td, th { padding: 2px 10px; text-align: right }
td:first-child, th:first-child { text-align: left } tr:nth-child(even) { background: #f4f4f4 }
svg { width: 100%; height: auto } svg text { font: 12px system-ui, sans-serif; fill: #444 }
</style>
<h1>Replay</h1>
${traces.map((t) => sectionOf(shown.filter((s) => s.trace === t))).join('\n')}
</html>
`;
}

function sectionOf(rows: readonly Shown[]): string {
  const [first] = rows;
  if (first === undefined) return '';
  const days = (first.course.spanMs * first.course.waiting.length) / 86_400_000;
  return `<section>
<h2>${escaped(first.trace)}</h2>
<p>${first.figures.jobs} jobs on ${first.processors} processors, ${days.toFixed(0)} days.</p>
${tableOf(rows)}
<h3>Waiting against spend</h3>
${frontOf(rows)}
<h3>Backlog over time: jobs that wait</h3>
${linesOf(rows, (c) => c.waiting, 'jobs')}
<h3>Cloud capacity over time: cores, those that boot included</h3>
${linesOf(rows, (c) => c.cloudCores, 'cores')}
</section>`;
}

function tableOf(rows: readonly Shown[]): string {
  const head = [
    'policy',
    'mean wait',
    'p95 wait',
    'slowdown',
    'cloud share',
    'cost',
    'peak cores',
    'fairness',
  ];
  const cells = ({ policy, figures: f }: Shown): readonly string[] => [
    policy,
    `${(f.waitMs.mean / 3_600_000).toFixed(2)} h`,
    `${(f.waitMs.p95 / 3_600_000).toFixed(2)} h`,
    f.slowdown.mean.toFixed(1),
    `${(100 * f.cloudShare).toFixed(1)} %`,
    dollars(f.microUsd),
    String(f.peakCloudCores),
    f.fairness.index.toFixed(3),
  ];
  const row = (of: readonly string[], tag: string): string =>
    `<tr>${of.map((c) => `<${tag}>${escaped(c)}</${tag}>`).join('')}</tr>`;
  return `<table>\n${row(head, 'th')}\n${rows.map((r) => row(cells(r), 'td')).join('\n')}\n</table>`;
}

/** Those that no other beats in both are joined: the front. */
function frontOf(rows: readonly Shown[]): string {
  const points = rows.map((r, i) => ({
    x: r.figures.microUsd / 1_000_000,
    y: r.figures.waitMs.mean / 3_600_000,
    name: r.policy,
    colour: colourOf(i),
  }));
  const front = paretoOf(points);
  const scale = scaleOf(
    Math.max(...points.map((p) => p.x)),
    Math.max(...points.map((p) => p.y)),
    'dollars',
    'hours of mean wait',
  );
  const path = front.map((p) => `${scale.x(p.x)},${scale.y(p.y)}`).join(' ');
  const dots = points.map((p) => {
    const x = scale.x(p.x);
    // A name near the right edge stands to the left of its dot.
    const end = x > width * 0.7;
    return `<circle cx="${x}" cy="${scale.y(p.y)}" r="5" fill="${p.colour}"/><text x="${end ? x - 9 : x + 9}" y="${scale.y(p.y) - 6}"${end ? ' text-anchor="end"' : ''}>${escaped(p.name)}</text>`;
  });
  return svg(
    'mean wait against spend, a dot for each policy; those that none beats are joined',
    `${scale.axes}<polyline points="${path}" fill="none" stroke="#999" stroke-dasharray="5 4"/>${dots.join('')}`,
  );
}

/** Of points, those to which no other is at least as good in both and better in one; from the cheapest on. */
export function paretoOf<T extends { readonly x: number; readonly y: number }>(
  points: readonly T[],
): readonly T[] {
  const front: T[] = [];
  for (const p of [...points].sort((a, b) => a.x - b.x || a.y - b.y))
    if (front.every((f) => p.y < f.y)) front.push(p);
  return front;
}

function linesOf(rows: readonly Shown[], of: (course: Course) => Float64Array, unit: string): string {
  const [first] = rows;
  if (first === undefined) return '';
  const from = Math.min(...rows.map((r) => r.course.fromMs));
  const until = Math.max(...rows.map((r) => r.course.fromMs + r.course.spanMs * r.course.waiting.length));
  const most = Math.max(...rows.map((r) => of(r.course).reduce((a, b) => Math.max(a, b), 0)));
  const scale = scaleOf((until - from) / 86_400_000, most, 'days', unit);
  const lines = rows.map((r, i) => {
    const points = Array.from(of(r.course), (v, s) => {
      const day = (r.course.fromMs - from + (s + 0.5) * r.course.spanMs) / 86_400_000;
      return `${scale.x(day)},${scale.y(v)}`;
    });
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${colourOf(i)}" stroke-width="1.2"/>`;
  });
  const legend = rows.map(
    (r, i) =>
      `<rect x="${width - 190}" y="${edge.top + 18 * i}" width="12" height="3" fill="${colourOf(i)}"/><text x="${width - 172}" y="${edge.top + 6 + 18 * i}">${escaped(r.policy)}</text>`,
  );
  return svg(`${unit} over time, a line for each policy`, scale.axes + lines.join('') + legend.join(''));
}

interface Scale {
  readonly x: (v: number) => number;
  readonly y: (v: number) => number;
  readonly axes: string;
}

function scaleOf(mostX: number, mostY: number, nameX: string, nameY: string): Scale {
  const [toX, toY] = [roundUp(mostX), roundUp(mostY)];
  const right = width - edge.right;
  const bottom = height - edge.bottom;
  const x = (v: number): number => round(edge.left + (v / toX) * (right - edge.left));
  const y = (v: number): number => round(bottom - (v / toY) * (bottom - edge.top));
  const marks = [0, 0.25, 0.5, 0.75, 1].map(
    (p) =>
      `<text x="${x(p * toX)}" y="${bottom + 16}" text-anchor="middle">${label(p * toX)}</text><text x="${edge.left - 6}" y="${y(p * toY) + 4}" text-anchor="end">${label(p * toY)}</text><line x1="${edge.left}" x2="${right}" y1="${y(p * toY)}" y2="${y(p * toY)}" stroke="#e4e4e4"/>`,
  );
  const names = `<text x="${(edge.left + right) / 2}" y="${height - 6}" text-anchor="middle">${nameX}</text><text transform="translate(14 ${(edge.top + bottom) / 2}) rotate(-90)" text-anchor="middle">${nameY}</text>`;
  return { x, y, axes: marks.join('') + names };
}

/** The next of 1, 2, 4, 6, 8 and their tenfolds, so that quarters are read easily. */
function roundUp(v: number): number {
  if (!(v > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(v));
  return ([1, 2, 4, 6, 8, 10].find((m) => m * power >= v) ?? 10) * power;
}

const round = (v: number): number => Math.round(v * 10) / 10;
const label = (v: number): string => v.toLocaleString('en-US', { maximumFractionDigits: 2 });
const colourOf = (i: number): string => colours[i % colours.length] as string;

function svg(title: string, inner: string): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img"><title>${escaped(title)}</title>${inner}</svg>`;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const escaped = (text: string): string => text.replace(/[&<>"']/g, (c) => entities[c] as string);
