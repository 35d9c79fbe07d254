import { type Kysely, type Migration, sql } from 'kysely';

/** What users order of their jobs in Slurm, in the form of what has audit rows: `audit verify` holds it against its own, and retention takes it. */
async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table job_orders (
    id text collate "C" primary key,
    cluster text not null,
    ref text not null,
    live boolean not null default false,
    rev bigint not null,
    head text not null,
    data jsonb not null,
    created_at bigint not null,
    updated_at bigint not null
  )`.execute(db);
  await sql`create index job_orders_by_age on job_orders (created_at, id)`.execute(db);
}

export const jobOrders: Migration = { up };
