import type { Rule } from '../rule.ts';

/** How many bursts may be alive at once; the virtual nodes set a natural bound as well. */
export const cap: Rule = {
  name: 'cap',
  otherwise: 'wait',
  judge({ liveBursts, policy }) {
    return {
      pass: liveBursts < policy.maxBursts,
      measured: `${liveBursts} bursts alive`,
      limit: `fewer than ${policy.maxBursts}`,
    };
  },
};
