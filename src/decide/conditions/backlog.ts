import { partitionsOf } from '../../domain/job.ts';
import type { Judged, RuleContext } from '../rule.ts';
import { onceFor } from '../words.ts';
import { minutes, type Of, waitedMs } from './condition.ts';

const limitOf = onceFor(
  ({ pendingJobs, forMs }: Of<'backlog'>) => `${pendingJobs} jobs for ${minutes(forMs)}`,
);

/** LSF: THRESHOLD[[jobs,minutes] …]: so many jobs of one partition pend for so long, and this one among them. */
export function backlog(condition: Of<'backlog'>, context: RuleContext): Judged {
  const { pendingJobs, forMs } = condition;
  const limit = limitOf(condition);
  const own = waitedMs(context);
  let most = 0;
  for (const name of partitionsOf(context.job)) {
    const ages = context.pendingFor.get(name) ?? [];
    most = Math.max(most, ages.length);
    const waiting = atLeast(ages, forMs);
    if (own >= forMs && waiting >= pendingJobs)
      return {
        pass: true,
        measured: `${waiting} jobs in ${name} pending for ${minutes(forMs)} or more`,
        limit,
      };
  }
  return { pass: false, measured: `${most} jobs pending, this one for ${minutes(own)}`, limit };
}

/** How many of the ascending ages are no less than `least`. */
function atLeast(ages: ArrayLike<number>, least: number): number {
  let [from, to] = [0, ages.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((ages[middle] ?? 0) < least) from = middle + 1;
    else to = middle;
  }
  return ages.length - from;
}
