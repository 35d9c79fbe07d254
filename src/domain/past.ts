/** What a site's accounting and the last look tell of some days: what a replay of them plays. */
import type { GresOfNode } from './gres.ts';

/** A job that was there in those days. Times in milliseconds since 1970. */
export interface PastJob {
  readonly id: string;
  readonly user: string;
  readonly account: string;
  readonly partition: string;
  readonly submitMs: number;
  readonly startMs: number;
  /** Of one that still runs: the end of those days. */
  readonly endMs: number;
  /** Undefined: it had none. */
  readonly limitMs: number | undefined;
  readonly cpus: number;
  /** Undefined: not noted. */
  readonly priority: number | undefined;
  /** Of all its nodes together; undefined: not noted. */
  readonly memoryMib: number | undefined;
  /** Of all its nodes together, by `name` and by `name:type`. */
  readonly gres: GresOfNode;
  /** It really ran in the cloud. */
  readonly inCloud: boolean;
}

/** What nodes come to together. */
export interface NodeSum {
  readonly cpus: number;
  /** 0: not told. */
  readonly memoryMib: number;
  /** By `name` and by `name:type`. */
  readonly gres: GresOfNode;
}

export interface PastPartition extends NodeSum {
  readonly name: string;
  /** The partitions that have no node besides its own: itself, and those within it. */
  readonly holds: readonly string[];
}

/** Nodes that partitions share: who asks for any of these partitions waits in one queue. */
export interface PastNodes extends NodeSum {
  /** With what the nodes of each come to. */
  readonly partitions: readonly PastPartition[];
}

/** Left out, by how many and why. */
export interface LeftOut {
  /** Of partitions that are not watched. */
  readonly elsewhere: number;
  /** They asked for the cloud themselves. */
  readonly asked: number;
  /** They wait still: how long they run nobody knows. */
  readonly waiting: number;
  /** Rows of the accounting that could not be read. */
  readonly unread: number;
}

export interface Past {
  readonly jobs: readonly PastJob[];
  readonly leftOut: LeftOut;
  /** Of the jobs: they ran still at the end. */
  readonly running: number;
  /** Of the jobs: they really ran in the cloud, and are played as if they waited in their own partition. */
  readonly wereInCloud: number;
  /** Of the jobs: how much memory they had is not noted, and they are played without any. */
  readonly memoryUntold: number;
  /** Of the jobs: their priority is not noted. */
  readonly priorityUntold: number;
}
