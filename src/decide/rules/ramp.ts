import { dollars } from '../../domain/money.ts';
import type { JobRule, Judged, RuleContext } from '../rule.ts';

/** A site that is new to mode auto begins with a few jobs and dollars a day, until a named person lifts that. */
export const ramp: JobRule = { name: 'ramp', of: 'job', otherwise: 'wait', judge: onRamp };

type Asked = Pick<RuleContext, 'ramp' | 'worstCase'> & {
  readonly job: Pick<RuleContext['job'], 'cpus' | 'minNodes' | 'timeLimitMs'>;
};

export function onRamp({ ramp: day, job, worstCase }: Asked): Judged {
  if (day === undefined) return { pass: true, measured: 'no ramp', limit: 'no ramp, or room on it today' };
  const { jobs, microUsd } = day;
  const { jobsPerDay, microUsdPerDay } = day.ramp;
  const limit = `at most ${jobsPerDay} jobs and ${dollars(microUsdPerDay)} a day (UTC) until \`spillway ramp lift\``;
  const so = `${jobs} jobs and ${dollars(microUsd)} today`;
  if (jobs >= jobsPerDay) return { pass: false, measured: so, limit };
  const cost = worstCase(job);
  if (cost.kind === 'nothing') return { pass: true, measured: so, limit };
  if (cost.kind === 'unknown')
    return { pass: false, measured: `${so}; what this job could cost is not known: ${cost.why}`, limit };
  const measured = `${so}, and ${dollars(cost.price.held)} at most for this one`;
  return { pass: microUsd + cost.price.held <= microUsdPerDay, measured, limit };
}
