import type { Burst } from '../domain/burst.ts';
import { inWords } from '../domain/stop.ts';
import { type BurstContext, leave, type Next, withdraw } from './context.ts';

type Step = (ctx: BurstContext, burst: Burst) => Promise<Next>;

/**
 * The step, unless bursting is stopped: then a burst that has not claimed its job is withdrawn or gives it back. What carries on a job
 * that was claimed before, after a requeue or a restart, goes on: nobody else would run it.
 */
export function unlessStopped(step: Step): Step {
  return async (ctx, burst) => {
    if (burst.origin !== 'decision') return step(ctx, burst);
    const stop = await ctx.store.stopped(burst.cluster);
    if (stop === undefined) return step(ctx, burst);
    const cause = { kind: 'stopped', text: `bursting is ${inWords(stop)}` } as const;
    return burst.state === 'proposed' ? withdraw(ctx, burst, cause) : leave(ctx, burst, cause);
  };
}
