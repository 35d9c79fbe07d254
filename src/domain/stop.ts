import type { SwitchKind, Turn } from './switch.ts';

/** Bursting was halted by a person: no burst is begun in this cluster and none is claimed, until somebody resumes it. */
export type Stop = Turn;

export const stopSwitch = {
  name: 'stop',
  rest: 'resumed',
  turned: 'stopped',
} as const satisfies SwitchKind;

export function inWords({ by, why, at }: Stop): string {
  return `stopped by ${by} since ${new Date(at).toISOString()}${why === '' ? '' : `: ${why}`}`;
}
