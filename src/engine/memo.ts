import type { Job } from '../domain/job.ts';

/** The line as it was judged: a change of what matters asks again. */
export const memoOf = (job: Job): string =>
  `${job.ref}@${job.submitAt}/${job.cpus}/${job.minNodes}/${job.partition}`;
