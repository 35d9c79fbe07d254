import type { Instance } from '../domain/instance.ts';
import { type Next, now } from '../domain/next.ts';
import { change, type InstanceContext, wakeBursts } from './context.ts';

/**
 * The cloud says that it takes the instance back, in a minute or two: nothing new is planned on it, its node is cordoned by the step that drains
 * it, and its bursts are told. Undefined: it does not.
 */
export async function takenBack(ctx: InstanceContext, instance: Instance): Promise<Next | undefined> {
  const { cloudId, type, zone } = instance;
  const at = cloudId === undefined ? undefined : ctx.spot?.interrupted(cloudId);
  if (at === undefined) return undefined;
  if (type !== undefined && zone !== undefined) ctx.spot?.avoid({ type, zone });
  const why = `the cloud takes ${cloudId} back`;
  const written = await change(ctx, instance, { state: 'draining', reclaimedAt: at, why }, why);
  if (written !== undefined) {
    await wakeBursts(ctx, instance);
    ctx.replan();
  }
  return now;
}
