import type { ForecastView } from '../../../api/portal-schemas.ts';
import { ms } from '../../format.ts';

/** The answer of `GET /forecast`. */
export interface Forecast {
  /** By the gateway's clock, when it answered. */
  readonly now: string;
  readonly clusters: readonly ForecastView[];
}

/**
 * How old a look is, in ms: by the gateway's clock as it was when it answered, and by this browser's for the time since; the two need not agree.
 * `heardAt` and `nowMs` are the browser's.
 */
export const lookAge = (at: string, told: Pick<Forecast, 'now'>, heardAt: number, nowMs: number): number =>
  Math.max(0, ms(told.now) - ms(at)) + Math.max(0, nowMs - heardAt);

/** Whether nothing is begun on this look any more. */
export const isBlind = ({ staleAfterMs }: Pick<ForecastView, 'staleAfterMs'>, ageMs: number): boolean =>
  ageMs > staleAfterMs;
