/** API objects as the domain sees them. */
import { burstId, instant } from '../../src/domain/ids.ts';
import type { ContainerView, NodeView, PodView, Tenant } from '../../src/domain/kube.ts';
import type { Taint } from '../../src/domain/taint.ts';
import { at, type Json, list, quantity, record, text, textRecord, texts, time, whole } from './json.ts';
import { label, leaseAnnotation, notePrefix, recordAnnotation } from './names.ts';

/** Undefined: not an object that has a name and a uid. */
export function podView(object: unknown): PodView | undefined {
  const meta = record(at(object, 'metadata'));
  const status = record(at(object, 'status'));
  const name = text(meta.name);
  const uid = text(meta.uid);
  if (name === '' || uid === '') return undefined;
  const node = text(at(object, 'spec', 'nodeName'));
  const placed = condition(status, 'PodScheduled');
  const scheduled = node !== '' || placed.status === 'True';
  const burst = text(at(meta, 'labels', label.burst));
  return {
    ref: { namespace: text(meta.namespace), name },
    uid,
    burst: burst === '' ? undefined : burstId(burst),
    cluster: text(at(meta, 'labels', label.cluster)) || undefined,
    record: text(at(meta, 'annotations', recordAnnotation)) || undefined,
    phase: text(status.phase) || 'Unknown',
    reason: text(status.reason) || (scheduled ? '' : text(placed.reason)),
    message: text(status.message) || (scheduled ? '' : text(placed.message)),
    node: node || undefined,
    podIp: text(status.podIP) || undefined,
    deletingSince: time(meta.deletionTimestamp),
    finalizers: texts(meta.finalizers),
    createdAt: time(meta.creationTimestamp) ?? instant(0),
    containers: Object.fromEntries(
      [...list(status.initContainerStatuses), ...list(status.containerStatuses)]
        .map(record)
        .map((container) => [
          text(container.name),
          containerView(record(container.state), text(container.imageID)),
        ]),
    ),
    scheduled,
    ...disruptionOf(status),
  };
}

function disruptionOf(status: Json): Pick<PodView, 'disruption'> {
  const told = condition(status, 'DisruptionTarget');
  if (told.status !== 'True') return {};
  return { disruption: { reason: text(told.reason), message: text(told.message) } };
}

function containerView(state: Json, image: string): ContainerView {
  if (state.terminated !== undefined) {
    const over = record(state.terminated);
    return {
      state: 'terminated',
      exitCode: whole(over.exitCode),
      signal: whole(over.signal),
      reason: text(over.reason),
      finishedAt: time(over.finishedAt),
    };
  }
  if (state.running !== undefined)
    return {
      state: 'running',
      startedAt: time(at(state, 'running', 'startedAt')),
      // Older runtimes put a word in front.
      ...(image === '' ? {} : { imageId: image.replace(/^docker-pullable:\/\//, '') }),
    };
  // The API's own default when no state is said.
  return {
    state: 'waiting',
    reason: text(at(state, 'waiting', 'reason')),
    message: text(at(state, 'waiting', 'message')),
  };
}

export function nodeView(object: unknown): NodeView | undefined {
  const meta = record(at(object, 'metadata'));
  const status = record(at(object, 'status'));
  const name = text(meta.name);
  const uid = text(meta.uid);
  if (name === '' || uid === '') return undefined;
  const heard = condition(status, 'Ready');
  const ready = heard.status === 'True' ? 'true' : heard.status === 'False' ? 'false' : 'unknown';
  return {
    name,
    uid,
    providerId: text(at(object, 'spec', 'providerID')),
    labels: textRecord(meta.labels),
    ready,
    readySince: ready === 'true' ? time(heard.lastTransitionTime) : undefined,
    unschedulable: at(object, 'spec', 'unschedulable') === true,
    leasedAt: time(at(meta, 'annotations', leaseAnnotation)),
    allocatable: {
      cpuMillis: Math.floor(quantity(at(status, 'allocatable', 'cpu')) * 1000),
      memoryBytes: Math.floor(quantity(at(status, 'allocatable', 'memory'))),
      pods: Math.floor(quantity(at(status, 'allocatable', 'pods'))),
      extended: extended(record(at(status, 'allocatable'))),
    },
    createdAt: time(meta.creationTimestamp) ?? instant(0),
    taints: list(at(object, 'spec', 'taints'))
      .map(record)
      .map(taint),
    notes: notes(textRecord(meta.annotations)),
    version: text(meta.resourceVersion),
  };
}

const taint = ({ key, value, effect }: Json): Taint => ({
  key: text(key),
  value: text(value),
  // Whatever else there may be keeps pods away as well.
  effect: effect === 'PreferNoSchedule' || effect === 'NoExecute' ? effect : 'NoSchedule',
});

const notes = (annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(annotations).flatMap(([name, value]) =>
      name.startsWith(notePrefix) ? [[name.slice(notePrefix.length), value] as const] : [],
    ),
  );

const extended = ({ cpu: _, memory: __, pods: ___, ...rest }: Json): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(rest).map(([name, amount]) => [name, Math.floor(quantity(amount))]));

/** Undefined: the namespace's annotations do not say whose it is. */
export function tenantView(namespace: unknown): Tenant | undefined {
  const annotations = textRecord(at(namespace, 'metadata', 'annotations'));
  const name = text(at(namespace, 'metadata', 'name'));
  const uid = number(annotations['spillway.dev/uid']);
  // The first group is the primary one; nothing else is decided by the order.
  const gids = split(annotations['spillway.dev/gids']).map(number);
  if (name === '' || uid === undefined || gids.length === 0 || gids.includes(undefined)) return undefined;
  return {
    namespace: name,
    uid,
    gids: gids.filter((gid) => gid !== undefined),
    claims: split(annotations['spillway.dev/claims']),
  };
}

function condition(status: Json, type: string): Json {
  return record(list(status.conditions).find((item) => at(item, 'type') === type));
}

const split = (value: string | undefined): string[] =>
  (value ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

const number = (value: string | undefined): number | undefined =>
  value !== undefined && /^\d{1,10}$/.test(value.trim()) ? Number(value) : undefined;
