import type { GresOfNode } from './gres.ts';
import type { ClusterName, Instant, JobRef } from './ids.ts';

/** Slurm's base job states, lossless: none of them is ever folded into another. [slurm.h, enum job_states] */
export const jobStates = [
  'PENDING',
  'RUNNING',
  'SUSPENDED',
  'COMPLETED',
  'CANCELLED',
  'FAILED',
  'TIMEOUT',
  'NODE_FAIL',
  'PREEMPTED',
  'BOOT_FAIL',
  'DEADLINE',
  'OUT_OF_MEMORY',
] as const;
export type JobState = (typeof jobStates)[number];

/** Flags that Slurm shows in the place of a state. */
export const jobFlags = [
  'COMPLETING',
  'CONFIGURING',
  'RESIZING',
  'REQUEUED',
  'REQUEUE_HOLD',
  'REQUEUE_FED',
  'SPECIAL_EXIT',
  'STAGE_OUT',
  'STOPPED',
  'SIGNALING',
  'REVOKED',
  'RESV_DEL_HOLD',
] as const;
export type JobFlag = (typeof jobFlags)[number];

/** What Slurm shows: a base state, or a flag whose base state is not shown, or a word of a version we do not know. */
export type SeenState = JobState | JobFlag | 'UNKNOWN';

export const finalStates: ReadonlySet<SeenState> = new Set<SeenState>([
  'COMPLETED',
  'CANCELLED',
  'FAILED',
  'TIMEOUT',
  'NODE_FAIL',
  'PREEMPTED',
  'BOOT_FAIL',
  'DEADLINE',
  'OUT_OF_MEMORY',
  'REVOKED',
]);

/** One line of `squeue`: enough to decide with, little enough for 100,000 of them. */
export interface Job {
  readonly ref: JobRef;
  /** The bare number slurmctld uses now (differs from `ref` for array tasks). */
  readonly id: number;
  readonly arrayJobId: number | undefined;
  /** The task's index; for a pending array not yet split, the rest as Slurm writes it, such as `3-9%2`. */
  readonly arrayTask: string | undefined;
  readonly name: string;
  readonly user: string;
  readonly account: string;
  readonly qos: string;
  /** As the user gave it: may be a list, such as `batch,other`. */
  readonly partition: string;
  readonly state: SeenState;
  /** Slurm's word for why it is pending, without parentheses; may carry a suffix. */
  readonly reason: string;
  readonly submitAt: Instant;
  /** Since when, or from when on (`--begin`), it may run; undefined while it is held or depends on others. */
  readonly eligibleAt: Instant | undefined;
  /** `--deadline`: Slurm cancels a job that waits once it could not end before it any more. */
  readonly deadlineAt?: Instant | undefined;
  readonly startAt: Instant | undefined;
  readonly priority: number;
  readonly timeLimitMs: number | 'unlimited' | 'partition';
  readonly minNodes: number;
  readonly maxNodes: number | undefined;
  readonly cpus: number;
  readonly batch: boolean;
  readonly hetJob: boolean;
  readonly dependency: string;
  readonly features: string;
  readonly licenses: string;
  readonly reservation: string;
  readonly requiredNodes: string;
  readonly gres: string;
  readonly restarts: number;
  readonly nodeList: string;
}

/** One job in full, from `scontrol show job`: what a claim saves and a give-back restores. */
export interface JobDetail extends Job {
  readonly uid: number;
  readonly gid: number;
  readonly command: string;
  readonly workDir: string;
  readonly comment: string;
  readonly adminComment: string;
  readonly nice: number;
  readonly requeue: boolean;
  readonly accrueAt: Instant | undefined;
  readonly endAt: Instant | undefined;
  /** As Slurm keeps it now: per node or per CPU, in MiB; 0 means all of the node's memory. */
  readonly memory: { readonly per: 'node' | 'cpu'; readonly mib: number };
  readonly cpusPerTask: number;
  readonly tasks: number | undefined;
  readonly exclusive: boolean;
  readonly exitCode: ExitCode;
  readonly batchHost: string;
  /** The text itself, every key that Slurm printed: evidence in receipts, and for what a later reader needs. */
  readonly raw: Readonly<Record<string, string>>;
}

export interface ExitCode {
  readonly code: number;
  readonly signal: number;
}

/** One allocation from `sacct -X -D`: a requeued job has one for each run. */
export interface AccountedJob {
  readonly ref: JobRef;
  readonly id: number;
  readonly state: SeenState;
  readonly partition: string;
  readonly submitAt: Instant;
  readonly startAt: Instant | undefined;
  readonly endAt: Instant | undefined;
  readonly exit: ExitCode;
  readonly nodeList: string;
  readonly restarts: number | undefined;
  readonly adminComment: string;
}

/** A run that has ended, whoever's: what a site's history is made of. */
export interface EndedRun {
  readonly ref: JobRef;
  readonly user: string;
  readonly account: string;
  readonly partition: string;
  readonly state: SeenState;
  readonly submitAt: Instant;
  readonly startAt: Instant;
  readonly endAt: Instant;
  readonly timeLimitMs: number | 'unlimited' | 'partition';
  readonly cpus: number;
  readonly nodes: number;
  /** That it had when it started, as far as slurmdbd noted it. */
  readonly priority?: number | undefined;
  /** Of all its nodes together; undefined: not noted. */
  readonly memoryMib?: number | undefined;
  /** Of all its nodes together, by `name` and by `name:type`; as far as AccountingStorageTRES has them noted. */
  readonly gres?: GresOfNode | undefined;
}

/** `partial` names the rows that could not be read: they are left out. */
export interface History {
  readonly runs: readonly EndedRun[];
  readonly partial: readonly string[];
}

export interface Partition {
  readonly name: string;
  readonly up: boolean;
  readonly defaultTimeMs: number | 'unlimited' | undefined;
  readonly maxTimeMs: number | 'unlimited';
  readonly defMemory: { readonly per: 'node' | 'cpu'; readonly mib: number } | undefined;
  readonly priorityJobFactor: number;
  readonly nodes: string;
  readonly totalNodes: number;
  readonly totalCpus: number;
  readonly overSubscribe: string;
  /** TRESBillingWeights, without their units; undefined: none are set, and a job is billed its CPUs. */
  readonly billingWeights?: Readonly<Record<string, number>> | undefined;
  /** Its own, whose limits hold for all that runs in it together; undefined: it has none. */
  readonly qos?: string | undefined;
}

/** GrpTRESMins: minutes of TRES that an association or a QOS may use, whatever a partition bills for them. */
export interface MinutesLimit {
  /** Such as `account physics`, `user alice in account physics` or `QOS normal`. */
  readonly of: string;
  readonly tres: string;
}

export interface SlurmNode {
  readonly name: string;
  readonly state: string;
  readonly partitions: readonly string[];
  readonly cpus: number;
  readonly allocatedCpus: number;
  readonly memoryMib: number;
  readonly features: string;
  readonly gres: string;
}

/** What one look at the cluster saw. `partial` names what it could not see; a decision on it says so. */
export interface Snapshot {
  readonly cluster: ClusterName;
  readonly at: Instant;
  readonly tookMs: number;
  readonly jobs: readonly Job[];
  readonly partitions: readonly Partition[];
  readonly nodes: readonly SlurmNode[];
  readonly partial: readonly string[];
}

/** Facts of the cluster that change only with its configuration. */
export interface ClusterFacts {
  readonly version: string;
  readonly killWaitMs: number;
  readonly minJobAgeMs: number;
  readonly partitions: readonly Partition[];
  readonly preemptMode: string;
  /** AccountingStorageEnforce: what of slurmdbd's limits binds a job. */
  readonly enforced?: readonly string[] | undefined;
}

/** The partitions that a job may start in; most name one, and a hundred thousand are asked in a turn. */
export const partitionsOf = ({ partition }: Pick<Job, 'partition'>): readonly string[] =>
  partition.includes(',') ? partition.split(',') : [partition];
