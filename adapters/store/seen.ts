import { type Kysely, sql } from 'kysely';
import { instant, type Uuid, uuid } from '../../src/domain/ids.ts';
import type { SeenAgain } from '../../src/ports.ts';
import type { Tables } from './tables.ts';

export async function readSeen(
  db: Kysely<Tables>,
  receipts: readonly Uuid[],
): Promise<ReadonlyMap<Uuid, SeenAgain>> {
  const { rows } = await sql<{ receipt: string; times: number; last: number }>`
    select receipt, times, last_at as last from seen_again where receipt = any(${[...receipts]})`.execute(db);
  return new Map(rows.map((r) => [uuid(r.receipt), { times: r.times, last: instant(r.last) }]));
}
