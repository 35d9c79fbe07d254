/** The jobs of some days as a replay wants them: from what slurmdbd says has ended, and what the last look saw running. Pure. */

import { sharedNodes } from '../decide/pools.ts';
import type { Burst } from '../domain/burst.ts';
import { type GresOfNode, gresIn, readGres } from '../domain/gres.ts';
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

/** One for all that have none: thousands go to another thread. */
const nothing: GresOfNode = new Map();

/** A look at the queue does not tell a job's memory: what it has that asked for none. */
function memoryOf({ cpus, minNodes }: Job, partition: Partition | undefined): number | undefined {
  const usual = partition?.defMemory;
  return usual && usual.mib * (usual.per === 'cpu' ? cpus : minNodes);
}

/** As AllocTRES has it: of a type by its name as well. How many tasks and sockets it has is not told: one a node. */
function gresOf({ gres, minNodes }: Job): GresOfNode {
  const asks = readGres(gres);
  if (asks.kind === 'untold' || asks.value.length === 0) return nothing;
  // Several ways to ask for the same count once, by the largest.
  const each = new Map<string, { readonly name: string; readonly all: number }>();
  for (const { per, name, type, count } of asks.value) {
    const key = type === undefined ? name : `${name}:${type}`;
    const all = per === 'job' ? count : count * minNodes;
    each.set(key, { name, all: Math.max(each.get(key)?.all ?? 0, all) });
  }
  const found = new Map<string, number>();
  const add = (key: string, all: number) => found.set(key, (found.get(key) ?? 0) + all);
  for (const [key, { name, all }] of each) {
    add(name, all);
    if (key !== name) add(key, all);
  }
  return found;
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
  let [memoryUntold, priorityUntold] = [0, 0];
  const take = (one: Omit<EndedRun, 'state' | 'nodes'>): boolean => {
    const { ref, user, account, submitAt, startAt, endAt, cpus, timeLimitMs } = one;
    const { priority, memoryMib, gres = nothing } = one;
    const cloud = ours.has(one.partition);
    // Of a burst that nobody knows any more: where most jobs come from.
    const partition = cloud ? (home.get(`${ref} ${submitAt}`) ?? watch[0] ?? '') : one.partition;
    if (explicit !== undefined && partition === explicit) asked += 1;
    else if (!watched({ partition })) elsewhere += 1;
    else {
      if (cloud) wereInCloud += 1;
      if (memoryMib === undefined) memoryUntold += 1;
      if (priority === undefined) priorityUntold += 1;
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
  return { jobs, leftOut, running, wereInCloud, memoryUntold, priorityUntold };
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
  return sharedNodes(nodes, (name) => watch.includes(name)).map((set) => {
    const of = new Map<string, SlurmNode[]>(set.partitions.map((name) => [name, []]));
    const shared = new Map<string, number>();
    for (const node of set.nodes)
      for (const a of new Set(node.partitions)) {
        of.get(a)?.push(node);
        for (const b of new Set(node.partitions)) shared.set(`${a},${b}`, (shared.get(`${a},${b}`) ?? 0) + 1);
      }
    const isWithin = (inner: string, outer: string): boolean =>
      shared.get(`${inner},${outer}`) === of.get(inner)?.length;
    return {
      ...sumOf(set.nodes),
      partitions: set.partitions.map((name) => ({
        ...{ name, ...sumOf(of.get(name) ?? []) },
        holds: set.partitions.filter((other) => isWithin(other, name)),
      })),
    };
  });
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
