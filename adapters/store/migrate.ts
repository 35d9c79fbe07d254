import { Kysely, type Migration, Migrator, PostgresDialect, sql } from 'kysely';
import { PortError } from '../../src/domain/fault.ts';
import { asFault, sqlState } from './faults.ts';
import { start } from './migrations/0001_start.ts';
import { age } from './migrations/0002_age.ts';
import { ledger } from './migrations/0003_ledger.ts';
import { anchors } from './migrations/0004_anchors.ts';
import { commitFunction } from './migrations/0005_commit.ts';
import { stop } from './migrations/0006_stop.ts';
import { group } from './migrations/0007_group.ts';
import { ramp } from './migrations/0008_ramp.ts';
import { forecastErrors } from './migrations/0009_forecast_errors.ts';
import { alone } from './migrations/0010_alone.ts';
import { userBudgets } from './migrations/0011_user_budgets.ts';
import { stays } from './migrations/0012_stays.ts';
import { desk } from './migrations/0013_desk.ts';
import { drain } from './migrations/0014_drain.ts';
import { webhooks } from './migrations/0020_webhooks.ts';
import { api } from './migrations/0022_api.ts';
import { policies } from './migrations/0023_policies.ts';
import { listed } from './migrations/0025_listed.ts';
import { coordinated } from './migrations/0026_coordinated.ts';
import { KyselyPool, makePool, schemaName } from './pool.ts';

/** In order; a name never changes once it was released. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001_start': start,
  '0002_age': age,
  '0003_ledger': ledger,
  '0004_anchors': anchors,
  '0005_commit': commitFunction,
  '0006_stop': stop,
  '0007_group': group,
  '0008_ramp': ramp,
  '0009_forecast_errors': forecastErrors,
  '0010_alone': alone,
  '0011_user_budgets': userBudgets,
  '0012_stays': stays,
  '0013_desk': desk,
  '0014_drain': drain,
  '0020_webhooks': webhooks,
  '0022_api': api,
  '0023_policies': policies,
  '0025_listed': listed,
  '0026_coordinated': coordinated,
};

interface Plan {
  readonly known?: Readonly<Record<string, Migration>>;
  readonly schema?: string;
  /** The last one that is run; all of them if left out. */
  readonly upTo?: string;
}

type Names = { kysely_migration: { name: string } };

/**
 * Brings the schema up to this version, one process at a time (advisory lock); all of it or nothing. Refuses a newer schema. A migration
 * never changes what the hash chains cover. A gateway of an older version that still runs is cut off: its next connection is refused.
 */
export async function migrate(
  url: string,
  known: Readonly<Record<string, Migration>> = migrations,
): Promise<void> {
  await migrateTo(url, { known });
}

export async function migrateTo(url: string, plan: Plan): Promise<void> {
  const { known = migrations, schema = schemaName, upTo } = plan;
  const onError = (): void => undefined;
  const pool = makePool({ url, name: 'spillway migrate', max: 1, hurried: false, schema, onError });
  const db = new Kysely<Names>({ dialect: new PostgresDialect({ pool: new KyselyPool(pool) }) });
  try {
    const newer = (await applied(db, schema)).filter((name) => !(name in known));
    if (newer.length > 0) throw tooNew(newer, known);
    const migrator = new Migrator({
      db,
      provider: { getMigrations: async () => ({ ...known }) },
      migrationTableSchema: schema,
    });
    const began = await sql<{ at: string }>`select clock_timestamp()::text as at`.execute(db);
    const { error, results } = await (upTo === undefined
      ? migrator.migrateToLatest()
      : migrator.migrateTo(upTo));
    if (error !== undefined) {
      // Somebody newer may have come in between.
      const since = (await applied(db, schema)).filter((name) => !(name in known));
      throw since.length > 0 ? tooNew(since, known) : error;
    }
    if ((results ?? []).length > 0) await cutOff(db, began.rows[0]?.at ?? '');
  } catch (e) {
    throw asFault(e, 'store.migrate', false);
  } finally {
    await db.destroy().catch(() => undefined);
  }
}

/** Whoever was connected before the schema changed comes again, and is looked at [age.ts]. */
async function cutOff(db: Kysely<Names>, before: string): Promise<void> {
  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where application_name in ('spillway', 'spillway anchors', 'spillway outbox')
      and datname = current_database() and usename = current_user
      and backend_start < ${before}::timestamptz`.execute(db);
}

/** Refuses a schema that this version does not know to the last migration: for commands that only look. */
export async function requireCurrent(url: string): Promise<void> {
  const onError = (): void => undefined;
  const pool = makePool({ url, name: 'spillway', max: 1, hurried: true, onError });
  const db = new Kysely<Names>({ dialect: new PostgresDialect({ pool: new KyselyPool(pool) }) });
  try {
    const names = await applied(db, schemaName);
    const newer = names.filter((name) => !(name in migrations));
    if (newer.length > 0) throw tooNew(newer, migrations);
    if (names.length < Object.keys(migrations).length)
      throw new PortError(
        'refused',
        'store.migrate',
        names.length === 0
          ? 'no gateway has used this database yet'
          : `the database was last used by an older Spillway (schema ${names.at(-1)}): start the gateway of this version once`,
      );
  } catch (e) {
    throw asFault(e, 'store.migrate', false);
  } finally {
    await db.destroy().catch(() => undefined);
  }
}

async function applied(db: Kysely<Names>, schema: string): Promise<string[]> {
  try {
    const rows = await db
      .withSchema(schema)
      .selectFrom('kysely_migration')
      .select('name')
      .orderBy('name')
      .execute();
    return rows.map((r) => r.name);
  } catch (e) {
    if (sqlState(e) === '42P01' || sqlState(e) === '3F000') return [];
    throw e;
  }
}

export function tooNew(names: readonly string[], known: Readonly<Record<string, Migration>>): PortError {
  const last = Object.keys(known).sort().at(-1);
  return new PortError(
    'refused',
    'store.migrate',
    `the database was written by a newer Spillway (schema ${names.join(', ')}; this one knows up to ${last}): ` +
      'start that version again, or restore a backup from before the upgrade',
  );
}
