import type { Burst } from '../domain/burst.ts';
import { faultOf } from '../domain/fault.ts';
import type { JobDetail } from '../domain/job.ts';
import {
  after,
  answered,
  type BurstContext,
  change,
  intend,
  later,
  type Next,
  now,
  troubled,
  writeMs,
} from './context.ts';

/** Slurm could not start it on a burst host (a full spool, a broken slurmd), and holds what it requeued: nobody's word, and nobody else lets go. */
export const launchFailed = ({ reason }: Pick<JobDetail, 'reason'>): boolean =>
  /^launch[ _]failed[ _]requeued[ _]held/.test(reason);

/**
 * Lets it go, and says when to look again. Asked again while it is shown so: a release of a job that is not held changes nothing. (Of one that
 * its owner held in this very moment it would be the owner's hold; Slurm has no word for "this hold only".) Where Slurm refuses, an admin is told:
 * the gateway's account lacks a right, and nobody else lets go.
 */
export async function letGo(ctx: BurstContext, burst: Burst): Promise<Next> {
  const deadline = later(ctx.clock.now(), writeMs);
  const intent = intend(ctx, burst, 'slurm.release', {}, deadline);
  const text = 'its launch failed on a burst host and Slurm holds it: lets it go';
  const held = await change(ctx, burst, {}, text, [{ kind: 'intent', intent }]);
  if (held === undefined) return now;
  ctx.log({ level: 'warn', text, burst: burst.id, job: burst.ref });
  try {
    await ctx.slurm.release(burst.ref, deadline);
    await change(ctx, held, { trouble: undefined }, 'Slurm let it go', [answered(ctx, intent, 'released')]);
    return after(1_000);
  } catch (e) {
    const fault = faultOf(e);
    if (fault === undefined) throw e;
    if (fault === 'unknown') return after(2_000);
    const told = await change(ctx, held, {}, `not let go: ${(e as Error).message}`, [
      answered(ctx, intent, fault),
    ]);
    if (told === undefined || fault !== 'refused') return after(5_000);
    await troubled(
      ctx,
      told,
      `Slurm refuses to release job ${burst.ref}, which it holds after a failed launch: ${(e as Error).message}; an admin must let it go (scontrol release ${burst.ref})`,
    );
    return after(60_000);
  }
}
