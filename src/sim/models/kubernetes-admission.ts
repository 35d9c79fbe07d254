/** deploy/kubernetes/admission.yaml and pod security "restricted", as far as what the gateway asks for can break them. */
import { placesNamespace } from '../../domain/kube.ts';
import { record } from './kubernetes-checks.ts';
import {
  type ApiObject,
  alike,
  type ContainerSpec,
  type Kind,
  type Namespace,
  type Node,
  type Pod,
  type Secret,
  type VolumeMount,
  type Words,
} from './kubernetes-objects.ts';
import { placeWords } from './kubernetes-places.ts';
import { tenantLabel, type Who } from './kubernetes-rights.ts';
import { shapeWords } from './kubernetes-shape.ts';
import { ApiError } from './kubernetes-types.ts';

export interface Request {
  readonly who: Who;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly kind: Kind;
  readonly object: ApiObject | undefined;
  readonly old: ApiObject | undefined;
  readonly namespace: Namespace | undefined;
}

/** The agent's own user. */
const ours = 65_532;
const groupLabel = 'node-restriction.kubernetes.io/spillway-group';
const instanceLabel = 'node-restriction.kubernetes.io/spillway-instance';
const fixedLabel = 'node-restriction.kubernetes.io/spillway-static';
const burstTaint = 'spillway.dev/burst';

/** Throws what the API server would say. */
export function enforce(request: Request): void {
  const name = (request.object ?? request.old)?.metadata.name ?? '';
  const denied = (policy: string, words: string | undefined): void => {
    if (words === undefined) return;
    throw new ApiError(
      422,
      'Invalid',
      `${request.kind} "${name}" is forbidden: ValidatingAdmissionPolicy '${policy}' with binding '${policy}' denied request: ${words}`,
    );
  };
  const { kind, operation, who, namespace } = request;
  const ofTenant = namespace?.metadata.labels?.[tenantLabel] === 'true';
  if (kind === 'pods' && ofTenant && operation === 'DELETE')
    denied('spillway-ends', who === 'gateway' ? undefined : "only Spillway's gateway ends jobs here");
  else if (kind === 'pods' && ofTenant) {
    const pod = request.object as Pod;
    const enforced = namespace?.metadata.labels?.['pod-security.kubernetes.io/enforce'] === 'restricted';
    const insecure = enforced && operation === 'CREATE' ? unrestricted(pod) : undefined;
    if (insecure !== undefined)
      throw new ApiError(
        403,
        'Forbidden',
        `pods "${name}" is forbidden: violates PodSecurity "restricted:latest": ${insecure}`,
      );
    denied('spillway-pods', podWords(request, pod, namespace));
    if (operation === 'CREATE') denied('spillway-shape', shapeWords(pod));
  } else if (kind === 'pods' && request.object?.metadata.namespace === placesNamespace)
    denied('spillway-places', placeWords(request, request.object as Pod));
  else if (kind === 'secrets' && who === 'gateway') denied('spillway-secrets', secretWords(request));
  else if (kind === 'nodes' && who === 'gateway') denied('spillway-nodes', nodeWords(request));
}

function podWords({ who, operation, old }: Request, pod: Pod, namespace: Namespace): string | undefined {
  if (who !== 'gateway') return "only Spillway's gateway makes or changes pods here";
  const { spec } = pod;
  if (operation === 'UPDATE' && !alike(spec, (old as Pod).spec)) return "a pod's spec never changes here";
  if (!pod.metadata.name.startsWith('spill-')) return 'a pod here is named spill-';
  if (burstOf(pod) === '' || (operation === 'UPDATE' && !alike(pod.metadata.labels, old?.metadata.labels)))
    return "a pod is one burst's (label spillway.dev/burst), and its labels never change";
  const annotations = namespace.metadata.annotations ?? {};
  const uid = Number(annotations['spillway.dev/uid']);
  const gids = (annotations['spillway.dev/gids'] ?? '').split(',').map(Number);
  const claims = (annotations['spillway.dev/claims'] ?? '').split(',');
  const security = record(spec.securityContext);
  const isGid = (gid: unknown): boolean => typeof gid === 'number' && gids.includes(gid);
  const { supplementalGroups } = security;
  if (security.runAsUser !== uid) return "uid is not the namespace's";
  if (!isGid(security.runAsGroup)) return "gid is not the user's";
  if (
    supplementalGroups !== undefined &&
    !(Array.isArray(supplementalGroups) && supplementalGroups.every(isGid))
  )
    return "supplementary group is not the user's";
  if (security.fsGroup !== undefined || security.fsGroupChangePolicy !== undefined)
    return 'fsGroup rewrites shared file systems';
  if (security.supplementalGroupsPolicy !== 'Strict') return 'supplementalGroupsPolicy must be Strict';
  return (
    containersOf(pod)
      .map((one) => containerWords(one, pod, uid, isGid))
      .find((words) => words !== undefined) ?? specWords(pod, claims, operation)
  );
}

function containerWords(
  one: ContainerSpec,
  pod: Pod,
  uid: number,
  isGid: (gid: unknown) => boolean,
): string | undefined {
  const { runAsUser, runAsGroup } = record(one.securityContext);
  const mounts = one.volumeMounts ?? [];
  const oursOnly = mounts.every(({ name }) => name.startsWith('spill-'));
  if (runAsUser !== undefined && runAsUser !== uid && !(runAsUser === ours && oursOnly))
    return 'container overrides uid';
  if (runAsGroup !== undefined && !isGid(runAsGroup) && !(runAsGroup === ours && runAsUser === ours))
    return 'container overrides gid';
  const secrets = (pod.spec.volumes ?? []).flatMap(({ name, secret }) =>
    secret === undefined ? [] : [name],
  );
  if (mounts.some(({ name }) => secrets.includes(name)) && runAsUser !== ours)
    return "only Spillway's own containers mount a secret";
  if (runAsUser !== ours && !mounts.every(harmless))
    return "the user's container mounts spill-bin and spill-etc read-only, and spill-spool not at all";
  if (
    'volumeDevices' in one ||
    mounts.some(({ mountPropagation }) => ![undefined, 'None'].includes(mountPropagation))
  )
    return 'no raw device, and no mount that spreads';
  if (
    one.envFrom !== undefined ||
    one.env?.some((e) => e.valueFrom !== undefined && !('fieldRef' in e.valueFrom))
  )
    return 'no environment from secrets or config maps';
  return undefined;
}

/** Of Spillway's own volumes. */
const harmless = ({ name, readOnly }: VolumeMount): boolean =>
  name !== 'spill-spool' && (!['spill-bin', 'spill-etc'].includes(name) || readOnly === true);

const burstOf = (pod: Pod): string => pod.metadata.labels?.['spillway.dev/burst'] ?? '';

function specWords(pod: Pod, claims: readonly string[], operation: Request['operation']): string | undefined {
  const spec: Pod['spec'] & Readonly<Record<string, unknown>> = { ...pod.spec };
  if (spec.shareProcessNamespace === true) return 'containers do not share processes';
  if (
    spec.automountServiceAccountToken !== false ||
    ![undefined, 'default'].includes(spec.serviceAccountName as string)
  )
    return 'no service account';
  for (const { name, emptyDir, secret, persistentVolumeClaim } of pod.spec.volumes ?? []) {
    const claim = persistentVolumeClaim?.claimName;
    const allowed =
      emptyDir !== undefined ||
      (claim !== undefined && claims.includes(claim)) ||
      secret?.secretName?.startsWith('spill-') === true;
    if (!allowed) return 'volume not allowed';
    if (secret?.secretName !== undefined && !secret.secretName.includes(burstOf(pod).toLowerCase()))
      return "a secret is the pod's own burst's";
    if (emptyDir === undefined && (claim !== undefined) === name.startsWith('spill-'))
      return "a claim's volume is not named spill-, a secret's is";
  }
  if (operation === 'CREATE' && spec.nodeName !== undefined)
    return 'nodeName not allowed, use a node affinity';
  if (spec.restartPolicy !== 'Never') return 'restartPolicy must be Never';
  return undefined;
}

function unrestricted(pod: Pod): string | undefined {
  const security = record(pod.spec.securityContext);
  for (const volume of pod.spec.volumes ?? [])
    if ('hostPath' in volume)
      return `restricted volume types (volume "${volume.name}" uses restricted volume type "hostPath")`;
  for (const one of containersOf(pod)) {
    const own = record(one.securityContext);
    if (own.allowPrivilegeEscalation !== false)
      return `allowPrivilegeEscalation != false (container "${one.name}" must set securityContext.allowPrivilegeEscalation=false)`;
    const dropped: unknown = record(own.capabilities).drop;
    if (!Array.isArray(dropped) || !dropped.includes('ALL'))
      return `unrestricted capabilities (container "${one.name}" must set securityContext.capabilities.drop=["ALL"])`;
    if ((own.runAsNonRoot ?? security.runAsNonRoot) !== true)
      return `runAsNonRoot != true (pod or container "${one.name}" must set securityContext.runAsNonRoot=true)`;
    const profile = record(own.seccompProfile ?? security.seccompProfile).type;
    if (profile !== 'RuntimeDefault' && profile !== 'Localhost')
      return `seccompProfile (pod or container "${one.name}" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`;
  }
  return undefined;
}

function secretWords({ object, old, operation }: Request): string | undefined {
  const name = (operation === 'DELETE' ? old : object)?.metadata.name ?? '';
  const opaque = operation === 'DELETE' || (object as Secret).type === 'Opaque';
  return name.startsWith('spill-') && opaque ? undefined : "the gateway's secrets are named spill-";
}

function nodeWords({ object, old, operation }: Request): string | undefined {
  const isBurst = (node: ApiObject | undefined): boolean =>
    (node as Node | undefined)?.spec.taints?.some(({ key }) => key === burstTaint) === true;
  if (isFixed(old)) return fixedWords(old as Node, object as Node | undefined);
  if (!isBurst(old)) return `not a burst node (no taint ${burstTaint})`;
  if (operation === 'DELETE') return undefined;
  if (!isBurst(object)) return 'a burst node keeps its taint';
  const changed = changedIn(old?.metadata.labels, object?.metadata.labels);
  return changed.every((key) => key === groupLabel || key === instanceLabel)
    ? undefined
    : `of a node's labels only ${groupLabel} and spillway-instance are the gateway's`;
}

const isFixed = (node: ApiObject | undefined): boolean => node?.metadata.labels?.[fixedLabel] === 'true';

function fixedWords(old: Node, node: Node | undefined): string | undefined {
  if (node === undefined) return 'a fixed node stays';
  if (!alike(node.spec, old.spec)) return "a fixed node's spec is not the gateway's";
  const words = changedIn(old.metadata.labels, node.metadata.labels);
  if (!words.every((key) => key === groupLabel || key === instanceLabel))
    return `of a fixed node's labels only ${groupLabel} and ${instanceLabel} are the gateway's`;
  return changedIn(old.metadata.annotations, node.metadata.annotations).every((key) =>
    key.startsWith('spillway.dev/'),
  )
    ? undefined
    : "of a fixed node's annotations only spillway.dev/ are the gateway's";
}

const changedIn = (before: Words = {}, after: Words = {}): string[] =>
  Object.keys({ ...before, ...after }).filter((key) => before[key] !== after[key]);

const containersOf = ({ spec }: Pod): readonly ContainerSpec[] => [
  ...spec.containers,
  ...(spec.initContainers ?? []),
];
