/**
 * One look at a queue and what is decided on it, for the gateway's cycle and for a replay that asks under the gateway's own policy: what both know,
 * they know by the same functions.
 */
import type { Decision } from '../domain/decision.ts';
import type { JobRef } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';
import { type BacklogInput, type Decided, decideBacklog, decidingBacklog } from './backlog.ts';
import { type Carried, type Carrying, carryingOf, readyWith, type Sizes, transfersOf } from './carry.ts';
import type { Foreseen, Foresight, StartForecast } from './foresight.ts';
import { assumed, type Ready } from './ready.ts';
import type { StagingRates } from './staging.ts';

export interface Look extends Omit<BacklogInput, 'forecast' | 'queues' | 'readyIn' | 'live'> {
  /** Jobs that have a live burst: decided already, and as good as gone for those behind. */
  readonly gone: ReadonlySet<JobRef>;
  /** How long the cloud takes, by node group, as bursts that are over tell. */
  readonly ready: ReadonlyMap<string, Ready>;
  /** Undefined: the site carries no data. `ended`: bursts that are over, newest first; `sizes`: as the job's script says, where somebody has read it. */
  readonly staging?:
    | {
        readonly rates: StagingRates;
        readonly ended: Iterable<Carried>;
        sizes(job: Job): Sizes | undefined;
      }
    | undefined;
}

export interface Looked {
  readonly decided: readonly Decided[];
  /** With the job's data there. */
  readonly readyIn: (group: string, job: Job) => Ready;
  /** Undefined: it carries nothing, or nobody knows of anything. */
  readonly carrying: (job: Job) => Carrying | undefined;
}

export function decideOn(foresight: Foresight, look: Look): Looked {
  const { snapshot, setup, gone } = look;
  foresight.look(snapshot, [setup.burstPartition, setup.waitPartition], gone);
  return decideBy(foresight, look);
}

/** By what was foreseen at the last look, which this leaves as it is: the same question under another policy. */
export function decideBy(foresight: Foreseen, look: Look): Looked {
  const times = timesOf(look);
  return { decided: decideBacklog(askedBy(foresight, look, times)), ...times };
}

/** The same, halting before each job's part. */
export function* decidingBy(foresight: Foreseen, look: Look): Generator<void, readonly Decided[], void> {
  return yield* decidingBacklog(askedBy(foresight, look, timesOf(look)));
}

const askedBy = (foresight: Foreseen, look: Look, { readyIn }: Pick<Looked, 'readyIn'>): BacklogInput => ({
  ...look,
  live: look.gone,
  forecast: (job) => foresight.of(job.ref),
  queues: foresight.queues(),
  readyIn,
});

/** The times that are the cloud's. */
function timesOf({ ready, staging }: Pick<Look, 'ready' | 'staging'>): Pick<Looked, 'readyIn' | 'carrying'> {
  const transfers = staging && transfersOf(staging.ended, staging.rates);
  const carrying = (job: Job): Carrying | undefined =>
    transfers && carryingOf(job, staging?.sizes(job), transfers);
  const readyIn = (group: string, job: Job): Ready =>
    readyWith(ready.get(group) ?? assumed, transfers && carrying(job));
  return { carrying, readyIn };
}

/** What `decideOn` would say of one job more, that nobody has submitted, had it been in the last look's queue. Nothing of it is kept. */
export function decideOne(
  foresight: Foresight,
  look: Look,
  job: Job,
): Omit<Looked, 'decided'> & {
  readonly decision: Decision;
  readonly forecast: StartForecast | undefined;
} {
  const { snapshot, setup, gone } = look;
  const ours = [setup.burstPartition, setup.waitPartition];
  const { forecast, queues } = foresight.withOne(job, snapshot, ours, gone);
  const times = timesOf(look);
  const decided = decideBacklog({
    ...look,
    snapshot: { ...snapshot, jobs: [...snapshot.jobs, job] },
    live: gone,
    also: job.ref,
    forecast: ({ ref }) => (ref === job.ref ? forecast : foresight.of(ref)),
    queues,
    readyIn: times.readyIn,
  });
  const own = decided.find((d) => d.job.ref === job.ref);
  if (own === undefined) throw new Error(`nothing was decided on job ${job.ref}, which does not wait`);
  return { decision: own.decision, forecast, ...times };
}
