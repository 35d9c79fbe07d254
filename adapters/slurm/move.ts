/** Claim and give-back as the keys of one `scontrol update`. All of it was tried on 22.05.8 and read in job_mgr.c. */
import type { JobDetail, Partition } from '../../src/domain/job.ts';
import type { MoveSpec } from '../../src/ports.ts';
import { minutes } from './time.ts';

/**
 * `cpuspertask` repeats what the job has: a no-op on a pending job, and refused on any other. Without it an update that names the
 * partition a running job is in already would be obeyed: it cut its time limit, and `numnodes=1` took a node from it.
 */
export function updateKeys(
  job: JobDetail,
  to: MoveSpec,
  partitions: readonly Partition[],
): readonly string[] {
  const nodes = nodeRange(job, to);
  const { memory } = to;
  const keepsLimit =
    job.timeLimitMs === to.timeLimitMs && sameLimits(job.partition, to.partition, partitions);
  return [
    `partition=${to.partition}`,
    `cpuspertask=${job.cpusPerTask}`,
    ...(nodes === undefined ? [] : [`numnodes=${nodes}`]),
    ...(keepsLimit ? [] : [`timelimit=${minutes(to.timeLimitMs)}`]),
    ...(memory === undefined ? [] : [`minmemory${memory.per}=${memory.mib}`]),
  ];
}

/**
 * Where a partition has no default time, a job without `-t` has no limit of its own and shows the partition's maximum. Between
 * partitions of the same limits it is left without: so it comes back exactly, and no Operator's word lifts it above its QOS.
 * (Measured for memory: a value that an Operator changed is exempt from its QOS's limit; one that he repeats is not.)
 */
function sameLimits(from: string, to: string, partitions: readonly Partition[]): boolean {
  const limits = [...from.split(','), ...to.split(',')].map((name) => {
    const partition = partitions.find((p) => p.name === name);
    return partition && `${partition.defaultTimeMs} ${partition.maxTimeMs}`;
  });
  return limits[0] !== undefined && limits.every((one) => one === limits[0]);
}

/**
 * scontrol can set a maximum but never take one away. So a job without one that cannot spread anyway (a single task) is left
 * without, and comes back exactly as it was; one of several tasks keeps the maximum of its claim.
 */
function nodeRange(job: JobDetail, to: MoveSpec): string | undefined {
  const { minNodes, maxNodes } = to;
  if (maxNodes === undefined) return job.minNodes === minNodes ? undefined : `${minNodes}`;
  const cannotSpread = job.maxNodes === undefined && job.minNodes === 1 && (job.tasks ?? 1) === 1;
  if (cannotSpread && minNodes === 1 && maxNodes === 1) return undefined;
  return `${minNodes}-${maxNodes}`;
}

/** After a refusal: whether something of the update was made all the same. */
export function partlyMoved(before: JobDetail, after: JobDetail, to: MoveSpec): boolean {
  if (before.partition !== to.partition && after.partition === to.partition) return true;
  return (
    before.timeLimitMs !== after.timeLimitMs ||
    before.minNodes !== after.minNodes ||
    before.maxNodes !== after.maxNodes ||
    before.memory.per !== after.memory.per ||
    before.memory.mib !== after.memory.mib
  );
}
