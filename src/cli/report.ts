/** `spillway report`: what the gateway's decisions came to, or, before anything is installed, what a policy would have done with a site's own history. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { parse as yaml } from 'yaml';
import { z } from 'zod';
import { dollars, microUsd } from '../domain/money.ts';
import { type Bill, usualBill } from '../sim/replay/figures.ts';
import { type Site, usualCloud, usualTickMs } from '../sim/replay/play.ts';
import { columnsOf } from '../sim/replay/policy.ts';
import { type Report, reportOf } from '../sim/report.ts';
import { CommandError, type Gateway } from './ask.ts';
import { madeFor } from './gateways.ts';
import { readLog } from './log.ts';
import { policyOf } from './policy.ts';
import { noProgress, type Progress, whileWaiting } from './progress.ts';
import { reportSince } from './since.ts';
import { byAccount, count, days, hours, whole } from './words.ts';

/** One of `since` and `sacct`. */
export interface ReportOrder {
  readonly since?: string;
  readonly sacct?: string;
  readonly procs?: string;
  readonly format?: string;
  readonly policy?: string;
  readonly prices?: string;
  readonly json?: boolean;
}

export interface Waiting {
  progress(): Progress;
  pause(ms: number): Promise<void>;
}

/** `gateway`: where the running one answers; asked only for what it decided itself. */
export async function report(
  order: ReportOrder,
  gateway: () => Promise<Gateway>,
  { progress, pause }: Waiting = { progress: () => noProgress, pause: async () => undefined },
): Promise<readonly string[]> {
  const { since, sacct } = order;
  if (since !== undefined && sacct !== undefined)
    throw new CommandError(
      '--since and --sacct: one of them; the one asks the gateway, the other plays a log',
    );
  if (since !== undefined) {
    const odd = (['procs', 'format', 'policy', 'prices'] as const).find((o) => order[o] !== undefined);
    if (odd !== undefined)
      throw new CommandError(
        `--${odd} goes with --sacct: what the gateway decided, it decided under its own`,
      );
    const asked = reportSince(await gateway(), since, order.json === true);
    return whileWaiting('the gateway asks slurmdbd for each day: seconds', asked, progress(), pause);
  }
  if (sacct === undefined)
    throw new CommandError(
      'write --since 30d for what the running gateway decided, or --sacct FILE for a policy on the history of a site',
    );
  return ofLog(order, sacct);
}

async function ofLog(order: ReportOrder, sacct: string): Promise<readonly string[]> {
  const policy = await policyOf(order.policy ?? 'worth');
  const bill = order.prices === undefined ? usualBill : await billOf(order.prices);
  const { jobs, processors, format, left } = await readLog(sacct, order.procs, order.format);
  const trace = columnsOf(jobs);
  const site: Site = { processors, cloud: usualCloud, tickMs: usualTickMs };
  const under = madeFor(policy, trace, site, bill);
  const made = reportOf(trace, under.site, under.policy, bill);
  if (order.json === true)
    return [JSON.stringify({ policy: policy.label, processors, ...made }, undefined, 2)];
  return [
    `${basename(sacct)} (${format}): ${count(made.jobs, 'job')} in ${days(made.spanMs)} on ${processors} processors; left out: ${left}`,
    '',
    ...inWords(policy.label, made),
  ];
}

/** The row in words, for people. */
export function inWords(policy: string, r: Report): readonly string[] {
  const { before, after } = r.waitMs;
  const each = (of: 'mean' | 'p50' | 'p95') =>
    `${hours(before[of])} h without a cloud, ${hours(after[of])} h with it`;
  return [
    `Policy ${policy} would have burst ${count(r.bursts, 'job')}, saved ${whole(r.savedMs)} hours of waiting, and cost ${dollars(r.microUsd)}.`,
    `  ${(100 * r.cloudShare).toFixed(1)} % of the core-hours, ${count(r.peakInstances, 'instance')} at most at once`,
    `  a job waits on average   ${each('mean')}`,
    `  half of them at most     ${each('p50')}`,
    `  nineteen in twenty       ${each('p95')}`,
    '',
    ...byAccount(
      r.accounts.map((a) => ({
        account: a.account,
        text: `${a.bursts} of ${count(a.jobs, 'job')} burst, ${whole(a.savedMs)} hours saved, ${dollars(a.microUsd)}`,
      })),
    ),
    '',
    'Both sides are played on a model of the site: see docs/replay.md for what it leaves out.',
  ];
}

const form = z.strictObject({
  usdPerCoreHour: z.number().nonnegative().max(1_000),
  instanceCores: z.int().positive().default(usualBill.instanceCores),
});

async function billOf(path: string): Promise<Bill> {
  const help = 'A price file is such as\n  usdPerCoreHour: 0.048\n  instanceCores: 16';
  let raw: unknown;
  try {
    raw = yaml(await readFile(path, 'utf8'));
  } catch (e) {
    throw new CommandError(`--prices ${path}: ${(e as Error).message.split('\n')[0]}\n${help}`);
  }
  const read = form.safeParse(raw);
  if (!read.success)
    throw new CommandError(
      [
        ...read.error.issues.map((i) => `${path}: ${i.path.join('.') || 'the file'}: ${i.message}`),
        help,
      ].join('\n'),
    );
  return { microUsdPerCoreHour: microUsd(read.data.usdPerCoreHour), instanceCores: read.data.instanceCores };
}
