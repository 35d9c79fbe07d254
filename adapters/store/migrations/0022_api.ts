import { type Kysely, type Migration, sql } from 'kysely';

/**
 * What people had done outside of the store, in the form of what has audit rows; a delivery that is sent anew names its order. And indexes for what
 * people filter decisions by: where few rows or none fit, all of them were read.
 */
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
    sql`create index receipts_of_account on receipts ((data->>'account'), at desc, n desc)`,
    sql`create index receipts_by_verdict on receipts ((data->'decision'->>'verdict'), at desc, n desc)`,
    sql`create index receipts_by_reason on receipts using gin ((data->'decision'->'because') jsonb_path_ops)`,
    sql`create index audit_by_time on audit (at)`,
  ];
  for (const statement of statements) await statement.execute(db);
}

export const api: Migration = { up };
