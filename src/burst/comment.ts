import type { Burst } from '../domain/burst.ts';
import { type BurstContext, later, writeMs } from './context.ts';

/** A line behind the owner's own comment, where a burst failed and nowhere else. Slurm forgets the job soon, so it is tried once. */
export async function comment(ctx: BurstContext, burst: Burst, text: string): Promise<void> {
  await ctx.slurm
    .appendComment(burst.ref, `spillway: ${text}`, later(ctx.clock.now(), writeMs))
    .catch((e: Error) =>
      ctx.log({ level: 'warn', text: `no comment on job ${burst.ref}: ${e.message}`, burst: burst.id }),
    );
}
