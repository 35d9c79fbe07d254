/** Claim and give-back as the keys of one `scontrol update`, as the adapter over SSH chooses them (docs/decisions/0004). */
import type { JobDetail } from '../../domain/job.ts';
import type { MoveSpec } from '../../ports.ts';
import type { PartitionSpec, SlurmChange } from './slurm-types.ts';

export function moveKeys(
  job: JobDetail,
  to: MoveSpec,
  specOf: (partition: string) => PartitionSpec | undefined,
): SlurmChange {
  return {
    partition: to.partition,
    // A no-op on a job that waits, and refused on any other.
    cpusPerTask: job.cpusPerTask,
    ...nodeKeys(job, to),
    ...(job.timeLimitMs === to.timeLimitMs && sameLimits(job.partition, to.partition, specOf)
      ? {}
      : { timeMs: wholeMinutes(to.timeLimitMs) }),
    ...(to.memory === undefined ? {} : { memory: to.memory }),
  };
}

/** scontrol sets a maximum and never takes one away: a job that cannot spread anyway is left without. */
function nodeKeys(job: JobDetail, { minNodes, maxNodes }: MoveSpec): SlurmChange {
  if (maxNodes === undefined) return job.minNodes === minNodes ? {} : { minNodes };
  const cannotSpread = job.maxNodes === undefined && job.minNodes === 1 && (job.tasks ?? 1) === 1;
  return cannotSpread && minNodes === 1 && maxNodes === 1 ? {} : { minNodes, maxNodes };
}

function sameLimits(
  from: string,
  to: string,
  specOf: (partition: string) => PartitionSpec | undefined,
): boolean {
  const limits = [...from.split(','), ...to.split(',')].map((name) => {
    const spec = specOf(name);
    return spec && `${spec.defaultTimeMs} ${spec.maxTimeMs}`;
  });
  return limits[0] !== undefined && limits.every((one) => one === limits[0]);
}

const wholeMinutes = (ms: MoveSpec['timeLimitMs']): MoveSpec['timeLimitMs'] =>
  ms === 'unlimited' ? ms : Math.max(1, Math.ceil(ms / 60_000)) * 60_000;

/** After a refusal: whether something of the update was made all the same. */
export function changedInPart(before: JobDetail, after: JobDetail, to: MoveSpec): boolean {
  return (
    (before.partition !== to.partition && after.partition === to.partition) ||
    before.timeLimitMs !== after.timeLimitMs ||
    before.minNodes !== after.minNodes ||
    before.maxNodes !== after.maxNodes ||
    before.memory.per !== after.memory.per ||
    before.memory.mib !== after.memory.mib
  );
}
