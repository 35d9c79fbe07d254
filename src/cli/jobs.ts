import { z } from 'zod';
import { type QueueJobView, queueJobView, sightView } from '../api/portal-schemas.ts';
import { CommandError, type Gateway, readAt } from './ask.ts';
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
  readonly json?: boolean;
}

/** More than anybody reads; a program asks the API by pages. */
const jobsAtMost = 10_000;

/** `spillway jobs`: as the last look at the queue has them, not as Slurm would say now. */
export async function jobsTable(gateway: Gateway, order: JobsOrder, now: number): Promise<readonly string[]> {
  const query = new URLSearchParams({ limit: '1000' });
  for (const key of ['state', 'user', 'account', 'partition'] as const) {
    const value = order[key];
    if (value !== undefined) query.set(key, key === 'state' ? value.toUpperCase() : value);
  }
  const found: QueueJobView[] = [];
  let clusters: z.output<typeof sightView>[] = [];
  for (let next: string | undefined = ''; next !== undefined && found.length < jobsAtMost; ) {
    if (next !== '') query.set('cursor', next);
    const read: z.output<typeof page> = await readAt(gateway, `jobs?${query}`, page);
    found.push(...read.jobs.filter((j) => order.burst !== true || j.burst !== undefined));
    ({ clusters } = read);
    next = read.next;
  }
  if (order.json === true) return [JSON.stringify({ jobs: found, clusters }, undefined, 2)];
  if (clusters.every((c) => c.at === undefined))
    throw new CommandError(
      'this gateway has not looked at a queue yet: ask again, or ask the one that leads',
    );
  if (found.length === 0) return ['no such job was in the queue'];
  const header = ['job', 'user', 'partition', 'state', 'cpus', 'nodes', 'waited', 'burst', 'why'];
  return tableOf(
    header,
    found.map((j) => [
      ...[j.job, j.user, j.partition, j.state, `${j.cpus}`, `${j.nodes}`],
      j.state === 'PENDING' ? ageOf(j.eligible ?? j.submitted, now) : '',
      ...[j.burst?.state ?? '', j.state === 'PENDING' ? j.reason : j.nodeList],
    ]),
  );
}
