import { z } from 'zod';
import { jobOrderView } from '../api/schemas.ts';
import { CommandError, type Gateway, request, toldIn } from './ask.ts';

const answer = z.object({ order: jobOrderView });

export interface JobOrder {
  readonly what: 'hold' | 'release';
  /** Where several clusters have a job of that number. */
  readonly cluster?: string | undefined;
  readonly reason: string;
  /** New for each order: one that is sent twice is done once. */
  readonly key: string;
}

/** `spillway hold` and `spillway release`: done in Slurm as whose token it is, as scontrol would. */
export async function orderJob(
  gateway: Gateway,
  job: string,
  { what, cluster, reason, key }: JobOrder,
  json = false,
): Promise<readonly string[]> {
  if (gateway.token === undefined)
    throw new CommandError(
      `spillway ${what} is done as whose token it is: set SPILLWAY_TOKEN, or use scontrol ${what} ${job}`,
    );
  const said = await request(gateway, `jobs/${encodeURIComponent(job)}/${what}`, {
    method: 'POST',
    body: { cluster, reason },
    headers: { 'idempotency-key': key },
  });
  const told = toldIn(said, answer);
  if (json) return [JSON.stringify(told, undefined, 2)];
  const { order } = told;
  return [
    `${order.job} on ${order.cluster} is ${what === 'hold' ? 'held' : 'released'}, as ${order.user} at ${order.at}`,
  ];
}
