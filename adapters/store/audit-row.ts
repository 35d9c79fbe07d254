/** A link of the audit's chain as it is written outside of a commit: its row, and that no anchor has it yet. */
import { type Kysely, sql } from 'kysely';
import { auditChain } from '../../src/domain/anchor.ts';
import type { AuditLink } from '../../src/domain/chain.ts';
import { type Instant, instant } from '../../src/domain/ids.ts';
import { nowMs } from './lease.ts';
import type { Tables } from './tables.ts';

/** In the transaction that writes what the link is about: neither stands without the other. */
export async function writeAuditLink(tx: Kysely<Tables>, link: AuditLink): Promise<void> {
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

/** The database's clock, of which there is one; a gateway's own may be wrong. */
export async function databaseNow(db: Kysely<Tables>): Promise<Instant> {
  const { rows } = await sql<{ now: number }>`select ${nowMs} as now`.execute(db);
  return instant(rows[0]?.now ?? Number.NaN);
}
