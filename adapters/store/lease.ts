import { type Kysely, sql } from 'kysely';
import { type ClusterName, instant } from '../../src/domain/ids.ts';
import type { Lease } from '../../src/ports.ts';
import { leaseLock } from './commit.ts';
import type { Tables } from './tables.ts';

/** The database's clock, which every gateway reads a lease by. */
export const nowMs = sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`;

export async function takeLease(
  db: Kysely<Tables>,
  cluster: ClusterName,
  holder: string,
  forMs: number,
): Promise<Lease | undefined> {
  const mine = await db
    .updateTable('leases')
    .set({ until: sql`${nowMs} + ${forMs}::bigint` })
    .where('cluster', '=', cluster)
    .where('holder', '=', holder)
    .returning(['epoch', 'until'])
    .executeTakeFirst();
  const row = mine ?? (await db.transaction().execute((tx) => takeOver(tx, cluster, holder, forMs)));
  return row && { cluster, holder, epoch: row.epoch, until: instant(row.until) };
}

/** Waits for commits of the old epoch that are under way, and makes every later one see the new epoch. */
async function takeOver(tx: Kysely<Tables>, cluster: ClusterName, holder: string, forMs: number) {
  await sql`select pg_advisory_xact_lock(${sql.lit(leaseLock(cluster))})`.execute(tx);
  const result = await sql<{ epoch: number; until: number }>`
    insert into leases as l (cluster, holder, epoch, until)
      select ${cluster}, ${holder}, epoch_floor + 1, ${nowMs} + ${forMs}::bigint from meta
    on conflict (cluster) do update
      set holder = excluded.holder, epoch = greatest(l.epoch + 1, excluded.epoch), until = excluded.until
      where l.holder is null or l.until <= ${nowMs}
    returning epoch, until`.execute(tx);
  return result.rows[0];
}

export async function releaseLease(db: Kysely<Tables>, cluster: ClusterName, holder: string): Promise<void> {
  await db
    .updateTable('leases')
    .set({ holder: null })
    .where('cluster', '=', cluster)
    .where('holder', '=', holder)
    .execute();
}

/** What `apply_commit` holds a commit's epoch against. */
export async function newestEpoch(db: Kysely<Tables>, cluster: ClusterName): Promise<number> {
  const result = await sql<{ epoch: number }>`
    select greatest(epoch_floor, (select epoch from leases where cluster = ${cluster})) as epoch from meta`.execute(
    db,
  );
  return result.rows[0]?.epoch ?? 0;
}
