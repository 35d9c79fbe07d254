import type { Burst } from '../domain/burst.ts';
import { faultOf } from '../domain/fault.ts';
import { type BurstContext, later, writeMs } from './context.ts';

/** A line behind the owner's own comment, where a burst failed and nowhere else. Slurm forgets the job soon, so it is asked once; `unreachable`: it was not. */
export async function comment(ctx: BurstContext, burst: Burst, text: string): Promise<void> {
  await ctx.slurm
    .appendComment(burst.ref, `spillway: ${text}`, later(ctx.clock.now(), writeMs))
    .catch((e: Error) => {
      if (faultOf(e) === 'unreachable') throw e;
      ctx.log({ level: 'warn', text: `no comment on job ${burst.ref}: ${e.message}`, burst: burst.id });
    });
}
