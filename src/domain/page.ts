import type { BurstState } from './burst.ts';
import type { Coordinated } from './caller.ts';
import type { Verdict } from './decision.ts';
import type { ClusterName, Instant } from './ids.ts';

/** Where a page ended: the sort keys of its last row. The next one goes on behind it, whatever came in front meanwhile. */
export type Mark = readonly (string | number)[];

export interface Page {
  readonly limit: number;
  /** Undefined: from the newest on. */
  readonly after?: Mark | undefined;
}

/** `next` is undefined where nothing more is. */
export interface Paged<T> {
  readonly rows: readonly T[];
  readonly next: Mark | undefined;
}

/** Who looks: at his own rows, and at those of accounts that he coordinates. */
export interface SeenBy {
  readonly user: string;
  readonly accounts: Coordinated;
}

interface Whose {
  readonly cluster?: ClusterName | undefined;
  readonly user?: string | undefined;
  readonly account?: string | undefined;
  /** Undefined: all that fit are for him. */
  readonly seenBy?: SeenBy | undefined;
}

export interface ReceiptFilter extends Whose {
  readonly verdict?: Verdict | undefined;
  readonly kind?: 'decision' | 'outcome' | undefined;
  /** A rule that did not hold. */
  readonly rule?: string | undefined;
  readonly ref?: string | undefined;
  readonly from?: Instant | undefined;
  /** Before that. */
  readonly to?: Instant | undefined;
}

/** The receipts that fit a filter, by verdict, and by each rule that did not hold; one of several such rules counts with each. */
export interface ReceiptCounts {
  /** Undefined: all of them. Else there are more than are counted at once, and these are the newest, from this moment on. */
  readonly since: Instant | undefined;
  readonly receipts: number;
  readonly verdicts: Readonly<Record<Verdict, number>>;
  /** The most frequent first. */
  readonly rules: readonly ({ readonly rule: string } & Readonly<Record<Verdict, number>>)[];
}

export interface BurstFilter extends Whose {
  readonly live?: boolean | undefined;
  readonly state?: BurstState | undefined;
  readonly from?: Instant | undefined;
  readonly to?: Instant | undefined;
}

export interface LedgerFilter extends Whose {
  /** Of this burst alone; an instance's first row has its id [overhead.ts]. */
  readonly burst?: string | undefined;
  readonly state?: 'held' | 'settled' | undefined;
  readonly from?: Instant | undefined;
  readonly to?: Instant | undefined;
}

export interface InstanceFilter {
  readonly cluster?: ClusterName | undefined;
  readonly live?: boolean | undefined;
}

export interface AuditFilter {
  /** A burst, an instance, `stop/CLUSTER`, `ramp/CLUSTER`, `policy/CLUSTER`, `policy-version/N`, `token/ID` or `order/ID`. */
  readonly subject?: string | undefined;
  readonly from?: Instant | undefined;
  readonly to?: Instant | undefined;
}
