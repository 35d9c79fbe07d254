/** Policy spillway-places of deploy/kubernetes/external: what the gateway may make to hold a place, and nothing that runs. */
import type { Request } from './kubernetes-admission.ts';
import { record } from './kubernetes-checks.ts';
import { alike, type Pod } from './kubernetes-objects.ts';

/** The classes that a pod of this model may name; every other pod has priority 0. */
const priorities: Readonly<Record<string, number>> = { 'spillway-place': -10 };
export const priorityOf = ({ spec }: Pod): number =>
  spec.priorityClassName === undefined ? 0 : (priorities[spec.priorityClassName] ?? 0);

export function placeWords({ who, operation, old }: Request, pod: Pod): string | undefined {
  if (who !== 'gateway') return "only Spillway's gateway makes or changes pods here";
  if (operation === 'UPDATE')
    return alike(pod.spec, (old as Pod).spec) ? undefined : "a pod's spec never changes here";
  const { spec } = pod;
  if (!pod.metadata.name.startsWith('spill-place-')) return 'a pod here is named spill-place-';
  if (spec.priorityClassName !== 'spillway-place') return 'a pod here has the priority class spillway-place';
  if (spec.activeDeadlineSeconds === undefined) return 'a pod here ends by itself (activeDeadlineSeconds)';
  if (spec.containers.length !== 1 || spec.initContainers !== undefined || spec.volumes !== undefined)
    return 'a pod here has one container and no volume';
  const [only] = spec.containers;
  if (['command', 'args', 'env', 'envFrom'].some((field) => record(only)[field] !== undefined))
    return 'a pod here runs its image as it is';
  if (!(spec.tolerations ?? []).every(({ key }) => key?.startsWith('spillway.dev/') || added(key)))
    return 'of taints only those under spillway.dev/ are tolerated';
  return undefined;
}

/** By the API server itself. */
const added = (key: string | undefined): boolean =>
  key === 'node.kubernetes.io/not-ready' || key === 'node.kubernetes.io/unreachable';
