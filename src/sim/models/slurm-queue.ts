/** The two schedulers: a pass over the queue after each change, and a backfill on its own grid. Nothing is done while nothing changes. */

import { latestStartOf, limitOf, priorityOf } from './slurm-figures.ts';
import type { Share } from './slurm-fit.ts';
import { place } from './slurm-fit.ts';
import type { Life } from './slurm-life.ts';
import { freeRoom, wholeRoom } from './slurm-nodes.ts';
import { backfill, type Hold, type Waiting } from './slurm-plan.ts';
import {
  type Cancel,
  heldReason,
  type JobRecord,
  type NodeRecord,
  needOf,
  runs,
  second,
} from './slurm-record.ts';
import type { PartitionRecord, SlurmState } from './slurm-state.ts';

/** What the backfill scheduler takes a job without a time limit for. */
const unlimitedMs = 365 * 86_400_000;

export class Queue {
  readonly #state: SlurmState;
  readonly #life: Life;
  #next: Cancel | undefined;
  #filling: Cancel | undefined;

  constructor(state: SlurmState, life: Life) {
    this.#state = state;
    this.#life = life;
    state.changed = () => this.#soon();
    state.look = (job) => void this.#open(job);
  }

  #soon(): void {
    if (this.#next !== undefined || this.#state.isDown) return;
    this.#next = this.#state.after(this.#state.config.schedMs, () => {
      this.#next = undefined;
      if (!this.#state.isDown) this.#pass();
    });
  }

  /** In the order of priority, each partition until its first job that finds no room: nobody behind it may take what it waits for. */
  #pass(): void {
    const closed = new Set<PartitionRecord>();
    const kept = new Set<NodeRecord>();
    let waiting = false;
    for (const job of this.#inOrder()) {
      while (this.#state.pending.has(job)) {
        const partitions = this.#open(job);
        if (partitions.length === 0) break;
        const placed = partitions.every((one) => closed.has(one))
          ? undefined
          : this.#place(job, partitions, closed, kept);
        if (placed === undefined) {
          job.reason = partitions.every((one) => closed.has(one)) ? 'Priority' : 'Resources';
          for (const one of partitions) {
            closed.add(one);
            for (const node of one.nodes) kept.add(node);
          }
          waiting = true;
          break;
        }
        this.#start(job, placed.partition, placed.shares);
      }
    }
    if (waiting) this.#fillLater();
  }

  #place(
    job: JobRecord,
    partitions: readonly PartitionRecord[],
    closed: ReadonlySet<PartitionRecord>,
    kept: ReadonlySet<NodeRecord>,
  ): { readonly partition: PartitionRecord; readonly shares: readonly Share[] } | undefined {
    for (const partition of partitions) {
      if (closed.has(partition)) continue;
      const nodes = partition.nodes.filter((node) => node.up && !kept.has(node));
      const shares = place(needOf(job), nodes.map(freeRoom));
      if (shares !== undefined) return { partition, shares };
    }
    return undefined;
  }

  #start(job: JobRecord, partition: PartitionRecord, shares: readonly Share[]): void {
    const own = this.#state.split({ job, task: job.tasks?.[0] });
    own.priority = priorityOf(own, this.#state);
    this.#life.start(own, partition.spec.name, shares);
  }

  #fillLater(): void {
    if (this.#filling !== undefined) return;
    const { config } = this.#state;
    const now = this.#state.now();
    const at = config.backfillMs === 0 ? now : this.#state.onGrid(config.backfillMs, now + 1);
    this.#filling = this.#state.after(at - now, () => {
      this.#filling = undefined;
      if (!this.#state.isDown) this.#fill();
    });
  }

  #fill(): void {
    const state = this.#state;
    const now = state.now();
    const waiting: Waiting<{ readonly job: JobRecord; readonly partition: PartitionRecord }>[] = [];
    for (const job of this.#inOrder().slice(0, state.config.backfillJobs)) {
      job.plannedAt = undefined;
      const [partition] = this.#open(job);
      if (partition === undefined) continue;
      const limit = limitOf(job, state);
      const nodes = partition.nodes.filter(({ up }) => up).map(({ spec }) => spec);
      const one = {
        who: { job, partition },
        need: needOf(job),
        limitMs: limit === 'unlimited' ? unlimitedMs : limit,
        nodes,
      };
      for (let tasks = this.#mayStart(job); tasks > 0; tasks -= 1) waiting.push(one);
    }
    backfill(
      now,
      state.config.backfillWindowMs,
      this.#holds(),
      waiting,
      ({ job, partition }, shares) => {
        if (this.#blocked(job) !== undefined) return false;
        this.#start(job, partition, shares);
        return true;
      },
      ({ job }, at) => {
        // An array's first task that waits is the array's.
        if (job.plannedAt === undefined) job.plannedAt = second(at + 999);
      },
      state.config.backfillReserves,
    );
  }

  /** How many tasks of an array may run besides those that do; 1 for a job. */
  #mayStart(job: JobRecord): number {
    const tasks = job.tasks?.length ?? 1;
    const throttle = job.array?.throttle ?? 0;
    return throttle === 0 ? tasks : Math.max(0, Math.min(tasks, throttle - this.#runningTasks(job)));
  }

  #holds(): Hold[] {
    const state = this.#state;
    const now = state.now();
    const holds: Hold[] = [];
    for (const node of state.nodes.values())
      for (const job of node.jobs) {
        const limit = limitOf(job, state);
        const end =
          job.completing || job.startAt === undefined
            ? now
            : job.startAt + (limit === 'unlimited' ? unlimitedMs : limit);
        // Past its limit, or completing: gone in a moment, but not yet.
        for (const share of job.shares)
          if (share.node === node.spec.name) holds.push({ share, from: 0, to: Math.max(end, now + 1_000) });
      }
    return holds;
  }

  #inOrder(): JobRecord[] {
    const state = this.#state;
    return [...state.pending]
      .map((job) => ({ job, priority: priorityOf(job, state) }))
      .sort((a, b) => b.priority - a.priority || a.job.submitAt - b.job.submitAt || a.job.id - b.job.id)
      .map(({ job }) => job);
  }

  /** The partitions that the job may start in now; where there are none, its reason says why. */
  #open(job: JobRecord): PartitionRecord[] {
    const state = this.#state;
    const blocked = this.#blocked(job);
    if (blocked !== undefined) {
      job.reason = blocked;
      return [];
    }
    const now = state.second();
    job.eligibleAt ??= now;
    job.accrueAt ??= now;
    const open: PartitionRecord[] = [];
    let why = 'PartitionDown';
    for (const name of job.partitions) {
      const partition = state.partitions.get(name);
      if (partition === undefined) continue;
      const never = this.#never(job, partition);
      if (never !== '') why = never;
      else if (partition.up) open.push(partition);
    }
    if (open.length === 0) job.reason = why;
    else if ((latestStartOf(job, state) ?? now) < now) {
      this.#life.miss(job);
      return [];
    }
    return open;
  }

  #blocked(job: JobRecord): string | undefined {
    const state = this.#state;
    if (job.held !== undefined) return heldReason(job.held);
    if (job.unmet.length > 0)
      return job.unmet.some(({ never }) => never) ? 'DependencyNeverSatisfied' : 'Dependency';
    if (job.beginAt !== undefined && job.beginAt > state.now()) return 'BeginTime';
    if (job.het !== undefined) return 'None';
    if (this.#mayStart(job) === 0) return 'JobArrayTaskLimit';
    return this.#limited(job);
  }

  #limited(job: JobRecord): string | undefined {
    const { maxJobsPerUser, qos } = this.#state.config;
    const ofQos = qos[job.qos]?.maxJobsPerUser ?? Number.POSITIVE_INFINITY;
    if (!Number.isFinite(maxJobsPerUser) && !Number.isFinite(ofQos)) return undefined;
    let [all, own] = [0, 0];
    for (const other of this.#state.live)
      if (runs(other) && other.user === job.user) {
        all += 1;
        if (other.qos === job.qos) own += 1;
      }
    if (own >= ofQos) return 'QOSMaxJobsPerUserLimit';
    return all >= maxJobsPerUser ? 'AssocMaxJobsLimit' : undefined;
  }

  #runningTasks(job: JobRecord): number {
    let running = 0;
    for (const one of job.array?.live ?? []) if (runs(one)) running += 1;
    return running;
  }

  /** Why the partition can never start it; '' if it can. */
  #never(job: JobRecord, { spec, nodes }: PartitionRecord): string {
    job.verdicts ??= new Map();
    const known = job.verdicts.get(spec.name);
    if (known !== undefined) return known;
    const limit = job.timeMs ?? spec.defaultTimeMs ?? spec.maxTimeMs;
    const tooLong = spec.maxTimeMs !== 'unlimited' && (limit === 'unlimited' || limit > spec.maxTimeMs);
    const why = tooLong
      ? 'PartitionTimeLimit'
      : job.minNodes > nodes.length
        ? 'PartitionNodeLimit'
        : place(needOf(job), nodes.map(wholeRoom)) === undefined
          ? 'PartitionConfig'
          : '';
    job.verdicts.set(spec.name, why);
    return why;
  }
}
