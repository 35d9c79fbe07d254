/** DaemonSets as the domain sees them: what each does is told by what of its node it mounts. */
import type { DaemonSetView, NodePart, Toleration } from '../../src/domain/kube.ts';
import { requestsOf } from './bound.ts';
import { at, list, record, text, textRecord, texts } from './json.ts';

/** Where the kubelet and the runtime look for them. */
const places: readonly (readonly [NodePart, RegExp])[] = [
  ['network', /^\/(etc\/cni|opt\/cni|var\/lib\/cni|usr\/lib\/cni|run\/flannel)(\/|$)/],
  ['storage', /^\/var\/lib\/kubelet\/(plugins|plugins_registry|csi-plugins)(\/|$)/],
  ['devices', /^\/var\/lib\/kubelet\/device-plugins(\/|$)/],
];

export function daemonSetView(object: unknown): DaemonSetView | undefined {
  const name = text(at(object, 'metadata', 'name'));
  if (name === '') return undefined;
  const pod = at(object, 'spec', 'template', 'spec');
  const paths = list(at(pod, 'volumes')).map((v) => text(at(v, 'hostPath', 'path')));
  return {
    namespace: text(at(object, 'metadata', 'namespace')),
    name,
    brings: places.filter(([, place]) => paths.some((path) => place.test(path))).map(([part]) => part),
    tolerations: list(at(pod, 'tolerations')).map(tolerationView),
    requests: requestsOf(record(pod)),
    nodeSelector: textRecord(at(pod, 'nodeSelector')),
    affinity: affinityOf(
      at(pod, 'affinity', 'nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution'),
    ),
  };
}

/** Rules by a node's name are left out: of a DaemonSet they are nobody's. */
function affinityOf(required: unknown): DaemonSetView['affinity'] {
  if (required === undefined) return undefined;
  return list(at(required, 'nodeSelectorTerms')).map((term) =>
    list(at(term, 'matchExpressions')).map((rule) => ({
      key: text(at(rule, 'key')),
      operator: text(at(rule, 'operator')),
      values: texts(at(rule, 'values')),
    })),
  );
}

function tolerationView(object: unknown): Toleration {
  const { key, operator, value, effect } = record(object);
  return {
    key: text(key) || undefined,
    anyValue: text(operator) === 'Exists',
    value: text(value),
    effect: text(effect) || undefined,
  };
}
