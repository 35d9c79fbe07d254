import { type Kysely, type Migration, sql } from 'kysely';

/**
 * What tells that this store is older than what was done with it: `incarnation` is the database cluster and the branch of its history
 * (timeline) that the store was last open on. `recovered` is the recovery that a cluster has finished, by its `recovering_since`.
 */
async function up(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`alter table meta
      add column incarnation text,
      add column epoch_floor bigint not null default 0,
      add column recovering_since bigint,
      add column recovering_why text`,
    sql`alter table leases add column recovered bigint not null default 0`,
  ];
  for (const statement of statements) await statement.execute(db);
}

export const age: Migration = { up };
