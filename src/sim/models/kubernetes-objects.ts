/** The API's objects as far as anything here reads them. What else was posted is kept and given back. */
import { type Instant, instant } from '../../domain/ids.ts';

export type Json = Readonly<Record<string, unknown>>;
export type Words = Readonly<Record<string, string>>;

export interface Meta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp: string;
  /** When a graceful deletion is to be over: the time it was asked for and its grace. */
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Words;
  readonly annotations?: Words;
  readonly finalizers?: readonly string[];
}

export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Meta;
}

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime: string;
}

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
  readonly timeAdded?: string;
}

export interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
  readonly tolerationSeconds?: number;
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
  readonly mountPropagation?: string;
}

export interface ContainerSpec {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: Json }[];
  readonly resources?: { readonly requests?: Words; readonly limits?: Words };
  readonly securityContext?: Json;
  readonly volumeMounts?: readonly VolumeMount[];
  readonly envFrom?: readonly unknown[];
}

export interface Volume {
  readonly name: string;
  readonly secret?: { readonly secretName?: string };
  readonly persistentVolumeClaim?: { readonly claimName?: string };
  readonly emptyDir?: Json;
}

export interface SelectorTerm {
  readonly matchFields?: readonly Requirement[];
  readonly matchExpressions?: readonly Requirement[];
}

export interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

/** Of pods in the same namespace, and by node: nothing here asks for more. */
export interface AntiAffinityTerm {
  readonly labelSelector?: { readonly matchExpressions?: readonly Requirement[] };
}

export interface PodSpec {
  readonly containers: readonly ContainerSpec[];
  readonly initContainers?: readonly ContainerSpec[];
  readonly volumes?: readonly Volume[];
  readonly nodeName?: string;
  readonly nodeSelector?: Words;
  readonly affinity?: {
    readonly nodeAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: {
        readonly nodeSelectorTerms?: readonly SelectorTerm[];
      };
    };
    readonly podAntiAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly AntiAffinityTerm[];
    };
  };
  readonly priorityClassName?: string;
  readonly activeDeadlineSeconds?: number;
  readonly tolerations?: readonly Toleration[];
  readonly restartPolicy?: string;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: Json;
}

export type ContainerState =
  | { readonly waiting: { readonly reason: string; readonly message?: string } }
  | { readonly running: { readonly startedAt: string } }
  | { readonly terminated: Terminated };

export interface Terminated {
  readonly exitCode: number;
  readonly reason: string;
  readonly message?: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
}

export interface ContainerStatus {
  readonly name: string;
  readonly image: string;
  readonly imageID?: string;
  readonly state: ContainerState;
  readonly ready: boolean;
  readonly started: boolean;
  readonly restartCount: number;
}

export interface PodStatus {
  readonly phase: string;
  readonly reason?: string;
  readonly message?: string;
  readonly conditions?: readonly Condition[];
  /** Where it is to be, once what it preempted there has ended. */
  readonly nominatedNodeName?: string;
  readonly hostIP?: string;
  readonly podIP?: string;
  readonly startTime?: string;
  readonly qosClass?: string;
  readonly initContainerStatuses?: readonly ContainerStatus[];
  readonly containerStatuses?: readonly ContainerStatus[];
}

export interface Pod extends ApiObject {
  readonly spec: PodSpec;
  readonly status: PodStatus;
}

export interface Node extends ApiObject {
  readonly spec: {
    readonly providerID?: string;
    readonly taints?: readonly Taint[];
    readonly unschedulable?: boolean;
  };
  readonly status: {
    readonly capacity: Words;
    readonly allocatable: Words;
    readonly conditions: readonly Condition[];
    readonly addresses: readonly { readonly type: string; readonly address: string }[];
  };
}

export interface Namespace extends ApiObject {
  readonly status: { readonly phase: 'Active' | 'Terminating' };
}

export interface Secret extends ApiObject {
  readonly type: string;
  readonly immutable?: boolean;
  /** In base64. */
  readonly data: Words;
}

export interface Claim extends ApiObject {
  readonly spec: Json;
  readonly status: { readonly phase: string };
}

export interface KubeEvent extends ApiObject {
  readonly involvedObject: Json;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
  readonly reportingComponent: string;
}

export interface Kinds {
  readonly pods: Pod;
  readonly nodes: Node;
  readonly namespaces: Namespace;
  readonly secrets: Secret;
  readonly persistentvolumeclaims: Claim;
  readonly events: KubeEvent;
}

export type Kind = keyof Kinds;

/** What a kind is called in its objects. */
export const kindNames: Readonly<Record<Kind, string>> = {
  pods: 'Pod',
  nodes: 'Node',
  namespaces: 'Namespace',
  secrets: 'Secret',
  persistentvolumeclaims: 'PersistentVolumeClaim',
  events: 'Event',
};

export const isNamespaced = (kind: Kind): boolean => kind !== 'nodes' && kind !== 'namespaces';

/** As the API writes times: to the second. */
export function timestamp(at: Instant): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

export function fromTimestamp(text: string | undefined): Instant | undefined {
  return text === undefined ? undefined : instant(Date.parse(text));
}

export const isOver = (pod: Pod): boolean =>
  pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';

export function conditionOf(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined {
  return conditions?.find((one) => one.type === type);
}

/** With this one in place of the earlier of its type, whose time it keeps while the status is the same. */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  next: Omit<Condition, 'lastTransitionTime'>,
  now: Instant,
): readonly Condition[] {
  const before = conditionOf(conditions, next.type);
  const since = before?.status === next.status ? before.lastTransitionTime : timestamp(now);
  const made: Condition = { ...next, lastTransitionTime: since };
  if (before === undefined) return [...(conditions ?? []), made];
  return (conditions ?? []).map((one) => (one === before ? made : one));
}

const factors: Readonly<Record<string, number>> = {
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Kubernetes' quantities, such as `1500m` or `16Gi`; undefined for what is none. */
export function quantity(text: string): number | undefined {
  const match = /^([0-9.]+)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(text);
  const number = Number(match?.[1]);
  return match === null || Number.isNaN(number) ? undefined : number * (factors[match[2] ?? ''] ?? 0);
}

/** The same bytes as JSON: for objects of one origin, whose fields come in one order. */
export const alike = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);
