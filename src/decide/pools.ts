/** The queue as a forecast sees it: partitions that share nodes are served by one machine, and are one queue. */
import type { Instant, JobRef } from '../domain/ids.ts';
import type { Job, Partition, SlurmNode, Snapshot } from '../domain/job.ts';
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
  const lead = new Map<string, string>();
  const find = (name: string): string => {
    let at = name;
    for (let up = lead.get(at); up !== undefined && up !== at; up = lead.get(at)) at = up;
    return at;
  };
  const nodes: { readonly node: SlurmNode; readonly partition: string }[] = [];
  for (const node of snapshot.nodes) {
    const [first, ...rest] = node.partitions.filter((p) => !ours.has(p));
    if (first === undefined) continue;
    if (!lead.has(first)) lead.set(first, first);
    for (const other of rest) {
      if (!lead.has(other)) lead.set(other, other);
      lead.set(find(other), find(first));
    }
    nodes.push({ node, partition: first });
  }
  const made = new Map<string, Draft>();
  for (const name of lead.keys()) {
    const draft = made.get(find(name)) ?? {
      partitions: [],
      processors: 0,
      running: [],
      runs: [],
      waiting: [],
    };
    draft.partitions.push(name);
    made.set(find(name), draft);
  }
  // A node that takes no new work still bears what it runs.
  for (const { node, partition } of nodes)
    (made.get(find(partition)) as Draft).processors += away.test(node.state) ? node.allocatedCpus : node.cpus;
  const limits = new Map(snapshot.partitions.map((p) => [p.name, p]));
  for (const job of snapshot.jobs) {
    const partition = job.partition.split(',').find((p) => lead.has(p));
    const draft = partition === undefined ? undefined : made.get(find(partition));
    if (draft !== undefined) put(draft, job, limits.get(partition ?? ''), snapshot.at, gone);
  }
  return [...made.values()].map(finished);
}

interface Draft {
  readonly partitions: string[];
  processors: number;
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
