import { type Burst, terminalStates } from '../domain/burst.ts';
import { faultOf, ignoring } from '../domain/fault.ts';
import type { Instance } from '../domain/instance.ts';
import type { PodView } from '../domain/kube.ts';
import { podFor, podNameFor, secretNameFor } from '../translate/index.ts';
import {
  after,
  answered,
  type BurstContext,
  change,
  intend,
  leave,
  leaveAbsent,
  type Next,
  now,
} from './context.ts';
import { look } from './look.ts';
import { keyName, secretOf } from './pod.ts';

/** From the first wish for capacity to a keeper that answers: boot, join, image pull. */
const provisionMs = 25 * 60_000;
/** Between two launches that the cloud throttled. */
const throttleMs = 5_000;
/** A group at its maximum may get room again when a burst ends. */
const roomMs = 10 * 60_000;
/** A pod on a Ready node whose image does not come or whose containers do not start. */
const podMs = 10 * 60_000;

/** reserved → provisioning, once a plan has bound the burst to an instance. */
export async function awaitInstance(ctx: BurstContext, burst: Burst): Promise<Next> {
  const gone = await stillWanted(ctx, burst);
  if (gone !== undefined) return gone;
  if (burst.instance === undefined) {
    if (ctx.clock.now() - burst.enteredAt > roomMs)
      return leave(ctx, burst, {
        kind: 'no_capacity',
        text: `no room in node group ${burst.group} for ${roomMs / 60_000} minutes: it is at its maximum`,
      });
    ctx.replan();
    return after(3_000);
  }
  const tenant = await ctx.kubernetes.tenant(burst.uid);
  if (tenant === undefined)
    return leave(ctx, burst, {
      kind: 'pod_failed',
      text: `no tenant namespace for uid ${burst.uid} any more`,
    });
  const pod = { ref: { namespace: tenant.namespace, name: podNameFor(burst) }, uid: undefined };
  await change(ctx, burst, { state: 'provisioning', pod }, `bound to instance ${burst.instance}`);
  return now;
}

/** provisioning → ready: the instance is Ready, the pod runs there, its keeper answers and main's identity is right. */
export async function provision(ctx: BurstContext, burst: Burst): Promise<Next> {
  const gone = await stillWanted(ctx, burst);
  if (gone !== undefined) return gone;
  const instance = burst.instance === undefined ? undefined : await ctx.store.instance(burst.instance);
  if (instance === undefined) return after(3_000);
  if (
    instance.state === 'gone' &&
    instance.why?.startsWith('throttled') === true &&
    burst.pod?.uid === undefined
  ) {
    if (ctx.clock.now() - instance.enteredAt < throttleMs) return after(throttleMs);
    await change(
      ctx,
      burst,
      { state: 'reserved', instance: undefined, pod: undefined },
      'the cloud throttled the launch; planned again',
    );
    ctx.replan();
    return after(1_000);
  }
  const lost = capacityLost(instance);
  if (lost !== undefined) return leave(ctx, burst, { kind: 'no_capacity', text: lost });
  if (ctx.clock.now() - burst.enteredAt > provisionMs)
    return leave(ctx, burst, {
      kind: 'no_capacity',
      text: `not ready after ${provisionMs / 60_000} minutes`,
    });
  if (instance.state !== 'ready' || instance.node === undefined) return after(15_000);
  if (!(await predecessorOver(ctx, burst))) return after(5_000);

  const pod = await ensurePod(ctx, burst, instance);
  if (pod.kind === 'leave')
    return leave(ctx, pod.burst ?? burst, { kind: pod.why ?? 'pod_failed', text: pod.text });
  if (pod.kind === 'reload') return now;
  const failed = podTrouble(pod.pod, ctx.clock.now() - pod.pod.createdAt > podMs);
  if (failed !== undefined) return leave(ctx, burst, { kind: 'pod_failed', text: failed });
  const keeper = ctx.streams.keeper(burst.id);
  if (keeper === undefined) {
    if (pod.pod.containers.keeper?.state !== 'running') return after(5_000);
    if (!(await connect(ctx, burst)))
      return leave(ctx, burst, { kind: 'pod_failed', text: "the Secret with the keeper's key is gone" });
    return after(2_000);
  }
  if (keeper.main === 'refused')
    return leave(ctx, burst, {
      kind: 'pod_failed',
      text: `the pod refuses to run: ${keeper.mainFault ?? 'no reason given'}`,
    });
  if (keeper.main !== 'ready') return after(2_000);
  const image = runs(burst, pod.pod);
  await change(
    ctx,
    burst,
    { state: 'ready', machine: instance.type, ...(image === undefined ? {} : { image }) },
    `the pod waits on ${instance.node}${image?.id === undefined ? '' : `, its image is ${image.id}`}`,
  );
  return now;
}

/** Looks in the queue whether there is still a reason to go on; the exact look comes at the claim. */
async function stillWanted(ctx: BurstContext, burst: Burst): Promise<Next | undefined> {
  // The newest look at the queue will do: the claim reads the job itself once more.
  if (ctx.hint(burst) === 'PENDING') return undefined;
  const sight = await look(ctx, burst);
  switch (sight.kind) {
    case 'pending':
      return undefined;
    case 'running':
    case 'ending':
      // A requeued attempt may start in burst before its pods wait: its stand-in is told to wait.
      if (sight.job.partition === ctx.setup.burstPartition) return undefined;
      return leave(ctx, burst, {
        kind: 'started_onprem',
        text: `started on-prem in ${sight.job.partition} on ${sight.job.nodeList} while its capacity was prepared; left alone`,
      });
    case 'ended':
      return leave(ctx, burst, { kind: 'job_ended', text: `the job is ${sight.state} before it was moved` });
    case 'requeued':
      return leave(ctx, burst, {
        kind: 'requeued',
        text: 'the job was requeued before this attempt was moved',
      });
    case 'absent':
      return leaveAbsent(ctx, burst);
  }
}

function capacityLost(instance: Instance): string | undefined {
  switch (instance.state) {
    case 'intended':
    case 'launched':
    case 'joined':
    case 'ready':
      return undefined;
    default:
      return instance.why ?? `instance ${instance.cloudId ?? instance.id} is ${instance.state}`;
  }
}

/** Nothing of attempt n+1 starts before attempt n's pods are confirmed gone. */
async function predecessorOver(ctx: BurstContext, burst: Burst): Promise<boolean> {
  if (burst.predecessor === undefined) return true;
  const before = await ctx.store.burst(burst.predecessor);
  return before === undefined || terminalStates.has(before.state);
}

type Ensured =
  | { readonly kind: 'pod'; readonly pod: PodView }
  | { readonly kind: 'reload' }
  | {
      readonly kind: 'leave';
      readonly text: string;
      readonly why?: 'quota';
      /** As it was written last, where this step wrote it: the older one would be a conflict, and the pod be asked for for ever. */
      readonly burst?: Burst;
    };

/**
 * The pod of this burst, made at most once: its name was committed before, so a create whose answer was lost is found again by
 * name, and once its uid is known an absent pod is never made anew.
 */
async function ensurePod(ctx: BurstContext, burst: Burst, instance: Instance): Promise<Ensured> {
  const { id, cloudId, token, node = '' } = instance;
  if (burst.pod === undefined) return { kind: 'leave', text: 'no pod was named for this burst' };
  const { ref, uid } = burst.pod;
  const found = await ctx.kubernetes.pod(ref);
  if (uid !== undefined) {
    if (found === undefined || found.uid !== uid)
      return { kind: 'leave', text: `pod ${ref.name} was removed by somebody else` };
    return { kind: 'pod', pod: found };
  }
  if (found !== undefined) {
    if (found.burst !== burst.id)
      return { kind: 'leave', text: `a pod named ${ref.name} exists that is not ours` };
    await change(ctx, burst, { pod: { ref, uid: found.uid } }, `pod ${ref.name} exists`);
    return { kind: 'reload' };
  }
  const tenant = await ctx.kubernetes.tenant(burst.uid);
  const group = ctx.group(burst.group);
  // One of an older gateway names none.
  const image = burst.image?.name ?? ctx.pods.images.default;
  if (image === undefined)
    return { kind: 'leave', text: 'no image was chosen for it, and images.default is not set' };
  if (tenant === undefined || group === undefined)
    return {
      kind: 'leave',
      text:
        tenant === undefined
          ? `no tenant namespace for uid ${burst.uid}`
          : `node group ${burst.group} is gone`,
    };
  const intent = intend(ctx, burst, 'kubernetes.createPod', { ...ref });
  const held = await change(ctx, burst, {}, `makes pod ${ref.name} on ${node}`, [{ kind: 'intent', intent }]);
  if (held === undefined) return { kind: 'reload' };
  try {
    await ignoring(
      'already_exists',
      ctx.kubernetes.createSecret(
        secretOf(burst, ref),
        { [keyName]: ctx.entropy.bytes(32) },
        { 'spillway.dev/burst': burst.id },
      ),
    );
    const manifest = podFor({
      burst: held,
      tenant,
      groups: tenant.gids.filter((g) => g !== burst.gid),
      image,
      pullSecrets: ctx.pods.images.pullSecrets,
      agentImage: ctx.pods.agentImage,
      imagePullPolicy: ctx.pods.imagePullPolicy,
      mounts: ctx.pods.mounts,
      node,
      machine: cloudId === undefined ? undefined : { id, cloudId, token },
      taint: group.taint,
      keeperPort: ctx.pods.keeperPort,
      graceSeconds: 5,
      secretName: secretNameFor(held),
      limitMemory: true,
    });
    const made = await ctx.kubernetes.createPod(manifest);
    await change(ctx, held, { pod: { ref, uid: made.uid } }, `pod ${ref.name} made`, [
      answered(ctx, intent, 'made'),
    ]);
    return { kind: 'reload' };
  } catch (e) {
    if (faultOf(e) === 'refused')
      return { kind: 'leave', burst: held, text: `the API server refused the pod: ${(e as Error).message}` };
    if (faultOf(e) === 'no_capacity')
      return {
        ...{ kind: 'leave', why: 'quota', burst: held },
        text: `the quota of namespace ${ref.namespace} is used up: ${(e as Error).message}`,
      };
    if (faultOf(e) === 'already_exists') return { kind: 'reload' };
    throw e;
  }
}

/** The image with the digest that its kubelet says it runs: no registry is asked, so a tag is pinned only by what came of it. */
function runs(burst: Burst, { containers: { main } }: PodView): Burst['image'] {
  if (burst.image === undefined || main?.state !== 'running' || main.imageId === undefined)
    return burst.image;
  return { ...burst.image, id: main.imageId };
}

function podTrouble(pod: PodView, late: boolean): string | undefined {
  if (pod.deletingSince !== undefined) return `pod ${pod.ref.name} is being deleted by somebody else`;
  if (pod.phase === 'Failed') return `pod ${pod.ref.name} failed: ${pod.reason} ${pod.message}`.trim();
  for (const [name, c] of Object.entries(pod.containers)) {
    if (c.state === 'terminated' && name !== 'agent')
      return `container ${name} ended before it was used: ${c.reason} (${c.exitCode})`;
    if (c.state !== 'waiting') continue;
    const hopeless = ['InvalidImageName', 'ErrImageNeverPull', 'CreateContainerConfigError'].includes(
      c.reason,
    );
    if (hopeless || late) return `container ${name} does not start: ${c.reason} ${c.message}`.trim();
  }
  if (late && !pod.scheduled) return `pod ${pod.ref.name} is not scheduled: ${pod.message}`;
  return undefined;
}

/** One authenticated stream to the keeper, kept by `streams`; the key is read back, so a restart needs no memory of it. */
export async function connect(ctx: BurstContext, burst: Burst): Promise<boolean> {
  if (burst.pod === undefined) return false;
  if (ctx.streams.keeper(burst.id) !== undefined) return true;
  const secret = await ctx.kubernetes.secret(secretOf(burst, burst.pod.ref));
  const key = secret?.[keyName];
  if (key === undefined) return false;
  ctx.streams.attachKeeper(burst.id, burst.pod.ref, key);
  return true;
}
