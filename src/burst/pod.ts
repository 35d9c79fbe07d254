import type { Burst } from '../domain/burst.ts';
import { ignoring } from '../domain/fault.ts';
import { type Instance, isForeign } from '../domain/instance.ts';
import { type NodeView, type PodRef, type PodView, saysOff } from '../domain/kube.ts';
import { type Rank, ranksOf } from '../domain/ranks.ts';
import type { Write } from '../ports.ts';
import { secretNameFor } from '../translate/index.ts';
import { type BurstContext, change, troubled } from './context.ts';
import { endedHow } from './ends.ts';

/** For a group that is in the configuration no more. */
const lostAfterMs = 10 * 60_000;

/** Where in its Secret the key of a burst's keeper lies. */
export const keyName = 'key';

export function secretOf(burst: Pick<Burst, 'id'>, pod: PodRef): PodRef {
  return { namespace: pod.namespace, name: secretNameFor(burst) };
}

/**
 * Is this pod over? Only when its kubelet reported the user's container terminated and the node is Ready, or the cloud says
 * that the instance is terminated. All else is unknown: an absent object, an unreachable node, a deletion that was asked for.
 */
export type PodSight =
  /** `all`: its keeper is over too, so nothing more will be heard of it. `machineGone`: by the cloud's word, not its kubelet's. */
  | {
      readonly kind: 'over';
      readonly how: string;
      readonly all: boolean;
      readonly pod: PodView | undefined;
      readonly machineGone?: true;
    }
  | { readonly kind: 'alive'; readonly pod: PodView }
  | { readonly kind: 'unknown'; readonly why: string; readonly pod: PodView | undefined };

export async function lookAtRank(ctx: BurstContext, of: Omit<Rank, 'rank'>): Promise<PodSight> {
  const instance = of.instance === undefined ? undefined : await ctx.store.instance(of.instance);
  const pod = of.pod === undefined ? undefined : await ctx.kubernetes.pod(of.pod.ref);
  if (instance?.state === 'gone')
    return {
      kind: 'over',
      how: `instance ${instance.cloudId} is terminated`,
      all: true,
      pod,
      machineGone: true,
    };
  if (of.pod === undefined) return { kind: 'over', how: 'it has no pod', all: true, pod };
  if (pod === undefined)
    return {
      kind: 'unknown',
      why: `pod ${of.pod.ref.name} is absent, which says nothing of its containers`,
      pod,
    };
  const main = pod.containers.main;
  if (pod.node === undefined && pod.deletingSince !== undefined)
    return { kind: 'over', how: 'it was never placed on a node', all: true, pod };
  const node = pod.node === undefined ? undefined : await nodeOf(ctx, pod.node);
  if (main?.state === 'terminated') {
    if (node?.ready === 'true') {
      const all = pod.containers.keeper?.state === 'terminated';
      return { kind: 'over', how: endedHow(pod, main), all, pod };
    }
    return {
      kind: 'unknown',
      why: `node ${pod.node} is not Ready, its last word was that main terminated`,
      pod,
    };
  }
  if (pod.node !== undefined && (node === undefined || node.ready !== 'true'))
    return {
      kind: 'unknown',
      why: `node ${pod.node} is ${node === undefined ? 'absent' : 'not Ready'}: its containers may still run`,
      pod,
    };
  return { kind: 'alive', pod };
}

/** The pod that the script runs in. */
export const lookAtPod = (ctx: BurstContext, burst: Burst): Promise<PodSight> => lookAtRank(ctx, burst);

type RankSight = PodSight & { readonly of: Rank };

async function lookAtRanks(ctx: BurstContext, ranks: readonly Rank[]): Promise<readonly RankSight[]> {
  return Promise.all(ranks.map(async (of) => ({ ...(await lookAtRank(ctx, of)), of })));
}

/** The whole attempt: over only when each of its pods is, and unknown while any of them is. */
export async function lookAtAll(
  ctx: BurstContext,
  burst: Burst,
  ranks: readonly Rank[] = ranksOf(burst),
): Promise<PodSight> {
  const sights = await lookAtRanks(ctx, ranks);
  const left = firstOf(sights, 'unknown') ?? firstOf(sights, 'alive');
  if (left !== undefined) return left;
  const first = sights[0] ?? (await lookAtPod(ctx, burst));
  return first.kind === 'over' ? { ...first, all: sights.every((s) => s.kind === 'over' && s.all) } : first;
}

/** What every pod must be before the script begins: alive only while all of them are. */
export async function lookAtEach(ctx: BurstContext, burst: Burst): Promise<PodSight> {
  const sights = await lookAtRanks(ctx, ranksOf(burst));
  return firstOf(sights, 'over') ?? firstOf(sights, 'unknown') ?? sights[0] ?? lookAtPod(ctx, burst);
}

function firstOf(sights: readonly RankSight[], kind: PodSight['kind']): PodSight | undefined {
  const found = sights.find((s) => s.kind === kind);
  if (found === undefined || found.of.rank === 0) return found;
  const name = `rank ${found.of.rank}`;
  if (found.kind === 'over') return { ...found, how: `${name}: ${found.how}` };
  return found.kind === 'unknown' ? { ...found, why: `${name}: ${found.why}` } : found;
}

/**
 * Notes that nothing is known of the pod, and says why. True once that has lasted so long that the pod counts as lost: from then on
 * there is no way back, for its instance will be terminated.
 */
export async function unseen(ctx: BurstContext, burst: Burst, why: string): Promise<boolean> {
  const at = ctx.clock.now();
  const since = burst.unknownSince ?? at;
  const patience = ctx.group(burst.group)?.lostAfterMs ?? lostAfterMs;
  if (burst.unknownSince !== undefined && at - since >= patience) return true;
  const text = `unknown: ${why}`;
  if (burst.unknownSince === undefined || burst.trouble?.text !== text) {
    if (burst.trouble?.text !== text) ctx.log({ level: 'warn', text, burst: burst.id, job: burst.ref });
    await change(ctx, burst, { unknownSince: since, trouble: { since, text } }, text);
  }
  return false;
}

/**
 * Has the instances of those pods terminated of which nothing can be known, whatever else runs there; each is asked once, and awaited by
 * whoever looks at the pods. False: no instance of ours holds one of them, so a person must see to it.
 */
export async function fenceInstances(
  ctx: BurstContext,
  burst: Burst,
  ranks: readonly Rank[] = ranksOf(burst),
): Promise<boolean> {
  const awaited: string[] = [];
  const bare: string[] = [];
  let held = burst;
  for (const sight of await lookAtRanks(ctx, ranks)) {
    if (sight.kind !== 'unknown') continue;
    const { why, of } = sight;
    const instance = of.instance === undefined ? undefined : await ctx.store.instance(of.instance);
    if (instance === undefined) {
      bare.push(why);
      continue;
    }
    awaited.push(
      isForeign(instance.spec)
        ? `node ${instance.node} to be Ready again, ${instance.spec.external === undefined ? '' : 'or taken away by whoever scales it, '}or to be off by a person's word (${saysOff(instance.node ?? 'NODE')}): ${why}`
        : `instance ${instance.cloudId ?? instance.id} to be terminated: ${why}`,
    );
    if (instance.fenced !== undefined || instance.state === 'gone') continue;
    const asked = await fenceInstance(ctx, held, instance, why, `waits for ${awaited.join('; ')}`);
    if (asked === undefined) return true;
    held = asked;
  }
  if (bare.length > 0) {
    const text = `its pod cannot be known to be over (${bare.join('; ')}) and no instance of ours holds it: a person must see to it`;
    await troubled(ctx, held, text);
    return false;
  }
  if (awaited.length > 0) await troubled(ctx, held, `waits for ${awaited.join('; ')}`);
  return true;
}

/** Undefined: somebody else changed burst or instance first. */
async function fenceInstance(
  ctx: BurstContext,
  burst: Burst,
  instance: Instance,
  why: string,
  text: string,
): Promise<Burst | undefined> {
  const alive = instance.state === 'launched' || instance.state === 'joined' || instance.state === 'ready';
  const write: Write = {
    kind: 'instance',
    instance: {
      ...instance,
      state: alive ? 'draining' : instance.state,
      enteredAt: alive ? ctx.clock.now() : instance.enteredAt,
      fenced: `burst ${burst.id}: ${why}`,
      why: instance.why ?? `fenced: ${why}`,
    },
    why: `fenced for burst ${burst.id}: ${why}`,
  };
  const trouble = { since: burst.trouble?.since ?? ctx.clock.now(), text };
  const what = isForeign(instance.spec)
    ? `gives node ${instance.node} up: ${why}`
    : `terminates instance ${instance.cloudId ?? instance.id}: ${why}`;
  const written = await change(ctx, burst, { trouble }, what, [write]);
  if (written === undefined) return undefined;
  ctx.log({ level: 'warn', text: what, burst: burst.id, job: burst.ref });
  ctx.wake(instance.id);
  return written;
}

/**
 * `forgetPod`, and patience with it: a pod of which nothing can be known for too long has its instance terminated. One that is forgotten
 * already is absent because we let it go, and is asked no more.
 */
export async function forgotten(ctx: BurstContext, burst: Burst): Promise<boolean> {
  const left = await forgetRanks(ctx, burst);
  if (left.length === 0) return true;
  const sight = await lookAtAll(ctx, burst, left);
  if (sight.kind === 'unknown' && (await unseen(ctx, burst, sight.why)))
    await fenceInstances(ctx, burst, left);
  return false;
}

async function nodeOf(ctx: BurstContext, name: string): Promise<NodeView | undefined> {
  return (await ctx.nodes()).find((n) => n.name === name);
}

/** Asks for the end of all its pods; idempotent, tolerant of what is gone already. */
export async function endPod(ctx: BurstContext, burst: Burst, graceSeconds: number): Promise<void> {
  for (const of of ranksOf(burst)) await endRank(ctx, of, graceSeconds);
}

/** The same for one pod. */
export async function endRank(ctx: BurstContext, of: Rank, graceSeconds: number): Promise<void> {
  if (of.pod === undefined) return;
  const pod = await ctx.kubernetes.pod(of.pod.ref);
  if (pod === undefined || pod.deletingSince !== undefined) return;
  if (of.pod.uid !== undefined && pod.uid !== of.pod.uid) return;
  await ignoring('not_found', ctx.kubernetes.deletePod(of.pod.ref, pod.uid, graceSeconds));
}

/**
 * The records of pods and key may go: asks for the end of what still runs, waits until its kubelet said that it is over (or its
 * instance is gone), takes the finalizer off. True once all pods are absent.
 */
export async function forgetPod(ctx: BurstContext, burst: Burst): Promise<boolean> {
  return (await forgetRanks(ctx, burst)).length === 0;
}

/** Those whose pods are not absent yet. */
async function forgetRanks(ctx: BurstContext, burst: Burst): Promise<readonly Rank[]> {
  const ranks = ranksOf(burst);
  const known = ranks.find((of) => of.pod !== undefined)?.pod;
  if (known === undefined) return [];
  await ignoring('not_found', ctx.kubernetes.deleteSecret(secretOf(burst, known.ref)));
  const left: Rank[] = [];
  for (const of of ranks) if (!(await forgetRank(ctx, of))) left.push(of);
  return left;
}

async function forgetRank(ctx: BurstContext, of: Rank): Promise<boolean> {
  if (of.pod === undefined) return true;
  const pod = await ctx.kubernetes.pod(of.pod.ref);
  if (pod === undefined || (of.pod.uid !== undefined && pod.uid !== of.pod.uid)) return true;
  const instance = of.instance === undefined ? undefined : await ctx.store.instance(of.instance);
  if (instance?.state === 'gone') {
    // No kubelet is left to confirm the deletion, and the API server would wait for one: with no grace it waits for nobody.
    await ignoring('not_found', ctx.kubernetes.deletePod(of.pod.ref, pod.uid, 0));
  } else if (pod.deletingSince === undefined) {
    await ignoring('not_found', ctx.kubernetes.deletePod(of.pod.ref, pod.uid, 1));
    return false;
  } else if (pod.node !== undefined && !stopped(pod)) return false;
  await ignoring('not_found', ctx.kubernetes.releasePod(of.pod.ref, pod.uid));
  return (await ctx.kubernetes.pod(of.pod.ref)) === undefined;
}

/** No container of it runs, by its kubelet's word; one that never started counts as stopped once the pod is being deleted. */
function stopped(pod: PodView): boolean {
  return Object.values(pod.containers).every((c) => c.state !== 'running');
}
