/** What a pod of anybody's holds of the node that it is bound to. */
import { burstId } from '../../src/domain/ids.ts';
import type { BoundPod } from '../../src/domain/kube.ts';
import { nothing, plus, type Resources } from '../../src/domain/resources.ts';
import { at, list, quantity, record, text } from './json.ts';
import { label, recordAnnotation } from './names.ts';

/** Undefined: not an object that has a name and a uid. */
export function boundPod(object: unknown): BoundPod | undefined {
  const meta = record(at(object, 'metadata'));
  const name = text(meta.name);
  if (name === '' || text(meta.uid) === '') return undefined;
  const burst = text(at(meta, 'labels', label.burst));
  return {
    ref: { namespace: text(meta.namespace), name },
    burst: burst === '' ? undefined : burstId(burst),
    cluster: text(at(meta, 'labels', label.cluster)) || undefined,
    record: text(at(meta, 'annotations', recordAnnotation)) || undefined,
    over: isOver(object),
    ended: hasEnded(object),
    requests: requestsOf(record(at(object, 'spec'))),
  };
}

/** The phase alone is not its kubelet's word: the pod collector writes it too. */
function isOver(object: unknown): boolean {
  const status = record(at(object, 'status'));
  const ends = at(object, 'metadata', 'deletionTimestamp') !== undefined;
  const all = [...list(status.initContainerStatuses), ...list(status.containerStatuses)];
  const still = all.some((container) => at(container, 'state', 'running') !== undefined);
  return !still && (ends || hasEnded(object));
}

function hasEnded(object: unknown): boolean {
  const phase = text(at(object, 'status', 'phase'));
  return phase === 'Succeeded' || phase === 'Failed';
}

/**
 * As kube-scheduler counts: all containers together with the init containers that stay (sidecars), or one that comes before them where that
 * asks for more; and the overhead. Requests for the pod as a whole come first. [Kubernetes: Resource sharing within containers]
 */
export function requestsOf(spec: Readonly<Record<string, unknown>>): Resources {
  const own = at(spec, 'resources', 'requests');
  const containers = list(spec.containers).map(requests);
  let staying = nothing;
  let most = nothing;
  for (const init of list(spec.initContainers)) {
    const asked = requests(init);
    if (text(at(init, 'restartPolicy')) === 'Always') staying = plus(staying, asked);
    else most = larger(most, plus(staying, asked));
  }
  const counted = larger(containers.reduce(plus, staying), most);
  const whole = own === undefined ? counted : { ...counted, ...told(record(own), counted) };
  return plus(whole, told(record(spec.overhead), nothing));
}

const requests = (container: unknown): Resources =>
  told(record(at(container, 'resources', 'requests')), nothing);

function told({ cpu, memory, ...rest }: Readonly<Record<string, unknown>>, otherwise: Resources): Resources {
  return {
    cpuMillis: cpu === undefined ? otherwise.cpuMillis : Math.ceil(quantity(cpu) * 1000),
    memoryBytes: memory === undefined ? otherwise.memoryBytes : Math.ceil(quantity(memory)),
    extended: {
      ...otherwise.extended,
      ...Object.fromEntries(Object.entries(rest).map(([name, n]) => [name, Math.ceil(quantity(n))])),
    },
  };
}

function larger(a: Resources, b: Resources): Resources {
  const names = [...new Set([...Object.keys(a.extended), ...Object.keys(b.extended)])];
  return {
    cpuMillis: Math.max(a.cpuMillis, b.cpuMillis),
    memoryBytes: Math.max(a.memoryBytes, b.memoryBytes),
    extended: Object.fromEntries(names.map((n) => [n, Math.max(a.extended[n] ?? 0, b.extended[n] ?? 0)])),
  };
}
