import { type Kysely, type Migration, sql } from 'kysely';

/**
 * `unanchored` takes a row with each audit row and each receipt, in the same transaction; an anchor takes them away. So no order of
 * commits and no clock decides what an anchor covers. `anchored` holds the heads that each anchor took in.
 */
async function up(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`create table unanchored (
      n bigint generated always as identity primary key,
      chain text not null,
      seq bigint not null,
      hash text not null,
      pruned boolean not null default false
    )`,
    sql`create table anchors (
      seq bigint primary key,
      at bigint not null,
      generation text not null,
      heads_from bigint not null,
      heads bigint not null,
      root text not null,
      prev text not null,
      hash text not null
    )`,
    sql`create table anchored (
      anchor bigint not null,
      chain text collate "C" not null,
      seq bigint not null,
      hash text not null,
      pruned boolean not null,
      primary key (chain, anchor)
    )`,
    sql`create index anchored_by_anchor on anchored (anchor)`,
    // Retention looks for the oldest.
    sql`create index receipts_by_age on receipts (at)`,
    sql`alter table meta
      add column anchor_floor bigint not null default 0,
      add column heads_from bigint not null default 1`,
    // What was there before there were anchors is taken in by the first.
    sql`insert into unanchored (chain, seq, hash)
      select distinct on (subject) 'audit/' || subject, seq, hash from audit order by subject, seq desc`,
    sql`insert into unanchored (chain, seq, hash)
      select distinct on (attempt) 'receipts/' || attempt, seq, hash from receipts order by attempt, seq desc`,
  ];
  for (const statement of statements) await statement.execute(db);
}

export const anchors: Migration = { up };
