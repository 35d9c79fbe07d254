/** A person's answer to a quote, and what comes of it. */
import type { Burst } from './burst.ts';
import type { Instant } from './ids.ts';
import { type Answer, inWords } from './quote.ts';

export type Answering =
  | { readonly kind: 'write'; readonly burst: Burst; readonly why: string }
  /** It was answered so already. */
  | { readonly kind: 'stands' }
  | { readonly kind: 'refused'; readonly why: string };

/** A burst with a person's answer to its quote, or why that answer comes too late or to nothing. */
export function answered(burst: Burst, answer: Answer): Answering {
  const { quote, answer: before } = burst;
  if (quote === undefined)
    return {
      kind: 'refused',
      why: `burst ${burst.id} of job ${burst.ref} was not offered for approval: the policy decided it`,
    };
  if (before !== undefined)
    return before.yes === answer.yes
      ? { kind: 'stands' }
      : { kind: 'refused', why: `${inWords(before)}; ${before.yes ? 'it is under way' : 'it is over'}` };
  if (burst.state !== 'proposed')
    return {
      kind: 'refused',
      why: `burst ${burst.id} of job ${burst.ref} is ${burst.state}${burst.cause === undefined ? '' : `: ${burst.cause.text}`}`,
    };
  if (answer.at >= quote.until)
    return { kind: 'refused', why: `the quote ended at ${new Date(quote.until).toISOString()}` };
  return { kind: 'write', burst: { ...burst, answer }, why: inWords(answer) };
}

/** Still to be answered, by its own clock or a person's. */
export const isOpen = (burst: Pick<Burst, 'state' | 'quote' | 'answer'>, at: Instant): boolean =>
  burst.state === 'proposed' &&
  burst.answer === undefined &&
  burst.quote !== undefined &&
  at < burst.quote.until;
