/** The pod that holds a place: nothing runs in it, and whoever scales the cluster brings a node for it. */
import { claimOf } from '../../../src/domain/devices.ts';
import type { ClusterName, Instant, LaunchToken } from '../../../src/domain/ids.ts';
import type { LaunchSpec } from '../../../src/domain/instance.ts';
import { instanceLabel, placesNamespace } from '../../../src/domain/kube.ts';
import { nothing, type Resources } from '../../../src/domain/resources.ts';
import type { Taint } from '../../../src/domain/taint.ts';
import type { PodManifest } from '../../../src/ports.ts';
import { finalizer, label, recordAnnotation, shownFinalizer } from '../../kubernetes/names.ts';
import { nameOf, type Place, placeOf } from './record.ts';

export interface ExternalGroup {
  readonly name: string;
  /** Labels that its nodes have. */
  readonly selector: Readonly<Record<string, string>>;
  readonly taint: Taint;
  /** Of a pause program. */
  readonly image: string;
  /** A pod that holds a place ends by itself after so long, whether a gateway lives or not. */
  readonly holdMs: number;
}

/** Of deploy/kubernetes/external: below every job's, and not below what cluster-autoscaler brings nodes for (-10). */
export const priorityClass = 'spillway-place';
export const placeLabel = 'spillway.dev/place';
const typeLabel = 'node.kubernetes.io/instance-type';

export function placePod(
  cluster: ClusterName,
  group: ExternalGroup,
  spec: LaunchSpec,
  token: LaunchToken,
  at: Instant,
): PodManifest {
  const place: Place = placeOf(cluster, spec, token, at);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: nameOf(place.id),
      namespace: placesNamespace,
      labels: { [label.cluster]: cluster, [placeLabel]: 'true' },
      annotations: {
        [recordAnnotation]: JSON.stringify(place),
        'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
        'karpenter.sh/do-not-disrupt': 'true',
      },
      // The record outlives the pod: a job's own takes its place by preemption, which deletes it.
      finalizers: [finalizer, shownFinalizer],
    },
    spec: {
      restartPolicy: 'Never',
      priorityClassName: priorityClass,
      activeDeadlineSeconds: Math.ceil(group.holdMs / 1_000),
      // Without any the API server would call it gone before its kubelet has let go of its requests, and that kubelet refuse the job's pod.
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      nodeSelector: group.selector,
      affinity: alone(spec.types),
      tolerations: [{ ...group.taint, operator: 'Equal' }],
      securityContext: {
        ...{ runAsNonRoot: true, runAsUser: 65_535, runAsGroup: 65_535 },
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          ...{ name: 'place', image: group.image, imagePullPolicy: 'IfNotPresent' },
          resources: resources(spec.external?.needs ?? nothing),
          securityContext: {
            ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    },
  };
}

/** On a node of a type that was planned, beside no other place, and on none that an instance has: a node is one instance's. */
function alone(types: readonly string[]): Readonly<Record<string, unknown>> {
  const matchExpressions = [
    { key: typeLabel, operator: 'In', values: types },
    { key: instanceLabel, operator: 'DoesNotExist' },
  ];
  const others = { matchExpressions: [{ key: placeLabel, operator: 'Exists' }] };
  return {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] },
    },
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: others, topologyKey: 'kubernetes.io/hostname' },
      ],
    },
  };
}

/** As the jobs' own pods ask for it; what is claimed by a template is counted on no node. */
function resources({ cpuMillis, memoryBytes, extended }: Resources): Readonly<Record<string, unknown>> {
  const counted = Object.entries(extended).filter(([name]) => claimOf(name) === undefined);
  const more = Object.fromEntries(counted.map(([name, n]) => [name, `${n}`]));
  // Huge pages are had only beside memory, and both as limits.
  return {
    requests: { cpu: `${cpuMillis}m`, memory: `${memoryBytes}`, ...more },
    ...(counted.length === 0 ? {} : { limits: more }),
  };
}
