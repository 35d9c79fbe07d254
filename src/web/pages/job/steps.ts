import type { BurstFactsView, QueueJobView } from '../../../api/portal-schemas.ts';
import { ms } from '../../format.ts';
import { overStates } from '../../states.ts';

/** A state of the timeline. */
export interface Step {
  readonly at: string;
  readonly to: string;
  readonly why: string;
  /** In it for so long, in ms: until the next, or until now where it is `open`. */
  readonly took: number;
  readonly open: boolean;
}

/**
 * From submission to the end. `line`: its job in the queue, where it is there still; when it could run from is Slurm's to say, and of an earlier
 * run of the job it says nothing. `words`: why of the two that no burst goes through.
 */
export function stepsOf(
  burst: Pick<BurstFactsView, 'state' | 'restarts' | 'submitted' | 'timeline'>,
  line: Pick<QueueJobView, 'restarts' | 'eligible'> | undefined,
  words: { readonly submitted: string; readonly eligible: string },
  nowMs: number,
): readonly Step[] {
  const over = overStates.has(burst.state);
  const eligible = line?.restarts === burst.restarts ? line.eligible : undefined;
  const first = burst.timeline[0];
  // What Slurm's clock puts behind the first step is no part of the way to it: a job that was held, or a clock that is ahead.
  const before = (at: string | undefined, than: string | undefined): at is string =>
    at !== undefined && than !== undefined && ms(at) < ms(than);
  const begun = before(burst.submitted, first?.at)
    ? [{ at: burst.submitted, to: 'submitted', why: words.submitted }]
    : [];
  const ready =
    before(eligible, first?.at) && before(burst.submitted, eligible)
      ? [{ at: eligible, to: 'eligible', why: words.eligible }]
      : [];
  const all = [...begun, ...ready, ...burst.timeline];
  return all.map(({ at, to, why }, i) => {
    const next = all[i + 1];
    const open = next === undefined && !over;
    const took = next !== undefined ? ms(next.at) - ms(at) : over ? 0 : Math.max(0, nowMs - ms(at));
    return { at, to, why, took, open };
  });
}
