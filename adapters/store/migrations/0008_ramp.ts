import { type Kysely, type Migration, sql } from 'kysely';

/** Each cluster's ramp, as somebody lifted it: like the stop switch in all. */
async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table ramps (
    id text primary key,
    cluster text not null unique,
    rev bigint not null,
    head text not null,
    data jsonb not null
  )`.execute(db);
}

export const ramp: Migration = { up };
