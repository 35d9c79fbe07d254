import { type Kysely, type Migration, sql } from 'kysely';

/**
 * Times are milliseconds since the epoch. Ids sort by byte, as they do in the program. `head` is the hash of a subject's newest
 * audit row, kept beside its state so that a commit needs no second look.
 */
async function up(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`create table meta (
      one boolean primary key default true check (one),
      generation uuid not null default gen_random_uuid(),
      created_at timestamptz not null default now()
    )`,
    sql`insert into meta default values`,

    sql`create table commits (
      id text primary key,
      cluster text not null,
      at timestamptz not null default now()
    )`,

    sql`create table bursts (
      id text collate "C" primary key,
      cluster text not null,
      ref text not null,
      job_id bigint not null,
      attempt text not null,
      state text not null,
      live boolean not null,
      rev bigint not null,
      head text not null,
      data jsonb not null,
      created_at bigint not null,
      updated_at bigint not null
    ) with (fillfactor = 70)`,
    sql`create unique index bursts_live_attempt on bursts (cluster, attempt) where live`,
    sql`create index bursts_live on bursts (cluster, created_at, id) where live`,
    sql`create index bursts_by_age on bursts (created_at desc, id desc)`,
    sql`create index bursts_by_ref on bursts (cluster, ref)`,
    sql`create index bursts_by_job on bursts (cluster, job_id)`,

    sql`create table instances (
      id text collate "C" primary key,
      cluster text not null,
      state text not null,
      live boolean not null,
      rev bigint not null,
      head text not null,
      data jsonb not null,
      created_at bigint not null,
      updated_at bigint not null
    ) with (fillfactor = 70)`,
    sql`create index instances_live on instances (cluster, created_at, id) where live`,
    sql`create index instances_by_age on instances (created_at desc, id desc)`,

    sql`create table receipts (
      n bigint generated always as identity,
      id text primary key,
      cluster text not null,
      ref text not null,
      attempt text not null,
      seq bigint not null,
      kind text not null,
      at bigint not null,
      data jsonb not null,
      prev text not null,
      hash text not null,
      constraint receipts_chain unique (attempt, seq)
    )`,
    sql`create index receipts_by_job on receipts (cluster, ref, n desc)`,
    sql`create table seen_again (
      receipt text primary key,
      times bigint not null,
      last_at bigint not null
    )`,

    sql`create table audit (
      subject text not null,
      seq bigint not null,
      at bigint not null,
      from_state text,
      to_state text not null,
      why text not null,
      data text not null,
      prev text not null,
      hash text not null,
      primary key (subject, seq)
    )`,

    sql`create table intents (
      n bigint generated always as identity,
      id text primary key,
      subject text not null,
      effect text not null,
      spec jsonb not null,
      epoch bigint not null,
      at bigint not null,
      deadline bigint,
      answer text,
      answered_at bigint
    )`,
    sql`create index intents_open on intents (subject, n) where answer is null`,

    sql`create table leases (
      cluster text primary key,
      holder text,
      epoch bigint not null,
      until bigint not null
    )`,
  ];
  for (const statement of statements) await statement.execute(db);
}

export const start: Migration = { up };
