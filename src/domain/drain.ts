import type { SwitchKind, Turn } from './switch.ts';

/** A node group that a person drained: nothing is launched in it and nothing new goes there, until somebody resumes it. */
export interface Drain extends Turn {
  readonly group: string;
}

/** One for each node group of a cluster. */
export const drainSwitch = {
  name: 'drain',
  rest: 'open',
  turned: 'drained',
} as const satisfies SwitchKind;

export function drainInWords({ group, by, why, at }: Drain): string {
  return `node group ${group} is drained by ${by} since ${new Date(at).toISOString()}${why === '' ? '' : `: ${why}`}`;
}
