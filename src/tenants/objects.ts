/** One user's namespace and all that stands in it. Pure. */
import type { ClaimTemplate, EgressRule, KubeObject, Person, TenantSettings } from '../domain/tenants.ts';
import {
  annotation,
  gatewayNamespace,
  managedBy,
  namespaceFor,
  podsCounted,
  quotaName,
  tenantLabel,
} from './names.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * A job's pods reach each other at the port of its steps and at whatever ports its MPI opens. A policy cannot compare labels, so two bursts of one
 * user reach each other too: the key of each attempt keeps them out of each other's steps.
 */
const burstPods = { matchExpressions: [{ key: 'spillway.dev/burst', operator: 'Exists' }] };

/** In the order in which they are made: the gateway's right to make pods comes when all that limits them is there. */
export function objectsFor(person: Person, settings: TenantSettings): readonly KubeObject[] {
  const at = namespaceFor(person);
  return [
    namespace(person, settings),
    quota(at, settings),
    ...limits(at, settings),
    ...network(at, settings.egress),
    ...settings.claims.flatMap((claim) => volumeOf(person, claim)),
    rights(at),
  ];
}

function namespace(person: Person, { labels, claims }: TenantSettings): KubeObject {
  const { user, uid, gid, groups } = person;
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: namespaceFor(person),
      labels: {
        ...labels,
        ...managedBy,
        [tenantLabel]: 'true',
        'pod-security.kubernetes.io/enforce': 'restricted',
      },
      annotations: {
        [annotation.user]: user,
        [annotation.uid]: `${uid}`,
        // The primary one first; of the others the order says nothing.
        [annotation.gids]: [gid, ...[...groups].sort((a, b) => a - b)].join(','),
        [annotation.claims]: claims.map(({ claim }) => claim).join(','),
      },
    },
  };
}

/** Requests only: a pod of ours has no CPU limit, and a quota on limits would refuse it. */
function quota(
  at: string,
  { quota: { pods, cpuMillis, memoryBytes, extended }, claims }: TenantSettings,
): KubeObject {
  const devices = Object.entries(extended).map(([name, n]) => [`requests.${name}`, `${n}`]);
  return of('v1', 'ResourceQuota', quotaName, at, {
    spec: {
      hard: {
        [podsCounted]: `${pods}`,
        // A key for each burst, and those that its images are pulled with.
        'count/secrets': `${2 * pods + 20}`,
        persistentvolumeclaims: `${claims.length}`,
        services: '0',
        ...(cpuMillis === undefined ? {} : { 'requests.cpu': `${cpuMillis}m` }),
        ...(memoryBytes === undefined ? {} : { 'requests.memory': quantityOf(memoryBytes) }),
        ...Object.fromEntries(devices),
      },
    },
  });
}

/** Memory alone: where a container names no limit, `max` becomes its limit, and only memory has one on every container of ours. */
function limits(at: string, { mostMemoryBytes }: TenantSettings): readonly KubeObject[] {
  if (mostMemoryBytes === undefined) return [];
  const max = { memory: quantityOf(mostMemoryBytes) };
  return [of('v1', 'LimitRange', 'spillway', at, { spec: { limits: [{ type: 'Container', max }] } })];
}

function network(at: string, egress: readonly EgressRule[]): readonly KubeObject[] {
  const policy = (name: string, spec: Json): KubeObject =>
    of('networking.k8s.io/v1', 'NetworkPolicy', name, at, { spec });
  return [
    policy('spillway-deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }),
    policy('spillway-steps', {
      podSelector: burstPods,
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [{ podSelector: burstPods }] }],
      egress: [{ to: [{ podSelector: burstPods }] }],
    }),
    ...(egress.length === 0
      ? []
      : [
          policy('spillway-egress', {
            podSelector: burstPods,
            policyTypes: ['Egress'],
            egress: egress.map(egressRule),
          }),
        ]),
  ];
}

function egressRule({ cidr, except, ports }: EgressRule): Json {
  const block = { cidr, ...(except.length === 0 ? {} : { except }) };
  return { to: [{ ipBlock: block }], ...(ports.length === 0 ? {} : { ports }) };
}

function volumeOf(person: Person, { claim, bytes, accessMode, from }: ClaimTemplate): readonly KubeObject[] {
  const at = namespaceFor(person);
  const storage = quantityOf(bytes);
  const accessModes = [accessMode];
  const claimed = (spec: Json): KubeObject =>
    of('v1', 'PersistentVolumeClaim', claim, at, {
      spec: { accessModes, resources: { requests: { storage } }, ...spec },
    });
  if (from.kind === 'storageClass') return [claimed({ storageClassName: from.name })];
  const volumeName = `${at}-${claim}`;
  const volume = of('v1', 'PersistentVolume', volumeName, undefined, {
    spec: {
      capacity: { storage },
      accessModes,
      storageClassName: '',
      // The files are the site's: the volume is only a way to them.
      persistentVolumeReclaimPolicy: 'Retain',
      claimRef: { namespace: at, name: claim },
      ...(from.mountOptions.length === 0 ? {} : { mountOptions: from.mountOptions }),
      ...(filled(from.source, person) as Json),
    },
  });
  return [volume, claimed({ storageClassName: '', volumeName })];
}

function rights(at: string): KubeObject {
  return of('rbac.authorization.k8s.io/v1', 'RoleBinding', 'spillway-gateway', at, {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'spillway-tenant' },
    subjects: [{ kind: 'ServiceAccount', name: 'gw', namespace: gatewayNamespace }],
  });
}

function of(
  apiVersion: string,
  kind: string,
  name: string,
  namespace: string | undefined,
  rest: Json,
): KubeObject {
  const home = namespace === undefined ? {} : { namespace };
  return { apiVersion, kind, metadata: { name, ...home, labels: managedBy }, ...rest };
}

function filled(value: unknown, person: Person): unknown {
  if (typeof value === 'string')
    return value.replace(/\$\{(user|uid|gid)\}/g, (_, key: 'user' | 'uid' | 'gid') => `${person[key]}`);
  if (Array.isArray(value)) return value.map((item) => filled(item, person));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner, person)]));
}

const units = ['Ti', 'Gi', 'Mi', 'Ki'] as const;

/** The largest unit that it is whole in. */
export function quantityOf(bytes: number): string {
  for (const [i, unit] of units.entries()) {
    const size = 1024 ** (units.length - i);
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}`;
}
