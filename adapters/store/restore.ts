import pg from 'pg';
import { recoverWithin } from './age.ts';
import { notOurs, type Tick } from './backup.ts';
import { type Manifest, readManifest, readTable, refused } from './dump.ts';
import { asFault, sqlState } from './faults.ts';
import { migrateTo, migrations, tooNew } from './migrate.ts';
import { schemaName } from './pool.ts';

/** The schema that is filled beside ours and then takes its place. */
const beside = 'spillway_restoring';
const linesAtATime = 500;

export interface Restore {
  readonly url: string;
  readonly dir: string;
  /** Also where the store holds something, which is then gone. */
  readonly force: boolean;
  readonly tick?: Tick;
}

/**
 * Puts a backup in the place of the store: filled beside it, exchanged in one transaction, so that it is either all there or not at all.
 * The store says from then on that it is older than what was done with it. Nobody may be using it.
 */
export async function restore({ url, dir, force, tick = () => undefined }: Restore): Promise<Manifest> {
  const manifest = await readManifest(dir);
  const all = Object.values(manifest.tables).reduce((sum, { rows }) => sum + rows, 0);
  const counting = (what: string) => {
    let rows = 0;
    return (): void => tick(what, ++rows, all);
  };
  const seen = counting('looking the backup through');
  const unknown = manifest.schema.filter((name) => !(name in migrations));
  if (unknown.length > 0) throw tooNew(unknown, migrations);
  // Looked through before anything is touched.
  for (const [name, table] of Object.entries(manifest.tables))
    for await (const _ of readTable(dir, name, table)) seen();
  const client = new pg.Client({ connectionString: url, application_name: 'spillway restore' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await mayBeReplaced(client, force);
    await client.query(`drop schema if exists ${beside} cascade`);
    await migrateTo(url, { schema: beside, upTo: manifest.schema.at(-1) ?? '' });
    await fill(client, dir, manifest, counting('putting it in its place'));
    await migrateTo(url, { schema: beside });
    await exchange(client, manifest);
    return manifest;
  } catch (e) {
    throw asFault(e, 'store.restore', true);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function mayBeReplaced(client: pg.Client, force: boolean): Promise<void> {
  const there = async (text: string): Promise<Record<string, unknown> | undefined> => {
    try {
      return (await client.query<Record<string, unknown>>(text)).rows[0];
    } catch (e) {
      if (['42P01', '3F000', '42703'].includes(sqlState(e) ?? '')) return undefined;
      throw e;
    }
  };
  const leader = await there(
    `select cluster, holder from ${schemaName}.leases
     where holder is not null and until > extract(epoch from clock_timestamp()) * 1000`,
  );
  if (leader !== undefined)
    throw refused(
      `a gateway leads ${leader.cluster} (${leader.holder}): stop every gateway of this store, and wait until its lease has run out`,
    );
  const held = await there(
    `select (select count(*) from ${schemaName}.bursts) as bursts, (select count(*) from ${schemaName}.receipts) as receipts,
       (select count(*) from ${schemaName}.audit) as audit`,
  );
  const rows = Object.values(held ?? {}).reduce<number>((sum, n) => sum + Number(n), 0);
  if (rows > 0 && !force)
    throw refused(
      `the store holds ${held?.bursts} bursts and ${held?.receipts} receipts: --force puts the backup in their place`,
    );
}

async function fill(client: pg.Client, dir: string, manifest: Manifest, put: () => void): Promise<void> {
  await client.query(`begin; set local search_path = ${beside}`);
  try {
    const { rows } = await client.query<{ name: string }>(
      'select table_name as name from information_schema.tables where table_schema = $1',
      [beside],
    );
    const ours = rows.map((r) => r.name).filter((name) => !notOurs.has(name));
    const strange = Object.keys(manifest.tables).find((name) => !ours.includes(name));
    if (strange !== undefined) throw refused(`${dir} holds a table ${strange}, which this schema has not`);
    // What migrations put there is in the backup too.
    await client.query(`truncate ${ours.join(', ')}`);
    for (const [name, table] of Object.entries(manifest.tables)) {
      const insert = `insert into ${name} overriding system value select * from json_populate_recordset(null::${name}, $1::json)`;
      let lines: string[] = [];
      const flush = async (): Promise<void> => {
        if (lines.length > 0) await client.query(insert, [`[${lines.join(',')}]`]);
        lines = [];
      };
      for await (const line of readTable(dir, name, table)) {
        put();
        if (lines.push(line) >= linesAtATime) await flush();
      }
      await flush();
    }
    await goOnCounting(client);
    await client.query('commit');
  } catch (e) {
    await client.query('rollback').catch(() => undefined);
    throw e;
  }
}

/** Identity columns go on above what was put there. */
async function goOnCounting(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ table: string; column: string }>(
    `select table_name as "table", column_name as "column" from information_schema.columns
     where table_schema = $1 and is_identity = 'YES'`,
    [beside],
  );
  for (const { table, column } of rows)
    await client.query(
      `select setval(pg_get_serial_sequence('${beside}.${table}', '${column}'), (select coalesce(max(${column}), 0) + 1 from ${table}), false)`,
    );
}

async function exchange(client: pg.Client, manifest: Manifest): Promise<void> {
  await client.query(`begin; set local search_path = ${beside}`);
  try {
    const why = `a backup of ${new Date(manifest.at).toISOString()} was restored`;
    await recoverWithin(async (text, values) => {
      const { rows, rowCount } = await client.query<Record<string, unknown>>(text, [...values]);
      return { rows, changed: rowCount ?? 0 };
    }, why);
    // Where the store lives now is written down at its first connection.
    await client.query('update meta set incarnation = null');
    // Transactions of another server: by their numbers no event of today would come behind them.
    await client.query('update audit set xid = pg_current_xact_id()');
    await client.query(
      `drop schema if exists ${schemaName} cascade; alter schema ${beside} rename to ${schemaName};
       drop schema if exists spillway_wake cascade; commit`,
    );
  } catch (e) {
    await client.query('rollback').catch(() => undefined);
    throw e;
  }
}
