/** What slurmctld keeps of a job, a run of it and a node; all that changes is changed by the files that own the change. */
import { type Instant, instant, type JobRef, jobRef } from '../../domain/ids.ts';
import type { ExitCode, SeenState } from '../../domain/job.ts';
import type { Need, Share } from './slurm-fit.ts';
import type {
  Asked,
  Dependency,
  Limit,
  Memory,
  NodeSpec,
  StandInHandle,
  TrueMove,
  UserSpec,
  Work,
} from './slurm-types.ts';

export interface Cancel {
  cancel(): void;
}

export interface NodeRecord {
  readonly spec: NodeSpec;
  /** The partitions over it, by name. */
  readonly partitions: readonly string[];
  up: boolean;
  /** Free. */
  cpus: number;
  memoryMib: number;
  readonly jobs: Set<JobRecord>;
  /** Batch scripts and stand-ins that live here, those that slurmctld has given up included. */
  readonly processes: Set<Process>;
}

export interface ArrayRecord {
  /** The id that all of its tasks share. */
  readonly jobId: number;
  /** Tasks at once; 0 = as many as there is room for. */
  readonly throttle: number;
  /** Every record that slurmctld still has, the one of the tasks that were not split off yet included. */
  readonly records: Set<JobRecord>;
  /** Those of them that are not over. */
  readonly live: Set<JobRecord>;
  /** Tasks that ended as COMPLETED, and otherwise. */
  ok: number;
  failed: number;
}

/** One run: from a submission or a requeue to its end. slurmdbd has one row for it. */
export interface RunRecord {
  readonly restarts: number;
  readonly submitAt: Instant;
  startAt: Instant | undefined;
  endAt: Instant | undefined;
  partition: string;
  nodes: readonly string[];
  /** The same as Slurm writes it. */
  nodeList: string;
  burst: boolean;
  state: SeenState;
  exit: ExitCode;
  process: Process | undefined;
}

export interface Process {
  readonly job: JobRecord;
  readonly run: RunRecord;
  readonly node: NodeRecord;
  state: 'starting' | 'alive' | 'over';
  /** Of a stand-in; a script has none. */
  handle: StandInHandle | undefined;
  /** The launch, or the end of the script's work. */
  timer: Cancel | undefined;
  /** SIGKILL to come. */
  killing: Cancel | undefined;
}

export interface JobRecord {
  id: number;
  readonly array: ArrayRecord | undefined;
  /** The tasks that have no record of their own yet, two at least; undefined for all but an array that waits. */
  tasks: readonly number[] | undefined;
  task: number | undefined;
  readonly het: { readonly leader: number; readonly offset: number } | undefined;
  readonly user: UserSpec;
  readonly account: string;
  readonly qos: string;
  readonly name: string;
  readonly batch: boolean;
  readonly script: string;
  readonly args: readonly string[];
  readonly workDir: string;
  readonly stdin: string;
  readonly work: Work;

  /** As it was submitted. */
  asked: Asked;
  comment: string;
  nice: number;
  /** Its own share of the priority. */
  readonly bonus: number;
  /** What an admin gave it in place of a calculated one. */
  fixedPriority: number | undefined;
  held: 'user' | 'admin' | undefined;
  requeue: boolean;
  /** As asked: one, or several to choose from. */
  partitions: readonly string[];
  /** The one that it runs, or ran, in. */
  partition: string | undefined;
  /** Undefined: its partition's. */
  timeMs: Limit | undefined;
  memory: Memory;
  /** False: its partition's default, and that of every partition it is moved to. */
  memorySet: boolean;
  readonly ntasks: number | undefined;
  cpusPerTask: number;
  minNodes: number;
  maxNodes: number | undefined;
  readonly exclusive: boolean;

  /** What is left when COMPLETING is over: PENDING for one that was requeued. */
  base: SeenState;
  completing: boolean;
  reason: string;
  submitAt: Instant;
  eligibleAt: Instant | undefined;
  accrueAt: Instant | undefined;
  /** Not before. */
  beginAt: Instant | undefined;
  readonly deadlineAt: Instant | undefined;
  startAt: Instant | undefined;
  endAt: Instant | undefined;
  /** When the backfill scheduler expects it to start. */
  plannedAt: Instant | undefined;
  /** As it was last counted, for a job that no longer waits. */
  priority: number;
  restarts: number;
  exit: ExitCode;
  shares: readonly Share[];
  /** The current run; the last of `runs`. */
  run: RunRecord;
  runs: RunRecord[];
  readonly moves: TrueMove[];
  unmet: readonly Waited[];
  /** Why a partition can never start it, as long as nothing of it changes. */
  verdicts: Map<string, string> | undefined;
  limit: Cancel | undefined;
  settling: Cancel | undefined;
  /** When its last run was over. */
  overAt: Instant | undefined;
}

/** A dependency that is not met, and may never be. */
export interface Waited extends Dependency {
  readonly on: JobRecord | ArrayRecord;
  never: boolean;
}

export const noExit: ExitCode = { code: 0, signal: 0 };

/** Several things of a record at once. */
export function set<T extends object>(record: T, to: { readonly [K in keyof T]?: T[K] }): T {
  return Object.assign(record, to);
}

/** Slurm counts in seconds. */
export const second = (ms: number): Instant => instant(Math.floor(ms / 1000) * 1000);

export function newRun(restarts: number, submitAt: Instant, partition: string): RunRecord {
  return {
    restarts,
    submitAt,
    partition,
    startAt: undefined,
    endAt: undefined,
    nodes: [],
    nodeList: '',
    burst: false,
    state: 'PENDING',
    exit: noExit,
    process: undefined,
  };
}

export function refOf(job: Pick<JobRecord, 'id' | 'array' | 'task'>): JobRef {
  return job.array !== undefined && job.task !== undefined
    ? jobRef(`${job.array.jobId}_${job.task}`)
    : jobRef(`${job.id}`);
}

export const stateOf = (job: JobRecord): SeenState => (job.completing ? 'COMPLETING' : job.base);

export const heldReason = (held: 'user' | 'admin'): string =>
  held === 'user' ? 'JobHeldUser' : 'JobHeldAdmin';

/** Waits for nodes: not on any that it still has to leave. */
export const waits = (job: JobRecord): boolean => job.base === 'PENDING' && !job.completing;

export const runs = (job: JobRecord): boolean => job.base === 'RUNNING' && !job.completing;

export const isOver = (job: JobRecord): boolean =>
  !job.completing && job.base !== 'PENDING' && job.base !== 'RUNNING';

export function needOf(job: JobRecord): Need {
  const { minNodes, maxNodes, ntasks, cpusPerTask, memory, exclusive } = job;
  return { minNodes, maxNodes, tasks: ntasks, cpusPerTask, memory, exclusive };
}
