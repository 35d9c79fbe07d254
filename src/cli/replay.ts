/** `spillway replay`: a site's history under one policy or several, side by side. */
import { open, rm, stat, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { dollars, microUsd } from '../domain/money.ts';
import { courseOf, type Figures, figuresOf, usualBill } from '../sim/replay/figures.ts';
import { page, type Shown } from '../sim/replay/page.ts';
import { play, type Site, usualCloud, usualTickMs } from '../sim/replay/play.ts';
import { columnsOf } from '../sim/replay/policy.ts';
import type { Format } from '../sim/trace/format.ts';
import { CommandError } from './ask.ts';
import { madeFor } from './gateways.ts';
import { type Dropped, readLog } from './log.ts';
import { policyOf } from './policy.ts';
import { noProgress } from './progress.ts';
import { spotOf, usualLossesPerHour } from './spot.ts';

export interface ReplayOrder {
  readonly traces: readonly string[];
  readonly procs?: string;
  /** Of all of them; each is guessed without it. */
  readonly format?: string;
  readonly policy?: readonly string[];
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly html?: string;
  /** Dollars a core-hour. */
  readonly price?: string;
  /** Seconds from a burst to the job's first second. */
  readonly boot?: string;
  /** Processors that the cloud gives at once. */
  readonly cloudProcs?: string;
  /** Dollars a core-hour, or a file of them with dates; without it no spot is bought. */
  readonly spotPrice?: string;
  /** What is taken back of one machine in an hour. */
  readonly spotLoss?: string;
}

interface Result {
  readonly trace: string;
  readonly format: Format;
  readonly processors: number;
  readonly dropped: Dropped;
  readonly capped: number;
  readonly policy: string;
  readonly figures: Figures;
}

/** What the operator sees, line by line; the page, if asked for, is written after it. */
export async function* replay(order: ReplayOrder, progress = noProgress): AsyncGenerator<string> {
  if (order.json === true && order.csv === true)
    throw new CommandError('--json and --csv: one of them; run it twice for both');
  const named = await Promise.all((order.policy ?? ['none', 'worth']).map(policyOf));
  const labels = new Set<string>();
  for (const { label } of named) {
    if (labels.has(label)) throw new CommandError(`--policy: two are called ${label}; name each once`);
    labels.add(label);
  }
  const bill = {
    ...usualBill,
    microUsdPerCoreHour: microUsd(numberOf('--price', order.price, usualBill.microUsdPerCoreHour / 1e6, 0)),
  };
  const spotLoss = numberOf('--spot-loss', order.spotLoss, usualLossesPerHour, 0, 60);
  if (order.spotPrice === undefined && order.spotLoss !== undefined)
    throw new CommandError('--spot-loss: nothing is bought as spot without --spot-price');
  const cloud = {
    spot: order.spotPrice === undefined ? undefined : await spotOf(order.spotPrice, spotLoss),
    bootMs: 1_000 * numberOf('--boot', order.boot, usualCloud.bootMs / 1_000, 0),
    processors: numberOf('--cloud-procs', order.cloudProcs, usualCloud.processors, 0),
  };
  for (const [i, path] of order.traces.entries())
    if (order.traces.indexOf(path) !== i)
      throw new CommandError(`${path} is named twice; name each log once`);
  const alike = (path: string): boolean =>
    order.traces.filter((o) => basename(o) === basename(path)).length > 1;
  if (order.html !== undefined) await mayWrite(order.html);
  const results: Result[] = [];
  const shown: Shown[] = [];
  for (const path of order.traces) {
    const { jobs, processors, format, dropped, capped } = await readLog(path, order.procs, order.format);
    const trace = columnsOf(jobs);
    const site: Site = { processors, cloud, tickMs: usualTickMs };
    for (const one of named) {
      progress.tick(
        `${basename(path)} under ${one.label}`,
        results.length,
        order.traces.length * named.length,
      );
      const made = madeFor(one, trace, site, bill);
      const played = play(trace, made.site, made.policy);
      const figures = figuresOf(trace, played, site, bill);
      const about = { trace: alike(path) ? path : basename(path), processors, policy: one.label, figures };
      results.push({ ...about, format, dropped, capped });
      if (order.html !== undefined) shown.push({ ...about, course: courseOf(trace, played) });
    }
  }
  progress.clear();
  if (order.json === true) yield JSON.stringify(results, undefined, 2);
  else if (order.csv === true) yield* csvOf(results);
  else yield* tableOf(results, cloud.spot !== undefined);
  const { html } = order;
  if (html === undefined) return;
  await writeFile(html, page(shown)).catch((e: Error) => {
    throw new CommandError(`--html ${html}: cannot be written: ${e.message}; the figures stand without it`);
  });
  if (order.json !== true && order.csv !== true) yield* ['', `The page is ${html}.`];
}

/** Before a run that may take minutes: a page that cannot be written costs nothing but a word. */
async function mayWrite(html: string): Promise<void> {
  const there = await stat(html).then(
    () => true,
    () => false,
  );
  try {
    await (await open(html, 'a')).close();
    if (!there) await rm(html);
  } catch (e) {
    throw new CommandError(
      `--html ${html}: cannot be written: ${(e as Error).message}; write a file in a directory that is there`,
    );
  }
}

function numberOf(
  option: string,
  text: string | undefined,
  usual: number,
  least: number,
  most = 1e9,
): number {
  if (text === undefined) return usual;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value >= least && value <= most))
    throw new CommandError(
      `${option} ${text}: no number from ${least} to ${most}; write one such as ${option} 10`,
    );
  return value;
}

const hours = (ms: number): string => (ms / 3_600_000).toFixed(2);

function tableOf(results: readonly Result[], spot: boolean): readonly string[] {
  const lines: string[] = [];
  let last: string | undefined;
  for (const r of results) {
    if (r.trace !== last) {
      const { zeroRun, oversized, unfinished } = r.dropped;
      if (last !== undefined) lines.push('');
      lines.push(
        `${r.trace} (${r.format}): ${r.figures.jobs} jobs on ${r.processors} processors; left out: ${unfinished} that never ran, ${zeroRun} of no run time, ${oversized} larger than the machine; ${r.capped} cut at their time limit`,
      );
      const rows = results.filter((o) => o.trace === r.trace);
      const cells = (r: Result) => (spot ? [...cellsOf(r), ...spotCells(r)] : cellsOf(r));
      lines.push(...aligned([spot ? [...head, ...spotHead] : head, ...rows.map(cells)]));
      last = r.trace;
    }
  }
  return lines;
}

const head = [
  'policy',
  'wait h',
  'p50',
  'p95',
  'slowdown',
  'p50',
  'p95',
  'cloud',
  'cost',
  'bursts',
  'peak cores',
  'instances',
  'fairness',
];

const spotHead = ['on spot', 'restarts'];

const spotCells = ({ figures }: Result): readonly string[] => [
  String(figures.spotBursts),
  String(figures.restarts),
];

function cellsOf({ policy, figures: f }: Result): readonly string[] {
  return [
    policy,
    hours(f.waitMs.mean),
    hours(f.waitMs.p50),
    hours(f.waitMs.p95),
    f.slowdown.mean.toFixed(1),
    f.slowdown.p50.toFixed(1),
    f.slowdown.p95.toFixed(1),
    `${(100 * f.cloudShare).toFixed(1)} %`,
    dollars(f.microUsd),
    String(f.bursts),
    String(f.peakCloudCores),
    String(f.peakInstances),
    `${f.fairness.index.toFixed(3)} of ${f.fairness.count} ${f.fairness.between}`,
  ];
}

function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, c) => Math.max(...rows.map((r) => (r[c] ?? '').length)));
  return rows.map((r) =>
    r
      .map((cell, c) => (c === 0 ? cell.padEnd(widths[c] ?? 0) : cell.padStart(widths[c] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

function csvOf(results: readonly Result[]): readonly string[] {
  const columns: Readonly<Record<string, (r: Result) => string | number>> = {
    trace: (r) => r.trace,
    processors: (r) => r.processors,
    policy: (r) => r.policy,
    jobs: (r) => r.figures.jobs,
    bursts: (r) => r.figures.bursts,
    wait_mean_s: (r) => r.figures.waitMs.mean / 1_000,
    wait_p50_s: (r) => r.figures.waitMs.p50 / 1_000,
    wait_p95_s: (r) => r.figures.waitMs.p95 / 1_000,
    slowdown_mean: (r) => r.figures.slowdown.mean,
    slowdown_p50: (r) => r.figures.slowdown.p50,
    slowdown_p95: (r) => r.figures.slowdown.p95,
    cloud_share: (r) => r.figures.cloudShare,
    cost_micro_usd: (r) => r.figures.microUsd,
    spot_bursts: (r) => r.figures.spotBursts,
    restarts: (r) => r.figures.restarts,
    peak_cloud_cores: (r) => r.figures.peakCloudCores,
    peak_instances: (r) => r.figures.peakInstances,
    fairness: (r) => r.figures.fairness.index,
  };
  const quoted = (v: string | number): string =>
    typeof v === 'string' && /[",\n]/.test(v) ? `"${v.replaceAll('"', '""')}"` : String(v);
  return [
    Object.keys(columns).join(','),
    ...results.map((r) =>
      Object.values(columns)
        .map((of) => quoted(of(r)))
        .join(','),
    ),
  ];
}
