import type { ShapeRule } from '../rule.ts';

/** A job without end holds an instance without end, so a limit may be asked for. */
export const time: ShapeRule = {
  name: 'time',
  of: 'shape',
  otherwise: 'never',
  key: ({ timeLimitMs }) => timeLimitMs,
  judge({ job, policy }) {
    const { maxTimeMs } = policy;
    const measured =
      typeof job.timeLimitMs === 'number' ? `${Math.round(job.timeLimitMs / 60_000)} min` : job.timeLimitMs;
    if (maxTimeMs === undefined) return { pass: true, measured, limit: 'any' };
    const limit = `at most ${Math.round(maxTimeMs / 60_000)} min`;
    if (job.timeLimitMs === 'unlimited') return { pass: false, measured, limit };
    return { pass: job.timeLimitMs === 'partition' || job.timeLimitMs <= maxTimeMs, measured, limit };
  },
};
