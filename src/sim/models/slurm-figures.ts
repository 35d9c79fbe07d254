/** Figures of a job that are worked out, not kept. */
import { type Instant, instant } from '../../domain/ids.ts';
import { type JobRecord, waits } from './slurm-record.ts';
import type { PartitionRecord, SlurmState } from './slurm-state.ts';
import type { Asked, Limit } from './slurm-types.ts';

/** A job without an end ends in a year, to whoever asks. */
const longest = 365 * 86_400_000;

/** The partition whose rules hold for the job. */
export function partitionOf(job: JobRecord, state: SlurmState): PartitionRecord | undefined {
  return state.partitions.get(job.partition ?? job.partitions[0] ?? '');
}

/** Without one of its own: its partition's default, or where that has none its maximum. */
export function limitOf(job: JobRecord, state: SlurmState): Limit {
  if (job.timeMs !== undefined) return job.timeMs;
  const spec = partitionOf(job, state)?.spec;
  return spec?.defaultTimeMs ?? spec?.maxTimeMs ?? 'unlimited';
}

export function priorityOf(job: JobRecord, state: SlurmState): number {
  if (job.held !== undefined) return 0;
  if (job.base !== 'PENDING') return job.priority;
  if (job.fixedPriority !== undefined) return job.fixedPriority;
  const { basePriority, ageWeight, maxAgeMs } = state.config;
  const age = job.accrueAt === undefined ? 0 : Math.min(1, (state.now() - job.accrueAt) / maxAgeMs);
  return Math.max(1, Math.floor(basePriority + job.bonus + ageWeight * Math.max(0, age)) - job.nice);
}

export const partitionText = (job: JobRecord): string => job.partition ?? job.partitions.join(',');

/** What a give-back has to restore, as it is now. */
export function askedOf(job: JobRecord, state: SlurmState): Asked {
  return {
    partition: partitionText(job),
    timeLimitMs: limitOf(job, state),
    memory: job.memory,
    minNodes: job.minNodes,
    maxNodes: job.maxNodes,
    comment: job.comment,
  };
}

export function askedCpus(job: JobRecord): number {
  if (job.shares.length > 0) return job.shares.reduce((sum, { cpus }) => sum + cpus, 0);
  return Math.max(job.ntasks ?? 1, job.minNodes) * job.cpusPerTask;
}

/** When it starts, started, or is expected to. */
export function startOf(job: JobRecord, state: SlurmState): Instant | undefined {
  if (!waits(job)) return job.startAt;
  if (job.plannedAt !== undefined) return job.plannedAt;
  return job.beginAt !== undefined && job.beginAt > state.now() ? job.beginAt : undefined;
}

/** After it Slurm cancels it, as it could not end before its deadline any more. */
export function latestStartOf(job: JobRecord, state: SlurmState): Instant | undefined {
  const limit = job.timeMs ?? limitOf(job, state);
  if (job.deadlineAt === undefined || limit === 'unlimited') return undefined;
  return instant(job.deadlineAt - limit);
}

export function endOf(job: JobRecord, state: SlurmState): Instant | undefined {
  if (job.endAt !== undefined) return job.endAt;
  const start = startOf(job, state);
  if (start === undefined) return undefined;
  const limit = limitOf(job, state);
  return instant(start + (limit === 'unlimited' ? longest : limit));
}
