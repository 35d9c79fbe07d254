import { createHash } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { ClusterName } from '../../src/domain/ids.ts';
import type { Money, MoneyOf } from '../../src/domain/ledger.ts';
import type { Tables } from './tables.ts';

/** Number of the advisory lock under which a cluster's holds are made: one after another, so that none misses another's. */
export function ledgerLock(cluster: ClusterName): string {
  return createHash('sha256').update(`spillway ledger ${cluster}`).digest().readBigInt64BE().toString();
}

export async function moneyOf(db: Kysely<Tables>, cluster: ClusterName, of: MoneyOf): Promise<Money> {
  const { account, user, since } = of;
  const own = account === undefined ? sql`` : sql`and account = ${account}`;
  const theirs = user === undefined ? sql`` : sql`and user_name = ${user}`;
  const result = await sql<{ held: number; spent: number }>`
    select
      coalesce(sum(micro_usd) filter (where state = 'held'), 0)::bigint as held,
      coalesce(sum(micro_usd) filter (where state = 'settled' and at >= ${since}), 0)::bigint as spent
    from ledger where cluster = ${cluster} ${own} ${theirs}
  `.execute(db);
  return result.rows[0] ?? { held: 0, spent: 0 };
}
