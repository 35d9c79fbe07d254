/**
 * What a site's own scheduler is told of our pods. It changes nothing of which node each gets: that was booted for it and is named in its
 * affinity [docs/decisions/0028].
 */
import type { Burst } from '../domain/burst.ts';
import { nodesOf } from '../domain/ranks.ts';
import { groupNameFor, label } from './names.ts';

export interface Scheduling {
  /** schedulerName; the cluster's default if undefined. */
  readonly scheduler?: string | undefined;
  readonly priorityClass?: string | undefined;
  /** By whose PodGroups a job of several nodes is placed all or none. */
  readonly podGroups?: 'scheduler-plugins' | 'volcano' | undefined;
  /** Of Volcano's PodGroups; its default if undefined. */
  readonly volcanoQueue?: string | undefined;
}

type Words = Readonly<Record<string, string>>;

/** As `PodGroupManifest` of the ports, which translation does not import. */
export interface PodGroupManifest {
  readonly apiVersion: 'scheduling.x-k8s.io/v1alpha1' | 'scheduling.volcano.sh/v1beta1';
  readonly kind: 'PodGroup';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Words;
    readonly ownerReferences: readonly {
      readonly apiVersion: 'v1';
      readonly kind: 'Pod';
      readonly name: string;
      readonly uid: string;
    }[];
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

export const podGroupKinds = {
  'scheduler-plugins': 'scheduling.x-k8s.io/v1alpha1',
  volcano: 'scheduling.volcano.sh/v1beta1',
} as const;

export function schedulingSpec(of: Scheduling | undefined): Readonly<Record<string, unknown>> {
  return {
    ...(of?.scheduler === undefined ? {} : { schedulerName: of.scheduler }),
    ...(of?.priorityClass === undefined ? {} : { priorityClassName: of.priorityClass }),
  };
}

/** How a pod says which group it is of: scheduler-plugins reads a label, Volcano an annotation. A job of one node has no group. */
export function groupMarks(
  of: Scheduling | undefined,
  burst: Burst,
): { readonly labels: Words; readonly annotations: Words } {
  const none = { labels: {}, annotations: {} };
  if (nodesOf(burst) === 1) return none;
  const name = groupNameFor(burst);
  switch (of?.podGroups) {
    case undefined:
      return none;
    case 'scheduler-plugins':
      return { ...none, labels: { 'scheduling.x-k8s.io/pod-group': name } };
    case 'volcano':
      return { ...none, annotations: { 'scheduling.k8s.io/group-name': name } };
  }
}

/**
 * The group of a job's pods, made once its first pod is there and owned by it, so that the cluster's garbage collector takes it away with that
 * pod's record; undefined where there is none to make. Until it is there its pods are not placed.
 */
export function podGroupFor(
  of: Scheduling | undefined,
  burst: Burst,
  first: { readonly namespace: string; readonly name: string; readonly uid: string },
): PodGroupManifest | undefined {
  const nodes = nodesOf(burst);
  if (of?.podGroups === undefined || nodes === 1) return undefined;
  const queue = of.podGroups === 'volcano' && of.volcanoQueue !== undefined ? { queue: of.volcanoQueue } : {};
  const priority = of.podGroups === 'volcano' && of.priorityClass !== undefined;
  return {
    apiVersion: podGroupKinds[of.podGroups],
    kind: 'PodGroup',
    metadata: {
      name: groupNameFor(burst),
      namespace: first.namespace,
      labels: { [label.burst]: burst.id },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: first.name, uid: first.uid }],
    },
    spec: { minMember: nodes, ...queue, ...(priority ? { priorityClassName: of.priorityClass } : {}) },
  };
}
