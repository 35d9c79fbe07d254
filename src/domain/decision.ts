import type { Told as Carrying } from './carrying.ts';
import type { AttemptKey, BurstId, ClusterName, Instant, JobKey, JobRef, Uuid } from './ids.ts';
import type { CapacityType } from './instance.ts';

/** One rule's word: what it measured against which limit, so that a person can follow it. */
export interface RuleVerdict {
  readonly rule: string;
  readonly pass: boolean;
  readonly measured: string;
  readonly limit: string;
}

export type Verdict = 'burst' | 'wait' | 'never';

export interface Decision {
  readonly verdict: Verdict;
  readonly because: readonly RuleVerdict[];
  /** The node group chosen, for a burst. */
  readonly group: string | undefined;
}

/** What a decision was made from, besides what each rule measured. */
export interface Basis {
  /** SHA-256 of the policy with its budgets, node groups and prices: the same, the same rules. */
  readonly policy: string;
  /** The version that it is, where somebody activated one; left out: the configuration file's. */
  readonly policyVersion?: number | undefined;
  /** When it would start here, and who says so; in ms from the look at the queue. */
  readonly forecast?:
    | {
        readonly by: string;
        readonly startsIn:
          | { readonly p10Ms: number; readonly p50Ms: number; readonly p90Ms: number }
          | 'never';
      }
    | undefined;
  /** When the node group would have it running, in ms from a yes; `measured`: from so many of this site's own bursts. */
  readonly ready?:
    | { readonly group: string; readonly p50Ms: number; readonly p90Ms: number; readonly measured: number }
    | undefined;
  /** What carrying its data takes, which is in `ready` and in what the offer costs; left out: the site carries none, or the job none. */
  readonly data?: Carrying | 'unknown' | undefined;
  /** What is bought where it bursts; older versions wrote none. */
  readonly offer?: OfferTold | undefined;
  /** What else would have held it, and why it was not taken; older versions wrote none. */
  readonly passedOver?: readonly PassedOver[] | undefined;
}

export interface PassedOver {
  readonly group: string;
  readonly capacity: CapacityType;
  readonly type?: string | undefined;
  readonly expectedMicroUsd?: number | undefined;
  readonly why: string;
}

/** The likeliest offer of the group that was chosen [decide/offers.ts]. */
export interface OfferTold {
  readonly group: string;
  readonly type: string;
  readonly zones: readonly string[];
  readonly capacity: CapacityType;
  /** Micro-dollars, of the job's share of the machine; without them the type has no price. */
  readonly perHourMicroUsd?: number | undefined;
  readonly expectedMicroUsd?: number | undefined;
  readonly worstMicroUsd?: number | undefined;
  /** Of spot: the most that is paid for an hour of its share, and since when the present price holds. */
  readonly capMicroUsd?: number | undefined;
  readonly spotPriceSince?: Instant | undefined;
  /** From a yes, with what a lack of capacity and lost runs delay it on average. */
  readonly expectedStartMs?: number | undefined;
  readonly expectedEndMs?: number | undefined;
  /** Since when the price holds, where it comes from a list with dates. */
  readonly pricedFrom?: Instant | undefined;
  /** 0 to 1, to a hundredth: the bursts that they are learned from are few. */
  readonly noCapacity: number;
  readonly interrupted: number;
  /** From so many of this site's own bursts. */
  readonly measured: number;
  /** How much sooner it starts there than here, by the middle of both forecasts; less than 0: later. */
  readonly savesMs?: number | 'never starts here' | undefined;
}

/**
 * Every decision, "no" included, has one; append-only, chained per attempt. An outcome that explains what became of a
 * burst (given back, left alone) is a receipt of its own with the verdict it leads to.
 */
export interface Receipt {
  readonly id: Uuid;
  readonly cluster: ClusterName;
  readonly job: JobKey;
  readonly attempt: AttemptKey;
  readonly ref: JobRef;
  readonly user: string;
  /** Older versions wrote none. */
  readonly account?: string | undefined;
  readonly burst: BurstId | undefined;
  readonly at: Instant;
  readonly snapshotAt: Instant | undefined;
  readonly kind: 'decision' | 'outcome';
  readonly decision: Decision;
  /** Of a decision; older versions wrote none. */
  readonly basis?: Basis | undefined;
  /** In plain words, for `spillway why`. */
  readonly text: string;
}

/** Same verdict for the same reasons: not written again, only counted. Measured values may differ. */
export function sameDecision(a: Decision, b: Decision): boolean {
  return (
    a.verdict === b.verdict &&
    a.because.length === b.because.length &&
    a.because.every((r, i) => r.rule === b.because[i]?.rule && r.pass === b.because[i]?.pass)
  );
}
