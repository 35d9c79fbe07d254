import type { Burst } from '../domain/burst.ts';
import { terminalStates } from '../domain/burst.ts';
import type { Instant } from '../domain/ids.ts';
import type { MicroUsd } from '../domain/money.ts';
import type { Ramp, RampDay } from '../domain/ramp.ts';
import { spentBy } from './price.ts';
import type { Priced } from './priced.ts';

/**
 * What the bursts that were decided today count against the ramp. One that gave its job back before anything ran counts no more;
 * the next run of a job that was claimed was not decided. `worst`: of what holds no money yet.
 */
export function rampDayOf(
  ramp: Ramp,
  today: readonly Burst[],
  at: Instant,
  worst: (burst: Burst) => MicroUsd,
): RampDay {
  let jobs = 0;
  let microUsd = 0;
  for (const b of today) {
    const over = terminalStates.has(b.state);
    if (b.origin !== 'decision' || (over && b.startedAt === undefined && b.grant === undefined)) continue;
    jobs += 1;
    microUsd += over ? spentBy(b, at) : (b.price?.held ?? worst(b));
  }
  return { ramp, jobs, microUsd };
}

/** The day while one turn goes on: what it approved is counted before the store has it. */
export class Climb implements RampDay {
  readonly ramp: Ramp;
  jobs: number;
  microUsd: MicroUsd;

  constructor({ ramp, jobs, microUsd }: RampDay) {
    this.ramp = ramp;
    this.jobs = jobs;
    this.microUsd = microUsd;
  }

  take(cost: Priced | { readonly kind: 'nothing' }): void {
    this.jobs += 1;
    if (cost.kind === 'known') this.microUsd += cost.price.held;
  }
}
