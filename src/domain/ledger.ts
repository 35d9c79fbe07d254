import type { BurstId, ClusterName, Instant } from './ids.ts';
import type { MicroUsd } from './money.ts';

/** A burst's money: held before anything is bought, then what it cost. One a burst, for ever. */
export interface LedgerRow {
  readonly burst: BurstId;
  readonly cluster: ClusterName;
  readonly account: string;
  readonly microUsd: MicroUsd;
  readonly state: 'held' | 'settled';
  /** Of the hold, then of the settlement. */
  readonly at: Instant;
}

/** Held and spent together may not pass this; `account` undefined: of all accounts. Spent counts from `since` on. */
export interface Limit {
  readonly account: string | undefined;
  readonly microUsd: MicroUsd;
  readonly since: Instant;
}

export interface Hold {
  readonly burst: BurstId;
  readonly cluster: ClusterName;
  readonly account: string;
  readonly microUsd: MicroUsd;
  readonly at: Instant;
  readonly limits: readonly Limit[];
}

export interface Money {
  readonly held: MicroUsd;
  readonly spent: MicroUsd;
}

/** What counts against a limit: every open hold, and what was settled since. */
export function moneyOf(rows: Iterable<LedgerRow>, of: Pick<Limit, 'account' | 'since'>): Money {
  let held = 0;
  let spent = 0;
  for (const row of rows) {
    if (of.account !== undefined && row.account !== of.account) continue;
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
