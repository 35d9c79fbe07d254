/** kube-scheduler: looks again whenever a pod waits and something changed that could make room for it. */
import { nothing, plus, type Resources } from '../../domain/resources.ts';
import type { Events } from './kubernetes-events.ts';
import {
  alike,
  type ContainerSpec,
  conditionOf,
  isOver,
  type Node,
  type Pod,
  quantity,
  type Requirement,
  type Taint,
  type Toleration,
  type Words,
  withCondition,
} from './kubernetes-objects.ts';
import type { ApiServer } from './kubernetes-server.ts';
import type { Change } from './kubernetes-store.ts';
import type { KubernetesConfig, Pace } from './kubernetes-types.ts';

export class PodScheduler {
  readonly #server: ApiServer;
  readonly #pace: Pace;
  readonly #config: KubernetesConfig;
  readonly #events: Events;
  #due = false;
  #working = false;

  constructor(server: ApiServer, pace: Pace, config: KubernetesConfig, events: Events) {
    this.#server = server;
    this.#pace = pace;
    this.#config = config;
    this.#events = events;
    server.store.listen((change) => {
      if (!this.#working && matters(change)) this.#soon();
    });
  }

  #soon(): void {
    if (this.#due) return;
    this.#due = true;
    this.#pace.after(this.#config.schedulerMs, () => {
      this.#due = false;
      this.#pass();
    });
  }

  #pass(): void {
    const { store } = this.#server;
    const waiting = [...store.all('pods')].filter(waits);
    if (waiting.length === 0) return;
    const rooms = [...store.all('nodes')].map((node) => new Room(node));
    for (const pod of store.all('pods'))
      if (pod.spec.nodeName !== undefined && !isOver(pod))
        rooms.find(({ node }) => node.metadata.name === pod.spec.nodeName)?.take(pod);
    this.#working = true;
    for (const pod of waiting) this.#place(pod, rooms);
    this.#working = false;
  }

  #place(pod: Pod, rooms: readonly Room[]): void {
    const { namespace, name } = pod.metadata;
    const missing = (pod.spec.volumes ?? [])
      .flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? [])
      .find((claim) => this.#server.store.get('persistentvolumeclaims', namespace, claim) === undefined);
    if (missing !== undefined) {
      this.#cannot(
        pod,
        `0/${rooms.length} nodes are available: persistentvolumeclaim "${missing}" not found.`,
      );
      return;
    }
    const against = rooms.map((room) => room.against(pod));
    const [best] = rooms
      .filter((_, i) => against[i] === undefined)
      .sort((a, b) => a.pods - b.pods || (a.node.metadata.name < b.node.metadata.name ? -1 : 1));
    if (best === undefined) {
      this.#cannot(pod, inWords(against));
      return;
    }
    const node = best.node.metadata.name;
    best.take(pod);
    const bound = this.#server.update('pods', namespace, name, (before) => ({
      ...before,
      spec: { ...before.spec, nodeName: node },
      status: {
        ...before.status,
        conditions: withCondition(
          before.status.conditions,
          { type: 'PodScheduled', status: 'True' },
          this.#pace.now(),
        ),
      },
    }));
    if (bound !== undefined)
      this.#events.record(
        bound,
        'Normal',
        'Scheduled',
        `Successfully assigned ${namespace}/${name} to ${node}`,
        'default-scheduler',
      );
  }

  #cannot(pod: Pod, message: string): void {
    const { namespace, name } = pod.metadata;
    const told = this.#server.update('pods', namespace, name, (before) => {
      const was = conditionOf(before.status.conditions, 'PodScheduled');
      if (was?.status === 'False' && was.message === message) return undefined;
      const conditions = withCondition(
        before.status.conditions,
        { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message },
        this.#pace.now(),
      );
      return { ...before, status: { ...before.status, conditions } };
    });
    if (told !== undefined)
      this.#events.record(told, 'Warning', 'FailedScheduling', message, 'default-scheduler');
  }
}

/** A node and what is left on it. */
class Room {
  readonly node: Node;
  pods = 0;
  #used: Resources = nothing;
  readonly #has: Resources;

  constructor(node: Node) {
    this.node = node;
    this.#has = resourcesOf(node.status.allocatable);
  }

  take(pod: Pod): void {
    this.pods += 1;
    this.#used = plus(this.#used, requestsOf(pod));
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
    if (this.pods + 1 > (quantity(node.status.allocatable.pods ?? '') ?? 0)) return 'Too many pods';
    const [need, used, has] = [requestsOf(pod), this.#used, this.#has];
    if (need.cpuMillis > has.cpuMillis - used.cpuMillis) return 'Insufficient cpu';
    if (need.memoryBytes > has.memoryBytes - used.memoryBytes) return 'Insufficient memory';
    const short = Object.entries(need.extended).find(
      ([name, n]) => n > (has.extended[name] ?? 0) - (used.extended[name] ?? 0),
    );
    return short === undefined ? undefined : `Insufficient ${short[0]}`;
  }
}

function matters({ kind, type, object, before }: Change): boolean {
  if (kind === 'pods') {
    const room = type === 'DELETED' || (isOver(object) && before !== undefined && !isOver(before));
    return waits(object) || (room && object.spec.nodeName !== undefined);
  }
  if (kind === 'nodes')
    return (
      type === 'ADDED' ||
      (type === 'MODIFIED' &&
        !(
          alike(before?.spec, object.spec) &&
          alike(before?.metadata.labels, object.metadata.labels) &&
          alike(before?.status.allocatable, object.status.allocatable)
        ))
    );
  return kind === 'persistentvolumeclaims';
}

const waits = ({ spec, metadata, status }: Pod): boolean =>
  spec.nodeName === undefined && metadata.deletionTimestamp === undefined && status.phase === 'Pending';

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

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` */
function inWords(against: readonly (string | undefined)[]): string {
  if (against.length === 0) return 'no nodes available to schedule pods';
  const counts = new Map<string, number>();
  for (const why of against) if (why !== undefined) counts.set(why, (counts.get(why) ?? 0) + 1);
  const words = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([why, n]) => `${n} ${why}`);
  return `0/${against.length} nodes are available: ${words.join(', ')}.`;
}
