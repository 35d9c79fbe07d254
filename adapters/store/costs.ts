import type { Burst } from '../../src/domain/burst.ts';
import type { Stay } from '../../src/domain/cost.ts';
import {
  type BurstId,
  burstId,
  type ClusterName,
  type Instant,
  instanceId,
  instant,
} from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { CostsPort } from '../../src/ports.ts';
import { atOneMoment, type Moment } from './pages.ts';
import { readBurst, readInstance } from './schema.ts';

interface StayRow {
  readonly burst: string;
  readonly instance: string;
  readonly from_at: number;
  readonly until_at: number | null;
  readonly told_by: Stay['toldBy'];
}

/** The end of an instance in the store's own words: not the reader's, so that the two cannot differ. */
const ran = `cluster = $1 and data->>'launchedAt' is not null
  and (live or coalesce((data->>'releasedAt')::bigint, (data->>'endedAt')::bigint, updated_at) >= $2)`;

/** Reads beside a gateway that serves, page by page. */
export function postgresCosts(url: string): CostsPort {
  return {
    facts: (cluster, since) =>
      atOneMoment(url, 'spillway cost', async (moment) => ({
        at: await now(moment),
        instances: await instancesOf(moment, cluster, since),
        stays: await staysOf(moment, cluster, since),
        bursts: await burstsOf(moment, cluster, since),
      })),
  };
}

async function now(moment: Moment): Promise<Instant> {
  const [row] = await moment.all<{ at: number }>(
    'select (extract(epoch from clock_timestamp()) * 1000)::bigint as at',
  );
  return instant(row?.at ?? Number.NaN);
}

async function instancesOf(
  moment: Moment,
  cluster: ClusterName,
  since: Instant,
): Promise<readonly Instance[]> {
  const found: Instance[] = [];
  const text = `select data from instances where ${ran} order by created_at, id`;
  for await (const { data } of moment.rows<{ data: unknown }>(text, [cluster, since]))
    found.push(readInstance(data));
  return found;
}

async function staysOf(moment: Moment, cluster: ClusterName, since: Instant): Promise<readonly Stay[]> {
  const found: Stay[] = [];
  const text = `select burst, instance, from_at, until_at, told_by from stays
    where instance in (select id from instances where ${ran}) order by from_at, burst, pod`;
  for await (const row of moment.rows<StayRow>(text, [cluster, since]))
    found.push({
      burst: burstId(row.burst),
      instance: instanceId(row.instance),
      from: instant(row.from_at),
      until: row.until_at === null ? undefined : instant(row.until_at),
      toldBy: row.told_by,
    });
  return found;
}

async function burstsOf(
  moment: Moment,
  cluster: ClusterName,
  since: Instant,
): Promise<ReadonlyMap<BurstId, Burst>> {
  const found = new Map<BurstId, Burst>();
  const text = `select data from bursts where id in (
    select burst from stays where instance in (select id from instances where ${ran}))`;
  for await (const { data } of moment.rows<{ data: unknown }>(text, [cluster, since])) {
    const burst = readBurst(data);
    found.set(burst.id, burst);
  }
  return found;
}
