import type { Burst } from './burst.ts';
import type { BurstId, CloudId, InstanceId, Instant } from './ids.ts';
import type { Instance } from './instance.ts';
import type { MicroUsd } from './money.ts';

/** A pod of a burst on an instance. */
export interface Stay {
  readonly burst: BurstId;
  readonly instance: InstanceId;
  readonly from: Instant;
  /** Undefined: it is there. */
  readonly until: Instant | undefined;
  /** By the pod itself, or, of bursts from before pods were noted, by its script: less than the pod was there. */
  readonly toldBy: 'pod' | 'script';
}

/** What the store knows of instances that ran in a span, as of one moment. */
export interface CostFacts {
  /** By the store's clock. */
  readonly at: Instant;
  readonly instances: readonly Instance[];
  readonly stays: readonly Stay[];
  /** Of the stays; one that retention has taken is not among them. */
  readonly bursts: ReadonlyMap<BurstId, Burst>;
}

/** What a piece of an instance's cost was for. `boot`: before its first burst. `idle`: between bursts and after the last. */
export type Purpose = 'job' | 'boot' | 'idle';

/** What one purpose (of `job`, one burst) cost on one instance and day. All of an instance's add up to what it cost. */
export interface CostPiece {
  readonly instance: Instance;
  readonly purpose: Purpose;
  readonly burst: Burst | undefined;
  /** Its first moment, UTC. */
  readonly day: Instant;
  readonly from: Instant;
  readonly until: Instant;
  /** Milliseconds of the whole machine. */
  readonly machineMs: number;
  /** Undefined: the instance has no price. */
  readonly microUsd: MicroUsd | undefined;
  readonly toldBy: Stay['toldBy'];
  /** The instance still runs: there is more to come. */
  readonly open: boolean;
}

/** What a bill says of instances. */
export interface Bill {
  readonly files: readonly string[];
  readonly form: 'FOCUS' | 'CUR 2.0';
  /** The usage that it covers. */
  readonly from: Instant;
  readonly until: Instant;
  /** How far it can be true: the end of what it covers, or when it was written, if that was earlier. */
  readonly asOf: Instant;
  readonly instances: ReadonlyMap<CloudId, Billed>;
}

export interface Billed {
  /** Machine time. */
  readonly microUsd: MicroUsd;
  /** Traffic and whatever else is billed under the instance's id. */
  readonly besidesMicroUsd: MicroUsd;
}

/** An instance held against a bill. */
export interface Drift {
  readonly instance: InstanceId;
  readonly cloudId: CloudId;
  readonly reckoned: MicroUsd;
  readonly billed: MicroUsd;
  readonly besides: MicroUsd;
  /** More than 5 % of what is billed. */
  readonly over: boolean;
}

export interface Reconciled {
  readonly bill: Omit<Bill, 'instances'>;
  /** Older than 48 h. */
  readonly old: boolean;
  /** The largest difference first. */
  readonly drifts: readonly Drift[];
  readonly all: Pick<Drift, 'reckoned' | 'billed' | 'besides' | 'over'>;
  /** Ran wholly in what the bill covers, and is not in it. */
  readonly missing: readonly CloudId[];
  /** Not held against it: ran partly outside of what it covers, or still runs. */
  readonly outside: readonly CloudId[];
  /** Not held against it: without a price. */
  readonly unpriced: readonly CloudId[];
}

/** Why a sum is not to be taken as it stands. */
export type Mark = 'drift' | 'old bill';

export const costKeys = ['account', 'user', 'job', 'group'] as const;
export type CostKey = (typeof costKeys)[number];

/** A sum of pieces. What is not known is beside the sums, never in them as nothing. */
export interface CostLine {
  /** Undefined: not known any more whose it was. */
  readonly key: string | undefined;
  readonly jobs: number;
  /** The most that its bursts could cost, as it was held; of those that held anything. */
  readonly heldMicroUsd: MicroUsd;
  /** Bursts that held nothing, as no budget counted. */
  readonly withoutHold: number;
  readonly jobMicroUsd: MicroUsd;
  readonly bootMicroUsd: MicroUsd;
  readonly idleMicroUsd: MicroUsd;
  readonly machineMs: number;
  /** Of instances without a price: in none of the sums of money. */
  readonly unpricedMs: number;
  readonly marks: readonly Mark[];
}

/** How old what a report rests on is, and where it comes from. */
export interface CostSources {
  /** By `nodeGroups[].prices`, which have no date. */
  readonly configured: number;
  /** By `pricesFrom`: how many, and of which day the oldest line is. */
  readonly listed: number;
  readonly oldestPrice: Instant | undefined;
  /** Instances without a price. */
  readonly unpriced: number;
  /** Bursts whose times are their scripts'. */
  readonly byScript: number;
  /** Instances that still run. */
  readonly open: number;
}

export interface CostReport {
  /** Whole days, UTC. */
  readonly since: Instant;
  readonly at: Instant;
  readonly by: CostKey;
  /** Dearest first. Boot and idle of `account`, `user` and `job` are in no line but in `all`. */
  readonly lines: readonly CostLine[];
  readonly all: CostLine;
  readonly sources: CostSources;
  readonly bill: Reconciled | undefined;
}
