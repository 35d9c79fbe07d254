/** API objects as the domain sees them; a test holds this and the adapter's reading alike. */
import { burstId, instant } from '../../domain/ids.ts';
import type { BoundPod, ContainerView, NodeView, PodView, Tenant } from '../../domain/kube.ts';
import {
  type Condition,
  type ContainerState,
  conditionOf,
  fromTimestamp,
  type Namespace,
  type Node,
  type Pod,
  quantity,
} from './kubernetes-objects.ts';
import { requestsOf } from './kubernetes-room.ts';

export const burstLabel = 'spillway.dev/burst';
export const leaseAnnotation = 'spillway.dev/lease';
const notePrefix = 'spillway.dev/';

export function podView({ metadata, spec, status }: Pod): PodView {
  const placed = conditionOf(status.conditions, 'PodScheduled');
  const scheduled = spec.nodeName !== undefined || placed?.status === 'True';
  const burst = metadata.labels?.[burstLabel];
  return {
    ref: { namespace: metadata.namespace ?? '', name: metadata.name },
    uid: metadata.uid,
    burst: burst === undefined || burst === '' ? undefined : burstId(burst),
    cluster: metadata.labels?.['spillway.dev/cluster'],
    record: metadata.annotations?.['spillway.dev/record'],
    phase: status.phase,
    reason: status.reason ?? (scheduled ? '' : (placed?.reason ?? '')),
    message: status.message ?? (scheduled ? '' : (placed?.message ?? '')),
    node: spec.nodeName,
    podIp: status.podIP,
    deletingSince: fromTimestamp(metadata.deletionTimestamp),
    finalizers: metadata.finalizers ?? [],
    createdAt: fromTimestamp(metadata.creationTimestamp) ?? instant(0),
    containers: Object.fromEntries(
      [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].map(
        ({ name, state, imageID }) => [name, containerView(state, imageID)],
      ),
    ),
    scheduled,
    ...disruptionOf(conditionOf(status.conditions, 'DisruptionTarget')),
  };
}

function disruptionOf(told: Condition | undefined): Pick<PodView, 'disruption'> {
  if (told?.status !== 'True') return {};
  return { disruption: { reason: told.reason ?? '', message: told.message ?? '' } };
}

function containerView(state: ContainerState, imageId: string | undefined): ContainerView {
  if ('terminated' in state) {
    const { exitCode, reason, finishedAt } = state.terminated;
    return { state: 'terminated', exitCode, signal: 0, reason, finishedAt: fromTimestamp(finishedAt) };
  }
  if ('running' in state)
    return {
      state: 'running',
      startedAt: fromTimestamp(state.running.startedAt),
      ...(imageId === undefined ? {} : { imageId }),
    };
  return { state: 'waiting', reason: state.waiting.reason, message: state.waiting.message ?? '' };
}

const readiness = { True: 'true', False: 'false', Unknown: 'unknown' } as const;

export function nodeView({ metadata, spec, status }: Node): NodeView {
  const heard = conditionOf(status.conditions, 'Ready');
  const ready = readiness[heard?.status ?? 'Unknown'];
  const { cpu, memory, pods, ...rest } = status.allocatable;
  return {
    name: metadata.name,
    uid: metadata.uid,
    providerId: spec.providerID ?? '',
    labels: metadata.labels ?? {},
    ready,
    readySince: ready === 'true' ? fromTimestamp(heard?.lastTransitionTime) : undefined,
    unschedulable: spec.unschedulable === true,
    leasedAt: fromTimestamp(metadata.annotations?.[leaseAnnotation]),
    allocatable: {
      cpuMillis: Math.floor((quantity(cpu ?? '') ?? 0) * 1_000),
      memoryBytes: Math.floor(quantity(memory ?? '') ?? 0),
      pods: Math.floor(quantity(pods ?? '') ?? 0),
      extended: Object.fromEntries(
        Object.entries(rest).map(([name, amount]) => [name, Math.floor(quantity(amount ?? '') ?? 0)]),
      ),
    },
    createdAt: fromTimestamp(metadata.creationTimestamp) ?? instant(0),
    taints: (spec.taints ?? []).map(({ key, value = '', effect }) => ({
      ...{ key, value },
      effect: effect === 'PreferNoSchedule' || effect === 'NoExecute' ? effect : 'NoSchedule',
    })),
    notes: Object.fromEntries(
      Object.entries(metadata.annotations ?? {}).flatMap(([name, value]) =>
        name.startsWith(notePrefix) ? [[name.slice(notePrefix.length), value]] : [],
      ),
    ),
    version: metadata.resourceVersion,
  };
}

export function boundPod(pod: Pod): BoundPod {
  const { ref, burst, cluster, record, phase, deletingSince, containers } = podView(pod);
  const runs = Object.values(containers).some(({ state }) => state === 'running');
  const ended = phase === 'Succeeded' || phase === 'Failed';
  const over = (ended || deletingSince !== undefined) && !runs;
  return { ref, burst, cluster, record, over, ended, requests: requestsOf(pod) };
}

/** Undefined: the namespace's annotations do not say whose it is. */
export function tenantView({ metadata }: Namespace): Tenant | undefined {
  const words = metadata.annotations ?? {};
  const list = (name: string): string[] => (words[name] ?? '').split(',').filter((one) => one !== '');
  const uid = words['spillway.dev/uid'];
  const gids = list('spillway.dev/gids').map(Number);
  if (uid === undefined || !/^\d{1,10}$/.test(uid) || gids.length === 0 || gids.some(Number.isNaN))
    return undefined;
  return { namespace: metadata.name, uid: Number(uid), gids, claims: list('spillway.dev/claims') };
}
