/** `spillway replay`: a site's history under one policy or several, side by side. */
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { YAMLParseError, parse as yaml } from 'yaml';
import { z } from 'zod';
import { dollars, microUsd } from '../domain/money.ts';
import { courseOf, type Figures, figuresOf, usualBill } from '../sim/replay/figures.ts';
import { page, type Shown } from '../sim/replay/page.ts';
import { play, type Site, usualCloud, usualTickMs } from '../sim/replay/play.ts';
import {
  isPolicyName,
  makePolicy,
  type Named,
  type Parameter,
  policies,
  usualParameters,
} from '../sim/replay/policies.ts';
import { columnsOf } from '../sim/replay/policy.ts';
import { clean, type Trace, TraceError, type TraceJob } from '../sim/trace/job.ts';
import { readTrace } from '../sim/trace/read.ts';
import { CommandError } from './ask.ts';

export interface ReplayOrder {
  readonly traces: readonly string[];
  readonly procs?: string;
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
}

interface Result {
  readonly trace: string;
  readonly processors: number;
  readonly dropped: { readonly zeroRun: number; readonly oversized: number; readonly unfinished: number };
  readonly capped: number;
  readonly policy: string;
  readonly figures: Figures;
}

/** What the operator sees, line by line; the page, if asked for, is written beside it. */
export async function replay(order: ReplayOrder): Promise<readonly string[]> {
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
  const cloud = {
    bootMs: 1_000 * numberOf('--boot', order.boot, usualCloud.bootMs / 1_000, 0),
    processors: numberOf('--cloud-procs', order.cloudProcs, usualCloud.processors, 0),
  };
  for (const [i, path] of order.traces.entries())
    if (order.traces.indexOf(path) !== i)
      throw new CommandError(`${path} is named twice; name each log once`);
  const alike = (path: string): boolean =>
    order.traces.filter((o) => basename(o) === basename(path)).length > 1;
  const results: Result[] = [];
  const shown: Shown[] = [];
  for (const path of order.traces) {
    const { jobs, processors, dropped, capped } = await readLog(path, order.procs);
    const trace = columnsOf(jobs);
    const site: Site = { processors, cloud, tickMs: usualTickMs };
    for (const one of named) {
      const played = play(trace, site, makePolicy(one, trace, site));
      const figures = figuresOf(trace, played, site, bill);
      const about = { trace: alike(path) ? path : basename(path), processors, policy: one.label, figures };
      results.push({ ...about, dropped, capped });
      if (order.html !== undefined) shown.push({ ...about, course: courseOf(trace, played) });
    }
  }
  const { html } = order;
  if (html !== undefined)
    await writeFile(html, page(shown)).catch((e: Error) => {
      throw new CommandError(
        `--html ${html}: cannot be written: ${e.message}; write a file in a directory that is there`,
      );
    });
  if (order.json === true) return [JSON.stringify(results, undefined, 2)];
  if (order.csv === true) return csvOf(results);
  return [...tableOf(results), ...(html === undefined ? [] : ['', `The page is ${html}.`])];
}

export interface ReadLog {
  readonly jobs: readonly TraceJob[];
  readonly processors: number;
  readonly dropped: Result['dropped'];
  readonly capped: number;
  /** What was left out, in words. */
  readonly left: string;
}

/** A log as a replay takes it: in order of submission, without what cannot be played. */
export async function readLog(path: string, procs: string | undefined): Promise<ReadLog> {
  const read = await readTrace(path).catch((e: unknown) => {
    if (e instanceof TraceError)
      throw new CommandError(`${e.message}\nA trace is an SWF file or a dump of sacct, plain or gzipped.`);
    throw e;
  });
  const processors = processorsOf(path, read, procs);
  const { jobs, zeroRun, oversized, capped } = clean(read.jobs, processors);
  if (jobs.length === 0)
    throw new CommandError(
      `${path}: none of its ${read.jobs.length} jobs ran on ${processors} processors; write the site's size after --procs`,
    );
  const { unfinished } = read;
  const left = `${unfinished} that never ran, ${zeroRun} of no run time, ${oversized} larger than the machine; ${capped} cut at their time limit`;
  return { jobs, processors, dropped: { zeroRun, oversized, unfinished }, capped, left };
}

function processorsOf(path: string, trace: Trace, procs: string | undefined): number {
  const count = procs === undefined ? trace.header.maxProcs : Number(procs);
  if (count === undefined)
    throw new CommandError(`${path}: its header does not tell MaxProcs; write the site's size after --procs`);
  if (!Number.isInteger(count) || count < 1 || count >= 2 ** 31)
    throw new CommandError(`--procs ${procs ?? count}: no count of processors; write a whole number from 1`);
  return count;
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

const form = z.strictObject({
  name: z.string().min(1).optional(),
  policy: z.string(),
  leastWorth: z.number().nonnegative().optional(),
  exact: z.int().positive().optional(),
  waited: z.string().optional(),
  request: z.string().optional(),
  run: z.string().optional(),
});

/** How a person writes each. */
const written = {
  leastWorth: 'leastWorth',
  exact: 'exact',
  waitedMs: 'waited',
  requestMs: 'request',
  runMs: 'run',
} as const satisfies Record<Parameter, keyof z.infer<typeof form>>;

/** `NAME`, `NAME:PARAMETER…`, or a file with a policy in it. */
export async function policyOf(text: string): Promise<Named> {
  const [name = '', ...given] = text.split(':');
  if (isPolicyName(name)) return { label: text, policy: name, parameters: parametersOf(text, name, given) };
  const source = await readFile(text, 'utf8').catch(() => undefined);
  if (source === undefined)
    throw new CommandError(
      `--policy ${text}: neither a file nor a policy. There are\n${Object.entries(policies)
        .map(([n, { what, takes }]) => `  ${[n, ...takes.map(usually)].join(':')}  ${what}`)
        .join('\n')}`,
    );
  return policyInFile(text, source);
}

function parametersOf(text: string, name: keyof typeof policies, given: readonly string[]) {
  const takes: readonly Parameter[] = policies[name].takes;
  if (given.length > takes.length)
    throw new CommandError(
      `--policy ${text}: ${name} takes ${takes.length === 0 ? 'no parameter' : takes.map((t) => written[t]).join(':')}`,
    );
  return Object.fromEntries(
    given.map((value, i) => [takes[i], readValue(`--policy ${text}`, takes[i] as Parameter, value)]),
  );
}

function readValue(where: string, parameter: Parameter, text: string): number {
  if (parameter.endsWith('Ms')) return durationOf(where, written[parameter], text);
  const value = Number(text);
  const least = parameter === 'exact' ? 1 : 0;
  if (text === '' || !(value >= least) || (parameter === 'exact' && !Number.isInteger(value)))
    throw new CommandError(
      `${where}: ${written[parameter]} ${text} is no number; write one such as ${usualParameters[parameter]}`,
    );
  return value;
}

const usually = (parameter: Parameter): string => {
  const value = usualParameters[parameter];
  return parameter.endsWith('Ms') ? `${value / 3_600_000}h` : String(value);
};

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function durationOf(where: string, name: string, text: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(s|m|h|d)$/.exec(text) ?? [];
  if (count === undefined)
    throw new CommandError(`${where}: ${name} ${text} is no duration; write one such as 90s, 30m, 4h or 1d`);
  return Number(count) * unitMs[unit as keyof typeof unitMs];
}

function policyInFile(path: string, source: string): Named {
  let raw: unknown;
  try {
    raw = yaml(source);
  } catch (e) {
    const line = e instanceof YAMLParseError ? e.linePos?.[0].line : undefined;
    throw new CommandError(
      `${path}${line === undefined ? '' : `:${line}`}: neither YAML nor JSON: ${(e as Error).message.split('\n')[0]}`,
    );
  }
  const parsed = form.safeParse(raw);
  if (!parsed.success)
    throw new CommandError(
      parsed.error.issues
        .map((i) => `${path}: ${i.path.join('.') || 'the file'}: ${i.message}`)
        .concat(`A policy is such as\n  name: ours\n  policy: compound\n  run: 1h\n  waited: 4h`)
        .join('\n'),
    );
  const { name, policy, ...values } = parsed.data;
  if (!isPolicyName(policy))
    throw new CommandError(`${path}: policy ${policy}: there are ${Object.keys(policies).join(', ')}`);
  const takes: readonly Parameter[] = policies[policy].takes;
  for (const key of Object.keys(values))
    if (!takes.some((t) => written[t] === key))
      throw new CommandError(
        `${path}: ${key}: ${policy} takes ${takes.map((t) => written[t]).join(', ') || 'no parameter'}`,
      );
  const parameters: Partial<Record<Parameter, number>> = {};
  for (const parameter of takes) {
    const value = values[written[parameter]];
    if (value !== undefined) parameters[parameter] = readValue(path, parameter, String(value));
  }
  return { label: name ?? basename(path), policy, parameters };
}

const hours = (ms: number): string => (ms / 3_600_000).toFixed(2);

function tableOf(results: readonly Result[]): readonly string[] {
  const lines: string[] = [];
  let last: string | undefined;
  for (const r of results) {
    if (r.trace !== last) {
      const { zeroRun, oversized, unfinished } = r.dropped;
      if (last !== undefined) lines.push('');
      lines.push(
        `${r.trace}: ${r.figures.jobs} jobs on ${r.processors} processors; left out: ${unfinished} that never ran, ${zeroRun} of no run time, ${oversized} larger than the machine; ${r.capped} cut at their time limit`,
      );
      const rows = results.filter((o) => o.trace === r.trace);
      lines.push(...aligned([head, ...rows.map(cellsOf)]));
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
  const widths = head.map((_, c) => Math.max(...rows.map((r) => (r[c] ?? '').length)));
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
