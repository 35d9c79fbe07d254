import { gainFactor } from '../returned.ts';
import type { Judged, RuleContext } from '../rule.ts';
import { minutes, type Of } from './condition.ts';

/** Where waiting is dear and the cloud is cheap: the most waiting saved for each core-hour. The default policy of `spillway replay` [../worth.ts]. */
export function worth({ atLeast: first }: Of<'worth'>, { worth: own, returned }: RuleContext): Judged {
  const atLeast = first * gainFactor(returned);
  const limit = `worth at least ${figure(atLeast)}`;
  if (own === undefined) return { pass: false, measured: 'no forecast of its start here', limit };
  return {
    pass: own.worth >= atLeast && own.worth > 0,
    measured: `would still wait ${minutes(own.startsInMs)} here and runs for ${(own.workMs / 3_600_000).toFixed(1)} core-hours: worth ${figure(own.worth)}`,
    limit,
  };
}

/** Three digits that mean something, rounded down: what is shown must not pass a limit that the number itself does not pass. */
function figure(value: number): string {
  if (!(value > 0)) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(value)));
  return (Math.floor(value * 10 ** digits + 1e-9) / 10 ** digits).toFixed(digits);
}
