import { minutes } from '../conditions/condition.ts';
import type { ShapeRule } from '../rule.ts';

/** Not before the time that its user wrote after `--begin`, whatever reason Slurm shows: it learns of that only when it looks at the job. */
export const begin: ShapeRule = {
  name: 'begin',
  of: 'shape',
  otherwise: 'wait',
  key: ({ eligibleAt }, { now }) => (eligibleAt !== undefined && eligibleAt > now ? eligibleAt : 0),
  judge({ job: { eligibleAt }, now }) {
    const ahead = eligibleAt === undefined ? 0 : eligibleAt - now;
    return {
      pass: ahead <= 0,
      measured: ahead <= 0 ? 'no begin time ahead' : `may begin in ${minutes(Math.max(60_000, ahead))}`,
      limit: 'not before its begin time',
    };
  },
};
