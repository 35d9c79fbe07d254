/**
 * CloudPort on nodes that somebody else scales (Karpenter, cluster-autoscaler, a cloud's own): a launch makes a pod of low priority that
 * holds a place, for which he brings a node; the job's own pod is pinned there and takes the place by preemption; a termination takes pod and label
 * away, and he takes the empty node.
 */
import { faultOf, ignoring, PortError } from '../../../src/domain/fault.ts';
import type { CloudId, ClusterName, LaunchToken } from '../../../src/domain/ids.ts';
import type { CloudInstance, InstanceType, LaunchSpec } from '../../../src/domain/instance.ts';
import { type BoundPod, instanceLabel, type NodeView, type PodView } from '../../../src/domain/kube.ts';
import type { Clock, CloudPort, KubernetesPort } from '../../../src/ports.ts';
import { shownFinalizer } from '../../kubernetes/names.ts';
import { specHash } from '../launched.ts';
import { type ExternalGroup, placePod } from './pod.ts';
import { madeFor, type Place, placeIn, placeOf } from './record.ts';
import { goneSince, type Held, heldBy, instanceOf, Since, unlabelled } from './state.ts';

export type { ExternalGroup } from './pod.ts';
export { isExternalId } from './record.ts';

export interface ExternalConfig {
  readonly cluster: ClusterName;
  readonly groups: readonly ExternalGroup[];
  /** What its types are: no cloud is asked. */
  readonly types: readonly InstanceType[];
}

/** A place stays in sight for so long once it is over, as EC2 shows what is terminated: whoever did not hear of it at once hears of it then. */
const shownMs = 3_600_000;
/** Of those that are older, at one look. */
const tidiedAtOnce = 20;
const groupLabel = 'node-restriction.kubernetes.io/spillway-group';

export function externalCloud(
  { cluster, groups, types }: ExternalConfig,
  { kubernetes, clock }: { readonly kubernetes: KubernetesPort; readonly clock: Clock },
): CloudPort {
  const gone = goneSince();
  const over = new Since(shownMs);
  /** One launch at a time: a surge of jobs is no storm on the API server. */
  let last: Promise<unknown> = Promise.resolve();

  const groupOf = (name: string, at: string): ExternalGroup => {
    const group = groups.find((g) => g.name === name);
    if (group === undefined)
      throw new PortError('refused', at, `no node group of provider external is called ${name}`);
    return group;
  };

  async function launch(spec: LaunchSpec, token: LaunchToken): Promise<CloudInstance> {
    const at = 'cloud.launch';
    if (!/^[\x21-\x7e]{1,64}$/.test(token))
      throw new PortError('invalid', at, `a launch token is 1 to 64 ASCII characters: ${token}`);
    const manifest = placePod(cluster, groupOf(spec.group, at), spec, token, clock.now());
    const { name, namespace } = manifest.metadata;
    // Looked for first: where nobody answers, nothing was asked.
    let pod = await kubernetes.pod({ namespace, name });
    if (pod === undefined)
      try {
        const made = await kubernetes.createPod(manifest);
        return instanceOf(await held(placeOf(cluster, spec, token, clock.now()), made, []));
      } catch (e) {
        if (faultOf(e) !== 'already_exists') throw e;
        pod = await kubernetes.pod({ namespace, name });
      }
    const place = pod === undefined ? undefined : placeIn(pod);
    // It went between the two: the next try makes it, or finds it.
    if (pod === undefined || place === undefined)
      throw new PortError('transient', at, `pod ${name} of ${token} is just going, or not ours`);
    if (place.spec !== specHash(spec))
      throw new PortError('invalid', at, `the token ${token} was used for something else`);
    return instanceOf(await held(place, pod, await kubernetes.nodes()));
  }

  async function held(place: Place, pod: PodView, nodes: readonly NodeView[]): Promise<Held> {
    const bare = unlabelled(place, pod, nodes);
    const stays = bare !== undefined && (await mayRunOn(bare, place));
    return heldBy(place, pod, nodes, stays, gone, clock.now());
  }

  /** This cluster's own. Pods first: a node that is labelled is then never older than what is known of its pod. */
  async function places(): Promise<readonly Held[]> {
    const pods = await kubernetes.places();
    const nodes = await kubernetes.nodes();
    const own: Held[] = [];
    for (const pod of pods) {
      const place = placeIn(pod);
      if (place?.cluster === cluster) own.push(await held(place, pod, nodes));
    }
    const ids = new Set(own.map(({ place }) => place.id));
    gone.keep(ids);
    over.keep(ids);
    return own;
  }

  /** Those that are over for an hour are shown once more and go. */
  async function list(): Promise<readonly CloudInstance[]> {
    const all = await places();
    const at = clock.now();
    const old = all.filter(({ place, state }) => over.note(place.id, state === 'terminated', at));
    await tidy(old.slice(0, tidiedAtOnce).map(({ pod }) => pod));
    return all.map(instanceOf);
  }

  async function tidy(pods: readonly PodView[]): Promise<void> {
    try {
      for (const pod of pods) {
        await giveUp(pod);
        await ignoring('not_found', kubernetes.releasePod(pod.ref, pod.uid, shownFinalizer));
      }
    } catch (e) {
      // The next look tries again; what is listed does not wait for it.
      if (faultOf(e) === undefined) throw e;
    }
  }

  /** From then on it is terminated, whatever becomes of its node. */
  async function giveUp({ ref, uid, deletingSince }: PodView): Promise<void> {
    if (deletingSince === undefined) await ignoring('not_found', kubernetes.deletePod(ref, uid, 1));
    await ignoring('not_found', kubernetes.releasePod(ref, uid));
  }

  async function terminate(id: CloudId): Promise<void> {
    const found = (await places()).find(({ place }) => place.id === id);
    if (found === undefined) throw new PortError('not_found', 'cloud.terminate', `no place of ours is ${id}`);
    const { pod, node, free } = found;
    // The label first, and only of a node where nothing of ours runs: what is listed meanwhile is still ours.
    if (node !== undefined && !free) {
      if (!(await isEmpty(node.name, node.ready))) return;
      await kubernetes.markNode(node, {
        labels: { [instanceLabel]: undefined, [groupLabel]: undefined },
        annotations: {},
      });
    } else if (!free) return;
    await giveUp(pod);
    over.note(id, true, clock.now());
  }

  const ours = async (node: string): Promise<readonly BoundPod[]> =>
    (await kubernetes.podsOn(node)).filter((p) => p.burst !== undefined && p.cluster === cluster);

  /** Its kubelet is there to tell, and tells that no pod of a job of ours runs or will. */
  const isEmpty = async (node: string, ready: string): Promise<boolean> =>
    ready === 'true' && (await ours(node)).every(({ over }) => over);

  /** Of its own jobs. What the pod collector called ended was on a Node that was not there. */
  const mayRunOn = async ({ name, ready }: NodeView, { id }: Place): Promise<boolean> =>
    (await ours(name)).some(
      ({ over, ended, record }) => (madeFor(record) ?? id) === id && !ended && (!over || ready !== 'true'),
    );

  async function check(spec: LaunchSpec): Promise<void> {
    const at = 'cloud.check';
    groupOf(spec.group, at);
    known(spec.types);
    await kubernetes.places();
    const [first] = await kubernetes.nodes();
    if (first !== undefined) await kubernetes.podsOn(first.name);
  }

  const known = (names: readonly string[]): InstanceType[] =>
    names.map((name) => {
      const type = types.find((t) => t.name === name);
      if (type === undefined)
        throw new PortError('refused', 'cloud.types', `no shape is configured for the type ${name}`);
      return type;
    });

  return {
    launch: (spec, token) => {
      const work = last.then(() => launch(spec, token));
      last = work.catch(() => undefined);
      return work;
    },
    list,
    terminate,
    check,
    types: async (names) => known(names),
    template: async (name) => {
      throw new PortError(
        'refused',
        'cloud.template',
        `what somebody else scales has no launch template (${name})`,
      );
    },
    /** Why it waits, in kube-scheduler's words. */
    console: async (id) => {
      const found = (await places()).find(({ place }) => place.id === id);
      if (found === undefined) throw new PortError('not_found', 'cloud.console', `no place of ours is ${id}`);
      return found.pod.message === '' ? undefined : found.pod.message;
    },
    spotPrices: async () => [],
    interruptions: async () => [],
    // The cluster's port is not its own.
    close: async () => undefined,
  };
}
