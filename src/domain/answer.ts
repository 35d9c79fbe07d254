/** A person's answer to a quote, whom he lets answer it, and what comes of it. */
import type { Burst } from './burst.ts';
import { type Instant, instant } from './ids.ts';
import { type Answer, type Delegation, inWords, isTakenBack } from './quote.ts';

export type Answering =
  | { readonly kind: 'write'; readonly burst: Burst; readonly why: string }
  /** It was answered so already. */
  | { readonly kind: 'stands' }
  | { readonly kind: 'refused'; readonly why: string };

/** A burst with a person's answer to its quote, or why that answer comes too late or to nothing. */
export function answered(burst: Burst, answer: Answer): Answering {
  if (burst.quote !== undefined && burst.answer?.yes === answer.yes) return { kind: 'stands' };
  const why = shut(burst, answer.at);
  return why === undefined
    ? { kind: 'write', burst: { ...burst, answer }, why: inWords(answer) }
    : { kind: 'refused', why };
}

/** A burst whose quote somebody else may answer too, until then and no longer than the quote holds. The last delegate counts, alone. */
export function delegated(burst: Burst, asked: Delegation, reason: string): Answering {
  const why = shut(burst, asked.at);
  if (burst.quote === undefined || why !== undefined) return { kind: 'refused', why: why ?? '' };
  const delegation = { ...asked, until: instant(Math.min(asked.until, burst.quote.until)) };
  const { to, until } = delegation;
  const before = burst.delegated;
  if (before?.to === to && before.until === until) return { kind: 'stands' };
  return {
    kind: 'write',
    burst: { ...burst, delegated: delegation },
    why: `${asked.by} ${isTakenBack(delegation) ? `lets ${to} answer it no more` : `lets ${to} answer it until ${iso(until)}`}${reason === '' ? '' : `: ${reason}`}`,
  };
}

/** A burst whose quote ends now, as it would by its own clock. */
export function lapsed(burst: Burst, at: Instant, by: string, reason: string): Answering {
  const { quote } = burst;
  const over = quote !== undefined && burst.answer === undefined && at >= quote.until;
  if (over && (burst.state === 'proposed' || burst.cause?.kind === 'expired')) return { kind: 'stands' };
  const why = shut(burst, at);
  if (quote === undefined || why !== undefined) return { kind: 'refused', why: why ?? '' };
  return {
    kind: 'write',
    burst: { ...burst, quote: { ...quote, until: at } },
    why: `${by} lets the quote lapse${reason === '' ? '' : `: ${reason}`}`,
  };
}

/** Whether he was let answer it. */
export const isDelegate = ({ delegated }: Pick<Burst, 'delegated'>, name: string, at: Instant): boolean =>
  delegated !== undefined && delegated.to === name && at < delegated.until;

/** Why nobody may answer it any more; undefined: somebody may. */
function shut({ id, ref, state, cause, quote, answer }: Burst, at: Instant): string | undefined {
  if (quote === undefined)
    return `burst ${id} of job ${ref} was not offered for approval: the policy decided it`;
  if (answer !== undefined) return `${inWords(answer)}; ${answer.yes ? 'it is under way' : 'it is over'}`;
  if (state !== 'proposed')
    return `burst ${id} of job ${ref} is ${state}${cause === undefined ? '' : `: ${cause.text}`}`;
  return at >= quote.until ? `the quote ended at ${iso(quote.until)}` : undefined;
}

const iso = (at: Instant): string => new Date(at).toISOString();

/** Still to be answered, by its own clock or a person's. */
export const isOpen = (burst: Pick<Burst, 'state' | 'quote' | 'answer'>, at: Instant): boolean =>
  burst.state === 'proposed' &&
  burst.answer === undefined &&
  burst.quote !== undefined &&
  at < burst.quote.until;
