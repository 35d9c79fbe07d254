/** The jobs of some days as a replay wants them: from what slurmdbd says has ended, and what the last look saw running. Pure. */
import type { Burst } from '../domain/burst.ts';
import type { Instant } from '../domain/ids.ts';
import { type EndedRun, type Partition, partitionsOf, type Snapshot } from '../domain/job.ts';
import type { LeftOut, Past, PastJob } from '../domain/past.ts';
import type { ClusterSetup } from '../domain/policy.ts';

export interface PastSeen {
  readonly runs: readonly EndedRun[];
  /** Rows that could not be read. */
  readonly unread: number;
  readonly snapshot: Snapshot;
  /** Those that may have run in these days: where their jobs came from. */
  readonly bursts: readonly Pick<Burst, 'ref' | 'submitAt' | 'saved'>[];
  readonly setup: Pick<ClusterSetup, 'watch' | 'explicit' | 'waitPartition' | 'burstPartition'>;
  readonly until: Instant;
}

/** A partition's own limit is what a job has that asked for none. */
function limitOf(
  limit: EndedRun['timeLimitMs'] | undefined,
  partition: Partition | undefined,
): number | undefined {
  if (typeof limit === 'number') return limit;
  const most = partition?.maxTimeMs;
  return limit === 'partition' && typeof most === 'number' ? most : undefined;
}

export function pastOf({ runs, unread, snapshot, bursts, setup, until }: PastSeen): Past {
  const { watch, explicit, waitPartition, burstPartition } = setup;
  const ours = new Set([waitPartition, burstPartition]);
  const home = new Map(bursts.map((b) => [`${b.ref} ${b.submitAt}`, b.saved.partition]));
  const partitions = new Map(snapshot.partitions.map((p) => [p.name, p]));
  const watched = (job: { readonly partition: string }): boolean =>
    partitionsOf(job).some((p) => watch.includes(p));
  const jobs: PastJob[] = [];
  let [elsewhere, asked, waiting, running, wereInCloud] = [0, 0, 0, 0, 0];
  const take = (
    one: Pick<
      EndedRun,
      'ref' | 'user' | 'account' | 'partition' | 'submitAt' | 'startAt' | 'endAt' | 'cpus'
    > & {
      readonly timeLimitMs: EndedRun['timeLimitMs'] | undefined;
    },
  ): boolean => {
    const { ref, user, account, submitAt, startAt, endAt, cpus, timeLimitMs } = one;
    const cloud = ours.has(one.partition);
    // Of a burst that nobody knows any more: where most jobs come from.
    const partition = cloud ? (home.get(`${ref} ${submitAt}`) ?? watch[0] ?? '') : one.partition;
    if (explicit !== undefined && partition === explicit) asked += 1;
    else if (!watched({ partition })) elsewhere += 1;
    else {
      if (cloud) wereInCloud += 1;
      jobs.push({
        ...{ id: `${ref} ${startAt}`, user, account, partition, cpus },
        ...{ submitMs: submitAt, startMs: startAt, endMs: endAt },
        limitMs: limitOf(timeLimitMs, partitions.get(partition)),
      });
      return true;
    }
    return false;
  };
  for (const run of runs) take(run);
  for (const job of snapshot.jobs) {
    if (job.state === 'PENDING' && watched(job)) waiting += 1;
    if (job.state !== 'RUNNING' || job.startAt === undefined || job.startAt >= until) continue;
    if (take({ ...job, startAt: job.startAt, endAt: until })) running += 1;
  }
  const leftOut: LeftOut = { elsewhere, asked, waiting, unread };
  return { jobs, leftOut, running, wereInCloud };
}

/** Of all nodes on which the watched partitions run, whatever their state: what is down today was perhaps up then. */
export function processorsOf({ nodes }: Pick<Snapshot, 'nodes'>, watch: readonly string[]): number {
  return nodes.reduce(
    (sum, { partitions, cpus }) => (partitions.some((p) => watch.includes(p)) ? sum + cpus : sum),
    0,
  );
}
