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

/** Since when something is so of a place. */
export class Since {
  readonly #forMs: number;
  readonly #since = new Map<CloudId, Instant>();

  constructor(forMs: number) {
    this.#forMs = forMs;
  }

  /** True once it has been so for long enough; what is not so any more begins anew. */
  note(id: CloudId, so: boolean, at: Instant): boolean {
    if (!so) {
      this.#since.delete(id);
      return false;
    }
    const since = this.#since.get(id) ?? at;
    this.#since.set(id, since);
    return at - since >= this.#forMs;
  }

  /** What is listed no more is remembered no more. */
  keep(ids: ReadonlySet<CloudId>): void {
    for (const id of this.#since.keys()) if (!ids.has(id)) this.#since.delete(id);
  }
}

/** Since when a place's node is not there; one that is there again was another's, or late. */
export const goneSince = (): Since => new Since(goneMs);

/**
 * The place's node where it carries no label of an instance of ours: not yet, not any more, or not that one. Who deletes a Node takes the label with it,
 * and a kubelet that is started again registers it anew with all that runs there, of which no pod is collected then.
 */
export function unlabelled(
  { id }: Pick<Place, 'id'>,
  pod: PodView,
  nodes: readonly NodeView[],
): NodeView | undefined {
  if (isGiven(pod) || nodes.some(({ labels }) => labels[instanceLabel] === id)) return undefined;
  return nodes.find(({ name }) => name === pod.node);
}

/** `stays`: pods of its jobs may run on its node though that is not labelled. */
export function heldBy(
  place: Place,
  pod: PodView,
  nodes: readonly NodeView[],
  stays: boolean,
  gone: Since,
  at: Instant,
): Held {
  const node = nodes.find(({ labels }) => labels[instanceLabel] === place.id);
  const named = nodes.find(({ name }) => name === pod.node);
  // One that is younger than the end of the pod that was there is another machine, unless pods of its jobs are there: then it was registered anew.
  const same = named !== undefined && (stays || named.createdAt <= (endOf(pod) ?? at));
  const on = same ? named : undefined;
  const given = isGiven(pod);
  const absent = !given && pod.node !== undefined && node === undefined && on === undefined;
  const lost = gone.note(place.id, absent, at);
  // Whatever became of the pod, jobs' pods may run on a node that is labelled, and for a while on one that is not there.
  const free = given || (node === undefined ? !stays && (!absent || lost) : isOff(node));
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

const isGiven = ({ finalizers }: PodView): boolean => !finalizers.includes(finalizer);

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
