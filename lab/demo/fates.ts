/** What became of each job, and how long it waited. */
import type { TrueJob, TrueRun } from '../../src/sim/models/slurm-types.ts';
import type { Books } from './evidence.ts';
import type { SeenBurst, SeenDecision } from './gateway.ts';
import { refusalsOf } from './refusals.ts';

export const fates = [
  'at home',
  'at home, where it started while the cloud got ready',
  'at home, given back: no capacity',
  'at home: no budget held it',
  'in the cloud',
  'in the cloud twice: its first machine was lost',
  'unfinished',
] as const;
export type Fate = (typeof fates)[number];

const unfinished = new Set(['PENDING', 'CONFIGURING', 'RUNNING', 'COMPLETING', 'SUSPENDED', 'REQUEUED']);
export const isOver = (job: TrueJob): boolean => !unfinished.has(job.state);

export const lastRun = (job: TrueJob): TrueRun | undefined => job.runs.at(-1);

export function fatesOf(
  jobs: readonly TrueJob[],
  bursts: readonly SeenBurst[],
  decisions: readonly SeenDecision[],
): ReadonlyMap<TrueJob, Fate> {
  const refused = new Set(refusalsOf(bursts, decisions).map(({ job }) => job));
  const of = new Map<string, SeenBurst[]>();
  for (const burst of bursts) of.set(burst.job, [...(of.get(burst.job) ?? []), burst]);
  return new Map(jobs.map((job) => [job, fateOf(job, of.get(job.ref) ?? [], refused.has(job.ref))]));
}

function fateOf(job: TrueJob, bursts: readonly SeenBurst[], refused: boolean): Fate {
  const run = lastRun(job);
  if (!isOver(job) || run === undefined) return 'unfinished';
  if (run.burst) return job.restarts > 0 ? 'in the cloud twice: its first machine was lost' : 'in the cloud';
  if (bursts.some(({ state }) => state === 'started_onprem'))
    return 'at home, where it started while the cloud got ready';
  const back = bursts.filter(({ state }) => state === 'returned').map(({ cause }) => cause?.kind);
  if (back.includes('no_capacity')) return 'at home, given back: no capacity';
  return refused ? 'at home: no budget held it' : 'at home';
}

/** From sbatch to the start of the run that counted. */
export function waitOf(job: TrueJob): number | undefined {
  const startAt = lastRun(job)?.startAt;
  return startAt === undefined ? undefined : startAt - job.submitAt;
}

export interface Waits {
  readonly jobs: number;
  readonly meanMs: number;
  readonly medianMs: number;
  readonly longestMs: number;
}

export function waitsOf(jobs: readonly TrueJob[]): Waits {
  const waits = jobs.flatMap((job) => waitOf(job) ?? []).sort((a, b) => a - b);
  return {
    jobs: waits.length,
    meanMs: waits.reduce((sum, ms) => sum + ms, 0) / Math.max(1, waits.length),
    medianMs: waits[Math.floor(waits.length / 2)] ?? 0,
    longestMs: waits.at(-1) ?? 0,
  };
}

/** From the centre's opening to the last end. */
export function lengthOf({ submitted, jobs }: Books): number {
  const first = Math.min(...jobs.map(({ submitAt }) => submitAt));
  const openedAt = first - Math.min(...submitted.map(({ plan }) => plan.atMs));
  return Math.max(0, ...jobs.map((job) => (lastRun(job)?.endAt ?? openedAt) - openedAt));
}
