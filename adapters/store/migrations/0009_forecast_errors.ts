import { type Kysely, type Migration, sql } from 'kysely';

async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table forecast_errors (
    n bigint generated always as identity primary key,
    cluster text not null,
    at bigint not null,
    p10 double precision not null,
    p50 double precision not null,
    p90 double precision not null,
    actual double precision not null
  )`.execute(db);
  await sql`create index forecast_errors_newest on forecast_errors (cluster, n desc)`.execute(db);
}

export const forecastErrors: Migration = { up };
