import type { BurstId, CloudId, Instant } from './ids.ts';
import type { Resources } from './resources.ts';
import type { Taint } from './taint.ts';

export interface PodRef {
  readonly namespace: string;
  readonly name: string;
}

export type ContainerView =
  | { readonly state: 'waiting'; readonly reason: string; readonly message: string }
  | {
      readonly state: 'running';
      readonly startedAt: Instant | undefined;
      /** As the runtime names what it runs: with a digest, where the image came from a registry. */
      readonly imageId?: string | undefined;
    }
  | {
      readonly state: 'terminated';
      readonly exitCode: number;
      readonly signal: number;
      readonly reason: string;
      readonly finishedAt: Instant | undefined;
    };

/** One pod of ours as the API server shows it; a container is absent until its kubelet said something of it. */
export interface PodView {
  readonly ref: PodRef;
  readonly uid: string;
  readonly burst: BurstId | undefined;
  /** Of which cluster it says it is. */
  readonly cluster?: string | undefined;
  /** What it says of its burst (`spillway.dev/record`), for a gateway that lost its own. */
  readonly record?: string | undefined;
  readonly phase: string;
  readonly reason: string;
  readonly message: string;
  readonly node: string | undefined;
  readonly podIp: string | undefined;
  readonly deletingSince: Instant | undefined;
  readonly finalizers: readonly string[];
  readonly createdAt: Instant;
  readonly containers: Readonly<Record<string, ContainerView>>;
  /** False with a reason while kube-scheduler cannot place it. */
  readonly scheduled: boolean;
  /** Its condition DisruptionTarget, where it holds: who ends it, and why. */
  readonly disruption?: { readonly reason: string; readonly message: string } | undefined;
}

export interface NodeView {
  readonly name: string;
  readonly uid: string;
  readonly providerId: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `unknown`: the node controller has not heard from the kubelet. */
  readonly ready: 'true' | 'false' | 'unknown';
  readonly readySince: Instant | undefined;
  readonly unschedulable: boolean;
  /** When a gateway last said on it that it stands for it [ports.ts, renewLease]; undefined: never. */
  readonly leasedAt?: Instant | undefined;
  readonly allocatable: {
    readonly cpuMillis: number;
    readonly memoryBytes: number;
    readonly pods: number;
    /** Of device plugins, huge pages and disk, by name; a plugin tells some time after its node is Ready. */
    readonly extended?: Readonly<Record<string, number>> | undefined;
  };
  readonly createdAt: Instant;
  readonly taints?: readonly Taint[] | undefined;
  /** Annotations under `spillway.dev/`, by what follows. */
  readonly notes?: Readonly<Record<string, string>> | undefined;
  /** Changes with the object: what was seen is still so where it has not. */
  readonly version?: string | undefined;
}

/** On a node that was there before, or that somebody else brought: the instance that it is meanwhile. Under this prefix a kubelet cannot write it itself. */
export const instanceLabel = 'node-restriction.kubernetes.io/spillway-instance';

/** Where the pods are that hold places on nodes which somebody else scales [deploy/kubernetes/external]. */
export const placesNamespace = 'spillway-places';

/** Whether a node is this instance: by what the gateway wrote on it when it took it, or by its providerID. */
export function isInstance(
  { labels, providerId }: Pick<NodeView, 'labels' | 'providerId'>,
  id: CloudId,
): boolean {
  return labels[instanceLabel] === id || providerId.endsWith(`/${id}`);
}

/** With this taint a person says that a machine is off, to Kubernetes and to us. [Kubernetes: Non-graceful node shutdown] */
export const offTaint = 'node.kubernetes.io/out-of-service';
export const saysOff = (node: string): string =>
  `kubectl taint nodes ${node} ${offTaint}=nodeshutdown:NoExecute`;

/** A pod that is bound to a node, whoever's it is. */
export interface BoundPod {
  readonly ref: PodRef;
  /** Of ours only. */
  readonly burst: BurstId | undefined;
  readonly cluster: string | undefined;
  /** As of a `PodView`. */
  readonly record?: string | undefined;
  /** No container of it runs, nor will, by its kubelet's word. */
  readonly over: boolean;
  /** By its phase: its kubelet's word, or the pod collector's, who asks no kubelet. */
  readonly ended: boolean;
  /** What it holds of the node until it is over. */
  readonly requests: Resources;
}

/** What an admin's `tenants` set up for one user: the gateway reads it and never writes it. */
export interface Tenant {
  readonly namespace: string;
  readonly uid: number;
  readonly gids: readonly number[];
  readonly claims: readonly string[];
}

/** What a node must have before a pod of ours can run there. */
export type NodePart = 'network' | 'storage' | 'devices';

export interface Toleration {
  /** Of every taint if undefined. */
  readonly key: string | undefined;
  readonly anyValue: boolean;
  readonly value: string;
  /** Of every effect if undefined. */
  readonly effect: string | undefined;
}

export interface DaemonSetView {
  readonly namespace: string;
  readonly name: string;
  /** What it brings to a node; of one that only collects logs, nothing. */
  readonly brings: readonly NodePart[];
  readonly tolerations: readonly Toleration[];
  /** What each of its pods asks for. */
  readonly requests: Resources;
  /** Labels that its nodes have. */
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** Required node affinity: its nodes suit one of these; any node does if undefined. */
  readonly affinity?: readonly (readonly NodeRule[])[] | undefined;
}

/** One of `matchExpressions`, all of which must hold. */
export interface NodeRule {
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
}

/** Whether one of its pods is, or will be, on a node with these labels and this taint. Other taints are taken to pass, as most do: rather one pod too many is counted. */
export function runsOn(
  { tolerations, nodeSelector, affinity }: DaemonSetView,
  labels: NodeView['labels'],
  taint: Taint,
): boolean {
  return (
    tolerates(tolerations, taint) &&
    Object.entries(nodeSelector).every(([key, value]) => labels[key] === value) &&
    (affinity === undefined || affinity.some((term) => term.every((rule) => suits(rule, labels))))
  );
}

/** [Kubernetes: Assigning Pods to Nodes, operators] An operator that nobody knows yet is taken to suit. */
function suits({ key, operator, values }: NodeRule, labels: NodeView['labels']): boolean {
  const has = labels[key];
  switch (operator) {
    case 'In':
      return has !== undefined && values.includes(has);
    case 'NotIn':
      return has === undefined || !values.includes(has);
    case 'Exists':
      return has !== undefined;
    case 'DoesNotExist':
      return has === undefined;
    case 'Gt':
      return has !== undefined && Number(has) > Number(values[0]);
    case 'Lt':
      return has !== undefined && Number(has) < Number(values[0]);
    default:
      return true;
  }
}

/** As kube-scheduler has it; a taint that only prefers keeps nothing away. */
export function tolerates(
  tolerations: readonly Toleration[],
  taint: { readonly key: string; readonly value: string; readonly effect: string },
): boolean {
  if (taint.effect === 'PreferNoSchedule') return true;
  return tolerations.some(
    ({ key, anyValue, value, effect }) =>
      (effect === undefined || effect === taint.effect) &&
      (key === undefined ? anyValue : key === taint.key && (anyValue || value === taint.value)),
  );
}
