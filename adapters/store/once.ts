import { type Kysely, sql } from 'kysely';
import type { Once } from '../../src/ports.ts';
import { nowMs } from './lease.ts';
import type { Tables } from './tables.ts';

/** Keys that are past their end and go when another comes. */
const swept = 50;

export async function beginOnce(
  db: Kysely<Tables>,
  caller: string,
  key: string,
  what: string,
  forMs: number,
): Promise<Once> {
  await sql`
    delete from order_keys where (caller, key) in (
      select caller, key from order_keys where until < ${nowMs} order by until limit ${swept} for update skip locked
    )`.execute(db);
  const begun = await sql`
    insert into order_keys as o (caller, key, what, until) values (${caller}, ${key}, ${what}, ${nowMs} + ${forMs}::bigint)
    on conflict (caller, key) do update set what = excluded.what, answer = null, until = excluded.until
    where o.until < ${nowMs} returning 1`.execute(db);
  if (begun.rows.length > 0) return { kind: 'begun' };
  const row = await db
    .selectFrom('order_keys')
    .select(['what', 'answer'])
    .where('caller', '=', caller)
    .where('key', '=', key)
    .executeTakeFirst();
  // Forgotten in between: whoever asks again is first.
  if (row === undefined) return { kind: 'running' };
  if (row.what !== what) return { kind: 'other' };
  return row.answer === null ? { kind: 'running' } : { kind: 'done', answer: row.answer };
}

export async function finishOnce(
  db: Kysely<Tables>,
  caller: string,
  key: string,
  answer: unknown,
  forMs: number,
): Promise<void> {
  await sql`
    update order_keys set answer = ${JSON.stringify(answer)}::jsonb, until = ${nowMs} + ${forMs}::bigint
    where caller = ${caller} and key = ${key}`.execute(db);
}

export async function forgetOnce(db: Kysely<Tables>, caller: string, key: string): Promise<void> {
  await db
    .deleteFrom('order_keys')
    .where('caller', '=', caller)
    .where('key', '=', key)
    .where('answer', 'is', null)
    .execute();
}
