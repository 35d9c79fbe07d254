/** The words of the Slurm model: what can be set up and switched on in it, what people ask of it, and what it tells. */
import type { Instant, JobRef } from '../../domain/ids.ts';
import type { ExitCode, MinutesLimit, SeenState } from '../../domain/job.ts';

export interface Memory {
  readonly per: 'node' | 'cpu';
  /** 0 = all of the node's. */
  readonly mib: number;
}

export type Limit = number | 'unlimited';
/** Least and most of what chance decides, in milliseconds. */
export type Range = readonly [least: number, most: number];

export interface NodeSpec {
  readonly name: string;
  readonly cpus: number;
  readonly memoryMib: number;
  /** A virtual node: its slurmd starts a stand-in instead of the script. */
  readonly burst?: boolean;
}

export interface PartitionSpec {
  readonly name: string;
  readonly nodes: readonly string[];
  readonly up: boolean;
  /** Where a job goes that names none. */
  readonly default?: boolean;
  readonly defaultTimeMs?: Limit;
  readonly maxTimeMs: Limit;
  readonly defMemory?: Memory;
  readonly billingWeights?: Readonly<Record<string, number>>;
  readonly qos?: string;
  /** Seen only by who asks for all partitions, as with `squeue -a`. */
  readonly hidden?: boolean;
}

export interface UserSpec {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** The primary group included. */
  readonly groups: readonly number[];
  readonly account: string;
  readonly home: string;
  /** None unless told; root may do everything. */
  readonly adminLevel?: 'None' | 'Operator' | 'Administrator';
  /** On the wire: the accounts that he coordinates, as slurmdbd lists them. */
  readonly coordinates?: readonly string[];
}

export interface SlurmConfig {
  readonly version: string;
  readonly nodes: readonly NodeSpec[];
  readonly partitions: readonly PartitionSpec[];
  readonly users: readonly UserSpec[];
  /** As slurmdbd keeps them; the model holds no job to them. */
  readonly minutesLimits?: readonly MinutesLimit[];
  /** On the wire: what `scontrol show config` prints besides, key by key. Of PrivateData `jobs` is obeyed, the rest is words. */
  readonly settings?: Readonly<Record<string, string>>;
  /** On the wire: there is no slurmdbd, and sacct and sacctmgr say so. */
  readonly noAccounting?: boolean;
  /** Jobs of one user that run at once: of all (by association), and by QOS. */
  readonly maxJobsPerUser: number;
  readonly qos: Readonly<Record<string, { readonly maxJobsPerUser?: number }>>;
  /** As slurmdbd keeps them, by sacctmgr's names; the model holds no job to them. */
  readonly qosLimits?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** A job's priority: this, and its share of `ageWeight` by its age up to `maxAgeMs`, and its own, less its nice value. */
  readonly basePriority: number;
  readonly ageWeight: number;
  readonly maxAgeMs: number;
  /** From a change to the main scheduler's pass over the queue (batch_sched_delay). */
  readonly schedMs: number;
  /** The backfill scheduler's grid (0: right after each pass that left somebody waiting), and how many jobs it looks at and how far ahead. */
  readonly backfillMs: number;
  readonly backfillJobs: number;
  readonly backfillWindowMs: number;
  /** So many of those who wait have a start reserved (bf_job_part_count_reserve); with 1 it is EASY. */
  readonly backfillReserves: number;
  /** The grid on which time limits are looked at. */
  readonly limitCheckMs: number;
  readonly killWaitMs: number;
  readonly minJobAgeMs: number;
  /** A requeued job is not eligible for this long: the old run's credentials must expire first. */
  readonly credExpireMs: number;
  /** From the start in slurmctld to the script's, or the stand-in's, first line. */
  readonly launchMs: Range;
  /** From the end of a run's processes until its nodes are free. */
  readonly completingMs: Range;
  /** Between slurmctld and slurmdbd, also while `slow-dbd` is on. */
  readonly dbdLagMs: Range;
  readonly slowDbdMs: number;
  /** Both ways together, while `latency` is on. */
  readonly latencyMs: Range;
  readonly firstJobId: number;
  /** After it comes the first one again. */
  readonly maxJobId: number;
}

/** Slurm 22.05 as its defaults and `facts/slurm.md` have it. */
export const slurmDefaults: SlurmConfig = {
  version: '22.05.8',
  nodes: [],
  partitions: [],
  users: [],
  maxJobsPerUser: Number.POSITIVE_INFINITY,
  qos: { normal: {} },
  basePriority: 1_000,
  ageWeight: 100_000,
  maxAgeMs: 86_400_000,
  schedMs: 1_000,
  backfillMs: 30_000,
  backfillJobs: 500,
  backfillWindowMs: 86_400_000,
  backfillReserves: Number.POSITIVE_INFINITY,
  limitCheckMs: 30_000,
  killWaitMs: 30_000,
  minJobAgeMs: 300_000,
  credExpireMs: 120_000,
  launchMs: [200, 900],
  completingMs: [50, 300],
  dbdLagMs: [100, 1_500],
  slowDbdMs: 180_000,
  latencyMs: [50, 2_000],
  firstJobId: 1,
  maxJobId: 0x03ff0000,
};

export const slurmFaults = [
  'away', // no command reaches the login node; slurmctld goes on
  'busy', // slurmctld looks at a change and puts it off: "Resource temporarily unavailable"
  'lost-request', // a change is asked for, nothing is done, and no answer comes
  'lost-answer', // a change is made, and no answer comes
  'dbd-away', // slurmdbd answers nobody; what it should hear is kept for it
  'slow-dbd', // slurmdbd hears of everything much later
  'latency', // commands and answers take their time
  'exit-0-with-error', // on the wire: reads exit 0 and have nothing but an error on stderr
  'dropped', // on the wire: each connection breaks with its next command
] as const;
export type SlurmFault = (typeof slurmFaults)[number];

export function isSlurmFault(name: string): name is SlurmFault {
  return slurmFaults.some((fault) => fault === name);
}

/** What the job's script does where it runs. `forever`: until it is ended. A deaf one survives SIGTERM. */
export type Work =
  | 'forever'
  | { readonly ms: number; readonly exit: number; readonly deaf?: boolean }
  | { readonly ms: number; readonly signal: number; readonly deaf?: boolean };

export interface Dependency {
  readonly kind: 'afterany' | 'afterok' | 'afternotok';
  readonly ref: JobRef;
}

/** As `sbatch` takes it; what is left out is Slurm's default. */
export interface SlurmAsk {
  /** One, or a list such as `batch,other`. */
  readonly partition?: string;
  readonly name?: string;
  readonly comment?: string;
  readonly timeMs?: Limit;
  readonly memory?: Memory;
  readonly minNodes?: number;
  readonly maxNodes?: number;
  readonly tasks?: number;
  readonly cpusPerTask?: number;
  /** `1-3,7%2`. */
  readonly array?: string;
  readonly held?: boolean;
  readonly nice?: number;
  readonly after?: readonly Dependency[];
  /** `--begin` and `--deadline`, from its submission on. */
  readonly beginInMs?: number;
  readonly deadlineInMs?: number;
  readonly exclusive?: boolean;
  /** A heterogeneous job of two such components. It only waits here: it is never started. */
  readonly het?: boolean;
  readonly requeue?: boolean;
  /** False: an salloc. It runs its work like a batch job on-prem, and is no stand-in anywhere. */
  readonly batch?: boolean;
  readonly qos?: string;
  readonly account?: string;
  /** Added to what age makes of it. */
  readonly priority?: number;
  readonly script?: string;
  readonly args?: readonly string[];
  readonly workDir?: string;
  readonly stdin?: string;
  readonly work?: Work;
}

/** As `scontrol update` takes it, key by key. */
export interface SlurmChange {
  readonly partition?: string;
  readonly cpusPerTask?: number;
  readonly minNodes?: number;
  readonly maxNodes?: number;
  readonly timeMs?: Limit;
  readonly memory?: Memory;
  readonly comment?: string;
  readonly nice?: number;
  /** 0 holds. */
  readonly priority?: number;
  readonly requeue?: boolean;
}

/** What a site's job_submit plugin sees; a text refuses, in those words. */
export interface JobSubmit {
  submit?(user: UserSpec, ask: SlurmAsk): string | undefined;
  modify?(user: UserSpec, ref: JobRef, change: SlurmChange): string | undefined;
}

export type Ended = { readonly code: number } | { readonly signal: number };

/** One start of a job on a burst node. `(jobId, restarts)` names it. */
export interface StandInRun {
  readonly jobId: number;
  readonly ref: JobRef;
  readonly arrayJobId: number | undefined;
  readonly task: number | undefined;
  readonly restarts: number;
  readonly name: string;
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Where the batch step runs: the first of `nodes`. */
  readonly node: string;
  readonly nodes: readonly string[];
  readonly partition: string;
  readonly script: string;
  readonly args: readonly string[];
  readonly workDir: string;
  /** Of this run. */
  readonly submitAt: Instant;
  /** What the script would do, for whoever plays the pod. */
  readonly work: Work;
}

/** A stand-in's process, as slurmd knows it. Its end is told by `SlurmModel.ended`, whatever ended it. */
export interface StandInHandle {
  /** `script`: to the batch script alone; `all`: to every process of the step. */
  signal(signo: number, scope: 'script' | 'all'): void;
  /** SIGKILL. */
  kill(): void;
}

/** Who runs on the burst nodes. Without one a job there runs until it is ended. */
export interface BurstHost {
  start(run: StandInRun): StandInHandle;
}

export interface TrueRun {
  readonly restarts: number;
  readonly submitAt: Instant;
  readonly startAt: Instant | undefined;
  readonly endAt: Instant | undefined;
  readonly partition: string;
  readonly nodes: readonly string[];
  readonly burst: boolean;
  /** PENDING, RUNNING, a final state, or REQUEUED. */
  readonly state: SeenState;
  /** As slurmctld had it in the end; slurmdbd keeps 0:0 for a run that was cancelled, timed out or requeued. */
  readonly exit: ExitCode;
  /** The run's processes: of a run that a node failure ended they may live on. */
  readonly process: 'none' | 'starting' | 'alive' | 'over';
}

export interface TrueMove {
  readonly at: Instant;
  readonly by: string;
  readonly from: string;
  readonly to: string;
}

/** What a give-back has to restore. */
export interface Asked {
  readonly partition: string;
  readonly timeLimitMs: Limit;
  readonly memory: Memory;
  readonly minNodes: number;
  readonly maxNodes: number | undefined;
  readonly comment: string;
}

export interface TrueJob extends Asked {
  readonly id: number;
  readonly ref: JobRef;
  readonly arrayJobId: number | undefined;
  readonly task: number | undefined;
  readonly user: string;
  readonly name: string;
  /** Of the first run. */
  readonly submitAt: Instant;
  readonly state: SeenState;
  readonly held: 'user' | 'admin' | undefined;
  readonly priority: number;
  readonly restarts: number;
  /** The same as it was at its submission. */
  readonly asked: Asked;
  /** Every run, oldest first; the last may still wait. */
  readonly runs: readonly TrueRun[];
  readonly moves: readonly TrueMove[];
}
