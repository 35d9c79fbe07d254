import type { Burst } from '../domain/burst.ts';
import { assertNever, faultOf } from '../domain/fault.ts';
import type { JobDetail } from '../domain/job.ts';
import { type Budget, dollars, whose } from '../domain/money.ts';
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
  outcome,
  settleMs,
  writeMs,
} from './context.ts';
import { requeueOnce, unchanged } from './requeue.ts';

type Step = (ctx: BurstContext, burst: Burst) => Promise<Next>;

/** A cancelled job ends within KillWait; one that still runs by then is cancelled again. */
const cancelAgainMs = 120_000;

/** The step, unless a hard budget does not hold the burst any more: what has not claimed its job is given up, whatever `onExhausted` says. */
export function unlessSpent(step: Step): Step {
  return async (ctx, burst) => {
    const budget = ctx.notHeldBy?.(burst);
    if (budget === undefined) return step(ctx, burst);
    return leave(ctx, burst, { kind: 'no_budget', text: `${inWords(budget)}: nothing more is begun` });
  };
}

/** What becomes of a running job whose hard budget is spent. Undefined: it goes on. */
export async function endSpent(ctx: BurstContext, burst: Burst): Promise<Next | undefined> {
  const budget = ctx.notHeldBy?.(burst);
  const then = budget?.onExhausted ?? 'finish';
  if (budget === undefined || then === 'finish') return undefined;
  const job = await ctx.slurm.job(burst.ref);
  // Slurm's own end of it, if that is what it is, is seen by the step itself.
  if (job?.state !== 'RUNNING' || job.restarts !== burst.restarts) return undefined;
  const so = inWords(budget);
  switch (then) {
    case 'requeue': {
      const text = job.requeue
        ? `${so}; the job is requeued`
        : `${so}; the job may not be requeued, and goes on`;
      return (await told(ctx, burst, text)) ? now : requeueOnce(ctx, burst, job);
    }
    case 'cancel':
      return (await told(ctx, burst, `${so}; the job is cancelled`)) ? now : cancelOnce(ctx, burst, job);
    default:
      return assertNever(then);
  }
}

/** Once, before anything is done: the cause on the burst, and a receipt. */
async function told(ctx: BurstContext, burst: Burst, text: string): Promise<boolean> {
  if (burst.cause?.kind === 'no_budget') return false;
  const cause = { kind: 'no_budget', text } as const;
  const receipt = outcome(ctx, { ...burst, cause }, 'wait', text);
  await change(ctx, burst, { cause }, text, [{ kind: 'receipt', receipt }]);
  return true;
}

/** An answer that was lost is waited out, then Slurm is asked again: a second cancel of the same run changes nothing. */
async function cancelOnce(ctx: BurstContext, burst: Burst, job: JobDetail): Promise<Next | undefined> {
  const { cancel } = burst;
  if (
    cancel !== undefined &&
    ctx.clock.now() < later(cancel.deadline, cancel.answered ? cancelAgainMs : settleMs)
  )
    return cancel.answered ? undefined : after(2_000);
  const deadline = later(ctx.clock.now(), writeMs);
  const intent = intend(ctx, burst, 'slurm.cancel', { restarts: job.restarts }, deadline);
  const held = await change(
    ctx,
    burst,
    { cancel: { deadline, answered: false } },
    'asks Slurm to cancel the job',
    [{ kind: 'intent', intent }],
  );
  if (held === undefined) return now;
  let answer = 'cancelled';
  try {
    await ctx.slurm.cancel(burst.ref, deadline);
  } catch (e) {
    const fault = faultOf(e);
    if (fault === undefined) throw e;
    if (fault === 'unknown') return after(2_000);
    if (unchanged.has(fault)) {
      // As if it had not been tried: what runs over its budget is asked to end again soon.
      const text = `not cancelled: ${(e as Error).message}`;
      await change(ctx, held, { cancel: undefined }, text, [answered(ctx, intent, fault)]);
      return after(5_000);
    }
    answer = fault;
  }
  await change(
    ctx,
    held,
    { cancel: { deadline, answered: true } },
    `Slurm was asked to cancel it: ${answer}`,
    [answered(ctx, intent, answer)],
  );
  return after(1_000);
}

function inWords(budget: Budget): string {
  const { microUsd, per, source } = budget;
  const sum = `${dollars(microUsd)}${per === 'total' ? '' : ` a ${per}`}`;
  return `the hard budget of ${whose(budget)} (${sum}${source === undefined ? '' : `, ${source}`}) is spent`;
}
