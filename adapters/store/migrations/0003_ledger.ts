import { type Kysely, type Migration, sql } from 'kysely';

/** The money of each burst: what it holds, then what it cost. */
async function up(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`create table ledger (
      burst text primary key,
      cluster text not null,
      account text not null,
      micro_usd bigint not null check (micro_usd >= 0),
      state text not null check (state in ('held', 'settled')),
      at bigint not null
    )`,
    sql`create index ledger_money on ledger (cluster, account, state, at)`,
  ];
  for (const statement of statements) await statement.execute(db);
}

export const ledger: Migration = { up };
