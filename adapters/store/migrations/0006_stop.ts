import { type Kysely, type Migration, sql } from 'kysely';

/** Each cluster's stop switch, in the form of what has audit rows: `audit verify` holds it against its own. */
async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table stops (
    id text primary key,
    cluster text not null unique,
    rev bigint not null,
    head text not null,
    data jsonb not null
  )`.execute(db);
}

export const stop: Migration = { up };
