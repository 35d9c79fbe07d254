import { chanceLater, chanceOfWaiting } from '../race.ts';
import { gainFactor } from '../returned.ts';
import type { Judged, RuleContext } from '../rule.ts';
import { groupFor } from '../rules/size.ts';
import { minutes, type Of, percent } from './condition.ts';

/** The start race: who would start here soon, or before the cloud is ready, stays. */
export function race(
  { startsAtLeastMs: first, laterThan, confidence }: Of<'race'>,
  context: RuleContext,
): Judged {
  const startsAtLeastMs = first * gainFactor(context.returned);
  const sure = `${percent(confidence)} sure`;
  const limit = `${sure} that it does not start here within ${minutes(startsAtLeastMs)}${
    laterThan === undefined ? '' : ', nor before the cloud is ready'
  }`;
  const { forecast, groups, job } = context;
  if (forecast === undefined) return { pass: false, measured: 'no forecast of its start here', limit };
  const { p10, p50, p90 } = forecast.range;
  if (p50 === Number.POSITIVE_INFINITY)
    return { pass: true, measured: 'can never start here: it asks for more than there is', limit };
  const waits = chanceOfWaiting(forecast.range, startsAtLeastMs);
  const here = `starts here in ${minutes(p50)} (${minutes(p10)} to ${minutes(p90)})`;
  if (laterThan === undefined)
    return { pass: waits >= confidence, measured: `${here}; ${percent(waits)} sure`, limit };
  const group = groupFor(job, groups)?.group.name;
  if (group === undefined) return { pass: false, measured: `${here}; no node group holds it`, limit };
  const ready = context.readyIn(group);
  const later = Math.min(waits, chanceLater(forecast.range, ready.samples));
  const data = ready.dataMs === undefined ? '' : `, ${minutes(ready.dataMs)} of it for its data`;
  const there = `in ${group} in ${minutes(ready.p50)} (9 in 10: ${minutes(ready.p90)})${data}`;
  return { pass: later >= confidence, measured: `${here}, ${there}; ${percent(later)} sure`, limit };
}
