import type { Burst } from '../domain/burst.ts';
import { ignoring } from '../domain/fault.ts';
import type { NodeView, PodRef, PodView } from '../domain/kube.ts';
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
  /** `all`: its keeper is over too, so nothing more will be heard of it. */
  | { readonly kind: 'over'; readonly how: string; readonly all: boolean; readonly pod: PodView | undefined }
  | { readonly kind: 'alive'; readonly pod: PodView }
  | { readonly kind: 'unknown'; readonly why: string; readonly pod: PodView | undefined };

export async function lookAtPod(ctx: BurstContext, burst: Burst): Promise<PodSight> {
  const instance = burst.instance === undefined ? undefined : await ctx.store.instance(burst.instance);
  const pod = burst.pod === undefined ? undefined : await ctx.kubernetes.pod(burst.pod.ref);
  if (instance?.state === 'gone')
    return { kind: 'over', how: `instance ${instance.cloudId} is terminated`, all: true, pod };
  if (burst.pod === undefined) return { kind: 'over', how: 'it has no pod', all: true, pod };
  if (pod === undefined)
    return {
      kind: 'unknown',
      why: `pod ${burst.pod.ref.name} is absent, which says nothing of its containers`,
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
 * Has the instance of a pod of which nothing can be known terminated, whatever else runs there; asked once, and awaited by whoever
 * looks at the pod. False: no instance of ours holds it, so a person must see to it.
 */
export async function fenceInstance(ctx: BurstContext, burst: Burst, why: string): Promise<boolean> {
  const instance = burst.instance === undefined ? undefined : await ctx.store.instance(burst.instance);
  if (instance === undefined) {
    await troubled(
      ctx,
      burst,
      `its pod cannot be known to be over (${why}) and no instance of ours holds it: a person must see to it`,
    );
    return false;
  }
  const text = `waits for instance ${instance.cloudId ?? instance.id} to be terminated: ${why}`;
  if (instance.fenced !== undefined || instance.state === 'gone') {
    await troubled(ctx, burst, text);
    return true;
  }
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
  const what = `terminates instance ${instance.cloudId ?? instance.id}: ${why}`;
  if ((await change(ctx, burst, { trouble }, what, [write])) === undefined) return true;
  ctx.log({ level: 'warn', text: what, burst: burst.id, job: burst.ref });
  ctx.wake(instance.id);
  return true;
}

/** `forgetPod`, and patience with it: a pod of which nothing can be known for too long has its instance terminated. */
export async function forgotten(ctx: BurstContext, burst: Burst): Promise<boolean> {
  if (await forgetPod(ctx, burst)) return true;
  const sight = await lookAtPod(ctx, burst);
  if (sight.kind === 'unknown' && (await unseen(ctx, burst, sight.why)))
    await fenceInstance(ctx, burst, sight.why);
  return false;
}

async function nodeOf(ctx: BurstContext, name: string): Promise<NodeView | undefined> {
  return (await ctx.nodes()).find((n) => n.name === name);
}

/** Asks for the pod's end; idempotent, tolerant of what is gone already. */
export async function endPod(ctx: BurstContext, burst: Burst, graceSeconds: number): Promise<void> {
  if (burst.pod === undefined) return;
  const pod = await ctx.kubernetes.pod(burst.pod.ref);
  if (pod === undefined || pod.deletingSince !== undefined) return;
  if (burst.pod.uid !== undefined && pod.uid !== burst.pod.uid) return;
  await ignoring('not_found', ctx.kubernetes.deletePod(burst.pod.ref, pod.uid, graceSeconds));
}

/**
 * The record of pod and key may go: asks for the end of what still runs, waits until its kubelet said that it is over (or its
 * instance is gone), takes the finalizer off. True once the pod is absent.
 */
export async function forgetPod(ctx: BurstContext, burst: Burst): Promise<boolean> {
  if (burst.pod === undefined) return true;
  await ignoring('not_found', ctx.kubernetes.deleteSecret(secretOf(burst, burst.pod.ref)));
  const pod = await ctx.kubernetes.pod(burst.pod.ref);
  if (pod === undefined || (burst.pod.uid !== undefined && pod.uid !== burst.pod.uid)) return true;
  const instance = burst.instance === undefined ? undefined : await ctx.store.instance(burst.instance);
  if (instance?.state === 'gone') {
    // No kubelet is left to confirm the deletion, and the API server would wait for one: with no grace it waits for nobody.
    await ignoring('not_found', ctx.kubernetes.deletePod(burst.pod.ref, pod.uid, 0));
  } else if (pod.deletingSince === undefined) {
    await ignoring('not_found', ctx.kubernetes.deletePod(burst.pod.ref, pod.uid, 1));
    return false;
  } else if (pod.node !== undefined && !stopped(pod)) return false;
  await ignoring('not_found', ctx.kubernetes.releasePod(burst.pod.ref, pod.uid));
  return (await ctx.kubernetes.pod(burst.pod.ref)) === undefined;
}

/** No container of it runs, by its kubelet's word; one that never started counts as stopped once the pod is being deleted. */
function stopped(pod: PodView): boolean {
  return Object.values(pod.containers).every((c) => c.state !== 'running');
}
