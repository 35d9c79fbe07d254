import type { JobRule } from '../rule.ts';
import { lastOf } from '../words.ts';

const alive = lastOf((bursts: number) => `${bursts} bursts alive`);
const fewerThan = lastOf((most: number) => `fewer than ${most}`);

/** How many bursts may be alive at once, one of several nodes counting for each; the virtual nodes set a natural bound as well. */
export const cap: JobRule = {
  name: 'cap',
  of: 'job',
  otherwise: 'wait',
  judge({ job: { minNodes }, liveBursts, policy: { maxBursts } }) {
    const several = minNodes > 1;
    return {
      pass: liveBursts + Math.max(1, minNodes) <= maxBursts,
      measured: alive(liveBursts),
      limit: several ? `at most ${maxBursts} with its ${minNodes} nodes` : fewerThan(maxBursts),
    };
  },
};
