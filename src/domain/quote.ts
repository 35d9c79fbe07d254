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

/** Whom a named person lets answer one quote, until then. */
export interface Delegation {
  /** A Unix name. */
  readonly to: string;
  readonly until: Instant;
  readonly by: string;
  readonly at: Instant;
}

/** It was over when it was written: what was let before is taken back by it. */
export const isTakenBack = ({ until, at }: Pick<Delegation, 'until' | 'at'>): boolean => until <= at;

export function inWords({ yes, by, at, why }: Answer): string {
  const what = `${yes ? 'approved' : 'declined'} by ${by} at ${new Date(at).toISOString()}`;
  return why === '' ? what : `${what}: ${why}`;
}

export const priceInWords = ({ microUsd }: Pick<Quote, 'microUsd'>): string =>
  microUsd === undefined ? 'at a price that is not known' : `for ${dollars(microUsd)} at most`;
