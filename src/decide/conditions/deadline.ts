import { chanceOfWaiting } from '../race.ts';
import type { Judged, RuleContext } from '../rule.ts';
import { minutes, type Of, percent } from './condition.ts';

/** Who would start here too late to end before its deadline. Whether the cloud makes it, rules/deadline.ts says of everybody. */
export function missesDeadline({ confidence }: Of<'deadline'>, context: RuleContext): Judged {
  const { forecast, job, now } = context;
  const limit = `${percent(confidence)} sure that it misses its deadline here`;
  if (job.deadlineAt === undefined) return { pass: false, measured: 'has no deadline', limit };
  if (typeof job.timeLimitMs !== 'number')
    return { pass: false, measured: 'has a deadline, and no time limit of its own', limit };
  if (forecast === undefined) return { pass: false, measured: 'no forecast of its start here', limit };
  const latest = job.deadlineAt - job.timeLimitMs - now;
  const misses = chanceOfWaiting(forecast.range, latest);
  const { p10, p50, p90 } = forecast.range;
  const here = Number.isFinite(p50)
    ? `starts here in ${minutes(p50)} (${minutes(p10)} to ${minutes(p90)})`
    : 'can never start here';
  const must = latest > 0 ? `must start within ${minutes(latest)}` : 'should have started';
  return { pass: misses >= confidence, measured: `${must}, ${here}; ${percent(misses)} sure`, limit };
}
