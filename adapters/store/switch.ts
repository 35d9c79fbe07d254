import { createHash } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { z } from 'zod';
import { breakerSwitch } from '../../src/domain/boot.ts';
import { unstorable } from '../../src/domain/chain.ts';
import { drainSwitch } from '../../src/domain/drain.ts';
import { PortError } from '../../src/domain/fault.ts';
import { type ClusterName, instant } from '../../src/domain/ids.ts';
import { rampSwitch } from '../../src/domain/ramp.ts';
import { stopSwitch } from '../../src/domain/stop.ts';
import {
  type Switch,
  type SwitchKind,
  switchId,
  switchLink,
  type Turn,
  turned,
  turnOf,
  type Which,
} from '../../src/domain/switch.ts';
import { databaseNow, writeAuditLink } from './audit-row.ts';
import { sha256 } from './commit.ts';
import type { Tables } from './tables.ts';

const text = <T extends string>() => z.custom<T>((v) => typeof v === 'string', 'not text');
/** Each kind has a table of its own, of one form; those of node groups share one. */
const tableOf = {
  [stopSwitch.name]: 'stops',
  [rampSwitch.name]: 'ramps',
  [drainSwitch.name]: 'drains',
  [breakerSwitch.name]: 'drains',
} as const;
export type KnownSwitch = (
  | typeof stopSwitch
  | typeof rampSwitch
  | typeof drainSwitch
  | typeof breakerSwitch
) &
  SwitchKind;

const stored: z.ZodType<Switch> = z.object({
  id: z.string(),
  cluster: text<ClusterName>(),
  group: z.string().optional(),
  state: z.string(),
  by: z.string(),
  why: z.string(),
  at: z.number().transform(instant),
  rev: z.number(),
});

/** Two people who turn it at once do so one after another, the first time too, when there is no row to lock. */
const lockOf = ({ name }: SwitchKind, { cluster, group }: Which): string =>
  createHash('sha256')
    .update(['spillway', name, cluster, ...(group === undefined ? [] : [group])].join(' '))
    .digest()
    .readBigInt64BE()
    .toString();

export const switchStatement = (kind: KnownSwitch): string =>
  `select data from ${tableOf[kind.name]} where cluster = $1`;

/** From what `switchStatement` finds. */
export function readSwitch(rows: readonly { readonly data: unknown }[]): Switch | undefined {
  return rows[0] && stored.parse(rows[0].data);
}

export const drainsStatement = 'select data from drains where cluster = $1 order by id';

/** The node groups whose switch of this kind is turned. */
export function readTurned(
  rows: readonly { readonly data: unknown }[],
  kind: typeof drainSwitch | typeof breakerSwitch,
): (Turn & { readonly group: string })[] {
  return rows.flatMap(({ data }) => {
    const { group, ...found } = stored.parse(data);
    const turn = turnOf<string>(kind, found);
    return turn === undefined || group === undefined ? [] : [{ group, ...turn }];
  });
}

export async function turnSwitch(
  db: Kysely<Tables>,
  kind: KnownSwitch,
  which: Which,
  state: string,
  by: string,
  why: string,
): Promise<void> {
  const bad = unstorable({ by, why });
  if (bad !== undefined) throw new PortError('invalid', `store.${kind.name}`, bad);
  const table = tableOf[kind.name];
  await db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(${sql.lit(lockOf(kind, which))})`.execute(tx);
    const id = switchId(kind, which);
    const found = tx.selectFrom(table).select('data').where('id', '=', id);
    const before = readSwitch(await found.execute());
    const at = await databaseNow(tx);
    const after = turned<string>(kind, before, which, state, { by, why, at });
    if (after === undefined) return;
    const { head } = (await tx.selectFrom(table).select('head').where('id', '=', id).executeTakeFirst()) ?? {
      head: undefined,
    };
    const link = switchLink(kind, after, head, sha256);
    const data = JSON.stringify(after);
    await tx
      .insertInto(table)
      .values({ id, cluster: which.cluster, rev: after.rev, head: link.hash, data })
      .onConflict((c) => c.column('id').doUpdateSet({ rev: after.rev, head: link.hash, data }))
      .execute();
    await writeAuditLink(tx, link);
  });
}
