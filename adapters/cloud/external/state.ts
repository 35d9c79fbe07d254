/** What a place is now, told by the pod that holds it and by the node that carries its label. Pure, but for how long a node has been gone. */
import type { CloudId, Instant } from '../../../src/domain/ids.ts';
import type { CloudInstance } from '../../../src/domain/instance.ts';
import { instanceLabel, type NodeView, offTaint, type PodView } from '../../../src/domain/kube.ts';
import { finalizer } from '../../kubernetes/names.ts';
import type { Place } from './record.ts';

export interface Held {
  readonly place: Place;
  readonly pod: PodView;
  /** The node that is labelled as this instance. */
  readonly node: NodeView | undefined;
  /** The pod's node, where it is there and no other machine of the same name. */
  readonly on: NodeView | undefined;
  /** Nothing of ours can run there any more. */
  readonly free: boolean;
  readonly state: 'pending' | 'running' | 'terminated';
}

/** A kubelet that lives hears within this that its pods are no more, and has ended them. */
export const goneMs = 120_000;

/** Since when a place's node is not there; one that is there again was another's, or late. */
export class Gone {
  readonly #since = new Map<CloudId, Instant>();

  /** True once it has been so for long enough. */
  note(id: CloudId, gone: boolean, at: Instant): boolean {
    if (!gone) {
      this.#since.delete(id);
      return false;
    }
    const since = this.#since.get(id) ?? at;
    this.#since.set(id, since);
    return at - since >= goneMs;
  }

  /** What is listed no more is remembered no more. */
  keep(ids: ReadonlySet<CloudId>): void {
    for (const id of this.#since.keys()) if (!ids.has(id)) this.#since.delete(id);
  }
}

export function heldBy(
  place: Place,
  pod: PodView,
  nodes: readonly NodeView[],
  gone: Gone,
  at: Instant,
): Held {
  const node = nodes.find(({ labels }) => labels[instanceLabel] === place.id);
  const named = nodes.find(({ name }) => name === pod.node);
  // One that is younger than the end of the pod that was there is another machine, or a Node object that somebody deleted.
  const on = named !== undefined && named.createdAt <= (endOf(pod) ?? at) ? named : undefined;
  const given = !pod.finalizers.includes(finalizer);
  const absent = !given && pod.node !== undefined && node === undefined && on === undefined;
  const lost = gone.note(place.id, absent, at);
  // Whatever became of the pod, jobs' pods may run on a node that is labelled, and for a while on one that is not there.
  const free = given || (node === undefined ? !absent || lost : isOff(node));
  const over = isOver(pod);
  const up = pod.node === undefined && !over ? 'pending' : 'running';
  return {
    place,
    pod,
    node,
    on,
    free,
    state: free && (over || lost || node !== undefined) ? 'terminated' : up,
  };
}

/** It holds nothing any more. */
export const isOver = ({ deletingSince, phase }: PodView): boolean =>
  deletingSince !== undefined || phase === 'Succeeded' || phase === 'Failed';

/** A person says that it is off, and its kubelet says nothing else. */
const isOff = ({ taints = [], ready }: NodeView): boolean =>
  ready !== 'true' && taints.some(({ key }) => key === offTaint);

function endOf({ deletingSince, containers: { place } }: PodView): Instant | undefined {
  return deletingSince ?? (place?.state === 'terminated' ? place.finishedAt : undefined);
}

export function instanceOf({ place, pod, node, on, state }: Held): CloudInstance {
  const there = node ?? on;
  return {
    id: place.id,
    type: there?.labels['node.kubernetes.io/instance-type'] ?? place.type,
    zone: there?.labels['topology.kubernetes.io/zone'] ?? 'external',
    state,
    capacityType: 'on-demand',
    privateDnsName: there?.name ?? '',
    launchedAt: place.at,
    token: place.token,
    tags: place.tags,
    external: state === 'pending' && pod.message !== '' ? { waits: pod.message } : {},
  };
}
