import { type Burst, type Cause, terminalStates, waitsSince } from '../domain/burst.ts';
import { faultOf, ignoring } from '../domain/fault.ts';
import type { Instance } from '../domain/instance.ts';
import type { PodView } from '../domain/kube.ts';
import { type Rank, ranksOf, withRanks } from '../domain/ranks.ts';
import { podFor, podGroupFor, podNameFor, secretNameFor, stagedRoots } from '../translate/index.ts';
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
import { cannotBegin } from './ends.ts';
import { look } from './look.ts';
import { pin } from './pin.ts';
import { keyName, secretOf } from './pod.ts';
import { demandsOf } from './registry.ts';
import { checkSignature } from './signed.ts';
import { leaveReclaimed } from './spot.ts';

/** From the first wish for capacity to a keeper that answers: boot, join, image pull. */
const provisionMs = 25 * 60_000;
/** Between two launches that the cloud throttled. */
const throttleMs = 5_000;
/** A group at its maximum may get room again when a burst ends, and a cloud that had none may have some again. */
const usualRoomMs = 10 * 60_000;
/** A pod on a Ready node whose image does not come or whose containers do not start. */
const podMs = 10 * 60_000;

/** reserved → provisioning, once a plan has bound the burst to an instance for each of its nodes. */
export async function awaitInstance(ctx: BurstContext, burst: Burst): Promise<Next> {
  const gone =
    (await stillWanted(ctx, burst)) ?? (await pin(ctx, burst)) ?? (await checkSignature(ctx, burst));
  if (gone !== undefined) return gone;
  if (burst.instance === undefined) {
    const other = ctx.elsewhere?.(burst);
    if (other !== undefined) {
      await change(ctx, burst, { group: other.group, price: other.price, trouble: undefined }, other.why);
      ctx.replan();
      return after(1_000);
    }
    const roomMs = ctx.group(burst.group)?.roomMs ?? usualRoomMs;
    if (ctx.clock.now() - waitsSince(burst) > roomMs) {
      const said = [burst.trouble?.text, burst.seeking?.why].filter((w) => w !== undefined);
      const why = said.length === 0 ? 'no plan was made' : said.join('; the cloud said: ');
      const long = roomMs < 60_000 ? `${roomMs / 1_000} s` : `${Math.round(roomMs / 6_000) / 10} minutes`;
      const text = `no place in node group ${burst.group} for ${long}: ${why}`;
      return leave(ctx, burst, { kind: 'no_capacity', text });
    }
    ctx.replan();
    return after(3_000);
  }
  const tenant = await ctx.kubernetes.tenant(burst.uid);
  if (tenant === undefined)
    return leave(ctx, burst, {
      kind: 'pod_failed',
      text: `no tenant namespace for uid ${burst.uid} any more`,
    });
  const named = withRanks(burst, ({ rank }) => ({
    pod: { ref: { namespace: tenant.namespace, name: podNameFor(burst, rank) }, uid: undefined },
  }));
  const ids = ranksOf(burst).map(({ instance }) => instance);
  const words = `bound to ${ids.length === 1 ? 'instance' : 'instances'} ${ids.join(', ')}`;
  await change(ctx, burst, { state: 'provisioning', ...named }, words);
  return now;
}

/**
 * provisioning → ready: the instances of all its nodes are Ready; only then the pods are made, one on each. They run there, their keepers
 * answer and main's identity is right.
 */
export async function provision(ctx: BurstContext, burst: Burst): Promise<Next> {
  const gone = await stillWanted(ctx, burst);
  if (gone !== undefined) return gone;
  const places = await placesOf(ctx, burst);
  if (places === undefined) return after(3_000);
  const throttled = await planAgain(ctx, burst, places);
  if (throttled !== undefined) return throttled;
  const taken = await leaveReclaimed(ctx, burst, 'its pod waited');
  if (taken !== undefined) return taken;
  // A machine was bought for it, perhaps with others, and came to nothing.
  const futile = places.some(({ instance }) => instance.cloudId !== undefined) ? { futile: true } : {};
  const lost = places.map(({ instance }) => capacityLost(instance)).find((why) => why !== undefined);
  if (lost !== undefined) return leave(ctx, burst, lost, futile);
  if (ctx.clock.now() - burst.enteredAt > provisionMs)
    return leave(
      ctx,
      burst,
      { kind: 'no_capacity', text: `not ready after ${provisionMs / 60_000} minutes` },
      futile,
    );
  if (places.some(({ instance: i }) => i.state !== 'ready' || i.node === undefined)) return after(15_000);
  if (!(await predecessorOver(ctx, burst))) return after(5_000);

  let held = burst;
  const pods: PodView[] = [];
  for (const { rank, instance } of places) {
    const pod = await ensurePod(ctx, held, rank, instance);
    if (pod.kind === 'leave')
      return leave(ctx, pod.burst, { kind: pod.why ?? 'pod_failed', text: pod.text }, futile);
    if (pod.kind === 'reload') return now;
    held = pod.burst;
    pods.push(pod.pod);
  }
  const ungrouped = await ensureGroup(ctx, held, pods);
  if (ungrouped !== undefined) return leave(ctx, held, { kind: 'pod_failed', text: ungrouped }, futile);
  return awaitKeepers(ctx, held, places, pods);
}

/**
 * The pods' PodGroup, where the site has such: asked for until all of them are placed, for nothing else is known of it and a repeat changes
 * nothing. Answers why there will be none.
 */
async function ensureGroup(
  ctx: BurstContext,
  burst: Burst,
  pods: readonly PodView[],
): Promise<string | undefined> {
  const [first] = pods;
  if (first === undefined || pods.every((p) => p.scheduled)) return undefined;
  const group = podGroupFor(ctx.pods.scheduling, burst, { ...first.ref, uid: first.uid });
  if (group === undefined) return undefined;
  try {
    await ctx.kubernetes.createPodGroup(group);
    return undefined;
  } catch (e) {
    switch (faultOf(e)) {
      case 'refused':
      case 'invalid':
        return `the API server refused the pod group: ${(e as Error).message}; deploy/kubernetes/scheduling/rights.yaml has the right`;
      case 'not_found':
        return `the cluster has no PodGroup of ${group.apiVersion} (kubernetes.scheduling.podGroups): ${(e as Error).message}`;
      default:
        throw e;
    }
  }
}

/** The pods exist: they are ready when every keeper says that its main is. */
async function awaitKeepers(
  ctx: BurstContext,
  burst: Burst,
  places: readonly Place[],
  pods: readonly PodView[],
): Promise<Next> {
  const at = ctx.clock.now();
  const imageOf = (container: string): string =>
    container === 'main' ? (burst.image?.name ?? '') : ctx.pods.agentImage;
  const failed = pods
    .map((p) => cannotBegin(p, at - p.createdAt > podMs, imageOf))
    .find((why) => why !== undefined);
  if (failed !== undefined) return leave(ctx, burst, failed, { futile: true });
  const keepers = ranksOf(burst).map(({ rank }) => ctx.streams.keeper(burst.id, rank));
  if (keepers.includes(undefined)) {
    if (pods.some((p) => p.containers.keeper?.state !== 'running')) return after(5_000);
    if (!(await connect(ctx, burst)))
      return leave(ctx, burst, { kind: 'pod_failed', text: "the Secret with the keeper's key is gone" });
    return after(2_000);
  }
  const refused = keepers.find((k) => k?.main === 'refused');
  if (refused !== undefined)
    return leave(
      ctx,
      burst,
      { kind: 'pod_failed', text: `the pod refuses to run: ${refused.mainFault ?? 'no reason given'}` },
      { futile: true },
    );
  if (keepers.some((k) => k?.main !== 'ready')) return after(2_000);
  const image = runs(burst, pods[0]);
  const types = new Map(places.map(({ rank, instance }) => [rank.rank, instance.type]));
  const machines = withRanks(burst, ({ rank }) => ({ machine: types.get(rank) }));
  const where = places.map(({ instance }) => instance.node).join(', ');
  await change(
    ctx,
    burst,
    { state: 'ready', ...machines, ...(image === undefined ? {} : { image }) },
    `${places.length === 1 ? 'the pod waits' : 'the pods wait'} on ${where}${image?.id === undefined ? '' : `, the image is ${image.id}`}`,
  );
  return now;
}

interface Place {
  readonly rank: Rank;
  readonly instance: Instance;
}

/** By rank; undefined while one of them is not to be seen. */
async function placesOf(ctx: BurstContext, burst: Burst): Promise<readonly Place[] | undefined> {
  const places: Place[] = [];
  for (const rank of ranksOf(burst)) {
    const instance = rank.instance === undefined ? undefined : await ctx.store.instance(rank.instance);
    if (instance === undefined) return undefined;
    places.push({ rank, instance });
  }
  return places;
}

/**
 * A launch was throttled and no pod made yet: all its nodes are planned anew, a little later. One that was to be spot and found none, or has it taken
 * back, goes on demand at once: its hold is enough for that, and as spot it might be taken back over and over.
 */
async function planAgain(
  ctx: BurstContext,
  burst: Burst,
  places: readonly Place[],
): Promise<Next | undefined> {
  const throttled = places.find(
    ({ instance: i }) => i.state === 'gone' && i.why?.startsWith('throttled') === true,
  )?.instance;
  const refused = places.find(({ instance }) => noSpot(instance))?.instance;
  const spot = burst.capacityType === 'spot';
  const taken = places.find(({ instance }) => spot && instance.reclaimedAt !== undefined)?.instance;
  const unmade = places.every(({ rank }) => rank.pod?.uid === undefined);
  const again = refused ?? taken;
  if (unmade && again !== undefined) {
    const unbound = withRanks(burst, () => ({ instance: undefined, pod: undefined }));
    const onDemand = { capacityType: undefined, ...(refused === undefined ? {} : { spotRefused: true }) };
    const words = `planned again, on demand: ${refused === undefined ? again.why : `as spot there was ${again.why}`}`;
    await change(ctx, burst, { state: 'reserved', ...unbound, ...onDemand }, words);
    ctx.replan();
    return after(1_000);
  }
  // What the cloud had none of is left out now: the next plan asks for what else holds it there, or it goes to another group, at no more than is held for it.
  const none = places.find(({ instance }) => noneOnDemand(instance))?.instance;
  if (unmade && none !== undefined) {
    const unbound = withRanks(burst, () => ({ instance: undefined, pod: undefined }));
    const why = none.why ?? 'no capacity';
    const seeking = { since: burst.seeking?.since ?? ctx.clock.now(), why };
    await change(ctx, burst, { state: 'reserved', ...unbound, seeking }, `planned again: ${why}`);
    ctx.replan();
    return after(1_000);
  }
  if (throttled === undefined || !unmade) return undefined;
  if (ctx.clock.now() - throttled.enteredAt < throttleMs) return after(throttleMs);
  const unbound = withRanks(burst, () => ({ instance: undefined, pod: undefined }));
  const words = 'the cloud throttled the launch; planned again';
  await change(ctx, burst, { state: 'reserved', ...unbound }, words);
  ctx.replan();
  return after(1_000);
}

/** The cloud had none of what was asked for. */
const noneOnDemand = ({ spec, state, cloudId, why }: Instance): boolean =>
  spec.capacityType === 'on-demand' &&
  state === 'gone' &&
  cloudId === undefined &&
  why?.startsWith('no capacity') === true;

/** The cloud had none. */
const noSpot = ({ spec, state, cloudId, why }: Instance): boolean =>
  spec.capacityType === 'spot' &&
  state === 'gone' &&
  cloudId === undefined &&
  why?.startsWith('throttled') !== true;

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

/** As with a stop, a person's word is no failure of the job's. */
const withheldAs = { drain: 'stopped', budget: 'no_budget' } as const;

function capacityLost(instance: Instance): Cause | undefined {
  switch (instance.state) {
    case 'intended':
    case 'launched':
    case 'joined':
    case 'ready':
      return undefined;
    default:
      return {
        kind: instance.withheld === undefined ? 'no_capacity' : withheldAs[instance.withheld],
        text: instance.why ?? `instance ${instance.cloudId ?? instance.id} is ${instance.state}`,
      };
  }
}

/** Nothing of attempt n+1 starts before attempt n's pods are confirmed gone. */
async function predecessorOver(ctx: BurstContext, burst: Burst): Promise<boolean> {
  if (burst.predecessor === undefined) return true;
  const before = await ctx.store.burst(burst.predecessor);
  return before === undefined || terminalStates.has(before.state);
}

/** With the burst as it stands then. `reload`: somebody else changed it first, or the pod must be read again. */
type Ensured =
  | { readonly kind: 'pod'; readonly burst: Burst; readonly pod: PodView }
  | { readonly kind: 'reload' }
  | {
      readonly kind: 'leave';
      readonly text: string;
      readonly why?: 'quota';
      /** As it was written last, where this step wrote it: the older one would be a conflict, and the pod be asked for for ever. */
      readonly burst: Burst;
    };

/**
 * The pod of one of the burst's nodes, made at most once: its name was committed before, so a create whose answer was lost is found
 * again by name, and once its uid is known an absent pod is never made anew.
 */
async function ensurePod(ctx: BurstContext, burst: Burst, of: Rank, instance: Instance): Promise<Ensured> {
  const { id, cloudId, token, node = '' } = instance;
  const left = (text: string): Ensured => ({ kind: 'leave', burst, text });
  if (of.pod === undefined) return left('no pod was named for this burst');
  const { ref, uid } = of.pod;
  const has = (made: string) =>
    withRanks(burst, ({ rank }) => (rank === of.rank ? { pod: { ref, uid: made } } : {}));
  const found = await ctx.kubernetes.pod(ref);
  if (uid !== undefined) {
    if (found === undefined || found.uid !== uid) return left(`pod ${ref.name} was removed by somebody else`);
    return { kind: 'pod', burst, pod: found };
  }
  if (found !== undefined) {
    if (found.burst !== burst.id) return left(`a pod named ${ref.name} exists that is not ours`);
    const noted = await change(ctx, burst, has(found.uid), `pod ${ref.name} exists`);
    return noted === undefined ? { kind: 'reload' } : { kind: 'pod', burst: noted, pod: found };
  }
  const tenant = await ctx.kubernetes.tenant(burst.uid);
  const group = ctx.group(burst.group);
  // One of an older gateway names none.
  const image = burst.image?.pinned ?? burst.image?.name ?? ctx.pods.images.default;
  if (image === undefined) return left('no image was chosen for it, and images.default is not set');
  // Of before the site asked for one.
  if (burst.image?.signedBy === undefined && demandsOf(ctx, burst).length > 0)
    return left(`image ${image} must be signed now (images.signatures), and this burst began before`);
  if (tenant === undefined) return left(`no tenant namespace for uid ${burst.uid}`);
  if (group === undefined) return left(`node group ${burst.group} is gone`);
  const intent = intend(ctx, burst, 'kubernetes.createPod', { ...ref });
  const held = await change(ctx, burst, {}, `makes pod ${ref.name} on ${node}`, [{ kind: 'intent', intent }]);
  if (held === undefined) return { kind: 'reload' };
  try {
    // All pods mount the burst's one key, which is there before the first of them.
    if (of.rank === 0)
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
      rank: of.rank,
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
      abandonedMs: group.external === undefined ? undefined : group.maxAgeMs,
      secretName: secretNameFor(held),
      limitMemory: true,
      networks: group.networks,
      roots: stagedRoots(
        (held.data?.paths ?? []).map(({ path }) => path),
        ctx.pods.staging?.paths ?? [],
      ),
      scheduling: ctx.pods.scheduling,
    });
    const made = await ctx.kubernetes.createPod(manifest);
    const noted = await change(ctx, held, has(made.uid), `pod ${ref.name} made`, [
      answered(ctx, intent, 'made'),
    ]);
    return noted === undefined ? { kind: 'reload' } : { kind: 'pod', burst: noted, pod: made };
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

/** The image with the digest that its kubelet says it runs: where no registry was asked, a tag is pinned only by what came of it. */
function runs(burst: Burst, pod: PodView | undefined): Burst['image'] {
  const main = pod?.containers.main;
  if (burst.image === undefined || main?.state !== 'running' || main.imageId === undefined)
    return burst.image;
  return { ...burst.image, id: main.imageId };
}

/** One authenticated stream to the keeper of each pod, kept by `streams`; the key is read back, so a restart needs no memory of it. */
export async function connect(ctx: BurstContext, burst: Burst): Promise<boolean> {
  if (burst.pod === undefined) return false;
  const left = ranksOf(burst).filter(({ rank }) => ctx.streams.keeper(burst.id, rank) === undefined);
  if (left.length === 0) return true;
  const secret = await ctx.kubernetes.secret(secretOf(burst, burst.pod.ref));
  const key = secret?.[keyName];
  if (key === undefined) return false;
  for (const { rank, pod } of left)
    if (pod !== undefined) ctx.streams.attachKeeper(burst.id, pod.ref, key, rank);
  return true;
}
