import { createHash } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { z } from 'zod';
import { auditChain } from '../../src/domain/anchor.ts';
import { unstorable } from '../../src/domain/chain.ts';
import { PortError } from '../../src/domain/fault.ts';
import { type ClusterName, instant } from '../../src/domain/ids.ts';
import { type StopSwitch, stopOf, switchLink, turned } from '../../src/domain/stop.ts';
import { sha256 } from './commit.ts';
import { nowMs } from './lease.ts';
import type { Tables } from './tables.ts';

const text = <T extends string>() => z.custom<T>((v) => typeof v === 'string', 'not text');
const stored: z.ZodType<StopSwitch> = z.object({
  id: z.string(),
  cluster: text<ClusterName>(),
  state: z.enum(['stopped', 'resumed']),
  by: z.string(),
  why: z.string(),
  at: z.number().transform(instant),
  rev: z.number(),
});

/** Two people who turn it at once do so one after another, the first time too, when there is no row to lock. */
const lockOf = (cluster: ClusterName): string =>
  createHash('sha256').update(`spillway stop ${cluster}`).digest().readBigInt64BE().toString();

export const switchStatement = 'select data from stops where cluster = $1';

/** From what `switchStatement` finds. */
export function readSwitch(rows: readonly { readonly data: unknown }[]): StopSwitch | undefined {
  return rows[0] && stored.parse(rows[0].data);
}

/** Answers with the switch as it stands then. */
export async function turnSwitch(
  db: Kysely<Tables>,
  cluster: ClusterName,
  state: StopSwitch['state'],
  by: string,
  why: string,
): Promise<ReturnType<typeof stopOf>> {
  const bad = unstorable({ by, why });
  if (bad !== undefined) throw new PortError('invalid', 'store.stop', bad);
  return db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(${sql.lit(lockOf(cluster))})`.execute(tx);
    const found = tx.selectFrom('stops').select('data').where('cluster', '=', cluster);
    const before = readSwitch(await found.execute());
    const clock = await sql<{ now: number }>`select ${nowMs} as now`.execute(tx);
    const at = instant(clock.rows[0]?.now ?? Number.NaN);
    const after = turned(before, cluster, state, { by, why, at });
    if (after === undefined) return stopOf(before);
    const { head } = (await tx
      .selectFrom('stops')
      .select('head')
      .where('cluster', '=', cluster)
      .executeTakeFirst()) ?? { head: undefined };
    const link = switchLink(after, head, sha256);
    const data = JSON.stringify(after);
    await tx
      .insertInto('stops')
      .values({ id: after.id, cluster, rev: after.rev, head: link.hash, data })
      .onConflict((c) => c.column('id').doUpdateSet({ rev: after.rev, head: link.hash, data }))
      .execute();
    const { from, to, ...row } = link;
    await tx
      .insertInto('audit')
      .values({ ...row, from_state: from ?? null, to_state: to })
      .execute();
    await tx
      .insertInto('unanchored')
      .values({ chain: auditChain(link.subject), seq: link.seq, hash: link.hash })
      .execute();
    return stopOf(after);
  });
}
