import type { AttemptKey, BurstId, ClusterName, Instant, JobKey, JobRef, Uuid } from './ids.ts';

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
  readonly burst: BurstId | undefined;
  readonly at: Instant;
  readonly snapshotAt: Instant | undefined;
  readonly kind: 'decision' | 'outcome';
  readonly decision: Decision;
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
