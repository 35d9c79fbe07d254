/** The morning in figures, for whoever watched it or did not. */
import type { TrueJob } from '../../src/sim/models/slurm-types.ts';
import { type Finding, usd } from './check.ts';
import { type Books, type Evidence, plansOf } from './evidence.ts';
import { type Fate, fates, fatesOf, lastRun, lengthOf, type Waits, waitOf, waitsOf } from './fates.ts';
import type { SeenBudget } from './gateway.ts';
import type { JobPlan } from './morning.ts';
import { type Refusal, refusalsOf } from './refusals.ts';
import { watched } from './site.ts';
import { timeOfDay, told } from './told.ts';

export function summary(e: Evidence): string {
  return [waits(e), where(e), money(e)].map((part) => part.join('\n')).join('\n\n');
}

const left = (text: string, width: number): string => text.padEnd(width);
const right = (text: string, width: number): string => text.padStart(width);

function waits({ submitted, jobs, alone }: Evidence): string[] {
  const row = (what: string, without: string, with_: string) =>
    `  ${left(what, 28)}${right(without, 18)}${right(with_, 18)}`;
  const of = (all: readonly TrueJob[], partition: string) =>
    waitsOf(all.filter((job) => job.asked.partition === partition));
  const [before, after] = [waitsOf(alone.jobs), waitsOf(jobs)];
  const both = (what: string, pick: (w: Waits) => number) => row(what, told(pick(before)), told(pick(after)));
  return [
    row('waiting', 'without a cloud', 'with Spillway'),
    both('on average', (w) => w.meanMs),
    ...watched.map((p) => row(`  in ${p}`, told(of(alone.jobs, p).meanMs), told(of(jobs, p).meanMs))),
    both('half of the jobs, at most', (w) => w.medianMs),
    both('the longest', (w) => w.longestMs),
    row('last job ended at', timeOfDay(lengthOf(alone)), timeOfDay(lengthOf({ submitted, jobs }))),
  ];
}

function where({ jobs, bursts, decisions, submitted }: Evidence): string[] {
  const count = new Map<Fate, number>();
  for (const fate of fatesOf(jobs, bursts, decisions).values()) count.set(fate, (count.get(fate) ?? 0) + 1);
  const planOf = plansOf(submitted);
  const failed = jobs.filter((job) => job.state !== 'COMPLETED').length;
  const meant = jobs.filter((job) => planOf(job)?.exit.code !== 0).length;
  return [
    `  where the ${jobs.length} jobs ran`,
    ...fates.flatMap((fate) => (count.has(fate) ? [`  ${right(`${count.get(fate)}`, 5)}  ${fate}`] : [])),
    `  ${right(`${jobs.length - failed}`, 5)}  COMPLETED, ${failed} FAILED (${meant} scripts were written to fail)`,
  ];
}

function money({ budgets, bursts, decisions }: Evidence): string[] {
  const row = (a: string, b: string, c: string) => `  ${left(a, 14)}${right(b, 10)}${right(c, 12)}`;
  return [
    row('account', 'spent', 'of budget'),
    ...budgets.map(
      (b) =>
        row(b.account, usd(b.spentMicroUsd), usd(b.limitMicroUsd)) +
        spentUp(b, refusalsOf(bursts, decisions)),
    ),
  ];
}

/** What is left is less than the gateway last refused to hold: what a job may cost at most. */
function spentUp(
  { account, limitMicroUsd, spentMicroUsd }: SeenBudget,
  refusals: readonly Refusal[],
): string {
  const refused = refusals.filter((r) => r.account === account).map((r) => r.microUsd);
  const least = Math.min(...refused);
  if (refused.length === 0 || limitMicroUsd - spentMicroUsd >= least) return '';
  return `   has run out: one more of its jobs could cost ${usd(least)}`;
}

export function verdict(all: readonly Finding[]): string {
  return all
    .map(({ what, against, seen }) =>
      against.length === 0
        ? `  ✓ ${what} (${seen})`
        : [
            `  ✗ ${what}`,
            ...against.slice(0, 8).map((text) => `      ${text}`),
            ...more(against.length),
          ].join('\n'),
    )
    .join('\n');
}

const more = (all: number): string[] => (all > 8 ? [`      and ${all - 8} more`] : []);

/** Every job on a line. */
export function table({ jobs, alone, bursts, decisions, submitted }: Evidence): string {
  const planOf = plansOf(submitted);
  const fate = fatesOf(jobs, bursts, decisions);
  const before = twinsOf(alone);
  const line = (...[id, user, account, name, cpus, at, wait, without, end, how]: readonly string[]) =>
    `  ${left(id ?? '', 7)}${left(user ?? '', 7)}${left(account ?? '', 11)}${left(name ?? '', 16)}${right(cpus ?? '', 4)}` +
    `${right(at ?? '', 7)}${right(wait ?? '', 12)}${right(without ?? '', 12)}  ${left(end ?? '', 16)}${how ?? ''}`;
  const shown = (ms: number | undefined): string => (ms === undefined ? '-' : told(ms));
  return [
    line('job', 'user', 'account', 'name', 'cpus', 'sbatch', 'waited', 'without', 'ended', 'where'),
    ...jobs.map((job) => {
      const plan = planOf(job);
      const exit = lastRun(job)?.exit ?? { code: 0, signal: 0 };
      const other = before(plan, job);
      return line(
        ...[job.ref, job.user, plan?.account ?? '', job.name, `${plan?.cpus ?? ''}`],
        ...[timeOfDay(plan?.atMs ?? 0), shown(waitOf(job)), shown(other && waitOf(other))],
        ...[`${job.state} ${exit.code}:${exit.signal}`, fate.get(job) ?? ''],
      );
    }),
  ].join('\n');
}

/** The same job or task of the other centre: its number is another there, its plan is the same. */
function twinsOf({ submitted, jobs }: Books) {
  const planOf = plansOf(submitted);
  const of = new Map<JobPlan | undefined, Map<number | undefined, TrueJob>>();
  for (const job of jobs) of.set(planOf(job), (of.get(planOf(job)) ?? new Map()).set(job.task, job));
  return (plan: JobPlan | undefined, { task }: TrueJob): TrueJob | undefined => of.get(plan)?.get(task);
}
