/** The queue as a forecast sees it: partitions that share nodes are served by one machine, and are one queue. */
import type { Instant, JobRef } from '../domain/ids.ts';
import { type Job, type Partition, partitionsOf, type SlurmNode, type Snapshot } from '../domain/job.ts';
import type { QueuedJob, QueueView, RunningJob } from './forecast.ts';
import { helpFor } from './rules/reason.ts';
import { tasksOf } from './tasks.ts';

export interface Pool {
  readonly partitions: readonly string[];
  readonly view: QueueView;
  /** Who waits, in the order of `view.waiting`; of an array each of its first tasks. */
  readonly waits: readonly Job[];
  /** Who runs, in the order of `view.running`. */
  readonly runs: readonly Job[];
}

/** Slurm counts limits in minutes; one of none would be a division by nothing. */
const leastLimitMs = 60_000;
/** Where neither job nor partition has a limit. */
const noLimitMs = 365 * 86_400_000;
/** On such a node nothing starts; what runs there runs on. [slurm.h, enum node_states and their flags] */
const away = /^(DOWN|DRAIN|FAIL|ERROR|UNKNOWN|FUTURE|MAINT|POWERING_DOWN|REBOOT|RESERVED|INVAL|BLOCKED)/i;

/** Nodes whose partitions are bound together: two partitions that share a node, and so on. */
export interface SharedNodes {
  /** In the order in which nodes name them. */
  readonly partitions: readonly string[];
  readonly nodes: readonly SlurmNode[];
}

/** By what the nodes say. `counts`: which partitions are looked at; a node of none of them is in no set. */
export function sharedNodes(
  all: readonly SlurmNode[],
  counts: (partition: string) => boolean,
): readonly SharedNodes[] {
  const lead = new Map<string, string>();
  const find = (name: string): string => {
    let at = name;
    for (let up = lead.get(at); up !== undefined && up !== at; up = lead.get(at)) at = up;
    return at;
  };
  const taken: { readonly node: SlurmNode; readonly partition: string }[] = [];
  for (const node of all) {
    const [first, ...rest] = node.partitions.filter(counts);
    if (first === undefined) continue;
    if (!lead.has(first)) lead.set(first, first);
    for (const other of rest) {
      if (!lead.has(other)) lead.set(other, other);
      lead.set(find(other), find(first));
    }
    taken.push({ node, partition: first });
  }
  const sets = new Map<string, { readonly partitions: string[]; readonly nodes: SlurmNode[] }>();
  for (const name of lead.keys()) {
    const set = sets.get(find(name)) ?? { partitions: [], nodes: [] };
    set.partitions.push(name);
    sets.set(find(name), set);
  }
  for (const { node, partition } of taken) sets.get(find(partition))?.nodes.push(node);
  return [...sets.values()];
}

/**
 * Partitions with nodes, put together where they share one. `without`: the gateway's own, whose nodes are none of this machine's; `gone`: who
 * waits in the queue still and is as good as away.
 */
export function poolsOf(
  snapshot: Snapshot,
  without: readonly string[],
  gone: ReadonlySet<JobRef> = new Set(),
): readonly Pool[] {
  const ours = new Set(without);
  const drafts: Draft[] = [];
  const draftOf = new Map<string, Draft>();
  for (const { partitions, nodes } of sharedNodes(snapshot.nodes, (name) => !ours.has(name))) {
    // A node that takes no new work still bears what it runs.
    const processors = nodes.reduce(
      (sum, { state, allocatedCpus, cpus }) => sum + (away.test(state) ? allocatedCpus : cpus),
      0,
    );
    const draft: Draft = { partitions, processors, running: [], runs: [], waiting: [] };
    drafts.push(draft);
    for (const name of partitions) draftOf.set(name, draft);
  }
  const limits = new Map(snapshot.partitions.map((p) => [p.name, p]));
  for (const job of snapshot.jobs) {
    const partition = partitionsOf(job).find((p) => draftOf.has(p));
    const draft = partition === undefined ? undefined : draftOf.get(partition);
    if (draft !== undefined) put(draft, job, limits.get(partition ?? ''), snapshot.at, gone);
  }
  return drafts.map(finished);
}

interface Draft {
  readonly partitions: readonly string[];
  readonly processors: number;
  readonly running: RunningJob[];
  readonly runs: Job[];
  readonly waiting: { readonly job: Job; readonly as: QueuedJob }[];
}

function put(
  draft: Draft,
  job: Job,
  partition: Partition | undefined,
  at: Instant,
  gone: ReadonlySet<JobRef>,
): void {
  const as: QueuedJob = {
    user: job.user,
    account: job.account,
    processors: Math.min(2 ** 31 - 1, Math.max(1, job.cpus)),
    limitMs: Math.max(leastLimitMs, limitOf(job, partition)),
  };
  if (job.state === 'PENDING') {
    // Who is held, waits for another job or may not begin yet is not in this queue, and nobody knows when it will be.
    if (helpFor(job.reason) !== 'yes' || (job.eligibleAt ?? 0) > at) return;
    for (const task of tasksOf(job)) if (!gone.has(task.ref)) draft.waiting.push({ job: task, as });
  } else if (job.startAt !== undefined && job.nodeList !== '') {
    draft.running.push({ ...as, ageMs: Math.max(0, at - job.startAt) });
    draft.runs.push(job);
  }
}

function finished(draft: Draft): Pool {
  draft.waiting.sort(
    (a, b) => b.job.priority - a.job.priority || a.job.submitAt - b.job.submitAt || a.job.id - b.job.id,
  );
  const { partitions, processors, running, runs, waiting } = draft;
  return {
    partitions,
    view: { processors, running, waiting: waiting.map((w) => w.as) },
    waits: waiting.map((w) => w.job),
    runs,
  };
}

function limitOf(job: Job, partition: Partition | undefined): number {
  const own =
    job.timeLimitMs === 'partition'
      ? (partition?.defaultTimeMs ?? partition?.maxTimeMs ?? 'unlimited')
      : job.timeLimitMs;
  return own === 'unlimited' ? noLimitMs : own;
}
