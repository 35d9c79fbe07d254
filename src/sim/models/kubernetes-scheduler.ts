/** kube-scheduler: looks again whenever a pod waits and something changed that could make room for it. */
import type { Events } from './kubernetes-events.ts';
import { alike, conditionOf, isOver, type Pod, withCondition } from './kubernetes-objects.ts';
import { priorityOf } from './kubernetes-places.ts';
import { preempting, preemption } from './kubernetes-preemption.ts';
import { Room } from './kubernetes-room.ts';
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
    // Those that matter most come first; of one priority, as they came.
    const waiting = [...store.all('pods')].filter(waits).sort((a, b) => priorityOf(b) - priorityOf(a));
    if (waiting.length === 0) return;
    const rooms = [...store.all('nodes')].map((node) => new Room(node));
    for (const pod of store.all('pods'))
      if (pod.spec.nodeName !== undefined && !isOver(pod))
        rooms.find(({ node }) => node.metadata.name === pod.spec.nodeName)?.take(pod);
    for (const pod of waiting)
      if (pod.status.nominatedNodeName !== undefined)
        rooms.find(({ node }) => node.metadata.name === pod.status.nominatedNodeName)?.expect(pod);
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
    const nominated = pod.status.nominatedNodeName;
    // What it preempted there is still ending.
    if (nominated !== undefined && preempting(pod, rooms)) return;
    const [best] = rooms
      .filter((_, i) => against[i] === undefined)
      .sort((a, b) => a.pods - b.pods || (a.node.metadata.name < b.node.metadata.name ? -1 : 1));
    if (best === undefined) {
      const way = preemption(pod, rooms);
      this.#cannot(pod, inWords(against), way?.node);
      for (const victim of way?.victims ?? []) this.#preempt(victim, pod);
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

  /** Its own kubelet ends it, with its grace; until then it holds what it has. [kube-scheduler: preemption] */
  #preempt(victim: Pod, by: Pod): void {
    const { namespace, name, uid } = victim.metadata;
    const mark = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: `default-scheduler: preempting to accommodate a higher priority pod ${by.metadata.namespace}/${by.metadata.name}`,
    } as const;
    this.#server.update('pods', namespace, name, (before) => ({
      ...before,
      status: {
        ...before.status,
        conditions: withCondition(before.status.conditions, mark, this.#pace.now()),
      },
    }));
    this.#server.end('pods', namespace ?? '', name, uid, undefined);
  }

  #cannot(pod: Pod, message: string, nominated?: string): void {
    const { namespace, name } = pod.metadata;
    const told = this.#server.update('pods', namespace, name, (before) => {
      const was = conditionOf(before.status.conditions, 'PodScheduled');
      if (was?.status === 'False' && was.message === message && nominated === undefined) return undefined;
      const conditions = withCondition(
        before.status.conditions,
        { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message },
        this.#pace.now(),
      );
      const place = nominated === undefined ? {} : { nominatedNodeName: nominated };
      return { ...before, status: { ...before.status, conditions, ...place } };
    });
    if (told !== undefined)
      this.#events.record(told, 'Warning', 'FailedScheduling', message, 'default-scheduler');
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

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` */
function inWords(against: readonly (string | undefined)[]): string {
  if (against.length === 0) return 'no nodes available to schedule pods';
  const counts = new Map<string, number>();
  for (const why of against) if (why !== undefined) counts.set(why, (counts.get(why) ?? 0) + 1);
  const words = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([why, n]) => `${n} ${why}`);
  return `0/${against.length} nodes are available: ${words.join(', ')}.`;
}
