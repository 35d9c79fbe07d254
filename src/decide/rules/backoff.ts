import type { JobRule } from '../rule.ts';

/** A job that was given back is left alone for a while, so that it does not swing between both sides. */
export const backOff: JobRule = {
  name: 'back-off',
  of: 'job',
  otherwise: 'wait',
  judge({ lastReturnAt, now, policy }) {
    const limit = `not given back or turned down within ${Math.round(policy.backOffMs / 60_000)} min`;
    if (lastReturnAt === undefined) return { pass: true, measured: 'never given back or turned down', limit };
    const ago = now - lastReturnAt;
    return {
      pass: ago >= policy.backOffMs,
      measured: `given back or turned down ${Math.round(ago / 1000)} s ago`,
      limit,
    };
  },
};
