import type { Burst } from '../domain/burst.ts';
import { after, type BurstContext, change, type Next, never, now, outcome } from './context.ts';

/** proposed → approved: by policy. Where the site has gone back to mode observe meanwhile, what was only proposed is withdrawn. */
export async function approve(ctx: BurstContext, burst: Burst): Promise<Next> {
  if (ctx.setup.mode !== 'auto') {
    const cause = { kind: 'stopped', text: `mode is ${ctx.setup.mode} now: nothing was begun` } as const;
    const receipt = outcome(ctx, { ...burst, cause }, 'wait', cause.text);
    await change(ctx, burst, { state: 'withdrawn', cause }, cause.text, [{ kind: 'receipt', receipt }]);
    return never;
  }
  await change(ctx, burst, { state: 'approved' }, 'approved by policy (mode: auto)');
  return now;
}

/**
 * approved → reserved: from here the burst holds its place under the cap and waits for an instance. (Money is held here too,
 * once prices are known.)
 */
export async function reserve(ctx: BurstContext, burst: Burst): Promise<Next> {
  await change(ctx, burst, { state: 'reserved' }, 'holds one of the places for bursts');
  ctx.replan();
  return after(5_000);
}
