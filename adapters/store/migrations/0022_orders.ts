import { type Kysely, type Migration, sql } from 'kysely';

/** What people had done outside of the store, in the form of what has audit rows; a delivery that is sent anew names its order. */
async function up(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`create table orders (
      id text collate "C" primary key,
      rev bigint not null,
      head text not null,
      data jsonb not null,
      updated_at bigint not null
    )`,
    sql`create index orders_by_age on orders (updated_at, id)`,
    sql`alter table deliveries add column asked_by text`,
  ];
  for (const statement of statements) await statement.execute(db);
}

export const orders: Migration = { up };
