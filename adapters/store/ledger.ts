import { createHash } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { PortError } from '../../src/domain/fault.ts';
import type { ClusterName } from '../../src/domain/ids.ts';
import { type Hold, type Limit, type Money, passed } from '../../src/domain/ledger.ts';
import type { Write } from '../../src/ports.ts';
import type { Tables } from './tables.ts';

/** Thrown to roll back: a hold would pass a limit. */
export class OverBudget extends Error {}

/** Number of the advisory lock under which a cluster's holds are made: one after another, so that none misses another's. */
function ledgerLock(cluster: ClusterName): string {
  return createHash('sha256').update(`spillway ledger ${cluster}`).digest().readBigInt64BE().toString();
}

/** Within the commit's transaction. Settlements come first: what they free may be held at once. */
export async function keepLedger(
  db: Kysely<Tables>,
  cluster: ClusterName,
  writes: readonly Write[],
): Promise<void> {
  for (const w of writes)
    if (w.kind === 'settle')
      await db
        .updateTable('ledger')
        .set({ state: 'settled', micro_usd: w.microUsd, at: w.at })
        .where('burst', '=', w.settles)
        .where('cluster', '=', cluster)
        .where('state', '=', 'held')
        .execute();
  const holds = writes.flatMap((w) => (w.kind === 'hold' ? [w.hold] : []));
  if (holds.length === 0) return;
  // In a statement of its own: the sums are then read under it.
  await sql`select pg_advisory_xact_lock(${sql.lit(ledgerLock(cluster))})`.execute(db);
  for (const hold of holds) await keep(db, hold);
}

async function keep(db: Kysely<Tables>, hold: Hold): Promise<void> {
  const money = new Map<Limit, Money>();
  for (const limit of hold.limits) money.set(limit, await moneyOf(db, hold.cluster, limit));
  const over = passed(hold, (limit) => money.get(limit) ?? { held: 0, spent: 0 });
  if (over !== undefined) throw new OverBudget(`${over.account ?? 'all accounts'}: ${over.microUsd}`);
  const { burst, cluster, account, microUsd, at } = hold;
  const made = await db
    .insertInto('ledger')
    .values({ burst, cluster, account, micro_usd: microUsd, state: 'held', at })
    .onConflict((c) => c.doNothing())
    .executeTakeFirst();
  if (made.numInsertedOrUpdatedRows === 0n)
    throw new PortError('invalid', 'store.commit', `burst ${burst} holds money already`);
}

export async function moneyOf(
  db: Kysely<Tables>,
  cluster: ClusterName,
  of: Pick<Limit, 'account' | 'since'>,
): Promise<Money> {
  const { account, since } = of;
  const result = await sql<{ held: number; spent: number }>`
    select
      coalesce(sum(micro_usd) filter (where state = 'held'), 0)::bigint as held,
      coalesce(sum(micro_usd) filter (where state = 'settled' and at >= ${since}), 0)::bigint as spent
    from ledger where cluster = ${cluster} ${account === undefined ? sql`` : sql`and account = ${account}`}
  `.execute(db);
  return result.rows[0] ?? { held: 0, spent: 0 };
}
