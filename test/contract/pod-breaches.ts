/**
 * One contract for deploy/kubernetes/admission.yaml and for the model of it: pods that pass, and pods that break one rule each, with
 * the words of that rule.
 */
import type { Tenant } from '../../src/domain/kube.ts';
import type { PodManifest } from '../../src/ports.ts';
import { podFor, secretNameFor } from '../../src/translate/index.ts';
import { burst, input } from '../translate/samples.ts';

type Json = Record<string, unknown>;

export interface Container extends Json {
  readonly name: string;
  securityContext: Json;
  volumeMounts: Json[];
  resources: { requests: Json; limits: Json };
}

/** A pod that can be changed. */
export interface Pod {
  apiVersion: 'v1';
  kind: 'Pod';
  metadata: { name: string; namespace: string; labels: Record<string, string>; finalizers: string[] };
  spec: Json & {
    securityContext: Json;
    containers: Container[];
    initContainers: Container[];
    volumes: Json[];
    tolerations: Json[];
  };
}

/** As src/translate makes it, bound to a node that is not there. */
export function goodPod(tenant: Tenant, short = 'good'): Pod {
  const made: PodManifest = podFor(
    input({
      burst: burst({ uid: tenant.uid, gid: tenant.gids[0] ?? 0 }),
      tenant,
      groups: tenant.gids.slice(1),
      image: 'lab/base:1',
      agentImage: 'spillway/agent:dev',
      imagePullPolicy: 'Never',
      node: 'no-such-node',
      secretName: secretNameFor(burst()),
    }),
  );
  const pod = structuredClone(made) as unknown as Pod;
  pod.metadata.name = `spill-${short}`;
  return pod;
}

const container = (list: readonly Container[], name: string): Container => {
  const found = list.find((one) => one.name === name);
  if (found === undefined) throw new Error(`the pod has no container ${name}`);
  return found;
};
export const main = ({ spec }: Pod): Container => container(spec.containers, 'main');
const keeper = ({ spec }: Pod): Container => container(spec.containers, 'keeper');
const agent = ({ spec }: Pod): Container => container(spec.initContainers, 'agent');

function mount(on: Container, name: string, more: Json = {}): void {
  on.volumeMounts.push({ name, mountPath: `/${name}-again`, ...more });
}

function volume(pod: Pod, source: Json, on = main(pod), name = 'spill-more'): void {
  pod.spec.volumes.push({ name, ...source });
  mount(on, name);
}

function mountOf(on: Container, name: string): Json {
  const found = on.volumeMounts.find((one) => one.name === name);
  if (found === undefined) throw new Error(`${on.name} does not mount ${name}`);
  return found;
}

type Change = (pod: Pod) => void;
const spec =
  (values: Json): Change =>
  (pod) =>
    Object.assign(pod.spec, values);
const security =
  (values: Json): Change =>
  (pod) =>
    Object.assign(pod.spec.securityContext, values);
const inMain =
  (values: Json): Change =>
  (pod) =>
    Object.assign(main(pod), values);
const mainSecurity =
  (values: Json): Change =>
  (pod) =>
    Object.assign(main(pod).securityContext, values);

/** What differs from the gateway's own and is allowed. */
export const variants: readonly (readonly [string, Change])[] = [
  ['as the gateway makes it', () => undefined],
  ['without supplementary groups', security({ supplementalGroups: undefined })],
  [
    'with a claim that is only read',
    (pod) => Object.assign(mountOf(main(pod), 'claim-0'), { readOnly: true }),
  ],
  [
    'with a device, and the toleration that comes with it',
    (pod) => {
      Object.assign(main(pod).resources.requests, { 'example.org/gpu': '1' });
      Object.assign(main(pod).resources.limits, { 'example.org/gpu': '1' });
      pod.spec.tolerations.push({ key: 'example.org/gpu', operator: 'Exists' });
    },
  ],
];

const claimOf = (claimName: string): Json => ({ persistentVolumeClaim: { claimName } });
const probe = { httpGet: { host: '169.254.169.254', port: 80 } };
const restriction = 'node-role.kubernetes.io/control-plane';

/** What it is, the change that breaks it, and the words of the rule: who it is. */
const whose: readonly (readonly [string, Change, string])[] = [
  ['another’s uid', security({ runAsUser: 2002 }), 'uid is not'],
  ['no uid', security({ runAsUser: undefined }), 'uid is not'],
  ['root', security({ runAsUser: 0 }), 'uid is not'],
  ['another’s uid on one container', mainSecurity({ runAsUser: 2002 }), 'overrides uid'],
  ['root on one container', mainSecurity({ runAsUser: 0 }), 'overrides uid'],
  ['Spillway’s uid beside the user’s files', mainSecurity({ runAsUser: 65532 }), 'overrides uid'],
  [
    'another’s uid in an init container',
    (pod) => Object.assign(agent(pod).securityContext, { runAsUser: 2002 }),
    'overrides uid',
  ],
  ['a foreign primary group', security({ runAsGroup: 3002 }), 'gid is not'],
  ['a foreign group on one container', mainSecurity({ runAsGroup: 3002 }), 'overrides gid'],
  ['the group of Spillway’s own', mainSecurity({ runAsGroup: 65532 }), 'overrides gid'],
  ['a foreign supplementary group', security({ supplementalGroups: [3002] }), 'supplementary group is not'],
  ['fsGroup', security({ fsGroup: 3001 }), 'fsGroup'],
  ['groups from the image', security({ supplementalGroupsPolicy: 'Merge' }), 'must be Strict'],
  ['no word on groups', security({ supplementalGroupsPolicy: undefined }), 'must be Strict'],
  ['another name', (pod) => Object.assign(pod.metadata, { name: 'mine' }), 'named spill-'],
  ['no burst', (pod) => Object.assign(pod.metadata, { labels: {} }), "one burst's"],
];

/** What it sees. */
const mounts: readonly (readonly [string, Change, string])[] = [
  ['a directory of the node', (pod) => volume(pod, { hostPath: { path: '/etc' } }), 'volume not allowed'],
  ['another claim', (pod) => volume(pod, claimOf('other'), main(pod), 'claim-9'), 'volume not allowed'],
  ['a claim under one of our names', (pod) => volume(pod, claimOf('home')), 'is not named spill-'],
  [
    'a foreign Secret',
    (pod) => volume(pod, { secret: { secretName: 'token' } }, keeper(pod)),
    'volume not allowed',
  ],
  [
    'the key of another burst',
    (pod) => volume(pod, { secret: { secretName: 'spill-key-another' } }, keeper(pod)),
    "own burst's",
  ],
  [
    'the label of another burst beside its own key',
    (pod) => Object.assign(pod.metadata.labels, { 'spillway.dev/burst': 'another' }),
    "own burst's",
  ],
  [
    'a projected token',
    (pod) => volume(pod, { projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }),
    'volume not allowed',
  ],
  ['a config map', (pod) => volume(pod, { configMap: { name: 'x' } }), 'volume not allowed'],
  ['the pod’s own record as a volume', (pod) => volume(pod, { downwardAPI: {} }), 'volume not allowed'],
  ['a volume of a driver', (pod) => volume(pod, { csi: { driver: 'x.example.org' } }), 'volume not allowed'],
  [
    'a file server by itself',
    (pod) => volume(pod, { nfs: { server: 'x', path: '/' } }),
    'volume not allowed',
  ],
  ['the key in the user’s container', (pod) => mount(main(pod), 'spill-key'), "only Spillway's own"],
  [
    'the agent writable',
    (pod) => Object.assign(mountOf(main(pod), 'spill-bin'), { readOnly: false }),
    'spill-bin and spill-etc read-only',
  ],
  [
    'the agent once more, writable',
    (pod) => mount(main(pod), 'spill-bin'),
    'spill-bin and spill-etc read-only',
  ],
  [
    'its names in /etc writable',
    (pod) => Object.assign(mountOf(main(pod), 'spill-etc'), { readOnly: false }),
    'spill-bin and spill-etc read-only',
  ],
  ['the spool', (pod) => mount(main(pod), 'spill-spool'), 'spill-spool not at all'],
  [
    'mounts of the node',
    (pod) => Object.assign(mountOf(main(pod), 'claim-0'), { mountPropagation: 'HostToContainer' }),
    'no mount that spreads',
  ],
  [
    'a raw device',
    inMain({ volumeDevices: [{ name: 'claim-0', devicePath: '/dev/x' }], volumeMounts: [] }),
    'no raw device',
  ],
  [
    'environment from a Secret',
    inMain({ envFrom: [{ secretRef: { name: 'spill-x' } }] }),
    'no environment from secrets',
  ],
  [
    'a variable from a Secret',
    inMain({ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'spill-x', key: 'key' } } }] }),
    'no environment from secrets',
  ],
  // The API server mounts it into each container first.
  ['a service account’s token', spec({ automountServiceAccountToken: true }), 'spillway-pods'],
  ['another service account', spec({ serviceAccountName: 'other' }), 'no service account'],
  ['one process space', spec({ shareProcessNamespace: true }), 'do not share processes'],
];

/** Where and how it runs. */
const shape: readonly (readonly [string, Change, string])[] = [
  ['no word on root', security({ runAsNonRoot: undefined }), 'runAsNonRoot'],
  ['root in one container', mainSecurity({ runAsNonRoot: false }), 'runAsNonRoot'],
  [
    'a privilege',
    mainSecurity({ privileged: true, allowPrivilegeEscalation: undefined }),
    'allowPrivilegeEscalation must be false',
  ],
  ['setuid', mainSecurity({ allowPrivilegeEscalation: true }), 'allowPrivilegeEscalation must be false'],
  [
    'no word on setuid',
    mainSecurity({ allowPrivilegeEscalation: undefined }),
    'allowPrivilegeEscalation must be',
  ],
  ['capabilities', mainSecurity({ capabilities: undefined }), 'drops all capabilities'],
  [
    'one capability',
    mainSecurity({ capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } }),
    'adds none',
  ],
  [
    'an unmasked /proc',
    (pod) => {
      // Without it the API server itself refuses.
      Object.assign(pod.spec, { hostUsers: false });
      Object.assign(main(pod).securityContext, { procMount: 'Unmasked' });
    },
    'procMount',
  ],
  ['no seccomp', security({ seccompProfile: undefined }), 'seccompProfile'],
  ['seccomp off', security({ seccompProfile: { type: 'Unconfined' } }), 'seccompProfile'],
  [
    'seccomp off in one container',
    mainSecurity({ seccompProfile: { type: 'Unconfined' } }),
    'seccompProfile',
  ],
  ['AppArmor off', security({ appArmorProfile: { type: 'Unconfined' } }), 'AppArmor'],
  ['an SELinux label', mainSecurity({ seLinuxOptions: { level: 's0' } }), 'SELinux'],
  ['a sysctl', security({ sysctls: [{ name: 'kernel.shm_rmid_forced', value: '0' }] }), 'no sysctls'],
  ['the network of the host', spec({ hostNetwork: true }), 'no namespace of the host'],
  ['the processes of the host', spec({ hostPID: true }), 'no namespace of the host'],
  ['the IPC of the host', spec({ hostIPC: true }), 'no namespace of the host'],
  ['user namespaces', spec({ hostUsers: false }), 'hostUsers and os'],
  ['another system', spec({ os: { name: 'linux' } }), 'hostUsers and os'],
  ['a port of the host', inMain({ ports: [{ containerPort: 8080, hostPort: 8080 }] }), 'no hostPort'],
  ['names for addresses', spec({ hostAliases: [{ ip: '10.0.0.1', hostnames: ['x'] }] }), 'no hostAliases'],
  ['a request of the kubelet’s', inMain({ livenessProbe: probe }), 'no probes'],
  ['a hook', inMain({ lifecycle: { postStart: probe } }), 'no probes and no lifecycle hooks'],
  ['restarts', spec({ restartPolicy: 'Always' }), 'restartPolicy must be Never'],
  [
    'a container that restarts',
    (pod) => Object.assign(agent(pod), { restartPolicy: 'Always' }),
    'no container restarts',
  ],
  ['a node by name', spec({ nodeName: 'somewhere' }), 'nodeName not allowed'],
  [
    'a place on the control plane',
    (pod) => pod.spec.tolerations.push({ key: restriction, operator: 'Exists' }),
    'of taints only',
  ],
  ['a place anywhere', (pod) => pod.spec.tolerations.push({ operator: 'Exists' }), 'of taints only'],
  ['a priority', spec({ priorityClassName: 'system-node-critical' }), 'no priority class'],
  [
    'a device by claim',
    spec({ resourceClaims: [{ name: 'x', resourceClaimName: 'x' }] }),
    'resource claims only by template',
  ],
  [
    'a device for the agent',
    (pod) => {
      Object.assign(pod.spec, { resourceClaims: [{ name: 'x', resourceClaimTemplateName: 'x' }] });
      Object.assign(agent(pod), { resources: { claims: [{ name: 'x' }] } });
    },
    'only main has devices by claim',
  ],
  ['a gate', spec({ schedulingGates: [{ name: 'example.org/x' }] }), 'no scheduling gates'],
  ['a scheduler of its own', spec({ schedulerName: 'mine' }), 'no scheduler of its own'],
];

export const breaches = [...whose, ...mounts, ...shape];
