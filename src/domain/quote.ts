import type { Burst } from './burst.ts';
import type { Instant } from './ids.ts';
import { dollars, type MicroUsd } from './money.ts';

/** Mode approve: what a person is asked to say yes to. Nothing is held, claimed or bought for it. */
export interface Quote {
  /** From then on nobody may approve it any more. */
  readonly until: Instant;
  /** The most that it can cost; undefined: no price is known, and no budget counts. */
  readonly microUsd: MicroUsd | undefined;
  /** Why it would burst, in a sentence. */
  readonly why: string;
  /** What was asked for when it was made: a job of another size or time limit needs a new one. */
  readonly cpus: number;
  readonly timeLimitMs: number | 'unlimited';
}

/** What a named person said to a quote. The first answer stays. */
export interface Answer {
  readonly yes: boolean;
  readonly by: string;
  readonly at: Instant;
  readonly why: string;
}

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

export function inWords({ yes, by, at, why }: Answer): string {
  const what = `${yes ? 'approved' : 'declined'} by ${by} at ${new Date(at).toISOString()}`;
  return why === '' ? what : `${what}: ${why}`;
}

export const priceInWords = ({ microUsd }: Pick<Quote, 'microUsd'>): string =>
  microUsd === undefined ? 'at a price that is not known' : `for ${dollars(microUsd)} at most`;

/** Still to be answered, by its own clock or a person's. */
export const isOpen = (burst: Pick<Burst, 'state' | 'quote' | 'answer'>, at: Instant): boolean =>
  burst.state === 'proposed' &&
  burst.answer === undefined &&
  burst.quote !== undefined &&
  at < burst.quote.until;
