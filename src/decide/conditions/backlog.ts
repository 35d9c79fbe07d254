import { partitionsOf } from '../../domain/job.ts';
import type { Judged, RuleContext } from '../rule.ts';
import { onceFor, pairOf } from '../words.ts';
import { minutes, type Of, waitedMs } from './condition.ts';

const limitOf = onceFor(
  ({ pendingJobs, forMs }: Of<'backlog'>) => `${pendingJobs} jobs for ${minutes(forMs)}`,
);

const enoughOf = onceFor(({ forMs }: Of<'backlog'>) =>
  pairOf(
    (name: string, waiting: number) => `${waiting} jobs in ${name} pending for ${minutes(forMs)} or more`,
  ),
);
const tooFew = pairOf((jobs: number, own: string) => `${jobs} jobs pending, this one for ${own}`);

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
      return { pass: true, measured: enoughOf(condition)(name, waiting), limit };
  }
  return { pass: false, measured: tooFew(most, minutes(own)), limit };
}

/** How many of the ascending ages are no less than `least`. */
function atLeast(ages: ArrayLike<number>, least: number): number {
  let from = 0;
  let to = ages.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((ages[middle] ?? 0) < least) from = middle + 1;
    else to = middle;
  }
  return ages.length - from;
}
