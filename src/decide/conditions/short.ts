import type { Judged, RuleContext } from '../rule.ts';
import { minutes, type Of } from './condition.ts';

/** A job's own limit only: under its partition's it did not say that it is short. */
export function short({ timeLimitMs }: Of<'short'>, { job }: RuleContext): Judged {
  const own = job.timeLimitMs;
  return {
    pass: typeof own === 'number' && own <= timeLimitMs,
    measured: typeof own === 'number' ? `asks for ${minutes(own)}` : 'has no time limit of its own',
    limit: `asks for at most ${minutes(timeLimitMs)}`,
  };
}
