/** `spillway cost`: what bursts really cost, held against what was held for them and, where a bill is given, against it. */
import { type CostKey, type CostLine, type CostReport, costKeys, type Reconciled } from '../domain/cost.ts';
import { dollars } from '../domain/money.ts';
import { UsageError } from './ask.ts';
import { spanOf } from './span.ts';
import { tableOf } from './table.ts';
import { count, hours } from './words.ts';

export const formats = ['table', 'json', 'csv'] as const;

export interface CostOptions {
  readonly by: string;
  readonly since: string;
  readonly format: string;
  readonly billed?: readonly string[];
  /** The same as format json. */
  readonly json?: boolean;
}

export interface CostOrder {
  readonly by: CostKey;
  /** Milliseconds. */
  readonly forMs: number;
  readonly format: (typeof formats)[number];
  readonly billed: readonly string[];
}

export function costOrderOf({ by, since, format, billed = [], json }: CostOptions): CostOrder {
  const chosen = <T extends string>(option: string, value: string, of: readonly T[]): T => {
    const found = of.find((x) => x === value);
    if (found === undefined) throw new UsageError(`${option} ${value}: write one of ${of.join(', ')}`);
    return found;
  };
  const asked = chosen('--format', format, formats);
  if (json === true && asked === 'csv') throw new UsageError('--json and --format csv: write one of them');
  return {
    by: chosen('--by', by, costKeys),
    forMs: spanOf(since),
    format: json === true ? 'json' : asked,
    billed,
  };
}

/** `keptMs`: for how long the store keeps what is over. */
export function costInWords(
  report: CostReport,
  format: CostOrder['format'],
  keptMs: number,
): readonly string[] {
  switch (format) {
    case 'json':
      return [JSON.stringify(jsonOf(report), undefined, 2)];
    case 'csv':
      return csvOf(report);
    case 'table':
      return tableInWords(report, keptMs);
  }
}

/** Times as ISO 8601; money stays whole micro-dollars, time milliseconds. */
function jsonOf({ since, at, sources, bill, ...report }: CostReport) {
  const { oldestPrice, ...counts } = sources;
  return {
    ...{ since: iso(since), at: iso(at) },
    ...report,
    sources: { ...counts, ...(oldestPrice === undefined ? {} : { oldestPrice: iso(oldestPrice) }) },
    ...(bill && { bill: billOf(bill) }),
  };
}

function billOf({ bill: { from, until, asOf, ...bill }, ...found }: Reconciled) {
  return { ...bill, ...{ from: iso(from), until: iso(until), asOf: iso(asOf) }, ...found };
}

const columns = [
  ...['key', 'jobs', 'held_micro_usd', 'without_hold', 'job_micro_usd', 'boot_micro_usd', 'idle_micro_usd'],
  ...['machine_ms', 'unpriced_ms', 'marks'],
];

/** The last row is of all, boot and idle included. */
function csvOf({ by, lines, all }: CostReport): readonly string[] {
  const row = (name: string, key: string, l: CostLine): string =>
    [
      ...[name, key, l.jobs, l.heldMicroUsd, l.withoutHold, l.jobMicroUsd, l.bootMicroUsd, l.idleMicroUsd],
      ...[l.machineMs, l.unpricedMs, l.marks.join(' + ')],
    ]
      .map((v) => cell(String(v)))
      .join(',');
  return [['by', ...columns].join(','), ...lines.map((l) => row(by, l.key ?? '', l)), row('all', '', all)];
}

const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function tableInWords(report: CostReport, keptMs: number): readonly string[] {
  const { since, at, by, lines, all } = report;
  const head = `What it cost from ${iso(since)} to ${iso(at)}, by ${by}`;
  if (all.machineMs === 0) return [head, '', 'No instance ran in that time, as far as this store knows.'];
  return [
    head,
    '',
    ...tableOf(headerOf(by), [
      ...lines.map((l) => rowOf(by, l.key ?? '(not kept any more)', l)),
      ...(by === 'group' ? [] : [boot(all), idle(all)]),
      rowOf(by, 'all', all, true),
    ]),
    '',
    ...footOf(report, keptMs),
    ...(report.bill === undefined ? [] : ['', ...billInWords(report.bill)]),
  ];
}

const headerOf = (by: CostKey): readonly string[] =>
  by === 'group'
    ? [by, 'jobs', 'held', 'actual', 'boot', 'idle', 'hours', '']
    : [by, 'jobs', 'held', 'actual', 'hours', ''];

function rowOf(by: CostKey, name: string, l: CostLine, whole = false): readonly string[] {
  const own =
    by === 'group' ? l.jobMicroUsd : whole ? l.jobMicroUsd + l.bootMicroUsd + l.idleMicroUsd : l.jobMicroUsd;
  // What is not known is never shown as nothing.
  const money = (micro: number): string => (l.unpricedMs === l.machineMs ? 'not known' : dollars(micro));
  return [
    ...[
      name,
      String(l.jobs),
      l.withoutHold > 0 && l.heldMicroUsd === 0 ? 'none' : dollars(l.heldMicroUsd),
      money(own),
    ],
    ...(by === 'group' ? [money(l.bootMicroUsd), money(l.idleMicroUsd)] : []),
    ...[hours(l.machineMs), remarksOf(l)],
  ];
}

const boot = (l: CostLine): readonly string[] => ['(boot)', '', '', dollars(l.bootMicroUsd), '', ''];
const idle = (l: CostLine): readonly string[] => ['(idle)', '', '', dollars(l.idleMicroUsd), '', ''];

function remarksOf(l: CostLine): string {
  const part =
    l.unpricedMs > 0 && l.unpricedMs < l.machineMs
      ? [`without ${hours(l.unpricedMs)} h that have no price`]
      : [];
  const marks = l.marks.map((m) =>
    m === 'drift' ? '! the bill differs by more than 5 %' : '! the bill is older than 48 h',
  );
  return [...part, ...marks].join('; ');
}

function footOf({ sources, all, since, at, bill }: CostReport, keptMs: number): readonly string[] {
  const { configured, listed, oldestPrice, unpriced, byScript, open } = sources;
  const lines = [
    `actual: each instance from its launch until the cloud took the order to end it, by the second and a minute at least, at the price of its launch; each moment shared by what the pods then on it requested`,
  ];
  if (configured > 0)
    lines.push(
      `  prices of ${count(configured, 'instance')}: nodeGroups[].prices, as they stood at the launch; of what day they are is not known`,
    );
  if (listed > 0 && oldestPrice !== undefined)
    lines.push(
      `  prices of ${count(listed, 'instance')}: pricesFrom; the oldest line is of ${iso(oldestPrice).slice(0, 10)}`,
    );
  if (unpriced > 0)
    lines.push(
      `  not known: ${count(unpriced, 'instance')}, ${hours(all.unpricedMs)} h, without a price: in no sum of money`,
    );
  if (byScript > 0)
    lines.push(
      `  not exact: ${count(byScript, 'burst')} from before pods were noted; their scripts' times stand for their pods', and the rest is idle`,
    );
  if (open > 0) lines.push(`  not over: ${count(open, 'instance')} still up, counted until ${iso(at)}`);
  if (all.withoutHold > 0)
    lines.push(`  held: ${count(all.withoutHold, 'burst')} held nothing, as no budget counted`);
  if (at - since > keptMs)
    lines.push(
      `  not kept: what ended longer ago than retention.audit (${Math.round(keptMs / 86_400_000)} days) may be missing`,
    );
  if (bill === undefined) lines.push('  not held against a bill: --billed FILE does that');
  return lines;
}

/** Of the instances, those that differ most. */
const driftsShown = 10;

function billInWords({ bill, old, drifts, all, missing, outside, unpriced }: Reconciled): readonly string[] {
  const lines = [
    `Bill (${bill.form}, ${bill.files.join(', ')}): usage from ${iso(bill.from)} to ${iso(bill.until)}, true as of ${iso(bill.asOf)}${old ? '; ! older than 48 h: newer usage and corrections are not in it' : ''}`,
  ];
  if (drifts.length === 0) lines.push('No instance of the last days is in it that could be compared.');
  else {
    lines.push(
      `${all.over ? '! ' : ''}In all: reckoned ${dollars(all.reckoned)}, billed ${dollars(all.billed)}, ${drift(all)}`,
      '',
    );
    lines.push(
      ...tableOf(
        ['instance', 'reckoned', 'billed', 'drift', ''],
        drifts
          .slice(0, driftsShown)
          .map((d) => [
            ...[d.cloudId, dollars(d.reckoned), dollars(d.billed), drift(d), d.over ? '! more than 5 %' : ''],
          ]),
      ),
    );
    if (drifts.length > driftsShown)
      lines.push(`  and ${drifts.length - driftsShown} more (--format json has all)`);
  }
  if (all.besides !== 0)
    lines.push(
      `  besides: ${dollars(all.besides)} billed under these instances that is no machine time (traffic and the like)`,
    );
  const not: readonly (readonly [readonly string[], string])[] = [
    [
      missing,
      'ran while it covers, and not in it: another account’s bill, or machines that were never charged',
    ],
    [outside, 'ran partly outside of what it covers, or still run: not compared'],
    [unpriced, 'billed, but without a price here: not compared'],
  ];
  for (const [ids, what] of not) if (ids.length > 0) lines.push(`  ${count(ids.length, 'instance')} ${what}`);
  return lines;
}

function drift({ reckoned, billed }: { readonly reckoned: number; readonly billed: number }): string {
  if (billed === 0) return reckoned === 0 ? '0.0 %' : 'nothing billed';
  const share = (100 * (reckoned - billed)) / billed;
  return `${share > 0 ? '+' : ''}${share.toFixed(1)} %`;
}

const iso = (at: number): string => new Date(at).toISOString().replace('.000Z', 'Z');
