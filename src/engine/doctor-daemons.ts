/** What `doctor` asks of the DaemonSets: a node that lacks its network, storage or devices is one that never joins, or whose pods never start. */
import { faultOf } from '../domain/fault.ts';
import { type DaemonSetView, tolerates } from '../domain/kube.ts';
import type { NodeGroup, Taint } from '../domain/policy.ts';
import type { KubernetesPort } from '../ports.ts';
import type { ClusterSettings } from './context.ts';
import type { Finding } from './doctor.ts';

export async function* examineDaemons(
  kubernetes: Pick<KubernetesPort, 'daemonSets'>,
  clusters: readonly Pick<ClusterSettings, 'hands' | 'groups'>[],
): AsyncGenerator<Finding> {
  const groups = clusters.filter((c) => c.hands !== false).flatMap((c) => c.groups);
  if (groups.length === 0) return;
  let seen: readonly DaemonSetView[];
  try {
    seen = await kubernetes.daemonSets();
  } catch (e) {
    const what = 'kubernetes: DaemonSets';
    const text = `cannot be read: ${e instanceof Error ? e.message : String(e)}`;
    const todo =
      faultOf(e) === 'refused'
        ? 'kubectl apply -f deploy/kubernetes/gateway.yaml: its role spillway-cluster may list them'
        : 'run it again; the rest was looked at without them';
    yield { what, ok: false, text, todo };
    return;
  }
  for (const group of groups) yield onGroup(group, seen);
}

function onGroup({ name, taint }: NodeGroup, seen: readonly DaemonSetView[]): Finding {
  const what = `node group ${name}: DaemonSets`;
  const needed = seen.filter(({ brings }) => brings.length > 0);
  const kept = needed.filter((d) => !tolerates(d.tolerations, taint));
  if (kept.length === 0) {
    const told =
      needed.length === 0 ? 'none brings network, storage or devices' : needed.map(inWords).join(', ');
    return { what, ok: true, text: `${told}${needed.length === 0 ? '' : `: tolerate ${written(taint)}`}` };
  }
  return {
    what,
    ok: false,
    text: `${kept.map(inWords).join(', ')}: not on its nodes, as ${written(taint)} is not tolerated`,
    todo: `add the toleration { key: ${taint.key}, operator: Equal, value: "${taint.value}", effect: ${taint.effect} } to its pod template`,
  };
}

const inWords = ({ namespace, name, brings }: DaemonSetView): string =>
  `${namespace}/${name} (${brings.join(', ')})`;

const written = ({ key, value, effect }: Taint): string => `${key}=${value}:${effect}`;
