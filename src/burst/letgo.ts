import type { Burst } from '../domain/burst.ts';
import { faultOf } from '../domain/fault.ts';
import type { JobDetail } from '../domain/job.ts';
import { answered, type BurstContext, change, intend, later, writeMs } from './context.ts';

/** Slurm could not start it on a burst host (a full spool, a broken slurmd), and holds what it requeued: nobody's word, and nobody else lets go. */
export const launchFailed = ({ reason }: Pick<JobDetail, 'reason'>): boolean =>
  /^launch[ _]failed[ _]requeued[ _]held/.test(reason);

/**
 * Lets it go. Asked again while it is shown so: a release of a job that is not held changes nothing. (Of one that its owner held in this very
 * moment it would be the owner's hold; Slurm has no word for "this hold only".)
 */
export async function letGo(ctx: BurstContext, burst: Burst): Promise<void> {
  const deadline = later(ctx.clock.now(), writeMs);
  const intent = intend(ctx, burst, 'slurm.release', {}, deadline);
  const text = 'its launch failed on a burst host and Slurm holds it: lets it go';
  const held = await change(ctx, burst, {}, text, [{ kind: 'intent', intent }]);
  if (held === undefined) return;
  ctx.log({ level: 'warn', text, burst: burst.id, job: burst.ref });
  try {
    await ctx.slurm.release(burst.ref, deadline);
    await change(ctx, held, {}, 'Slurm let it go', [answered(ctx, intent, 'released')]);
  } catch (e) {
    const fault = faultOf(e);
    if (fault === undefined) throw e;
    if (fault === 'unknown') return;
    await change(ctx, held, {}, `not let go: ${(e as Error).message}`, [answered(ctx, intent, fault)]);
  }
}
