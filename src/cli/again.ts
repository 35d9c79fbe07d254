import { z } from 'zod';
import { againView } from '../api/schemas.ts';
import { ask, type Gateway, problemOf } from './ask.ts';

const answer = z.object({ jobs: z.array(againView) });

/** `spillway again`. */
export async function letAgain(
  gateway: Gateway,
  job: string,
  order: { readonly by: string; readonly reason: string },
): Promise<readonly string[]> {
  const { status, body } = await ask(gateway, `jobs/${encodeURIComponent(job)}/again`, order);
  const read = answer.safeParse(body);
  if (status !== 200 || !read.success) throw problemOf(status, body);
  return read.data.jobs.map(({ cluster, job: ref, by, since, reason }) => {
    const why = reason === undefined ? '' : `: ${reason}`;
    return `${ref} on ${cluster} may burst again, by ${by} at ${since}${why}`;
  });
}
