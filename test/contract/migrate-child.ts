/** A process that migrates, slowly, so that it can be killed in the midst. */
import { type Migration, sql } from 'kysely';
import { migrate, migrations } from '../../adapters/store/migrate.ts';

const slow: Migration = {
  up: async (db) => {
    await sql.raw('create table once (); alter table once add column n int').execute(db);
    await sql.raw('insert into once values (1); select pg_sleep(1)').execute(db);
  },
};
await migrate(process.argv[2] ?? '', { ...migrations, '9001_slow': slow });
console.log('migrated');
