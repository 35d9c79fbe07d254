import { type Kysely, type Migration, sql } from 'kysely';

/** Policies as they were written, a row each for ever; and which of them decides in a cluster, like the stop switch in all. */
async function up(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`create table policies (
      id text primary key,
      version bigint not null unique,
      hash text not null unique,
      rev bigint not null,
      head text not null,
      data jsonb not null
    )`,
    sql`create table active_policies (
      id text primary key,
      cluster text not null unique,
      rev bigint not null,
      head text not null,
      data jsonb not null
    )`,
  ];
  for (const statement of statements) await statement.execute(db);
}

export const policies: Migration = { up };
