import { Kysely, type Migration, Migrator, PostgresDialect } from 'kysely';
import { PortError } from '../../src/domain/fault.ts';
import { asFault, sqlState } from './faults.ts';
import { start } from './migrations/0001_start.ts';
import { age } from './migrations/0002_age.ts';
import { ledger } from './migrations/0003_ledger.ts';
import { anchors } from './migrations/0004_anchors.ts';
import { KyselyPool, makePool, schemaName } from './pool.ts';

/** In order; a name never changes once it was released. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001_start': start,
  '0002_age': age,
  '0003_ledger': ledger,
  '0004_anchors': anchors,
};

/** Brings the schema up to this version, one gateway at a time (advisory lock); all of it or nothing. Refuses a newer schema. */
export async function migrate(
  url: string,
  known: Readonly<Record<string, Migration>> = migrations,
): Promise<void> {
  const pool = makePool({ url, name: 'spillway migrate', max: 1, hurried: false, onError: () => undefined });
  const db = new Kysely<{ kysely_migration: { name: string } }>({
    dialect: new PostgresDialect({ pool: new KyselyPool(pool) }),
  });
  try {
    const newer = (await applied(db)).filter((name) => !(name in known));
    if (newer.length > 0) throw tooNew(newer, known);
    const migrator = new Migrator({
      db,
      provider: { getMigrations: async () => ({ ...known }) },
      migrationTableSchema: schemaName,
    });
    const { error } = await migrator.migrateToLatest();
    if (error === undefined) return;
    // Somebody newer may have come in between.
    const since = (await applied(db)).filter((name) => !(name in known));
    throw since.length > 0 ? tooNew(since, known) : error;
  } catch (e) {
    throw asFault(e, 'store.migrate', false);
  } finally {
    await db.destroy().catch(() => undefined);
  }
}

async function applied(db: Kysely<{ kysely_migration: { name: string } }>): Promise<string[]> {
  try {
    const rows = await db.withSchema(schemaName).selectFrom('kysely_migration').select('name').execute();
    return rows.map((r) => r.name);
  } catch (e) {
    if (sqlState(e) === '42P01' || sqlState(e) === '3F000') return [];
    throw e;
  }
}

function tooNew(names: readonly string[], known: Readonly<Record<string, Migration>>): PortError {
  const last = Object.keys(known).sort().at(-1);
  return new PortError(
    'refused',
    'store.migrate',
    `the database was written by a newer Spillway (schema ${names.join(', ')}; this one knows up to ${last}): ` +
      'start that version again, or restore a backup from before the upgrade',
  );
}
