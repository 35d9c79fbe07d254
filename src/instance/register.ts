import type { Instance } from '../domain/instance.ts';
import type { NodeView } from '../domain/kube.ts';
import { after, type Next, now } from '../domain/next.ts';
import { minus, type Resources } from '../domain/resources.ts';
import { change, type InstanceContext, wakeBursts } from './context.ts';

/** Under this prefix NodeRestriction keeps a kubelet from labelling itself, so the label proves that the gateway matched it. */
export const groupLabel = 'node-restriction.kubernetes.io/spillway-group';

/** launched → joined: a node says that it is this instance, by its providerID. */
export async function awaitJoin(ctx: InstanceContext, instance: Instance): Promise<Next> {
  const over = await cloudSaysGone(ctx, instance);
  if (over !== undefined) return over;
  const node = await nodeOf(ctx, instance);
  if (node !== undefined) {
    await change(
      ctx,
      instance,
      { state: 'joined', node: node.name, trouble: undefined },
      `node ${node.name} joined`,
    );
    return now;
  }
  return inTime(ctx, instance, 'its node did not join');
}

/** joined → ready: labelled as ours, and its kubelet says Ready. */
export async function awaitReady(ctx: InstanceContext, instance: Instance): Promise<Next> {
  const over = await cloudSaysGone(ctx, instance);
  if (over !== undefined) return over;
  const node = await nodeOf(ctx, instance);
  if (node === undefined) return inTime(ctx, instance, 'its node went away');
  if (node.labels[groupLabel] !== instance.group)
    await ctx.kubernetes.labelNode(node.name, { [groupLabel]: instance.group });
  if (node.ready !== 'true') return inTime(ctx, instance, 'its node is not Ready');
  const real: Resources = {
    cpuMillis: Math.min(instance.capacity.cpuMillis, node.allocatable.cpuMillis),
    memoryBytes: Math.min(instance.capacity.memoryBytes, node.allocatable.memoryBytes),
    extended: minus(instance.capacity, { cpuMillis: 0, memoryBytes: 0, extended: {} }).extended,
  };
  await change(
    ctx,
    instance,
    { state: 'ready', readyAt: ctx.clock.now(), capacity: real, idleSince: undefined, trouble: undefined },
    `node ${node.name} is Ready`,
  );
  await wakeBursts(ctx, instance);
  ctx.replan();
  return now;
}

async function inTime(ctx: InstanceContext, instance: Instance, what: string): Promise<Next> {
  const group = ctx.group(instance.group);
  const since = instance.launchedAt ?? instance.createdAt;
  if (group !== undefined && ctx.clock.now() - since <= group.joinTimeoutMs) return after(1_000);
  const why = `${what} within ${Math.round((ctx.clock.now() - since) / 1000)} s`;
  await change(ctx, instance, { state: 'never_joined', why }, why);
  await wakeBursts(ctx, instance);
  return now;
}

export async function nodeOf(ctx: InstanceContext, instance: Instance): Promise<NodeView | undefined> {
  if (instance.cloudId === undefined) return undefined;
  return (await ctx.nodes()).find((n) => n.providerId.endsWith(`/${instance.cloudId}`));
}

/** The cloud itself says that it is terminated: the only word that ends an instance. Absence in one list says nothing. */
export async function cloudSaysGone(ctx: InstanceContext, instance: Instance): Promise<Next | undefined> {
  const listed = ctx.listed();
  if (listed === undefined || !listed.ok) return undefined;
  const seen = listed.value.find((i) => i.id === instance.cloudId);
  if (seen?.state !== 'terminated') return undefined;
  const why = instance.why ?? `instance ${instance.cloudId} was terminated`;
  const gone = await change(
    ctx,
    instance,
    { state: 'gone', endedAt: ctx.clock.now(), why, trouble: undefined },
    why,
  );
  if (gone === undefined) return now;
  await wakeBursts(ctx, instance);
  ctx.replan();
  return now;
}
