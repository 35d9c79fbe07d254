import { type Kysely, sql } from 'kysely';
import { z } from 'zod';
import { auditChain } from '../../src/domain/anchor.ts';
import { unstorable } from '../../src/domain/chain.ts';
import { PortError } from '../../src/domain/fault.ts';
import { type ClusterName, type Instant, instant, type JobRef } from '../../src/domain/ids.ts';
import {
  type JobOrder,
  type JobOrderState,
  jobOrderLink,
  orderedOfJobs,
} from '../../src/domain/job-order.ts';
import { sha256 } from './commit.ts';
import { nowMs } from './lease.ts';
import type { Tables } from './tables.ts';

const text = <T extends string>() => z.custom<T>((v) => typeof v === 'string', 'not text');
const stored: z.ZodType<JobOrder> = z.object({
  ...{ id: z.string(), cluster: text<ClusterName>(), ref: text<JobRef>(), user: z.string() },
  what: z.enum(orderedOfJobs),
  state: z.enum(['asked', 'done', 'refused', 'unknown']),
  ...{ by: z.string(), why: z.string(), at: z.number().transform(instant), rev: z.number() },
});

export async function beginJobOrder(
  db: Kysely<Tables>,
  given: Omit<JobOrder, 'at' | 'state' | 'rev'>,
): Promise<JobOrder> {
  const bad = unstorable(given);
  if (bad !== undefined) throw new PortError('invalid', 'desk.beginJobOrder', bad);
  return db.transaction().execute(async (tx) => {
    const order: JobOrder = { ...given, state: 'asked', at: await clock(tx), rev: 1 };
    const { id, cluster, ref, at } = order;
    const link = jobOrderLink(order, undefined, sha256);
    const data = JSON.stringify(order);
    const row = { id, cluster, ref, rev: 1, head: link.hash, data, created_at: at, updated_at: at };
    await tx.insertInto('job_orders').values(row).execute();
    await write(tx, link);
    return order;
  });
}

export async function endJobOrder(
  db: Kysely<Tables>,
  id: string,
  state: Exclude<JobOrderState, 'asked'>,
  why: string,
): Promise<void> {
  const bad = unstorable({ why });
  if (bad !== undefined) throw new PortError('invalid', 'desk.endJobOrder', bad);
  await db.transaction().execute(async (tx) => {
    const row = await tx
      .selectFrom('job_orders')
      .select(['data', 'head'])
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    const before = row && stored.parse(row.data);
    if (row === undefined || before?.state !== 'asked') return;
    const after: JobOrder = { ...before, state, why, at: await clock(tx), rev: before.rev + 1 };
    const link = jobOrderLink(after, row.head, sha256);
    const data = JSON.stringify(after);
    await tx
      .updateTable('job_orders')
      .set({ rev: after.rev, head: link.hash, data, updated_at: after.at })
      .where('id', '=', id)
      .execute();
    await write(tx, link);
  });
}

async function clock(tx: Kysely<Tables>): Promise<Instant> {
  const { rows } = await sql<{ now: number }>`select ${nowMs} as now`.execute(tx);
  return instant(rows[0]?.now ?? Number.NaN);
}

async function write(tx: Kysely<Tables>, link: ReturnType<typeof jobOrderLink>): Promise<void> {
  const { from, to, ...row } = link;
  await tx
    .insertInto('audit')
    .values({ ...row, from_state: from ?? null, to_state: to })
    .execute();
  const { subject, seq, hash } = link;
  await tx
    .insertInto('unanchored')
    .values({ chain: auditChain(subject), seq, hash })
    .execute();
}
