/** What came of a cluster's forecasts: a table of its own, of which only the newest are kept. */
import { type Kysely, sql } from 'kysely';
import { type ForecastError, keptErrors } from '../../src/domain/forecast.ts';
import { type ClusterName, instant } from '../../src/domain/ids.ts';
import type { Tables } from './tables.ts';

export async function readErrors(
  db: Kysely<Tables>,
  cluster: ClusterName,
): Promise<readonly ForecastError[]> {
  const { rows } = await sql<{ at: number; p10: number; p50: number; p90: number; actual: number }>`
    select at, p10, p50, p90, actual from forecast_errors
    where cluster = ${cluster} order by n desc limit ${keptErrors}`.execute(db);
  return rows
    .reverse()
    .map(({ at, p10, p50, p90, actual }) => ({ at: instant(at), raw: { p10, p50, p90 }, actualMs: actual }));
}

export async function addErrors(
  db: Kysely<Tables>,
  cluster: ClusterName,
  errors: readonly ForecastError[],
): Promise<void> {
  const newest = errors.slice(-keptErrors);
  const column = (of: (e: ForecastError) => number): number[] => newest.map(of);
  await sql`
    with added as (
      insert into forecast_errors (cluster, at, p10, p50, p90, actual)
      select ${cluster}, e.* from unnest(
        ${column((e) => e.at)}::bigint[], ${column((e) => e.raw.p10)}::float8[], ${column((e) => e.raw.p50)}::float8[],
        ${column((e) => e.raw.p90)}::float8[], ${column((e) => e.actualMs)}::float8[]) as e
      returning n)
    delete from forecast_errors where cluster = ${cluster} and n <= (
      select n from forecast_errors where cluster = ${cluster}
      order by n desc offset ${keptErrors - newest.length} limit 1)`.execute(db);
}
