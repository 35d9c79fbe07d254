import { z } from 'zod';
import { policyText } from './policy-schemas.ts';
import { time } from './schemas.ts';

/** What is asked and answered of replays of the last days. */

const daysAtMost = 30;

export const whatIfOrder = z.strictObject({
  ...policyText.shape,
  days: z.int().min(1).max(daysAtMost).describe('So many days back from the last look at the queue.'),
});
export const whatIfPath = z.strictObject({
  id: z
    .string()
    .min(1)
    .max(100)
    .regex(/^[\w-]+$/, 'no id of a replay'),
});
export const discardOrder = z.strictObject({ discarded: z.literal(true) });
export const discardedView = z.strictObject({ id: z.string(), discarded: z.literal(true) });

const spread = z.strictObject({ mean: z.number(), p50: z.number(), p95: z.number() });

/** Under one policy. */
const fared = z.strictObject({
  bursts: z.number(),
  waitMs: spread,
  /** (wait + run) / max(run, 10 s), at least 1. */
  slowdown: spread,
  /** Of the CPU time that ran, from 0 to 1. */
  cloudShare: z.number(),
  microUsd: z.number(),
  peakCpus: z.number(),
  peakInstances: z.number(),
  /** Jain's index over the mean slowdown of each: 1 is the same for all. */
  fairness: z.strictObject({
    index: z.number(),
    between: z.enum(['accounts', 'users']),
    count: z.number(),
  }),
});
export type FaredView = z.output<typeof fared>;

/** One for each span of time. */
const course = z.strictObject({
  /** Jobs that wait, on average. */
  waiting: z.array(z.number()),
  /** Up to its end. */
  spentMicroUsd: z.array(z.number()),
});

const clusterWhatIf = z.strictObject({
  cluster: z.string(),
  since: time,
  /** When the queue was last looked at. */
  until: time,
  /** That the figures count. */
  jobs: z.number(),
  /** What the same jobs really waited for. */
  really: spread,
  /** By how much a play is off, of each job: what it waited there, and what it really waited. */
  error: spread.extend({
    /** The play that is nearest to what was: where nothing really ran in the cloud, nobody bursts. */
    of: z.enum(['nobody', 'running']),
  }),
  /** Nodes that partitions share, each with one queue. */
  nodes: z.array(
    z.strictObject({
      partitions: z.array(z.string()),
      cpus: z.number(),
      /** So many were really in use at once at most: more than there are where there were other nodes. */
      cpusInUse: z.number(),
      /** Besides CPUs: `memory`, a GRES such as `gpu:a100`, or `debug: cpus` of a partition that has some of the nodes alone. */
      binds: z.array(z.string()),
      /** Not played, as more of it was in use at once than these nodes have. */
      exceeded: z.array(z.string()),
      /** No job has it on record: nobody asked for it, or AccountingStorageTRES does not have it. */
      unused: z.array(z.string()),
    }),
  ),
  /** By what those that wait are ordered. */
  order: z.enum(['priority', 'submission']),
  /** Nobody bursts. */
  nobody: fared,
  running: fared,
  proposed: fared,
  course: z.strictObject({
    from: time,
    spanMs: z.number(),
    nobody: course,
    running: course,
    proposed: course,
  }),
  by: z.strictObject({
    processors: z.number(),
    /** Between two looks at the queue. */
    lookMs: z.number(),
    /** From a burst to the job's first second; from so many of the site's own bursts. */
    bootMs: z.number(),
    bootMeasured: z.number(),
    cloudCpus: z.number(),
    /** The instance type whose list price stands for all. */
    type: z.string(),
    microUsdPerCpuHour: z.number(),
  }),
  /** Jobs that no figure counts. */
  leftOut: z.strictObject({
    /** They ran already at the beginning, and hold their processors. */
    ranBefore: z.number(),
    /** Of partitions that are not watched. */
    elsewhere: z.number(),
    /** They asked for the cloud themselves. */
    asked: z.number(),
    /** They wait still. */
    waiting: z.number(),
    zeroRun: z.number(),
    /** Larger than the cluster is today. */
    oversized: z.number(),
    /** Rows of the accounting that could not be read. */
    unread: z.number(),
  }),
  /** Jobs that are played otherwise than they were. */
  changed: z.strictObject({
    /** They run still: played as if they had ended with the days. */
    running: z.number(),
    /** They really ran in the cloud: played as if they had come to their own partition like all others. */
    wereInCloud: z.number(),
    /** Their memory is not noted: played without any. */
    memoryUntold: z.number(),
    /** Their priority is not noted: where others have one, they have the middle one. */
    priorityUntold: z.number(),
    /** Cut at their time limit. */
    capped: z.number(),
  }),
});
export type ClusterWhatIfView = z.output<typeof clusterWhatIf>;

export const whatIfView = z.strictObject({
  id: z.string(),
  by: z.string(),
  days: z.number(),
  /** SHA-256 of the policy's text. */
  hash: z.string(),
  begun: time,
  state: z.enum(['reading', 'playing', 'done', 'failed']),
  /** While it reads the accounting, and then while it plays: how much of that is done, from 0 to 1. */
  share: z.number().optional(),
  /** Why it failed. */
  why: z.string().optional(),
  clusters: z.array(clusterWhatIf).optional(),
});
export type WhatIfView = z.output<typeof whatIfView>;
