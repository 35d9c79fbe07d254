import type { SpotSeen } from '../decide/spot.ts';
import { type Burst, holdsInstance } from '../domain/burst.ts';
import { drainInWords } from '../domain/drain.ts';
import { PortError } from '../domain/fault.ts';
import type { BurstId, CloudId, Instant, Uuid } from '../domain/ids.ts';
import type { CapacityType, CloudInstance, Missed, SpotPool } from '../domain/instance.ts';
import { type Instance, type InstanceState, instanceMayGo } from '../domain/instance.ts';
import { type DaemonSetView, isInstance, type NodeView } from '../domain/kube.ts';
import type { Budget } from '../domain/money.ts';
import type { Overhead } from '../domain/overhead.ts';
import type { NodeGroup } from '../domain/policy.ts';
import { ranksOf } from '../domain/ranks.ts';
import type { Resources } from '../domain/resources.ts';
import type { Seen } from '../domain/seen.ts';
import type {
  Clock,
  CloudPort,
  Entropy,
  Intent,
  KubernetesPort,
  StorePort,
  WakeId,
  Write,
} from '../ports.ts';
import { settles } from './settled.ts';

export interface InstanceContext {
  readonly cloud: CloudPort;
  readonly kubernetes: KubernetesPort;
  readonly store: StorePort;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly generation: Uuid;
  epoch(): number;
  group(name: string): NodeGroup | undefined;
  /** As the watch has them, or asked for where it has none yet. */
  nodes(): Promise<readonly NodeView[]>;
  /** The last list of the cloud, no older than a poll. */
  listed(): Seen<readonly CloudInstance[]> | undefined;
  /** What pods may request on a type of a group; undefined: nobody knows yet. */
  capacityOf?(group: string, type: string): Resources | undefined;
  /** What runs on every node, no older than a minute; undefined, or empty: it is not told. */
  daemons?(): Promise<readonly DaemonSetView[]>;
  /** Told of each whose node was measured, for the next plans. */
  found?(instance: Instance): void;
  /** Told what a launch did not get, for the next ones. */
  missed?(group: string, capacityType: CapacityType, missed: readonly Missed[]): void;
  /** What the site pays of its machines itself, and which budgets hold that; undefined: nothing is held for it. */
  overhead?(): OverheadTerms | undefined;
  /** Whether an idle instance is kept warm for what is to come. */
  spare?(instance: Instance): boolean;
  /** What is known of spot; undefined: nothing is bought so. */
  readonly spot?: SpotWord | undefined;
  replan(): void;
  wake(id: WakeId): void;
  /** As `burst/context`: what a change left behind. */
  wrote?(instance: Instance | undefined): void;
  log(line: {
    readonly level: 'debug' | 'info' | 'warn' | 'error';
    readonly text: string;
    readonly [field: string]: unknown;
  }): void;
}

export interface OverheadTerms extends Overhead {
  /** The overhead budget, and the hard ones of all accounts together. */
  readonly budgets: readonly Budget[];
  /** For so long beyond its time limit a burst holds money. */
  readonly marginMs: number | undefined;
}

export interface SpotWord {
  /** As the prices were read last [decide/spot.ts]. */
  readonly seen: SpotSeen;
  /** Since when the cloud is known to take it back. */
  interrupted(id: CloudId): Instant | undefined;
  /** A pool that took something back. */
  avoid(pool: SpotPool): void;
}

export type InstancePatch = Partial<Omit<Instance, 'id' | 'cluster' | 'rev' | 'token' | 'spec'>>;

/** As `burst/context.change`, for instances: undefined = somebody else was first. */
export async function change(
  ctx: InstanceContext,
  instance: Instance,
  patch: InstancePatch,
  why: string,
  extra: readonly Write[] = [],
): Promise<Instance | undefined> {
  const answer = await changeWithin(ctx, instance, patch, why, extra);
  return typeof answer === 'string' ? undefined : answer;
}

/** The same with money that is to be held: what a budget does not hold is not done. */
export async function changeWithin(
  ctx: InstanceContext,
  instance: Instance,
  patch: InstancePatch,
  why: string,
  extra: readonly Write[],
): Promise<Instance | 'conflict' | 'over_budget'> {
  const answer = await changeEach(ctx, [{ instance, patch, why }], extra);
  const written = typeof answer === 'string' ? undefined : answer[0];
  ctx.wrote?.(written);
  return written ?? (answer === 'over_budget' ? answer : 'conflict');
}

export interface InstanceChange {
  readonly instance: Instance;
  readonly patch: InstancePatch;
  readonly why: string;
}

/** All of them in one commit, or none. */
export async function changeEach(
  ctx: InstanceContext,
  changes: readonly InstanceChange[],
  extra: readonly Write[] = [],
): Promise<readonly Instance[] | 'conflict' | 'over_budget'> {
  const at = ctx.clock.now();
  const besides = ctx.overhead?.()?.besides ?? 0;
  const nexts: Instance[] = [];
  const writes: Write[] = [];
  for (const { instance, patch, why } of changes) {
    const to: InstanceState = patch.state ?? instance.state;
    if (to !== instance.state && !instanceMayGo(instance.state, to))
      throw new PortError(
        'invalid',
        'instance.change',
        `no way from ${instance.state} to ${to} (instance ${instance.id})`,
      );
    const next = { ...instance, ...patch, enteredAt: to === instance.state ? instance.enteredAt : at };
    nexts.push(next);
    writes.push({ kind: 'instance', instance: next, why });
    if (to === 'gone') writes.push(...(await settles(ctx.store, next, besides, at)));
  }
  const [first] = changes;
  if (first === undefined) return [];
  const { cluster } = first.instance;
  const answer = await ctx.store.commit(ctx.entropy.uuid(), cluster, ctx.epoch(), [...writes, ...extra]);
  if (answer !== 'ok') return answer;
  for (const [i, { instance, why }] of changes.entries()) {
    const to = nexts[i]?.state;
    if (to !== instance.state)
      ctx.log({ level: 'info', text: why, instance: instance.id, from: instance.state, to });
  }
  return nexts.map((next) => ({ ...next, rev: next.rev + 1 }));
}

/** Somebody's word that nothing new goes to the instance's node group; undefined: there is none. */
export async function drainOf(ctx: InstanceContext, instance: Instance): Promise<string | undefined> {
  const drains = await ctx.store.drains(instance.cluster);
  const found = drains.find((d) => d.group === instance.group);
  return found && drainInWords(found);
}

export function intend(
  ctx: InstanceContext,
  instance: Instance,
  effect: string,
  spec: Readonly<Record<string, unknown>>,
  deadline?: Instant,
): Intent {
  return {
    id: ctx.entropy.uuid(),
    subject: instance.id,
    effect,
    spec,
    epoch: ctx.epoch(),
    at: ctx.clock.now(),
    deadline,
  };
}

export async function nodeOf(ctx: InstanceContext, instance: Instance): Promise<NodeView | undefined> {
  if (instance.cloudId === undefined) return undefined;
  const { cloudId } = instance;
  return (await ctx.nodes()).find((n) => isInstance(n, cloudId));
}

/** The live bursts bound to an instance. */
export async function burstsOn(ctx: InstanceContext, instance: Instance): Promise<readonly BurstId[]> {
  return (await guestsOn(ctx, instance)).map((b) => b.id);
}

export async function guestsOn(ctx: InstanceContext, instance: Instance): Promise<readonly Burst[]> {
  const live = await ctx.store.liveBursts(instance.cluster);
  return live.filter((b) => holdsInstance(b) && ranksOf(b).some((of) => of.instance === instance.id));
}

export async function wakeBursts(ctx: InstanceContext, instance: Instance): Promise<void> {
  for (const id of await burstsOn(ctx, instance)) ctx.wake(id);
}
