import { inWords } from '../../domain/stop.ts';
import type { TurnRule } from '../rule.ts';

/** Somebody has halted bursting; who, when and why stands in every decision until it is resumed. */
export const stopped: TurnRule = {
  name: 'stopped',
  of: 'turn',
  otherwise: 'wait',
  judge({ stop }) {
    const limit = 'bursting is not stopped';
    return { pass: stop === undefined, measured: stop === undefined ? 'not stopped' : inWords(stop), limit };
  },
};
