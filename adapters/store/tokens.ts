import { type Kysely, sql } from 'kysely';
import { z } from 'zod';
import { roles } from '../../src/domain/caller.ts';
import { unstorable } from '../../src/domain/chain.ts';
import { PortError } from '../../src/domain/fault.ts';
import { type Instant, instant } from '../../src/domain/ids.ts';
import { type ApiToken, loginSocketWords, tokenLink } from '../../src/domain/token.ts';
import { databaseNow, writeAuditLink } from './audit-row.ts';
import { sha256 } from './commit.ts';
import { constraintOf } from './faults.ts';
import { nowMs } from './lease.ts';
import type { Tables } from './tables.ts';

/** API tokens: a row each in the form of what has audit rows, so `audit verify` finds one that somebody put there by hand. */
const stored: z.ZodType<ApiToken> = z.object({
  id: z.string(),
  user: z.string(),
  role: z.enum(roles),
  // Of rows from before there were any, and of whoever does what his role may, there is none.
  scope: z.literal('read').optional(),
  hash: z.string(),
  note: z.string(),
  until: z.number().transform(instant),
  state: z.enum(['made', 'revoked']),
  by: z.string(),
  at: z.number().transform(instant),
  why: z.string(),
  rev: z.number(),
});

export type UsedToken = ApiToken & { readonly usedAt: Instant | undefined };

const tokenOf = (row: { readonly data: unknown; readonly used_at: number | null }): UsedToken => ({
  ...stored.parse(row.data),
  usedAt: row.used_at === null ? undefined : instant(row.used_at),
});

export async function readTokens(db: Kysely<Tables>): Promise<readonly UsedToken[]> {
  // What login hosts lend is many, and soon over: those stand in the audit.
  const rows = await db
    .selectFrom('tokens')
    .select(['data', 'used_at'])
    .where(
      sql<boolean>`not (starts_with(data->>'by', ${loginSocketWords}) and (data->>'until')::bigint <= ${nowMs})`,
    )
    .orderBy('id')
    .execute();
  return rows.map(tokenOf).sort((a, b) => b.at - a.at);
}

export async function readToken(db: Kysely<Tables>, id: string): Promise<UsedToken | undefined> {
  const row = await db
    .selectFrom('tokens')
    .select(['data', 'used_at'])
    .where('id', '=', id)
    .executeTakeFirst();
  return row && tokenOf(row);
}

export async function makeToken(
  db: Kysely<Tables>,
  given: Omit<ApiToken, 'at' | 'state' | 'rev'>,
): Promise<ApiToken> {
  const bad = unstorable(given);
  if (bad !== undefined) throw new PortError('invalid', 'desk.makeToken', bad);
  try {
    return await db.transaction().execute(async (tx) => {
      const token: ApiToken = { ...given, state: 'made', at: await databaseNow(tx), rev: 1 };
      const link = tokenLink(token, undefined, sha256);
      const data = JSON.stringify(token);
      await tx.insertInto('tokens').values({ id: token.id, rev: 1, head: link.hash, data }).execute();
      await writeAuditLink(tx, link);
      return token;
    });
  } catch (e) {
    if (constraintOf(e) === 'tokens_pkey')
      throw new PortError('already_exists', 'desk.makeToken', `${given.id} exists already`);
    throw e;
  }
}

export async function revokeToken(
  db: Kysely<Tables>,
  id: string,
  by: string,
  why: string,
): Promise<ApiToken | undefined> {
  const bad = unstorable({ by, why });
  if (bad !== undefined) throw new PortError('invalid', 'desk.revokeToken', bad);
  return db.transaction().execute(async (tx) => {
    const row = await tx
      .selectFrom('tokens')
      .select(['data', 'head'])
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const before = stored.parse(row.data);
    if (before.state === 'revoked') return before;
    const token: ApiToken = {
      ...before,
      state: 'revoked',
      by,
      why,
      at: await databaseNow(tx),
      rev: before.rev + 1,
    };
    const link = tokenLink(token, row.head, sha256);
    const data = JSON.stringify(token);
    await tx
      .updateTable('tokens')
      .set({ rev: token.rev, head: link.hash, data })
      .where('id', '=', id)
      .execute();
    await writeAuditLink(tx, link);
    return token;
  });
}

const hourMs = 3_600_000;

export async function noteUse(db: Kysely<Tables>, id: string): Promise<void> {
  await sql`
    update tokens set used_at = ${nowMs} / ${sql.lit(hourMs)} * ${sql.lit(hourMs)}
    where id = ${id} and coalesce(used_at, 0) < ${nowMs} / ${sql.lit(hourMs)} * ${sql.lit(hourMs)}`.execute(
    db,
  );
}
