import { faultOf, ignoring } from '../domain/fault.ts';
import { type Instance, isForeign, isOld } from '../domain/instance.ts';
import { saysOff } from '../domain/kube.ts';
import { after, type Next, never, now } from '../domain/next.ts';
import { burstsOn, change, drainOf, type InstanceContext, intend, nodeOf, wakeBursts } from './context.ts';
import { leaseEveryMs, renewLease } from './lease.ts';
import { topUp } from './overhead.ts';
import { takenBack } from './reclaim.ts';
import { cloudSaysGone, registeredAnew } from './register.ts';

/** The cloud may not list an instance for a while after its launch; after this, absence and not_found together mean gone. */
const absentMs = 10 * 60_000;
/** For a group that is in the configuration no more. */
const lostAfterMs = 10 * 60_000;

/** ready: in use, or idle and then draining. A node that stays silent for too long takes its bursts with it: it is terminated. */
export async function keep(ctx: InstanceContext, instance: Instance): Promise<Next> {
  const over = (await cloudSaysGone(ctx, instance)) ?? (await takenBack(ctx, instance));
  if (over !== undefined) return over;
  const group = ctx.group(instance.group);
  await renewLease(ctx, instance);
  if (await topUp(ctx, instance)) return now;
  const soon = leaseEveryMs(group);
  const busy = (await burstsOn(ctx, instance)).length > 0;
  if (busy) {
    if (instance.idleSince !== undefined) await change(ctx, instance, { idleSince: undefined }, 'in use');
    return silent(ctx, instance, Math.min(soon, 10_000));
  }
  const drained = await drainOf(ctx, instance);
  if (drained !== undefined) {
    await change(ctx, instance, { state: 'draining', why: drained }, drained);
    return now;
  }
  if (isOld(instance, group, ctx.clock.now())) {
    const why = `older than ${group?.name} lets an instance be`;
    await change(ctx, instance, { state: 'draining', why }, why);
    return now;
  }
  if (instance.idleSince === undefined) {
    await change(ctx, instance, { idleSince: ctx.clock.now() }, 'idle');
    return now;
  }
  const idle = ctx.clock.now() - instance.idleSince;
  const limit = group?.idleMs ?? 0;
  if (ctx.spare?.(instance) === true) return after(Math.min(30_000, soon));
  if (idle < limit) return after(Math.min(limit - idle + 50, 30_000, soon));
  // The plan binds bursts with this row's rev, so one that was bound in this moment makes the write below a conflict.
  const why = `idle for ${Math.round(idle / 1000)} s`;
  await change(ctx, instance, { state: 'draining', why }, why);
  return now;
}

async function silent(ctx: InstanceContext, instance: Instance, againMs: number): Promise<Next> {
  const node = await nodeOf(ctx, instance);
  if (node === undefined && (await registeredAnew(ctx, instance))) return after(1_000);
  const text =
    node === undefined
      ? 'its node object is absent'
      : node.ready === 'true'
        ? undefined
        : `its node ${node.name} is not Ready`;
  if (text !== instance.trouble?.text) {
    const trouble = text === undefined ? undefined : { since: ctx.clock.now(), text };
    await change(ctx, instance, { trouble }, text ?? 'its node is Ready again');
    await wakeBursts(ctx, instance);
    if (text === undefined) ctx.replan();
  }
  const since = instance.trouble?.since;
  const patience = ctx.group(instance.group)?.lostAfterMs ?? lostAfterMs;
  if (text === undefined || since === undefined || ctx.clock.now() - since < patience) return after(againMs);
  const why = `${text} for ${Math.round((ctx.clock.now() - since) / 1000)} s: what runs there cannot be known`;
  await change(ctx, instance, { state: 'draining', fenced: why, why }, why);
  return now;
}

/** draining → terminating: no pod of ours is left; the door is one-way. */
export async function drain(ctx: InstanceContext, instance: Instance): Promise<Next> {
  const over = await cloudSaysGone(ctx, instance);
  if (over !== undefined) return over;
  // One that is not ours to end is used again, by others or by the next that asks: that nothing new is planned there is enough.
  if (instance.node !== undefined && !isForeign(instance.spec))
    await ignoring('not_found', ctx.kubernetes.cordonNode(instance.node));
  // A fenced one is terminated because of what may still run there.
  if (instance.fenced === undefined && (await burstsOn(ctx, instance)).length > 0) return after(5_000);
  const intent = intend(ctx, instance, 'cloud.terminate', { id: instance.cloudId });
  await change(ctx, instance, { state: 'terminating' }, `terminates ${instance.cloudId}`, [
    { kind: 'intent', intent },
  ]);
  return now;
}

/** never_joined → terminating, with what the bursts that waited for it are told already. */
export async function giveUp(ctx: InstanceContext, instance: Instance): Promise<Next> {
  const intent = intend(ctx, instance, 'cloud.terminate', { id: instance.cloudId });
  await change(
    ctx,
    instance,
    { state: 'terminating' },
    `terminates ${instance.cloudId}, which never joined`,
    [{ kind: 'intent', intent }],
  );
  return now;
}

/** terminating → gone: asked until the cloud itself says terminated; only then its Node object goes. */
export async function terminate(ctx: InstanceContext, instance: Instance): Promise<Next> {
  if (instance.cloudId === undefined) {
    await change(ctx, instance, { state: 'gone', endedAt: ctx.clock.now() }, 'it was never launched');
    return now;
  }
  let unknown = false;
  try {
    await ctx.cloud.terminate(instance.cloudId);
  } catch (e) {
    if (faultOf(e) !== 'not_found') throw e;
    unknown = true;
  }
  if (!unknown && instance.releasedAt === undefined) {
    // Billing ends here; the cloud says "terminated" when the machine is down, which may take a minute.
    const at = ctx.clock.now();
    await change(ctx, instance, { releasedAt: at }, `the cloud takes ${instance.cloudId} down`);
    return now;
  }
  // The list is polled for all of them together; asking again is for an answer that was lost.
  const listed = ctx.listed();
  const seen = listed?.ok === true ? listed.value.find((i) => i.id === instance.cloudId) : undefined;
  const absent =
    listed?.ok === true &&
    seen === undefined &&
    unknown &&
    ctx.clock.now() - (instance.launchedAt ?? instance.createdAt) > absentMs &&
    // Of a machine that is not ours to end it says only that its record is gone: what is bound there may run on.
    (!isForeign(instance.spec) || (await burstsOn(ctx, instance)).length === 0);
  if (seen?.state !== 'terminated' && !absent) {
    const text = foreignWaits(instance);
    if (text !== undefined && instance.trouble?.text !== text)
      await change(ctx, instance, { trouble: { since: ctx.clock.now(), text } }, text);
    return after(isForeign(instance.spec) ? 10_000 : 30_000);
  }
  await change(
    ctx,
    instance,
    { state: 'gone', endedAt: ctx.clock.now(), trouble: undefined },
    instance.why ?? `${instance.cloudId} is terminated`,
  );
  await wakeBursts(ctx, instance);
  return now;
}

/** The gateway cannot terminate it, so what may run there ends by its kubelet's word, a person's, or with its Node object. */
function foreignWaits({ spec, fenced, node, cloudId }: Instance): string | undefined {
  if (!isForeign(spec) || fenced === undefined) return undefined;
  if (spec.external !== undefined)
    return `node ${node ?? cloudId} is given up when whoever scales it has taken its machine and its Node object away, or when it is Ready again and says that our pods are over, or when it is off and a person says so: ${saysOff(node ?? 'NODE')}`;
  return `node ${node ?? cloudId} is given back when it is Ready again and says that our pods are over, or when it is off and a person says so: ${saysOff(node ?? 'NODE')}`;
}

/** gone: the Node object goes after its instance; that of a machine which is not ours to end is not ours either. */
export async function bury(ctx: InstanceContext, instance: Instance): Promise<Next> {
  if (isForeign(instance.spec)) return never;
  const node = await nodeOf(ctx, instance);
  if (node !== undefined) await ignoring('not_found', ctx.kubernetes.deleteNode(node.name));
  return never;
}
