import type { MicroUsd } from './money.ts';
import type { SwitchKind, Turn } from './switch.ts';

/** What mode auto may do in a day at a site that is new to it, until a named person lifts it. Days begin at midnight, UTC. */
export interface Ramp {
  readonly jobsPerDay: number;
  readonly microUsdPerDay: MicroUsd;
}

/** A ramp was lifted by a person: what the policy decides is done. */
export type Lift = Turn;

export const rampSwitch = {
  name: 'ramp',
  rest: 'limited',
  turned: 'lifted',
} as const satisfies SwitchKind;

/** A ramp with what today's bursts count against it: those under way by the most that they can cost, those that ran by what they did cost. */
export interface RampDay {
  readonly ramp: Ramp;
  readonly jobs: number;
  readonly microUsd: MicroUsd;
}
