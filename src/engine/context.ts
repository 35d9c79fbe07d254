import type { BurstContext, LogLine, PodSettings } from '../burst/context.ts';
import type { Sizes } from '../decide/carry.ts';
import type { Forecaster } from '../decide/forecast.ts';
import type { Foresight } from '../decide/foresight.ts';
import type { OfferedGroup } from '../decide/rule.ts';
import type { Burst, Cause } from '../domain/burst.ts';
import type { Sha256 } from '../domain/chain.ts';
import type { Decision } from '../domain/decision.ts';
import type { BurstId, ClusterName, Instant, JobRef } from '../domain/ids.ts';
import type { JobDetail, Snapshot } from '../domain/job.ts';
import type { PodView } from '../domain/kube.ts';
import type { Budget } from '../domain/money.ts';
import type { ClusterSetup, NodeGroup, Policy } from '../domain/policy.ts';
import type {
  Clock,
  CloudPort,
  Entropy,
  KubernetesPort,
  ObjectsPort,
  Scheduler,
  SlurmPort,
  StorePort,
  WakePort,
} from '../ports.ts';
import type { Streams } from '../stream/streams.ts';
import type { Sees } from './choose.ts';
import type { Funds } from './funds.ts';
import type { Notebook } from './notebook.ts';
import type { Shortage } from './shortage.ts';
import type { Spot } from './spot.ts';

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

/** What is wrong with a policy, and where: in its text, lines and columns from 1. */
export interface PolicyProblem {
  /** As in `policy.or[0].expr`; empty for all of it. */
  readonly field: string;
  readonly text: string;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

export type PolicyRead =
  | { readonly ok: true; readonly policy: Policy; readonly policyHash: string }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

/** How a policy is read that stands elsewhere than in the configuration file, beside all else that stands there. */
export interface PolicyTerms {
  /** What the file itself says, as a version of it would be written; and its SHA-256. */
  readonly file: string;
  readonly fileHash: string;
  read(text: string): PolicyRead;
  /** The same, and where the text is long beside the gateway's own loop. Faults: `throttled` (too many are read), `refused` (its thread broke). */
  readBeside(text: string): Promise<PolicyRead>;
  /** Ends once whatever else waits for the loop had its turn. */
  pause(): Promise<void>;
  /** Its values as they were written, for telling two of them apart. */
  written(text: string): unknown;
  readonly sha256: Sha256;
}

export interface ClusterSettings {
  readonly setup: ClusterSetup;
  /** False: mode observe without Kubernetes and cloud, of which nothing is ever asked; true if undefined. */
  readonly hands?: boolean | undefined;
  readonly policy: Policy;
  /** Budgets besides those of the policy; `policyNow` has them all [funds.ts]. */
  readonly funds?: Funds | undefined;
  /** Names the policy in receipts [domain/decision.ts, Basis]. */
  readonly policyHash: string;
  /** The version that this policy is; undefined: the configuration file's. */
  readonly policyVersion?: number | undefined;
  /** Why the one that was activated cannot be told; nothing is bought until it can. */
  readonly policyUnreadable?: string | undefined;
  /** Undefined: no version is asked for, the policy is what it is here. */
  readonly policies?: PolicyTerms | undefined;
  readonly forecaster: Forecaster;
  /** So far back the site's own history is learned from. */
  readonly historyMs: number;
  readonly groups: readonly NodeGroup[];
  readonly pods: PodSettings;
  readonly slurm: SlurmPort;
  readonly cloud: CloudPort;
  /** This cluster's stand-ins and keepers; epochs are a cluster's own, so each has its own. */
  readonly streams: Streams;
  /** Through which data are carried that lie under no mount; undefined: the site has none. */
  readonly objects?: ObjectsPort | undefined;
}

export interface Settings {
  /** Names this process in leases; unique per start. */
  readonly holder: string;
  readonly leaseMs: number;
  /** Milliseconds that only go forward: how long a lease is trusted must not depend on a clock that somebody sets. */
  readonly monotonic: () => number;
  readonly sweepMs: number;
  readonly cloudPollMs: number;
}

export interface Held {
  readonly since: Instant;
  readonly text: string;
}

/** What a turn and a judgement see of the cluster that they work for. */
export interface Cluster {
  readonly name: ClusterName;
  readonly epoch: number;
  readonly settings: ClusterSettings;
  readonly ports: Ports;
  readonly offered: readonly OfferedGroup[];
  readonly foresight: Foresight;
  readonly notebook: Notebook;
  readonly spot: Spot;
  /** What the cloud had none of a moment ago. */
  readonly shortage: Pick<Shortage, 'lacks'>;
  /** What the last look at the queue saw. */
  snapshot: Snapshot | undefined;
  /** What the last turn decided by; undefined: there was none yet. */
  sees: Sees | undefined;
  /** The last look at the queue, one that failed too. */
  lookTookMs: number;
  /** Those that a hard budget does not hold any more, as the last turn found. */
  spent: ReadonlyMap<BurstId, Budget>;
  /** Jobs that their owners moved to our partitions and that run there with nothing behind them, as the last look found. */
  held: ReadonlyMap<JobRef, Held>;
  /** Judged in full and found wanting, so not asked again each turn. */
  readonly examined: Map<string, { readonly until: Instant; readonly because: Decision }>;
  /** What the scripts that were read say of their jobs' data. */
  readonly carries: Map<string, { readonly until: Instant; readonly sizes: Sizes }>;
  /** Our pods as the watch has them; undefined until they were listed. */
  pods(): readonly PodView[] | undefined;
  burstContext(): BurstContext;
  /** Takes a job on again that is in our partitions already. */
  adopt(job: JobDetail, before: Burst, held?: string, goesHome?: Cause): Promise<void>;
  /** Undefined, or why it is not taken on though Slurm runs it. */
  adoptIfOurs(job: JobDetail, earlier: readonly Burst[]): Promise<string | undefined>;
}
