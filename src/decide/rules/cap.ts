import type { JobRule } from '../rule.ts';

/** How many bursts may be alive at once; the virtual nodes set a natural bound as well. */
export const cap: JobRule = {
  name: 'cap',
  of: 'job',
  otherwise: 'wait',
  judge({ liveBursts, policy }) {
    return {
      pass: liveBursts < policy.maxBursts,
      measured: `${liveBursts} bursts alive`,
      limit: `fewer than ${policy.maxBursts}`,
    };
  },
};
