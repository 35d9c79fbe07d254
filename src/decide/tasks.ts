/** A line of the queue, task by task. */
import { type ArrayTasks, expandArray } from '../domain/array.ts';
import { type JobRef, jobRef } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';
import { lastOf, onceFor } from './words.ts';

/** At most so many tasks of one array are looked at in a turn; the rest come in the next. */
const atOnce = 200;

/** The first of an array's tasks. Those of one array follow each other, so it is read once for them all. */
export const expandedTasks: (tasks: string) => ArrayTasks = lastOf((tasks: string) =>
  expandArray(tasks, atOnce),
);

/** A pending array is one line until its tasks start. */
export const ofManyTasks = ({ arrayJobId, arrayTask }: Job): boolean =>
  arrayJobId !== undefined && arrayTask !== undefined && !/^\d+$/.test(arrayTask);

const firstOf = onceFor(({ ref, arrayJobId, arrayTask = '' }: Job): JobRef => {
  const [first] = expandArray(arrayTask, 1).indices;
  return first === undefined ? ref : jobRef(`${arrayJobId}_${first}`);
});

/** What stands for a line where one word is asked of it: of a pending array the first of its tasks. */
export const firstTaskOf = (job: Job): JobRef => (ofManyTasks(job) ? firstOf(job) : job.ref);

/** A pending array is one line until its tasks start: each of its first tasks is a job of its own here. */
export function tasksOf(job: Job): readonly Job[] {
  if (job.arrayTask === undefined || !ofManyTasks(job)) return [job];
  return expandedTasks(job.arrayTask).indices.map((i) => ({ ...job, ref: jobRef(`${job.arrayJobId}_${i}`) }));
}
