import type { ClusterName } from './ids.ts';
import type { Budget, MicroUsd } from './money.ts';
import type { Resources } from './resources.ts';

/** LSF's backlog rule: so many jobs have been pending for so long. */
export interface Threshold {
  readonly pendingJobs: number;
  readonly forMs: number;
}

/** What never bursts; each entry is one condition. */
export type NeverRule =
  | { readonly kind: 'nodesAbove'; readonly nodes: number }
  | { readonly kind: 'account'; readonly account: string }
  | { readonly kind: 'partition'; readonly partition: string };

export interface Policy {
  readonly thresholds: readonly Threshold[];
  readonly never: readonly NeverRule[];
  /** Bursts alive at once in this cluster. */
  readonly maxBursts: number;
  readonly maxTimeMs: number | undefined;
  /** For so long beyond its time limit a burst holds money; ten minutes if undefined. */
  readonly limitMarginMs?: number | undefined;
  /** A look at the queue is stale after so many polls; five if undefined. */
  readonly staleAfterPolls?: number | undefined;
  /** How long a job that was given back is left alone. */
  readonly backOffMs: number;
  readonly budgets: readonly Budget[];
}

export interface Taint {
  readonly key: string;
  readonly value: string;
  readonly effect: 'NoSchedule' | 'NoExecute' | 'PreferNoSchedule';
}

/** Instances that are launched alike. */
export interface NodeGroup {
  readonly name: string;
  readonly launchTemplate: string;
  readonly types: readonly string[];
  readonly zones: readonly string[];
  /** vCPU per Slurm CPU: 2 where a Slurm CPU is a core; a small fraction in the lab. */
  readonly vcpuPerCpu: number;
  /** What a node keeps for itself (kubelet, system, DaemonSets). */
  readonly overhead: Resources;
  readonly capacityType: 'spot' | 'on-demand';
  readonly max: number;
  readonly idleMs: number;
  /** Micro-dollars an hour by instance type; a type without one is bought only where no budget counts. */
  readonly prices?: Readonly<Record<string, MicroUsd>> | undefined;
  readonly joinTimeoutMs: number;
  /** A pod whose end cannot be known for so long counts as lost: its instance is terminated, and only then goes on what follows. */
  readonly lostAfterMs: number;
  readonly taint: Taint;
}

/** One Slurm cluster as the engine works on it. */
export interface ClusterSetup {
  readonly name: ClusterName;
  readonly watch: readonly string[];
  readonly explicit: string | undefined;
  readonly waitPartition: string;
  readonly burstPartition: string;
  readonly mode: 'observe' | 'auto';
  /** What becomes of a job whose pod was lost, once its instance is known to be terminated. */
  readonly onLost: 'fail' | 'requeue';
  readonly pollMs: number;
}
