import type { BurstContext, LogLine, PodSettings } from '../burst/context.ts';
import type { ClusterName, Instant, Uuid } from '../domain/ids.ts';
import type { InstanceType } from '../domain/instance.ts';
import type { ClusterSetup, NodeGroup, Policy } from '../domain/policy.ts';
import type {
  Clock,
  CloudPort,
  Entropy,
  KubernetesPort,
  Scheduler,
  SlurmPort,
  StorePort,
  WakePort,
} from '../ports.ts';
import type { Streams } from '../stream/streams.ts';

/** Everything that one gateway process works with; made once by `compose`, or by a simulation. */
export interface Ports {
  readonly kubernetes: KubernetesPort;
  readonly store: StorePort;
  readonly wake: WakePort;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly scheduler: Scheduler;
  readonly log: (line: LogLine) => void;
}

export interface ClusterSettings {
  readonly setup: ClusterSetup;
  readonly policy: Policy;
  readonly groups: readonly NodeGroup[];
  readonly pods: PodSettings;
  readonly slurm: SlurmPort;
  readonly cloud: CloudPort;
  /** This cluster's stand-ins and keepers; epochs are a cluster's own, so each has its own. */
  readonly streams: Streams;
}

export interface Settings {
  /** Names this process in leases; unique per start. */
  readonly holder: string;
  readonly leaseMs: number;
  readonly sweepMs: number;
  readonly cloudPollMs: number;
}

export type { BurstContext, ClusterName, InstanceType, Instant, LogLine, Uuid };
