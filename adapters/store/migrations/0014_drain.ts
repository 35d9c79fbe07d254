import { type Kysely, type Migration, sql } from 'kysely';

/** Node groups that somebody drained: like the stop switch in all, one for each group of a cluster. */
async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table drains (
    id text primary key,
    cluster text not null,
    rev bigint not null,
    head text not null,
    data jsonb not null
  )`.execute(db);
  await sql`create index drains_of_cluster on drains (cluster)`.execute(db);
}

export const drain: Migration = { up };
