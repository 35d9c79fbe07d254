/** A node as kube-scheduler sees it, and whether a pod may be there. */
import { nothing, plus, type Resources } from '../../domain/resources.ts';
import {
  type AntiAffinityTerm,
  type ContainerSpec,
  type Node,
  type Pod,
  quantity,
  type Requirement,
  type Taint,
  type Toleration,
  type Words,
} from './kubernetes-objects.ts';
import { priorityOf } from './kubernetes-places.ts';

/** A node and what is left on it. */
export class Room {
  readonly node: Node;
  readonly on: Pod[] = [];
  /** They preempted something here, and wait until it has ended. */
  readonly #expected: Pod[] = [];
  #used: Resources = nothing;
  readonly #has: Resources;

  constructor(node: Node) {
    this.node = node;
    this.#has = resourcesOf(node.status.allocatable);
  }

  get pods(): number {
    return this.on.length;
  }

  take(pod: Pod): void {
    this.on.push(pod);
    this.#used = plus(this.#used, requestsOf(pod));
  }

  expect(pod: Pod): void {
    this.#expected.push(pod);
  }

  /** As if those were not here. */
  without(pods: readonly Pod[]): Room {
    const room = new Room(this.node);
    for (const pod of this.on) if (!pods.includes(pod)) room.take(pod);
    for (const pod of this.#expected) room.expect(pod);
    return room;
  }

  /** Why it cannot be here, in kube-scheduler's words. */
  against(pod: Pod): string | undefined {
    const { node } = this;
    const tolerations = pod.spec.tolerations ?? [];
    const cordon: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
    if (node.spec.unschedulable === true && !tolerates(tolerations, cordon))
      return 'node(s) were unschedulable';
    if (!selects(pod, node)) return "node(s) didn't match Pod's node affinity/selector";
    const taint = (node.spec.taints ?? []).find(
      (one) => one.effect !== 'PreferNoSchedule' && !tolerates(tolerations, one),
    );
    if (taint !== undefined) return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`;
    const [terms, here] = [antiAffinity(pod), this.on.filter((one) => isBeside(one, pod))];
    if (here.some((one) => terms.some((term) => matches(term, one))))
      return "node(s) didn't match pod anti-affinity rules";
    if (here.some((one) => antiAffinity(one).some((term) => matches(term, pod))))
      return "node(s) didn't satisfy existing pods anti-affinity rules";
    if (this.pods + 1 > (quantity(node.status.allocatable.pods ?? '') ?? 0)) return 'Too many pods';
    // Whoever matters as much or more, and is to be here, has its room already.
    const before = this.#expected.filter(
      (one) => one.metadata.uid !== pod.metadata.uid && priorityOf(one) >= priorityOf(pod),
    );
    const used = before.map(requestsOf).reduce(plus, this.#used);
    const [need, has] = [requestsOf(pod), this.#has];
    if (need.cpuMillis > has.cpuMillis - used.cpuMillis) return 'Insufficient cpu';
    if (need.memoryBytes > has.memoryBytes - used.memoryBytes) return 'Insufficient memory';
    const short = Object.entries(need.extended).find(
      ([name, n]) => n > (has.extended[name] ?? 0) - (used.extended[name] ?? 0),
    );
    return short === undefined ? undefined : `Insufficient ${short[0]}`;
  }
}

export function tolerates(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some(
    ({ key, operator, value, effect }) =>
      (effect === undefined || effect === '' || effect === taint.effect) &&
      (operator === 'Exists'
        ? key === undefined || key === '' || key === taint.key
        : key === taint.key && (value ?? '') === (taint.value ?? '')),
  );
}

function selects(pod: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  if (Object.entries(pod.spec.nodeSelector ?? {}).some(([key, value]) => labels[key] !== value)) return false;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required === undefined) return true;
  const fields: Words = { 'metadata.name': node.metadata.name };
  return (required.nodeSelectorTerms ?? []).some(
    ({ matchFields, matchExpressions }) =>
      (matchFields ?? matchExpressions) !== undefined &&
      (matchFields ?? []).every((one) => holds(one, fields)) &&
      (matchExpressions ?? []).every((one) => holds(one, labels)),
  );
}

function holds({ key, operator, values }: Requirement, of: Words): boolean {
  const value = of[key];
  switch (operator) {
    case 'In':
      return value !== undefined && (values ?? []).includes(value);
    case 'NotIn':
      return value === undefined || !(values ?? []).includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}

const antiAffinity = ({ spec }: Pod): readonly AntiAffinityTerm[] =>
  spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];

const isBeside = (one: Pod, pod: Pod): boolean => one.metadata.namespace === pod.metadata.namespace;

const matches = ({ labelSelector }: AntiAffinityTerm, { metadata }: Pod): boolean =>
  (labelSelector?.matchExpressions ?? []).every((one) => holds(one, metadata.labels ?? {}));

/** What the scheduler sets aside: all containers together, or the largest init container. */
export function requestsOf({ spec }: Pod): Resources {
  const of = (one: ContainerSpec): Resources =>
    resourcesOf({ ...one.resources?.limits, ...one.resources?.requests });
  const main = spec.containers.map(of).reduce(plus, nothing);
  return (spec.initContainers ?? []).map(of).reduce(
    (a, b) => ({
      cpuMillis: Math.max(a.cpuMillis, b.cpuMillis),
      memoryBytes: Math.max(a.memoryBytes, b.memoryBytes),
      extended: Object.fromEntries(
        Object.keys({ ...a.extended, ...b.extended }).map((name) => [
          name,
          Math.max(a.extended[name] ?? 0, b.extended[name] ?? 0),
        ]),
      ),
    }),
    main,
  );
}

function resourcesOf({ cpu, memory, pods: _, 'ephemeral-storage': _disk, ...extended }: Words): Resources {
  return {
    cpuMillis: Math.round((quantity(cpu ?? '') ?? 0) * 1_000),
    memoryBytes: quantity(memory ?? '') ?? 0,
    extended: Object.fromEntries(Object.entries(extended).map(([name, n]) => [name, quantity(n) ?? 0])),
  };
}
