import { CompiledQuery, type Kysely, sql } from 'kysely';
import type pg from 'pg';
import { type ClusterName, clusterName, type Instant } from '../../src/domain/ids.ts';
import type { Recovery } from '../../src/ports.ts';
import { leaseLock } from './commit.ts';
import { sqlState } from './faults.ts';
import { migrations, tooNew } from './migrate.ts';
import type { Tables } from './tables.ts';

/**
 * A store may turn out to be older than what was done with it: a backup was restored, or a standby that lacked the last commits took
 * over. What can be told by Postgres is told here, at each new connection: a connection stays on one server and one timeline, so one
 * look as it begins is as good as one at each statement.
 */

/** The database cluster, and the branch of its history that this connection writes to. */
const incarnation = `(select system_identifier from pg_control_system()) || '/' ||
  substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)`;

/** Not permitted, or not there (managed servers). */
const cannotTell: ReadonlySet<string> = new Set(['42501', '42883', '0A000']);
/** A standby: nothing can be written there, until it takes over, on a timeline that it does not have yet. */
const inRecovery = '55000';

/**
 * Compares where a new connection leads with where the store was last open; another place makes the store recover. A schema that was
 * migrated by a newer version meanwhile is refused. False: nothing can be told yet, it must be looked at again.
 */
export async function vet(client: pg.ClientBase): Promise<boolean> {
  const schema = await client.query<{ name: string }>(
    'select name from kysely_migration where not name = any($1) order by name',
    [Object.keys(migrations)],
  );
  if (schema.rows.length > 0)
    throw tooNew(
      schema.rows.map((r) => r.name),
      migrations,
    );
  let known: string | null | undefined;
  let here: string | undefined;
  try {
    const { rows } = await client.query<{ known: string | null; here: string }>(
      `select incarnation as known, ${incarnation} as here from meta`,
    );
    known = rows[0]?.known;
    here = rows[0]?.here;
  } catch (e) {
    if (sqlState(e) === inRecovery) return false;
    if (cannotTell.has(sqlState(e) ?? '')) return true;
    throw e;
  }
  if (here === undefined || known === here) return true;
  if (known === null)
    await client.query('update meta set incarnation = $1 where incarnation is null', [here]);
  else await beginRecovery(client, moved(known ?? '', here), { incarnation: here });
  return true;
}

function moved(from: string, to: string): string {
  const [server, timeline] = to.split('/');
  const before = from.split('/')[1] ?? '';
  return server === from.split('/')[0]
    ? `Postgres is on timeline ${Number.parseInt(timeline ?? '', 16)} and was on ${Number.parseInt(before, 16)}: it was restored or failed over`
    : 'the store is on another Postgres server than before: it was moved or restored';
}

/** In a transaction of its own. */
export async function beginRecovery(
  client: pg.ClientBase,
  why: string,
  seen: { readonly incarnation?: string } = {},
): Promise<void> {
  await client.query('begin');
  try {
    await recoverWithin(
      async (text, values) => {
        const { rows, rowCount } = await client.query<Record<string, unknown>>(text, [...values]);
        return { rows, changed: rowCount ?? 0 };
      },
      why,
      seen,
    );
    await client.query('commit');
  } catch (e) {
    await client.query('rollback').catch(() => undefined);
    throw e;
  }
}

/** A statement within the caller's transaction. */
export type Ask = (
  text: string,
  values: readonly unknown[],
) => Promise<{ readonly rows: readonly Record<string, unknown>[]; readonly changed: number }>;

export const asking =
  (tx: Kysely<Tables>): Ask =>
  async (text, values) => {
    const result = await tx.executeQuery<Record<string, unknown>>(CompiledQuery.raw(text, [...values]));
    return { rows: result.rows, changed: Number(result.numAffectedRows ?? 0n) };
  };

/**
 * A new generation, no lease, and epochs that go on above all that were ever given [src/domain/epoch.ts]. Waits for the commits that
 * are under way; later ones of an older epoch are refused. Of several processes that see the same new incarnation one begins.
 */
export async function recoverWithin(
  ask: Ask,
  why: string,
  seen: { readonly incarnation?: string } = {},
): Promise<void> {
  const { rows } = await ask('select cluster from leases order by cluster', []);
  for (const { cluster } of rows)
    await ask('select pg_advisory_xact_lock($1)', [leaseLock(clusterName(String(cluster)))]);
  const { changed } = await ask(
    `update meta set
       generation = gen_random_uuid(),
       incarnation = coalesce($2, incarnation),
       epoch_floor = greatest(now_ms.at, epoch_floor + 1, (select coalesce(max(epoch), 0) + 1 from leases)),
       recovering_since = greatest(now_ms.at, coalesce(recovering_since, 0) + 1),
       recovering_why = $1
     from (select (extract(epoch from clock_timestamp()) * 1000)::bigint as at) now_ms
     where $2::text is null or incarnation is distinct from $2`,
    [why, seen.incarnation],
  );
  if (changed === 1)
    await ask('update leases set holder = null, epoch = greatest(epoch, (select epoch_floor from meta))', []);
}

/**
 * A store that nobody ever led from is new, or stands where one was lost whole. Nobody can tell which, so its first gateway takes stock of the
 * world, and its epochs begin above all that an earlier store gave: stand-ins and keepers of that one's days hear it.
 */
export async function beginAnew(db: Kysely<Tables>): Promise<void> {
  await sql`
    update meta set epoch_floor = now_ms.at, recovering_since = now_ms.at, recovering_why = 'it is new, or one before it was lost'
    from (select (extract(epoch from clock_timestamp()) * 1000)::bigint as at) now_ms
    where recovering_since is null and epoch_floor = 0
      and not exists (select from leases) and not exists (select from bursts)`.execute(db);
}

export async function recoveringOf(
  db: Kysely<Tables>,
  cluster: ClusterName,
): Promise<{ readonly recovery: Recovery; readonly done: boolean } | undefined> {
  const { rows } = await sql<{ since: Instant | null; why: string | null; done: boolean }>`
    select recovering_since as since, recovering_why as why,
      coalesce(recovering_since <= (select recovered from leases where cluster = ${cluster}), false) as done
    from meta`.execute(db);
  const [row] = rows;
  if (row === undefined || row.since === null) return undefined;
  return { recovery: { since: row.since, why: row.why ?? '' }, done: row.done };
}

export async function endRecovery(db: Kysely<Tables>, cluster: ClusterName, since: Instant): Promise<void> {
  await sql`
    insert into leases as l (cluster, holder, epoch, until, recovered) values (${cluster}, null, 0, 0, ${since})
    on conflict (cluster) do update set recovered = greatest(l.recovered, excluded.recovered)`.execute(db);
}
