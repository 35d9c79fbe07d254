/** What the SlurmPort contract needs of a cluster, real or model. */
import { faultOf } from '../../src/domain/fault.ts';
import { type Instant, instant, type JobRef } from '../../src/domain/ids.ts';
import type { JobDetail } from '../../src/domain/job.ts';
import type { MoveSpec, SlurmPort } from '../../src/ports.ts';

/** What is submitted; by alice, into the partition that starts nothing, unless told. */
export interface Ask {
  readonly user?: 'alice' | 'bob';
  readonly partition?: string;
  readonly name?: string;
  readonly comment?: string;
  readonly timeMin?: number;
  readonly memory?: { readonly per: 'node' | 'cpu'; readonly mib: number };
  /** As `-N` takes it. */
  readonly nodes?: string;
  readonly tasks?: number;
  readonly cpusPerTask?: number;
  /** As `--array` takes it. */
  readonly array?: string;
  readonly held?: boolean;
  readonly nice?: number;
  readonly after?: JobRef;
  /** As `--begin=now+…` and `--deadline=now+…` take it. */
  readonly beginMin?: number;
  readonly deadlineMin?: number;
  readonly exclusive?: boolean;
  /** A heterogeneous job of two components. */
  readonly het?: boolean;
  /** False: `--no-requeue`. */
  readonly requeue?: boolean;
  /** What it does when it runs; nothing, unless told. */
  readonly work?: { readonly seconds?: number; readonly exit?: number; readonly kill?: number };
}

export interface Change {
  readonly partition?: string;
  readonly timeMin?: number;
  readonly priority?: number;
  readonly comment?: string;
  readonly requeue?: true;
}

export interface SlurmHarness {
  readonly port: SlurmPort;
  readonly partitions: {
    /** UP, on-prem. */
    readonly home: string;
    /** DOWN: users ask for the cloud here. */
    readonly explicit: string;
    /** DOWN, over the burst nodes. */
    readonly wait: string;
    readonly burst: string;
  };
  now(): Instant;
  submit(ask: Ask): Promise<JobRef>;
  /** As `owner` by the user who submitted it, as `admin` by Slurm's own. */
  alter(who: 'owner' | 'admin', ref: JobRef, change: Change): Promise<void>;
  cancel(ref: JobRef): Promise<void>;
  /** The way between port and cluster. */
  reach(on: boolean): Promise<void>;
  /** Waits for a condition, never for time. */
  eventually<T>(what: string, condition: () => Promise<T | undefined | false>): Promise<T>;
  /** Leaves nothing behind. */
  close(): Promise<void>;
}

export const soon = (harness: SlurmHarness): Instant => instant(harness.now() + 20_000);

export async function faultIn(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'none',
    (error: unknown) => faultOf(error) ?? error,
  );
}

export async function jobOf(harness: SlurmHarness, ref: JobRef): Promise<JobDetail> {
  const job = await harness.port.job(ref);
  if (job === undefined) throw new Error(`no job ${ref}`);
  return job;
}

/** The claim that the engine makes. */
export function claimOf(harness: SlurmHarness, job: JobDetail, change: Partial<MoveSpec> = {}): MoveSpec {
  return {
    partition: harness.partitions.wait,
    timeLimitMs: job.timeLimitMs === 'partition' ? 'unlimited' : job.timeLimitMs,
    minNodes: 1,
    maxNodes: 1,
    memory: job.memory,
    ...change,
  };
}

/** The give-back of what was saved. */
export function backOf(job: JobDetail): MoveSpec {
  return {
    partition: job.partition,
    timeLimitMs: job.timeLimitMs === 'partition' ? 'unlimited' : job.timeLimitMs,
    minNodes: job.minNodes,
    maxNodes: job.maxNodes,
    memory: job.memory,
  };
}

/** What a give-back must restore; priority and the time from which age counts come with the next calculation. */
export function asAsked(job: JobDetail) {
  const { partition, timeLimitMs, minNodes, maxNodes, memory, nice, comment, cpus, tasks, cpusPerTask } = job;
  const { name, account, qos, submitAt, eligibleAt, exclusive, features, licenses, requiredNodes } = job;
  const { dependency, reservation, requeue, workDir, command, accrueAt, ref, restarts, arrayTask } = job;
  return {
    ...{ partition, timeLimitMs, minNodes, maxNodes, memory, nice, comment, cpus, tasks, cpusPerTask },
    ...{ name, account, qos, submitAt, eligibleAt, exclusive, features, licenses, requiredNodes },
    ...{ dependency, reservation, requeue, workDir, command, accrueAt, ref, restarts, arrayTask },
  };
}
