import { type Kysely, sql, type Transaction } from 'kysely';
import { z } from 'zod';
import { unstorable } from '../../src/domain/chain.ts';
import { PortError } from '../../src/domain/fault.ts';
import { type ClusterName, instant, type JobRef } from '../../src/domain/ids.ts';
import {
  begun,
  ended,
  type Order,
  type OrderAsked,
  type Outcome,
  orderLink,
  orderStates,
} from '../../src/domain/order.ts';
import { databaseNow, writeAuditLink } from './audit-row.ts';
import { sha256 } from './commit.ts';
import type { Tables } from './tables.ts';

const text = <T extends string>() => z.custom<T>((v) => typeof v === 'string', 'not text');
const stored: z.ZodType<Order> = z.object({
  id: z.string(),
  by: z.string(),
  what: z.string(),
  cluster: text<ClusterName>().optional(),
  ref: text<JobRef>().optional(),
  user: z.string().optional(),
  state: z.enum(orderStates),
  outcome: z.string(),
  job: z.number().optional(),
  askedAt: z.number().transform(instant),
  at: z.number().transform(instant),
  rev: z.number(),
});

/** Undefined: it was begun now. Else it was before, as this says, and may have been done. */
export async function askOrder(tx: Transaction<Tables>, asked: OrderAsked): Promise<Order | undefined> {
  const bad = unstorable(asked);
  if (bad !== undefined) throw new PortError('invalid', 'desk.askOrder', bad);
  // Where there is no row yet there is none to lock: two that begin the same come one after another.
  await sql`select pg_advisory_xact_lock(hashtextextended(${asked.id}, 0))`.execute(tx);
  const before = await read(tx, asked.id);
  const order = begun(before?.order, asked, await databaseNow(tx));
  if (order === undefined) return before?.order;
  await write(tx, order, before);
  return undefined;
}

/** Nothing where there is none, or where that was known already. */
export async function endOrder(tx: Transaction<Tables>, id: string, outcome: Outcome): Promise<void> {
  // Slurm's and a receiver's own words, which may be anything; whole characters of them.
  const words = [...outcome.outcome.replace(/[\p{Cc}\p{Cs}]+/gu, ' ')].slice(0, 500).join('');
  const before = await read(tx, id);
  if (before === undefined) return;
  const order = ended(before.order, { ...outcome, outcome: words }, await databaseNow(tx));
  if (order !== undefined) await write(tx, order, before);
}

interface Kept {
  readonly order: Order;
  readonly head: string;
}

async function read(tx: Kysely<Tables>, id: string): Promise<Kept | undefined> {
  const row = await tx
    .selectFrom('orders')
    .select(['data', 'head'])
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
  return row && { order: stored.parse(row.data), head: row.head };
}

async function write(tx: Kysely<Tables>, order: Order, before: Kept | undefined): Promise<void> {
  const link = orderLink(order, before && { state: before.order.state, head: before.head }, sha256);
  const kept = { rev: order.rev, head: link.hash, data: JSON.stringify(order), updated_at: order.at };
  await tx
    .insertInto('orders')
    .values({ id: order.id, ...kept })
    .onConflict((c) => c.column('id').doUpdateSet(kept))
    .execute();
  await writeAuditLink(tx, link);
}
