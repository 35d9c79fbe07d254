import type { TurnRule } from '../rule.ts';
import { sightOf, staleAfterMs } from '../sight.ts';

/** Nothing is begun on a look at the queue that is old, or that did not show all of it. */
export const sight: TurnRule = {
  name: 'sight',
  of: 'turn',
  otherwise: 'wait',
  judge({ snapshot, now, setup, policy }) {
    const most = staleAfterMs(setup, policy);
    const { ageMs, unseen } = sightOf(snapshot, now);
    return {
      pass: ageMs <= most && unseen === undefined,
      measured: `seen ${seconds(ageMs)} ago, ${unseen === undefined ? 'all of it' : `not all of it: ${unseen}`}`,
      limit: `all of the queue, at most ${seconds(most)} ago`,
    };
  },
};

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
