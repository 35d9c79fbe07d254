import { z } from 'zod';
import { type StopView, stopView } from '../api/schemas.ts';
import { ask, type Gateway, toldIn } from './ask.ts';

const answer = z.object({ clusters: z.array(stopView) });

export interface Order {
  readonly stopped: boolean;
  readonly by: string;
  readonly reason: string;
}

/** `spillway stop` and `spillway resume`, by the running gateway. */
export const turnStop = async (gateway: Gateway, order: Order): Promise<readonly StopView[]> =>
  toldIn(await ask(gateway, 'stop', order), answer).clusters;

/** How a cluster's switch stands, in words. */
export function stands({ cluster, stopped, by, since, reason }: StopView): string {
  if (!stopped) return `${cluster}: bursting goes on`;
  const why = reason === undefined ? '' : `: ${reason}`;
  return `${cluster}: bursting is stopped by ${by} since ${since}${why}; nothing is begun or claimed, what was claimed goes on`;
}
