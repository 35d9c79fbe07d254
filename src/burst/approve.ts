import type { Burst } from '../domain/burst.ts';
import { after, type BurstContext, change, type Next, never, now } from './context.ts';

/** proposed → approved: by policy. In mode observe nothing is proposed, and what was stays where it is. */
export async function approve(ctx: BurstContext, burst: Burst): Promise<Next> {
  if (ctx.setup.mode !== 'auto') return never;
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
