import { z } from 'zod';
import { type RampView, rampView } from '../api/schemas.ts';
import { dollars } from '../domain/money.ts';
import { ask, type Gateway, toldIn } from './ask.ts';

const answer = z.object({ clusters: z.array(rampView) });

export interface RampOrder {
  readonly lifted: boolean;
  readonly by: string;
  readonly reason: string;
}

/** `spillway ramp`. */
export const showRamp = (gateway: Gateway): Promise<readonly RampView[]> => told(gateway);

/** `spillway ramp lift` and `spillway ramp restore`, by the running gateway. */
export const turnRamp = (gateway: Gateway, order: RampOrder): Promise<readonly RampView[]> =>
  told(gateway, order);

const told = async (gateway: Gateway, order?: RampOrder): Promise<readonly RampView[]> =>
  toldIn(await ask(gateway, 'ramp', order), answer).clusters;

export function rampStands({ cluster, limits, day, lifted }: RampView): string {
  if (lifted !== undefined) {
    const why = lifted.reason === undefined ? '' : `: ${lifted.reason}`;
    return `${cluster}: the ramp was lifted by ${lifted.by} at ${lifted.since}${why}`;
  }
  if (day === undefined) return `${cluster}: no ramp is lifted`;
  const so = `${day.jobs} of ${day.jobsAtMost} jobs and ${dollars(day.microUsd)} of ${dollars(day.microUsdAtMost)} today (UTC)`;
  return limits ? `${cluster}: on a ramp, ${so}` : `${cluster}: ${so}; the ramp counts in mode auto only`;
}
