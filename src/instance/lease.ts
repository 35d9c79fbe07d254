import { usualLeaseMs } from '../decide/overhead.ts';
import { faultOf } from '../domain/fault.ts';
import { type Instance, isForeign } from '../domain/instance.ts';
import type { NodeGroup } from '../domain/policy.ts';
import { type InstanceContext, nodeOf } from './context.ts';

/** Five may be missed in a row; and no longer than with the usual lease, whatever a machine's user data say. */
export const leaseEveryMs = (group: Pick<NodeGroup, 'leaseMs'> | undefined): number =>
  Math.min(group?.leaseMs ?? usualLeaseMs, usualLeaseMs) / 6;

/**
 * Says on its node that a gateway stands for it. Its dead man's switch powers the machine off when that has not changed for the whole
 * lease and no burst runs there, so a gateway that is dead for good leaves nothing behind. A machine that stays has no such switch. Nor has one that
 * somebody else scales: what is held there ends by the placeholder's own deadline, a job's pod by its own [translate/pod.ts], and he takes
 * the empty node away.
 */
export async function renewLease(ctx: InstanceContext, instance: Instance): Promise<void> {
  if (isForeign(instance.spec)) return;
  const node = await nodeOf(ctx, instance);
  const at = ctx.clock.now();
  const every = leaseEveryMs(ctx.group(instance.group));
  // One from the future was written by a clock that has been set back since: the machine waits for a change.
  if (node === undefined || (node.leasedAt !== undefined && Math.abs(at - node.leasedAt) < every)) return;
  try {
    await ctx.kubernetes.renewLease(node.name, at);
  } catch (e) {
    // The next look tries again, long before the machine acts on it.
    if (faultOf(e) === undefined) throw e;
    const text = `the lease on node ${node.name}: ${(e as Error).message}`;
    ctx.log({ level: 'warn', text, instance: instance.id });
  }
}
