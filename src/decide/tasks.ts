/** A line of the queue, task by task. */
import { expandArray } from '../domain/array.ts';
import { jobRef } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';

/** At most so many tasks of one array are looked at in a turn; the rest come in the next. */
const atOnce = 200;

/** A pending array is one line until its tasks start: each of its first tasks is a job of its own here. */
export function tasksOf(job: Job): readonly Job[] {
  if (job.arrayJobId === undefined || job.arrayTask === undefined || /^\d+$/.test(job.arrayTask))
    return [job];
  const { indices } = expandArray(job.arrayTask, atOnce);
  return indices.map((i) => ({ ...job, ref: jobRef(`${job.arrayJobId}_${i}`) }));
}
