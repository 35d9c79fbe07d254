import { z } from 'zod';
import { type QueueJobView, queueJobView, sightView } from '../api/portal-schemas.ts';
import { dollars } from '../domain/money.ts';
import { CommandError, type Gateway, pagesAt } from './ask.ts';
import { type JobWithCloud, withCloud } from './jobs-cloud.ts';
import type { Loose } from './loose.ts';
import { tableOf } from './table.ts';
import { ageOf } from './words.ts';

const page = z.object({
  jobs: z.array(queueJobView),
  clusters: z.array(sightView),
  next: z.string().optional(),
});

export interface JobsOrder {
  readonly state?: string;
  readonly user?: string;
  readonly account?: string;
  readonly partition?: string;
  readonly burst?: boolean;
  readonly details?: boolean;
  readonly json?: boolean;
}

/** `spillway jobs`: as the last look at the queue has them, not as Slurm would say now. */
export async function jobsTable(gateway: Gateway, order: JobsOrder, now: number): Promise<readonly string[]> {
  const query = new URLSearchParams({ limit: '1000' });
  for (const key of ['state', 'user', 'account', 'partition'] as const) {
    const value = order[key];
    if (value !== undefined) query.set(key, key === 'state' ? value.toUpperCase() : value);
  }
  const found: Loose<QueueJobView>[] = [];
  let clusters: z.output<typeof sightView>[] = [];
  for await (const read of pagesAt(gateway, 'jobs', query, page)) {
    for (const job of read.jobs) if (order.burst !== true || job.burst !== undefined) found.push(job);
    ({ clusters } = read);
  }
  const jobs: readonly JobWithCloud[] = order.details === true ? await withCloud(gateway, found) : found;
  if (order.json === true) return [JSON.stringify({ jobs, clusters }, undefined, 2)];
  if (clusters.every((c) => c.at === undefined))
    throw new CommandError(
      'this gateway has not looked at a queue yet: ask again, or ask the one that leads',
    );
  if (jobs.length === 0) return ['no such job was in the queue'];
  const header = ['job', 'user', 'partition', 'state', 'cpus', 'nodes', 'waited', 'burst', 'why'];
  const more = order.details === true ? ['starts', 'at most'] : [];
  return tableOf(
    [...header, ...more],
    jobs.map((j) => [
      ...[j.job, j.user, j.partition, j.state, `${j.cpus}`, `${j.nodes}`],
      j.state === 'PENDING' ? ageOf(j.eligible ?? j.submitted, now) : '',
      ...[j.burst?.state ?? '', j.state === 'PENDING' ? j.reason : j.nodeList],
      ...(order.details === true ? cloudCells(j) : []),
    ]),
  );
}

function cloudCells({ cloud }: JobWithCloud): readonly string[] {
  const { starts, started, heldMicroUsd } = cloud ?? {};
  const when = starts === undefined ? (started ?? '') : `${starts.p50} to ${starts.p90}`;
  return [when, heldMicroUsd === undefined ? '' : dollars(heldMicroUsd)];
}
