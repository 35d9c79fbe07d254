/** What a replay of some days takes and gives, between the gateway and the thread that plays it: plain values. */
import type { Forecaster } from '../decide/forecast.ts';
import type { ClusterName } from '../domain/ids.ts';
import type { MicroUsd } from '../domain/money.ts';
import type { PastJob, PastNodes } from '../domain/past.ts';
import type { Policy } from '../domain/policy.ts';

/** What its expressions mean is known where it is played. */
export type PlainPolicy = Omit<Policy, 'expressions'>;

/** The days as they were, and what of the site and its cloud a replay goes by. */
export interface Days {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly jobs: readonly PastJob[];
  readonly nodes: readonly PastNodes[];
  /** Between two looks at the queue. */
  readonly lookMs: number;
  readonly forecaster: Forecaster;
  readonly cloud: {
    /** From a burst to the job's first second. */
    readonly bootMs: number;
    /** That the node groups hold at most. */
    readonly cpus: number;
    readonly microUsdPerCpuHour: MicroUsd;
    /** Of one instance. */
    readonly instanceCpus: number;
  };
}

export interface ReplayOrder extends Days {
  readonly running: PlainPolicy;
  readonly proposed: PlainPolicy;
}

export interface Spread {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
}

/** Under one policy. */
export interface Fared {
  readonly bursts: number;
  readonly waitMs: Spread;
  /** (wait + run) / max(run, 10 s), at least 1. */
  readonly slowdown: Spread;
  /** Of the CPU time that ran, from 0 to 1. */
  readonly cloudShare: number;
  readonly microUsd: MicroUsd;
  readonly peakCpus: number;
  readonly peakInstances: number;
  /** Jain's index over the mean slowdown of each: 1 is the same for all. */
  readonly fairness: {
    readonly index: number;
    readonly between: 'accounts' | 'users';
    readonly count: number;
  };
}

/** Nodes that partitions share, which one queue is served from. */
export interface PlayedNodes {
  readonly partitions: readonly string[];
  readonly cpus: number;
  /** So many were really in use at once at most: more than there are where there were other nodes. */
  readonly cpusInUse: number;
  /** What binds its jobs besides CPUs: `memory`, a GRES such as `gpu:a100`, or `debug: cpus` of a partition that has some of the nodes alone. */
  readonly binds: readonly string[];
  /** What does not, as more of it was in use at once than these nodes have: the site does not count it, or there were other nodes. */
  readonly exceeded: readonly string[];
  /** What no job has on record, and so binds nobody: nobody asked for it, or the site has it not noted. */
  readonly unused: readonly string[];
}

/** By how much a play is off, of each job: what it waited there, and what it really waited. */
export interface ReplayError extends Spread {
  /** The play that is nearest to what was: where nothing really ran in the cloud, nobody bursts. */
  readonly of: 'nobody' | 'running';
}

/** Over equal spans: how many waited on average, and what was spent up to the end of each. */
export interface Course {
  readonly waiting: readonly number[];
  readonly spentMicroUsd: readonly MicroUsd[];
}

export interface Replayed {
  /** That the figures count. */
  readonly jobs: number;
  /** They ran already at the beginning: they hold their processors, and no figure counts them. */
  readonly ranBefore: number;
  readonly zeroRun: number;
  readonly oversized: number;
  /** Cut at their time limit. */
  readonly capped: number;
  /** What the same jobs really waited for, wherever they ran. */
  readonly really: Spread;
  readonly error: ReplayError;
  readonly nodes: readonly PlayedNodes[];
  /** By priority: as the accounting has them; else nobody's is known. */
  readonly order: 'priority' | 'submission';
  /** Nobody bursts. */
  readonly nobody: Fared;
  readonly running: Fared;
  readonly proposed: Fared;
  readonly course: {
    readonly fromMs: number;
    readonly spanMs: number;
    readonly nobody: Course;
    readonly running: Course;
    readonly proposed: Course;
  };
}

/** Beside the gateway's own loop, bounded in time and memory. */
export interface ReplayPort {
  /** What of a policy's expressions a log does not tell: a policy that names any cannot be played. */
  unseen(policy: Policy): readonly string[];
  /** `told`: how much of it is played, from 0 to 1. Faults: `refused` (took too long or too much memory; the message says so). Ends early by `signal`. */
  play(
    cluster: ClusterName,
    order: ReplayOrder,
    told: (share: number) => void,
    signal: AbortSignal,
  ): Promise<Replayed>;
}
