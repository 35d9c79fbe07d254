/** All that the Slurm model is: records, nodes, ids, time. What happens to them is in the files beside. */
import { type Instant, instant, type JobRef } from '../../domain/ids.ts';
import type { Clock, Entropy, Scheduler } from '../../ports.ts';
import { Books } from './slurm-books.ts';
import { stillUnmet } from './slurm-depend.ts';
import { limitOf } from './slurm-figures.ts';
import { hostlist, newNode } from './slurm-nodes.ts';
import {
  type ArrayRecord,
  type Cancel,
  isOver,
  type JobRecord,
  type NodeRecord,
  newRun,
  second,
  set,
} from './slurm-record.ts';
import type {
  BurstHost,
  JobSubmit,
  PartitionSpec,
  Range,
  SlurmConfig,
  SlurmFault,
  TrueJob,
  UserSpec,
} from './slurm-types.ts';
import { controllerAway, SlurmRefused } from './slurm-words.ts';

export interface SlurmDeps {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly scheduler: Scheduler;
}

export interface PartitionRecord {
  readonly spec: PartitionSpec;
  up: boolean;
  readonly nodes: readonly NodeRecord[];
  /** Its nodes as Slurm writes them, and what they have together. */
  readonly nodeList: string;
  readonly totalCpus: number;
}

/** What a command means by a job id: a job, or a task that has no record of its own yet. */
export interface Target {
  readonly job: JobRecord;
  readonly task: number | undefined;
}

export const root: UserSpec = {
  name: 'root',
  uid: 0,
  gid: 0,
  groups: [0],
  account: 'root',
  home: '/root',
  adminLevel: 'Administrator',
};

export class SlurmState {
  readonly config: SlurmConfig;
  readonly deps: SlurmDeps;
  readonly bornAt: number;
  /** What slurmctld has, by its id. */
  readonly jobs = new Map<number, JobRecord>();
  /** Pending, running and completing. */
  readonly live = new Set<JobRecord>();
  readonly pending = new Set<JobRecord>();
  /** Those that wait for others. */
  readonly dependents = new Set<JobRecord>();
  readonly arrays = new Map<number, ArrayRecord>();
  readonly nodes: ReadonlyMap<string, NodeRecord>;
  readonly partitions: ReadonlyMap<string, PartitionRecord>;
  readonly users: ReadonlyMap<string, UserSpec>;
  /** Every record that ever was, in the order of its making. */
  readonly all: JobRecord[] = [];
  readonly books: Books;
  readonly faults = new Set<SlurmFault>();
  host: BurstHost | undefined;
  jobSubmit: JobSubmit = {};
  onStart: (job: TrueJob) => void = () => undefined;
  onEnd: (job: TrueJob) => void = () => undefined;
  /** Set by the queue: something changed that may let a job start. */
  changed: () => void = () => undefined;
  /** Set by the queue: gives a new job the reason that it waits for, if it is not only a matter of room. */
  look: (job: JobRecord) => void = () => undefined;
  #lastId: number;
  /** Until MinJobAge has passed: as they ended. */
  #over: { readonly job: JobRecord; readonly at: Instant }[] = [];
  #down: Cancel | undefined;
  #whenUp: (() => void)[] = [];

  constructor(config: SlurmConfig, deps: SlurmDeps) {
    this.config = config;
    this.deps = deps;
    this.bornAt = deps.clock.now();
    this.#lastId = config.firstJobId - 1;
    this.nodes = new Map(config.nodes.map((spec) => [spec.name, newNode(spec, config.partitions)]));
    this.partitions = new Map(config.partitions.map((spec) => [spec.name, newPartition(spec, this.nodes)]));
    this.users = new Map([root, ...config.users].map((user) => [user.name, user]));
    this.books = new Books(
      () => deps.clock.now(),
      () => (this.faults.has('slow-dbd') ? config.slowDbdMs : this.within(config.dbdLagMs)),
      (job) => limitOf(job, this),
    );
  }

  now(): Instant {
    return this.deps.clock.now();
  }

  /** As Slurm tells times: in whole seconds. */
  second(): Instant {
    return second(this.now());
  }

  within([least, most]: Range): number {
    return least === most ? least : least + (most - least) * this.deps.entropy.random();
  }

  after(ms: number, work: () => void): Cancel {
    return this.deps.scheduler.after(ms, work);
  }

  /** The next moment of a grid that began with the model, at `from` or later. */
  onGrid(gridMs: number, from: number): Instant {
    return instant(this.bornAt + Math.ceil((from - this.bornAt) / gridMs) * gridMs);
  }

  user(name: string): UserSpec {
    const user = this.users.get(name);
    if (user === undefined) throw new SlurmRefused('not_yours');
    return user;
  }

  get isDown(): boolean {
    return this.#down !== undefined;
  }

  /** slurmctld is away for so long. slurmds and what runs on them go on, and tell it when it is back. */
  restart(awayMs: number): void {
    this.#down?.cancel();
    this.#down = this.after(awayMs, () => {
      this.#down = undefined;
      for (const job of this.pending) job.plannedAt = undefined;
      for (const work of this.#whenUp.splice(0)) work();
      this.changed();
    });
  }

  /** slurmctld's own doing: now, or as soon as it is back. */
  whenUp(work: () => void): void {
    if (this.isDown) this.#whenUp.push(work);
    else work();
  }

  needsController(): void {
    if (this.isDown) throw controllerAway();
  }

  /** Ids go round: the next one that nobody has. */
  newId(): number {
    this.forget();
    const { firstJobId, maxJobId } = this.config;
    for (let tries = maxJobId - firstJobId + 1; tries > 0; tries -= 1) {
      this.#lastId = this.#lastId >= maxJobId ? firstJobId : this.#lastId + 1;
      if (!this.jobs.has(this.#lastId) && !this.arrays.has(this.#lastId)) return this.#lastId;
    }
    throw new SlurmRefused('busy');
  }

  add(job: JobRecord): void {
    this.jobs.set(job.id, job);
    this.all.push(job);
    this.live.add(job);
    if (job.base === 'PENDING') this.pending.add(job);
    if (job.unmet.length > 0) this.dependents.add(job);
    job.array?.records.add(job);
    job.array?.live.add(job);
  }

  /** The record leaves slurmctld after MinJobAge, unless it is requeued before. */
  over(job: JobRecord): void {
    this.live.delete(job);
    this.pending.delete(job);
    job.array?.live.delete(job);
    if (job.array !== undefined) job.array[job.base === 'COMPLETED' ? 'ok' : 'failed'] += 1;
    job.overAt = this.now();
    this.#over.push({ job, at: job.overAt });
    this.dependents.delete(job);
    for (const other of this.dependents) {
      other.unmet = stillUnmet(other.unmet);
      if (other.unmet.length === 0) this.dependents.delete(other);
    }
  }

  /** What is over for longer than MinJobAge is known to slurmdbd alone. */
  forget(): void {
    const old = this.now() - this.config.minJobAgeMs;
    let gone = 0;
    for (const { job, at } of this.#over) {
      if (at > old) break;
      gone += 1;
      if (!isOver(job) || job.overAt !== at || this.jobs.get(job.id) !== job) continue;
      this.jobs.delete(job.id);
      const { array } = job;
      if (array === undefined) continue;
      array.records.delete(job);
      if (array.records.size === 0) this.arrays.delete(array.jobId);
    }
    if (gone > 0) this.#over.splice(0, gone);
  }

  /** `15` is all of array 15, or job 15; `15_2` is a task. Empty: slurmctld knows none. */
  targets(ref: JobRef): readonly Target[] {
    this.forget();
    const [, id, task] = /^(\d+)(?:_(\d+))?$/.exec(ref) ?? [];
    if (id === undefined) return [];
    const array = this.arrays.get(Number(id));
    if (task === undefined) {
      const job = this.jobs.get(Number(id));
      if (array !== undefined) return [...array.records].map((one) => ({ job: one, task: undefined }));
      return job === undefined ? [] : [{ job, task: undefined }];
    }
    const nth = Number(task);
    for (const job of array?.records ?? []) {
      if (job.task === nth) return [{ job, task: undefined }];
      if (job.tasks?.includes(nth)) return [{ job, task: nth }];
    }
    return [];
  }

  /** The task as a job of its own: with a new id, or as the record itself when it is the last one. */
  split({ job, task }: Target): JobRecord {
    if (task === undefined || job.tasks === undefined) return job;
    const rest = job.tasks.filter((one) => one !== task);
    // Not one literal: a spread that many properties follow takes 100 times as long.
    const own = set<JobRecord>(
      { ...job },
      {
        id: this.newId(),
        tasks: undefined,
        task,
        moves: [...job.moves],
        verdicts: undefined,
        plannedAt: undefined,
        limit: undefined,
        settling: undefined,
        runs: [],
        run: newRun(job.restarts, job.run.submitAt, job.run.partition),
      },
    );
    own.runs.push(own.run);
    this.keep(job, rest);
    this.add(own);
    return own;
  }

  /** A job that was over lives again. */
  revive(job: JobRecord): void {
    this.live.add(job);
    job.array?.live.add(job);
    if (job.array !== undefined) job.array[job.base === 'COMPLETED' ? 'ok' : 'failed'] -= 1;
  }

  /** What is left of an array that waits; one task is a task, not an array. */
  keep(job: JobRecord, rest: readonly number[]): void {
    const [only] = rest;
    if (rest.length === 1 && only !== undefined) {
      job.tasks = undefined;
      job.task = only;
    } else job.tasks = rest;
  }
}

function newPartition(spec: PartitionSpec, known: ReadonlyMap<string, NodeRecord>): PartitionRecord {
  const nodes = spec.nodes.flatMap((name) => known.get(name) ?? []);
  const totalCpus = nodes.reduce((sum, node) => sum + node.spec.cpus, 0);
  return { spec, up: spec.up, nodes, nodeList: hostlist(spec.nodes), totalCpus };
}
