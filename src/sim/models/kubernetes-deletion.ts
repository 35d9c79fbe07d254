/** What a deletion makes of an object: kubernetes 1.34, registry/rest/delete.go and registry/core/pod/strategy.go. */
import { type Instant, instant } from '../../domain/ids.ts';
import {
  type ApiObject,
  fromTimestamp,
  isOver,
  type Meta,
  type Pod,
  timestamp,
} from './kubernetes-objects.ts';

export interface Deletion {
  /** What is stored instead; the same object where nothing changes. */
  readonly metadata: Meta;
  /** Its record goes at once. */
  readonly gone: boolean;
}

/** A pod ends with grace; the record stays until its kubelet confirms, which is a second deletion, without grace. */
export function podDeletion(pod: Pod, asked: number | undefined, now: Instant): Deletion {
  const { metadata } = pod;
  const bare = (metadata.finalizers ?? []).length === 0;
  if (metadata.deletionTimestamp !== undefined) {
    const left = metadata.deletionGracePeriodSeconds ?? 0;
    if (left === 0) return { metadata, gone: bare };
    // A later word may only hasten the end.
    if (asked === undefined || asked >= left) return { metadata, gone: false };
    const start = (fromTimestamp(metadata.deletionTimestamp) ?? now) - left * 1_000;
    return { metadata: ending(metadata, instant(start), asked), gone: bare && asked === 0 };
  }
  const wanted = asked ?? pod.spec.terminationGracePeriodSeconds ?? 0;
  const idle = pod.spec.nodeName === undefined || isOver(pod);
  const grace = idle ? 0 : wanted < 0 ? 1 : wanted;
  const marked = ending(metadata, now, grace);
  return {
    metadata: { ...marked, generation: (metadata.generation ?? 0) + 1 },
    gone: bare && grace === 0,
  };
}

/** Everything else goes at once, unless a finalizer holds it, or what is in it: a namespace goes when it is empty. */
export function plainDeletion({ metadata, kind }: ApiObject, now: Instant): Deletion {
  if ((metadata.finalizers ?? []).length === 0 && kind !== 'Namespace') return { metadata, gone: true };
  return {
    metadata: metadata.deletionTimestamp === undefined ? ending(metadata, now, 0) : metadata,
    gone: false,
  };
}

/** A change that took the last finalizer off what only waited for that. */
export function freed(before: ApiObject, after: ApiObject): boolean {
  return (
    (after.metadata.finalizers ?? []).length === 0 &&
    before.metadata.deletionTimestamp !== undefined &&
    before.metadata.deletionGracePeriodSeconds === 0
  );
}

function ending(metadata: Meta, from: Instant, graceSeconds: number): Meta {
  return {
    ...metadata,
    deletionTimestamp: timestamp(instant(from + graceSeconds * 1_000)),
    deletionGracePeriodSeconds: graceSeconds,
  };
}
