import { type Kysely, type Migration, sql } from 'kysely';

/** What is to be told to the site's own addresses: up to where each has it, and what waits or was given up. */
async function up(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`create table hook_places (
      hook text primary key,
      generation text not null,
      xid text not null,
      n bigint not null
    )`,
    sql`create table deliveries (
      id text primary key,
      hook text not null,
      event text not null,
      body text not null,
      tries bigint not null,
      first_at bigint not null,
      due_at bigint not null,
      dead_at bigint,
      why text,
      n bigint generated always as identity,
      unique (hook, event)
    )`,
    sql`create index deliveries_due on deliveries (hook, due_at) where dead_at is null`,
    sql`create index deliveries_dead on deliveries (dead_at desc, n desc) where dead_at is not null`,
  ];
  for (const statement of statements) await statement.execute(db);
}

export const webhooks: Migration = { up };
