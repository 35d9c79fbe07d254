import { z } from 'zod';
import { againView } from '../api/schemas.ts';
import { ask, type Gateway, toldIn } from './ask.ts';

const answer = z.object({ jobs: z.array(againView) });

/** `spillway again`. */
export async function letAgain(
  gateway: Gateway,
  job: string,
  order: { readonly by: string; readonly reason: string },
  json = false,
): Promise<readonly string[]> {
  const said = await ask(gateway, `jobs/${encodeURIComponent(job)}/again`, order);
  const told = toldIn(said, answer);
  if (json) return [JSON.stringify(told, undefined, 2)];
  return told.jobs.map(({ cluster, job: ref, by, since, reason }) => {
    const why = reason === undefined ? '' : `: ${reason}`;
    return `${ref} on ${cluster} may burst again, by ${by} at ${since}${why}`;
  });
}
