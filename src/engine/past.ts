/** The jobs of some days as a replay wants them: from what slurmdbd says has ended, and what the last look saw running. Pure. */

import { sharedNodes } from '../decide/pools.ts';
import type { Burst } from '../domain/burst.ts';
import { type GresOfNode, gresIn, gresOfNode, readGres } from '../domain/gres.ts';
import type { Instant } from '../domain/ids.ts';
import {
  type EndedRun,
  type Job,
  type Partition,
  partitionsOf,
  type SlurmNode,
  type Snapshot,
} from '../domain/job.ts';
import type { LeftOut, NodeSum, Past, PastJob, PastNodes } from '../domain/past.ts';
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

/** A look at the queue does not tell a job's memory: what it has that asked for none. */
function memoryOf({ cpus, minNodes }: Job, partition: Partition | undefined): number | undefined {
  const usual = partition?.defMemory;
  return usual && usual.mib * (usual.per === 'cpu' ? cpus : minNodes);
}

function gresOf({ gres, minNodes }: Job): GresOfNode {
  const asks = readGres(gres);
  if (asks.kind === 'untold') return new Map();
  const each = gresOfNode(asks.value, { nodes: minNodes, tasks: 1, sockets: 1 });
  return new Map(
    each.kind === 'untold' ? [] : [...each.value].map(([key, count]) => [key, count * minNodes]),
  );
}

export function pastOf({ runs, unread, snapshot, bursts, setup, until }: PastSeen): Past {
  const { watch, explicit, waitPartition, burstPartition } = setup;
  const ours = new Set([waitPartition, burstPartition]);
  const home = new Map(bursts.map((b) => [`${b.ref} ${b.submitAt}`, b.saved.partition]));
  const partitions = new Map(snapshot.partitions.map((p) => [p.name, p]));
  const watched = (job: { readonly partition: string }): boolean =>
    partitionsOf(job).some((p) => watch.includes(p));
  const jobs: PastJob[] = [];
  let [elsewhere, asked, waiting, running, wereInCloud, memoryUntold] = [0, 0, 0, 0, 0, 0];
  const take = (one: Omit<EndedRun, 'state' | 'nodes'>): boolean => {
    const { ref, user, account, submitAt, startAt, endAt, cpus, timeLimitMs } = one;
    const { priority, memoryMib, gres = new Map<string, number>() } = one;
    const cloud = ours.has(one.partition);
    // Of a burst that nobody knows any more: where most jobs come from.
    const partition = cloud ? (home.get(`${ref} ${submitAt}`) ?? watch[0] ?? '') : one.partition;
    if (explicit !== undefined && partition === explicit) asked += 1;
    else if (!watched({ partition })) elsewhere += 1;
    else {
      if (cloud) wereInCloud += 1;
      if (memoryMib === undefined) memoryUntold += 1;
      jobs.push({
        ...{ id: `${ref} ${startAt}`, user, account, partition, cpus },
        ...{ submitMs: submitAt, startMs: startAt, endMs: endAt },
        limitMs: limitOf(timeLimitMs, partitions.get(partition)),
        ...{ priority, memoryMib, gres, inCloud: cloud },
      });
      return true;
    }
    return false;
  };
  for (const run of runs) take(run);
  for (const job of snapshot.jobs) {
    if (job.state === 'PENDING' && watched(job)) waiting += 1;
    if (job.state !== 'RUNNING' || job.startAt === undefined || job.startAt >= until) continue;
    const has = { memoryMib: memoryOf(job, partitions.get(job.partition)), gres: gresOf(job) };
    if (take({ ...job, ...has, startAt: job.startAt, endAt: until })) running += 1;
  }
  const leftOut: LeftOut = { elsewhere, asked, waiting, unread };
  return { jobs, leftOut, running, wereInCloud, memoryUntold };
}

/** Of all nodes on which the watched partitions run, whatever their state: what is down today was perhaps up then. */
export function processorsOf({ nodes }: Pick<Snapshot, 'nodes'>, watch: readonly string[]): number {
  return nodes.reduce(
    (sum, { partitions, cpus }) => (partitions.some((p) => watch.includes(p)) ? sum + cpus : sum),
    0,
  );
}

/** The same nodes, put together where watched partitions share them. */
export function nodesOf({ nodes }: Pick<Snapshot, 'nodes'>, watch: readonly string[]): readonly PastNodes[] {
  return sharedNodes(nodes, (name) => watch.includes(name)).map((set) => ({
    ...sumOf(set.nodes),
    partitions: set.partitions.map((name) => ({
      ...{ name, ...sumOf(set.nodes.filter(({ partitions }) => partitions.includes(name))) },
    })),
  }));
}

function sumOf(nodes: readonly SlurmNode[]): NodeSum {
  const gres = new Map<string, number>();
  for (const node of nodes)
    for (const [key, count] of gresIn(node.gres)) gres.set(key, (gres.get(key) ?? 0) + count);
  return {
    cpus: nodes.reduce((sum, { cpus }) => sum + cpus, 0),
    memoryMib: nodes.reduce((sum, { memoryMib }) => sum + memoryMib, 0),
    gres,
  };
}
