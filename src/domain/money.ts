import { type Instant, instant } from './ids.ts';

/** Whole micro-dollars: sums of them are exact up to nine thousand million dollars. */
export type MicroUsd = number;

export const microUsd = (dollars: number): MicroUsd => Math.round(dollars * 1_000_000);

export const dollars = (micro: MicroUsd): string => `${(micro / 1_000_000).toFixed(2)} USD`;

export const periods = ['day', 'week', 'month', 'total'] as const;
export type Period = (typeof periods)[number];

/** What an account, or without one the whole cluster, may spend in a period. A hard one is never passed, a soft one is told. */
export interface Budget {
  readonly account: string | undefined;
  readonly microUsd: MicroUsd;
  readonly per: Period;
  readonly hard: boolean;
  /** A hard one that is spent: what becomes of what runs on it; they finish if undefined. */
  readonly onExhausted?: 'finish' | 'requeue' | 'cancel' | undefined;
}

/** The beginning of the period that an instant lies in: midnight, Monday or the first, in UTC. */
export function periodStart(per: Period, at: Instant): Instant {
  const day = Math.floor(at / 86_400_000);
  switch (per) {
    case 'day':
      return instant(day * 86_400_000);
    case 'week':
      // 1 January 1970 was a Thursday.
      return instant((day - ((day + 3) % 7)) * 86_400_000);
    case 'month': {
      const date = new Date(at);
      return instant(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1));
    }
    case 'total':
      return instant(0);
  }
}
