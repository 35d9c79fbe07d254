import type { Burst, Exit } from '../domain/burst.ts';
import { comment } from './comment.ts';
import { type BurstContext, change, type Next, now, outcome } from './context.ts';
import { outOfMemory } from './ends.ts';
import { requeueOnce } from './requeue.ts';

/**
 * A job that was killed for its memory runs once more, at home, where the site has it so: there a node may have more than the job asked for. Its
 * stand-in is not told the end, for Slurm ends this run by requeueing it. Undefined: it ends as it ended.
 */
export async function returnForMemory(
  ctx: BurstContext,
  burst: Burst,
  exit: Exit,
): Promise<Next | undefined> {
  const { onFailure, explicit } = ctx.setup;
  if (exit.reason?.endsWith(outOfMemory) !== true || onFailure?.outOfMemory !== 'return') return undefined;
  // Who asked for the cloud itself has no other place to run.
  if (burst.saved.partition === explicit) return undefined;
  const job = await ctx.slurm.job(burst.ref);
  if (job?.state !== 'RUNNING' || job.restarts !== burst.restarts || !job.requeue) return undefined;
  let held = burst;
  if (burst.stays === undefined) {
    if (await returnedBefore(ctx, burst)) return undefined;
    const text = `${outOfMemory}; Slurm is asked to requeue the job, so that it runs on-prem`;
    const cause = { kind: 'out_of_memory', text } as const;
    const receipt = outcome(ctx, { ...burst, cause }, 'wait', text);
    // The line goes first: where it cannot be asked for now, the whole step comes again.
    await comment(ctx, burst, text);
    const written = await change(ctx, burst, { stays: text }, text, [{ kind: 'receipt', receipt }]);
    if (written === undefined) return now;
    held = written;
  }
  return requeueOnce(ctx, held, job);
}

/** A job that Slurm started here again before it was home is not sent round for ever. */
async function returnedBefore(ctx: BurstContext, { cluster, ref, job, id }: Burst): Promise<boolean> {
  const runs = await ctx.store.burstsOfJob(cluster, ref);
  return runs.some((b) => b.job === job && b.id !== id && b.stays !== undefined);
}
