import type { BurstId, ClusterName, Instant } from './ids.ts';
import { countsFor, type MicroUsd, type Whose } from './money.ts';
import type { OverheadId } from './overhead.ts';

/** A burst's or an instance's money: held before anything is bought, then what it cost. One a burst, for ever. */
export interface LedgerRow {
  /** Or an instance, for what of it is no job's. */
  readonly burst: BurstId | OverheadId;
  readonly cluster: ClusterName;
  readonly account: string;
  readonly user: string;
  readonly microUsd: MicroUsd;
  readonly state: 'held' | 'settled';
  /** Of the hold, then of the settlement. */
  readonly at: Instant;
}

/** Held and spent together may not pass this. Spent counts from `since` on. */
export interface Limit extends Whose {
  readonly microUsd: MicroUsd;
  readonly since: Instant;
}

export interface Hold {
  /** Or an instance, for what of it is no job's. */
  readonly burst: BurstId | OverheadId;
  readonly cluster: ClusterName;
  readonly account: string;
  readonly user: string;
  readonly microUsd: MicroUsd;
  readonly at: Instant;
  readonly limits: readonly Limit[];
}

export interface Money {
  readonly held: MicroUsd;
  readonly spent: MicroUsd;
}

/** Whose money, and spent since when. */
export type MoneyOf = Pick<Limit, 'account' | 'user' | 'since'>;

/** What counts against a limit: every open hold, and what was settled since. */
export function moneyOf(rows: Iterable<LedgerRow>, of: MoneyOf): Money {
  let held = 0;
  let spent = 0;
  for (const row of rows) {
    if (!countsFor(of, row)) continue;
    if (row.state === 'held') held += row.microUsd;
    else if (row.at >= of.since) spent += row.microUsd;
  }
  return { held, spent };
}

/** The limit that a hold would pass, if any. */
export function passed(hold: Hold, money: (limit: Limit) => Money): Limit | undefined {
  return hold.limits.find((limit) => {
    const { held, spent } = money(limit);
    return held + spent + hold.microUsd > limit.microUsd;
  });
}
