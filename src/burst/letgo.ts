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
  leave,
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
 * the gateway's account lacks a right, and nobody else lets go. For a job at home, of which nothing is paid any more.
 */
export async function letGo(ctx: BurstContext, burst: Burst): Promise<Next> {
  const { next, refused } = await asked(ctx, burst);
  if (refused === undefined) return next;
  const { told, text } = refused;
  await troubled(ctx, told, `${text}; an admin must let it go (scontrol release ${burst.ref})`);
  return after(60_000);
}

/** The same while its pods wait on machines that are paid: where Slurm refuses, the job is given back. */
export async function letGoOrLeave(ctx: BurstContext, burst: Burst): Promise<Next> {
  const { next, refused } = await asked(ctx, burst);
  if (refused === undefined) return next;
  return leave(ctx, refused.told, { kind: 'no_standin', text: refused.text });
}

interface Asked {
  readonly next: Next;
  /** Slurm said no: the burst as it was written then, and its words. */
  readonly refused?: { readonly told: Burst; readonly text: string };
}

async function asked(ctx: BurstContext, burst: Burst): Promise<Asked> {
  const deadline = later(ctx.clock.now(), writeMs);
  const intent = intend(ctx, burst, 'slurm.release', {}, deadline);
  const doing = 'its launch failed on a burst host and Slurm holds it: lets it go';
  const held = await change(ctx, burst, {}, doing, [{ kind: 'intent', intent }]);
  if (held === undefined) return { next: now };
  ctx.log({ level: 'warn', text: doing, burst: burst.id, job: burst.ref });
  try {
    await ctx.slurm.release(burst.ref, deadline);
    await change(ctx, held, { trouble: undefined }, 'Slurm let it go', [answered(ctx, intent, 'released')]);
    return { next: after(1_000) };
  } catch (e) {
    const fault = faultOf(e);
    if (fault === undefined) throw e;
    if (fault === 'unknown') return { next: after(2_000) };
    const words = (e as Error).message;
    const told = await change(ctx, held, {}, `not let go: ${words}`, [answered(ctx, intent, fault)]);
    const next = after(5_000);
    if (told === undefined || fault !== 'refused') return { next };
    const text = `Slurm refuses to release job ${burst.ref}, which it holds after a failed launch: ${words}`;
    return { next, refused: { told, text } };
  }
}
