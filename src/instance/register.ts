import type { Burst } from '../domain/burst.ts';
import { claimOf } from '../domain/devices.ts';
import { faultOf } from '../domain/fault.ts';
import { type CloudId, type Instant, instant } from '../domain/ids.ts';
import type { CloudInstance, Instance, Measured } from '../domain/instance.ts';
import { instanceLabel, type NodeView, runsOn } from '../domain/kube.ts';
import { after, type Next, now } from '../domain/next.ts';
import type { NodeGroup } from '../domain/policy.ts';
import { ranksOf, withRanks } from '../domain/ranks.ts';
import { fits, MiB, minus, nothing, plus, type Resources } from '../domain/resources.ts';
import type { Write } from '../ports.ts';
import { podNeeds } from '../translate/index.ts';
import { priceOf } from './answered.ts';
import { bootFailed } from './boots.ts';
import { change, guestsOn, type InstanceContext, type InstancePatch, nodeOf, wakeBursts } from './context.ts';
import { renewLease } from './lease.ts';
import { takenBack } from './reclaim.ts';

/** Under this prefix NodeRestriction keeps a kubelet from labelling itself, so the label proves that the gateway matched it. */
export const groupLabel = 'node-restriction.kubernetes.io/spillway-group';

/** launched → joined: a node says that it is this instance, by its providerID. */
export async function awaitJoin(ctx: InstanceContext, instance: Instance): Promise<Next> {
  const over = (await cloudSaysGone(ctx, instance)) ?? (await takenBack(ctx, instance));
  if (over !== undefined) return over;
  if (instance.spec.external !== undefined) return awaitPlace(ctx, instance);
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

/**
 * launched → joined where somebody else brings the machine: the pod that holds the place is on a node. What came is known only now, and what it
 * costs; it is labelled as this instance before it is noted, so that a machine of the same name that comes later is not taken for it.
 */
async function awaitPlace(ctx: InstanceContext, instance: Instance): Promise<Next> {
  const { seen, node } = await placeOf(ctx, instance);
  if (seen === undefined || node === undefined) {
    const why = seen?.external?.waits;
    return inTime(ctx, instance, `nobody brought a node for it${why === undefined ? '' : ` (${why})`}`);
  }
  const taken = await labelled(ctx, instance, seen.id, node);
  if (taken === 'again') return after(1_000);
  if (taken !== 'ok') return inTime(ctx, instance, taken.why);
  const { type, zone } = seen;
  await change(
    ctx,
    instance,
    {
      ...{ state: 'joined', node: node.name, type, zone, trouble: undefined },
      // Before its machine was made nobody paid for it.
      launchedAt: instant(Math.max(instance.launchedAt ?? 0, node.createdAt)),
      price: priceOf(ctx, instance, seen),
      capacity: ctx.capacityOf?.(instance.group, type) ?? instance.capacity,
    },
    `node ${node.name} (${type} in ${zone}) has its place`,
  );
  return now;
}

/** Where the list has it on a node. */
async function placeOf(
  ctx: InstanceContext,
  { cloudId: id }: Instance,
): Promise<{ readonly seen: CloudInstance | undefined; readonly node: NodeView | undefined }> {
  const listed = ctx.listed();
  const seen = listed?.ok === true ? listed.value.find((i) => i.id === id) : undefined;
  if (seen?.state !== 'running' || seen.privateDnsName === '') return { seen, node: undefined };
  return { seen, node: (await ctx.nodes()).find((n) => n.name === seen.privateDnsName) };
}

/** As it was seen, and never one that is another's. `again`: it has changed since. */
async function labelled(
  ctx: InstanceContext,
  { group }: Instance,
  id: CloudId,
  node: NodeView,
): Promise<'ok' | 'again' | { readonly why: string }> {
  const other = node.labels[instanceLabel];
  // Its place ended since the list was read, and another's was bound there: the next list tells.
  if (other !== undefined && other !== id) return { why: `node ${node.name} is instance ${other} by now` };
  try {
    await ctx.kubernetes.markNode(node, {
      labels: { [instanceLabel]: id, [groupLabel]: group },
      annotations: {},
    });
    return 'ok';
  } catch (e) {
    const fault = faultOf(e);
    if (fault === 'conflict') return 'again';
    // Such as a pool that lacks the taint: admission will say no as often as it is asked.
    if (fault !== 'refused') throw e;
    return { why: `node ${node.name} may not be taken (${(e as Error).message})` };
  }
}

/** Its Node was deleted and registered anew, without the label, while its pods run there. True: it is labelled again, or will be at the next look. */
export async function registeredAnew(ctx: InstanceContext, instance: Instance): Promise<boolean> {
  if (instance.spec.external === undefined) return false;
  const { seen, node } = await placeOf(ctx, instance);
  if (seen === undefined || node === undefined || node.name !== instance.node) return false;
  const taken = await labelled(ctx, instance, seen.id, node);
  return taken === 'ok' || taken === 'again';
}

/** joined → ready: labelled as ours, and its kubelet says Ready. */
export async function awaitReady(ctx: InstanceContext, instance: Instance): Promise<Next> {
  const over = (await cloudSaysGone(ctx, instance)) ?? (await takenBack(ctx, instance));
  if (over !== undefined) return over;
  const node = await nodeOf(ctx, instance);
  if (node === undefined) return inTime(ctx, instance, 'its node went away');
  if (node.labels[groupLabel] !== instance.group)
    await ctx.kubernetes.labelNode(node.name, { [groupLabel]: instance.group });
  // Devices may take longer than its switch waits for a first word.
  await renewLease(ctx, instance);
  if (node.ready !== 'true') return inTime(ctx, instance, 'its node is not Ready');
  const wanting = wantingOn(node, instance, ctx.group(instance.group));
  if (wanting !== undefined) return inTime(ctx, instance, wanting);
  const measured = await measure(ctx, instance, node);
  const { pods } = measured;
  const real: Resources = {
    cpuMillis: Math.min(instance.capacity.cpuMillis, measured.cpuMillis),
    memoryBytes: Math.min(instance.capacity.memoryBytes, measured.memoryBytes),
    extended: realOf(instance.capacity.extended, node.allocatable.extended),
    // Of a machine that is shared nobody counts the pods of others here.
    ...(instance.spec.fixed === undefined ? { pods } : {}),
  };
  const at = ctx.clock.now();
  const guests = await guestsOn(ctx, instance);
  const unbound = tooMuch(instance, guests, real);
  const ready = await change(
    ctx,
    instance,
    {
      ...{ state: 'ready', readyAt: at, capacity: real, idleSince: undefined, trouble: undefined },
      ...(instance.spec.fixed === undefined ? { measured } : {}),
    },
    `node ${node.name} is Ready`,
    unbound.map((burst) => unbind(burst, `node ${node.name} leaves ${inWords(real)} to jobs`, at)),
  );
  if (ready === undefined) return now;
  if (ready.measured !== undefined) ctx.found?.(ready);
  for (const { id } of guests) ctx.wake(id);
  ctx.replan();
  return now;
}

/** What its node leaves to pods of jobs: as its kubelet says, less what DaemonSets ask for that are there or on their way. */
async function measure(ctx: InstanceContext, { group: name }: Instance, node: NodeView): Promise<Measured> {
  const group = ctx.group(name);
  const all = group === undefined ? [] : ((await ctx.daemons?.()) ?? []);
  const there = all.filter((d) => group !== undefined && runsOn(d, node.labels, group.taint));
  const { cpuMillis, memoryBytes, pods } = node.allocatable;
  const theirs = there.map((d) => d.requests).reduce(plus, nothing);
  return {
    cpuMillis: Math.max(0, cpuMillis - theirs.cpuMillis),
    memoryBytes: Math.max(0, memoryBytes - theirs.memoryBytes),
    pods: Math.max(0, pods - there.length),
  };
}

/** The youngest of those planned on it that it does not hold after all. Nothing of them was made yet: pods are made on machines that are Ready. */
function tooMuch({ id }: Instance, guests: readonly Burst[], real: Resources): readonly Burst[] {
  let free = real;
  return [...guests]
    .sort((a, b) => a.createdAt - b.createdAt)
    .filter((burst) => {
      const here = ranksOf(burst).filter((rank) => rank.instance === id);
      const needs = here.map(() => podNeeds(burst)).reduce(plus, nothing);
      const planned = burst.state === 'reserved' || burst.state === 'provisioning';
      const unmade = ranksOf(burst).every(({ pod }) => pod?.uid === undefined);
      if (planned && unmade && !fits(needs, free)) return true;
      free = minus(free, needs);
      return false;
    });
}

/** On none of its instances any more: a plan that knows the machine better finds it a place. It is not to blame, so no return is counted. */
function unbind(burst: Burst, why: string, at: Instant): Write {
  const places = withRanks(burst, () => ({ instance: undefined, pod: undefined }));
  const seeking = { since: burst.seeking?.since ?? at, why };
  const entered = burst.state === 'reserved' ? burst.enteredAt : at;
  return {
    kind: 'burst',
    burst: { ...burst, state: 'reserved', enteredAt: entered, ...places, seeking, trouble: undefined },
    why: `planned again: ${why}`,
  };
}

const inWords = ({ cpuMillis, memoryBytes, pods }: Resources): string =>
  `${cpuMillis} m vCPU, ${Math.floor(memoryBytes / MiB)} MiB${pods === undefined ? '' : ` and ${pods} pods`}`;

/**
 * What its group promises and the node does not show yet: device plugins and what labels nodes by their devices come after Ready. A
 * device that never comes is an instance that never joined, not a pod that waits on it for ever.
 */
function wantingOn(node: NodeView, { capacity }: Instance, group: NodeGroup | undefined): string | undefined {
  for (const [name, promised] of Object.entries(capacity.extended))
    if (promised > 0 && (shown(name, node.allocatable.extended) ?? promised) === 0)
      return `its node shows no ${name}`;
  for (const [feature, label] of Object.entries(group?.features ?? {})) {
    const [key = '', value = ''] = label?.split('=') ?? [];
    if (label !== undefined && node.labels[key] !== value)
      return `its node has no label ${label}, which proves feature ${feature}`;
  }
  return undefined;
}

/** Undefined: a claim, whose devices no node counts. */
const shown = (name: string, extended: Resources['extended'] = {}): number | undefined =>
  claimOf(name) === undefined ? (extended[name] ?? 0) : undefined;

const realOf = (planned: Resources['extended'], real: Resources['extended'] | undefined) =>
  Object.fromEntries(Object.entries(planned).map(([name, n]) => [name, Math.min(n, shown(name, real) ?? n)]));

async function inTime(ctx: InstanceContext, instance: Instance, what: string): Promise<Next> {
  const group = ctx.group(instance.group);
  const since = instance.launchedAt ?? instance.createdAt;
  if (group !== undefined && ctx.clock.now() - since <= group.joinTimeoutMs) return after(1_000);
  const why = `${what} within ${Math.round((ctx.clock.now() - since) / 1000)} s`;
  // Of a machine that nobody brought nothing is paid.
  const free = instance.spec.external !== undefined && instance.node === undefined;
  await bootFailed(ctx, instance, { state: 'never_joined', ...(free ? { launchedAt: undefined } : {}) }, why);
  await wakeBursts(ctx, instance);
  return now;
}

/** The cloud itself says that it is terminated: the only word that ends an instance. Absence in one list says nothing. */
export async function cloudSaysGone(ctx: InstanceContext, instance: Instance): Promise<Next | undefined> {
  const listed = ctx.listed();
  if (listed === undefined || !listed.ok) return undefined;
  const seen = listed.value.find((i) => i.id === instance.cloudId);
  if (seen?.state !== 'terminated') return undefined;
  const reclaimed = seen.reclaimed === true && instance.spec.capacityType === 'spot';
  // Nobody was told ahead.
  const sudden = reclaimed && instance.reclaimedAt === undefined;
  if (sudden && instance.type !== undefined && instance.zone !== undefined)
    ctx.spot?.avoid({ type: instance.type, zone: instance.zone });
  const why = instance.why ?? `instance ${instance.cloudId} was ${reclaimed ? 'taken back' : 'terminated'}`;
  const at = ctx.clock.now();
  const over: InstancePatch = {
    ...{ state: 'gone', endedAt: at, why, trouble: undefined },
    ...(sudden ? { reclaimedAt: at } : {}),
  };
  // Nobody asked for its end: it ended by itself, or somebody's hand did it, before it was a node.
  const boots = (instance.state === 'launched' || instance.state === 'joined') && !reclaimed;
  const gone = await (boots ? bootFailed(ctx, instance, over, why) : change(ctx, instance, over, why));
  if (gone === undefined) return now;
  await wakeBursts(ctx, instance);
  ctx.replan();
  return now;
}
