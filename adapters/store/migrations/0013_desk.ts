import { type Kysely, type Migration, sql } from 'kysely';

/**
 * What people and portals ask for. Audit rows get an order to be told in: `n` alone is given before its commit, so a lower one may come
 * to sight later; by (xid, n) below the oldest transaction under way none can. `order_keys` keeps what orders with a key were answered.
 */
async function up(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`alter table audit add column n bigint generated always as identity,
      add column xid xid8 not null default pg_current_xact_id()`,
    sql`create index audit_in_order on audit (xid, n)`,
    sql`create index receipts_newest on receipts (at desc, n desc)`,
    sql`drop index receipts_by_age`,
    sql`create index receipts_of_user on receipts ((data->>'user'), at desc, n desc)`,
    sql`create index bursts_of_user on bursts ((data->>'user'), created_at desc, id desc)`,
    sql`create index ledger_newest on ledger (at desc, burst desc)`,
    sql`create table tokens (
      id text collate "C" primary key,
      rev bigint not null,
      head text not null,
      data jsonb not null,
      used_at bigint
    )`,
    sql`create table order_keys (
      caller text not null,
      key text not null,
      what text not null,
      answer jsonb,
      until bigint not null,
      primary key (caller, key)
    )`,
    sql`create index order_keys_by_end on order_keys (until)`,
  ];
  for (const statement of statements) await statement.execute(db);
}

export const desk: Migration = { up };
