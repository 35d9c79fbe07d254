import { type Caller, signature } from '../domain/caller.ts';
import { Refusal } from './problem.ts';

/** Who gives an order, for the audit: whoever asks; where nobody is asked who he is, whom the order names. */
export function signed(caller: Caller, by: string | undefined): string {
  if (caller.by !== 'open') return signature(caller);
  if (by === undefined || by === '')
    throw new Refusal('bad_order', 'Bad order', {
      detail: 'by: missing; write who gives the order, since this API asks nobody who he is',
      field: 'by',
    });
  return by;
}
