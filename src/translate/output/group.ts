/** The pods that a controller makes as one PodGroup, where a site's scheduler knows such. */
import { podGroupKinds } from '../scheduling.ts';
import { labelsOf, type OutputInput } from './template.ts';

export interface Grouped {
  /** What each pod's template says. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly objects: readonly object[];
  readonly cannot: readonly string[];
}

/** `pods` of them at once or none; one alone needs no group. */
export function podGroups(input: OutputInput, pods: number): Grouped {
  const { name, scheduling } = input;
  const kind = scheduling?.podGroups;
  if (kind === undefined || pods === 1) return { labels: {}, annotations: {}, objects: [], cannot: [] };
  const queue =
    kind === 'volcano' && scheduling?.volcanoQueue !== undefined ? { queue: scheduling.volcanoQueue } : {};
  return {
    labels: kind === 'scheduler-plugins' ? { 'scheduling.x-k8s.io/pod-group': name } : {},
    annotations: kind === 'volcano' ? { 'scheduling.k8s.io/group-name': name } : {},
    objects: [
      {
        apiVersion: podGroupKinds[kind],
        kind: 'PodGroup',
        metadata: { name, labels: labelsOf(input) },
        spec: { minMember: pods, ...queue },
      },
    ],
    cannot: [
      'The PodGroup places its pods all or none, once: a pod that is lost later does not end the others. It stays until somebody deletes it.',
    ],
  };
}
