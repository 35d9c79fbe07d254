/**
 * One node of a job as one bare Pod. A Job or any other controller would make replacements while the first pod
 * still runs; a bare Pod that is gone stays gone.
 */
import type { Burst } from '../domain/burst.ts';
import { PortError } from '../domain/fault.ts';
import type { Tenant } from '../domain/kube.ts';
import { nodesOf } from '../domain/ranks.ts';
import { MiB, plus, type Resources } from '../domain/resources.ts';
import { containerClaims, deviceAmounts, hugepageVolumes, networkAnnotations, podClaims } from './devices.ts';
import { hostNameFor, label, labelValue, podNameFor, settledFinalizer } from './names.ts';
import { type MachineRecord, recordAnnotation, recordOf } from './record.ts';
import { groupMarks, type Scheduling, schedulingSpec } from './scheduling.ts';
import { claimVolumes, dataVolumes, etcMounts, ownVolumes, paths } from './volumes.ts';

export interface Mount {
  readonly path: string;
  readonly claim: string;
}

export interface PodInput {
  readonly burst: Burst;
  /** Which of the job's nodes it is; the script runs on 0, and so does this one if undefined. */
  readonly rank?: number | undefined;
  readonly tenant: Tenant;
  /** Supplementary groups, without the primary one. */
  readonly groups: readonly number[];
  readonly image: string;
  /** Secrets of the tenant's namespace that its images are pulled with. */
  readonly pullSecrets?: readonly string[] | undefined;
  readonly agentImage: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly mounts: readonly Mount[];
  /** The Kubernetes node that was booted for it: the scheduler may choose no other. */
  readonly node: string;
  readonly machine?: MachineRecord | undefined;
  readonly taint: { readonly key: string; readonly value: string; readonly effect: string };
  readonly keeperPort: number;
  /** KillWait: what lies between SIGTERM and SIGKILL. */
  readonly graceSeconds: number;
  /** On a machine that nobody switches off its kubelet ends the pod after so long beyond its time limit, as with a gateway that is dead for good. */
  readonly abandonedMs?: number | undefined;
  /** Holds the key under `key`. */
  readonly secretName: string;
  /** False where requests are scaled down (a lab): a limit made of them would kill what on-prem would not. */
  readonly limitMemory: boolean;
  /** Under which data are carried: an empty directory each. */
  readonly roots?: readonly string[] | undefined;
  /** NetworkAttachmentDefinitions. */
  readonly networks?: readonly string[] | undefined;
  /** Undefined: the cluster's default scheduler, and nothing to tell it. */
  readonly scheduling?: Scheduling | undefined;
}

/** Of the agent's own image: neither root nor any user of a site. */
export const agentUid = 65532;

/** What each pod requests beside the job's own needs; a plan adds it to `needs`. */
export const keeperNeeds: Resources = { cpuMillis: 10, memoryBytes: 32 * MiB, extended: {} };
/** What one of its pods asks of the node that it is on. */
export const podNeeds = ({ needs }: Pick<Burst, 'needs'>): Resources => ({
  ...plus(needs, keeperNeeds),
  pods: 1,
});

/** The keeper takes under 12 MB; its spool's page cache counts too and is given back under pressure. */
const keeperLimitBytes = 256 * MiB;

/** Throws `refused` where the tenant's record does not cover what is asked: admission would say so too, with fewer words. */
export function podFor(input: PodInput): PodManifest {
  const { burst, tenant, groups, rank = 0 } = input;
  const nodes = nodesOf(burst);
  const group = groupMarks(input.scheduling, burst);
  check(input);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: podNameFor(burst, rank),
      namespace: tenant.namespace,
      labels: {
        [label.burst]: burst.id,
        [label.cluster]: labelValue(burst.cluster),
        [label.job]: labelValue(burst.ref),
        [label.restarts]: `${burst.restarts}`,
        [label.user]: labelValue(burst.user),
        ...group.labels,
      },
      annotations: {
        'spillway.dev/attempt': burst.attempt,
        'spillway.dev/user': burst.user,
        [recordAnnotation]: recordOf({
          ...{ ...burst, on: input.machine },
          ...(nodes === 1 ? {} : { nodes, rank }),
        }),
        'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
        'karpenter.sh/do-not-disrupt': 'true',
        ...networkAnnotations(input.networks ?? []),
        ...group.annotations,
      },
      finalizers: [settledFinalizer],
    },
    spec: {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: input.graceSeconds,
      ...deadline(input),
      automountServiceAccountToken: false,
      ...pulling(input.pullSecrets ?? []),
      ...podClaims(burst.needs.extended),
      // Variables of the namespace's services are none of the job's.
      enableServiceLinks: false,
      hostname: hostNameFor(input.node),
      // Names as the node resolves them, as on-prem; nothing of the job's is a cluster service.
      dnsPolicy: 'Default',
      affinity: onNode(input.node),
      ...schedulingSpec(input.scheduling),
      tolerations: tolerations(input.taint),
      securityContext: {
        runAsNonRoot: true,
        runAsUser: burst.uid,
        runAsGroup: burst.gid,
        supplementalGroups: [...groups],
        // Without it the image's own /etc/group adds to them. No fsGroup: it rewrites the modes of shared files.
        supplementalGroupsPolicy: 'Strict',
        seccompProfile: { type: 'RuntimeDefault' },
      },
      initContainers: [installer(input)],
      containers: [main(input), keeper(input)],
      volumes: [
        ...ownVolumes(input.secretName, input.mounts),
        ...hugepageVolumes(burst.needs.extended).volumes,
        ...dataVolumes(rootsOf(input)).volumes,
        ...claimVolumes(input.mounts).volumes,
      ],
    },
  };
}

/** One without a limit has none. */
function deadline({ burst, abandonedMs }: PodInput): Json {
  const { timeLimitMs } = burst.saved;
  if (abandonedMs === undefined || timeLimitMs === 'unlimited') return {};
  return { activeDeadlineSeconds: Math.ceil((timeLimitMs + abandonedMs) / 1_000) };
}

const pulling = (secrets: readonly string[]): Json =>
  secrets.length === 0 ? {} : { imagePullSecrets: secrets.map((name) => ({ name })) };

/** Copies the static binary to where `main` finds it, whatever its image holds. */
function installer(input: PodInput): Container {
  return {
    name: 'agent',
    image: input.agentImage,
    imagePullPolicy: input.imagePullPolicy,
    command: ['/spill', 'install', paths.bin, paths.etc],
    workingDir: '/',
    resources: resources(keeperNeeds, keeperLimitBytes),
    securityContext: { ...agentUser, ...restricted, readOnlyRootFilesystem: true },
    volumeMounts: [
      { name: 'spill-bin', mountPath: paths.bin },
      { name: 'spill-etc', mountPath: paths.etc },
    ],
  };
}

function main(input: PodInput): Container {
  const { burst, groups, limitMemory } = input;
  return {
    name: 'main',
    image: input.image,
    imagePullPolicy: input.imagePullPolicy,
    command: [`${paths.bin}/spill-main`],
    // The job's own directory comes with START: here it may not exist yet, and the kubelet would make it as root.
    workingDir: '/',
    env: variables({
      SPILL_SOCKET: paths.socket,
      SPILL_DIR: paths.job,
      SPILL_UID: `${burst.uid}`,
      SPILL_GID: `${burst.gid}`,
      // With the primary one, so that it is never empty.
      SPILL_GROUPS: [burst.gid, ...groups].join(','),
    }),
    resources: resources(burst.needs, limitMemory ? burst.needs.memoryBytes : undefined),
    securityContext: restricted,
    volumeMounts: [
      { name: 'spill-bin', mountPath: paths.bin, readOnly: true },
      { name: 'spill-run', mountPath: paths.run },
      ...(covers(input.mounts, '/tmp') ? [] : [{ name: 'spill-tmp', mountPath: '/tmp' }]),
      // The runtime's own is 64 MB, too little for MPI.
      { name: 'spill-shm', mountPath: '/dev/shm' },
      ...hugepageVolumes(burst.needs.extended).mounts,
      ...etcMounts,
      ...dataVolumes(rootsOf(input)).mounts,
      ...claimVolumes(input.mounts).mounts,
    ],
  };
}

/** Holds spool, exit record and transport under a uid and memory of its own, and so outlives an OOM kill of `main`. */
function keeper(input: PodInput): Container {
  const { burst } = input;
  return {
    name: 'keeper',
    image: input.agentImage,
    imagePullPolicy: input.imagePullPolicy,
    command: ['/spill-keeper'],
    workingDir: '/',
    env: variables({
      SPILL_SOCKET: paths.socket,
      SPILL_PORT: `${input.keeperPort}`,
      SPILL_KEY_FILE: `${paths.key}/key`,
      SPILL_SPOOL: paths.spool,
      SPILL_ETC: paths.etc,
      SPILL_UID: `${burst.uid}`,
    }),
    resources: resources(keeperNeeds, keeperLimitBytes),
    securityContext: { ...agentUser, ...restricted, readOnlyRootFilesystem: true },
    volumeMounts: [
      { name: 'spill-run', mountPath: paths.run },
      { name: 'spill-spool', mountPath: paths.spool },
      { name: 'spill-etc', mountPath: paths.etc },
      { name: 'spill-key', mountPath: paths.key, readOnly: true },
    ],
  };
}

const agentUser = { runAsUser: agentUid, runAsGroup: agentUid };
/** Per container, as pod security `restricted` wants it. */
const restricted = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };

function onNode(node: string): Json {
  const term = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] };
  return { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } } };
}

/**
 * Beside the group's taint the two that the node controller sets on a node it does not hear from: without these it
 * deletes the pod after five minutes, and a job that only lost its network would be killed when the network is back.
 */
function tolerations({ key, value, effect }: PodInput['taint']): Json[] {
  const silent = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
  return [
    { key, operator: 'Equal', value, effect },
    ...silent.map((name) => ({ key: name, operator: 'Exists', effect: 'NoExecute' })),
  ];
}

/** No CPU limit: the node was booted for the job. */
function resources(needs: Resources, memoryLimitBytes: number | undefined): Json {
  const devices = deviceAmounts(needs.extended);
  const limits = {
    ...devices.limits,
    ...(memoryLimitBytes === undefined ? {} : { memory: `${memoryLimitBytes}` }),
  };
  return {
    requests: { cpu: `${needs.cpuMillis}m`, memory: `${needs.memoryBytes}`, ...devices.requests },
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...containerClaims(needs.extended),
  };
}

function variables(of: Readonly<Record<string, string>>): Json[] {
  return Object.entries(of).map(([name, value]) => ({ name, value }));
}

/** /tmp is one already. */
const rootsOf = ({ roots = [], mounts }: PodInput): readonly string[] =>
  roots.filter((root) => root !== '/tmp' && !covers(mounts, root));

function covers(mounts: readonly Mount[], path: string): boolean {
  return mounts.some((mount) => mount.path === path);
}

function check({ burst, tenant, groups, mounts }: PodInput): void {
  const refuse = (text: string): never => {
    throw new PortError('refused', 'translate.pod', `${text}; see \`spillway tenants\``);
  };
  if (tenant.uid !== burst.uid)
    refuse(`namespace ${tenant.namespace} is of uid ${tenant.uid}, job ${burst.ref} of ${burst.uid}`);
  const foreign = [burst.gid, ...groups].filter((gid) => !tenant.gids.includes(gid));
  if (foreign.length > 0) refuse(`namespace ${tenant.namespace} does not allow group ${foreign.join(', ')}`);
  const claims = mounts.map(({ claim }) => claim).filter((claim) => !tenant.claims.includes(claim));
  if (claims.length > 0) refuse(`namespace ${tenant.namespace} does not allow claim ${claims.join(', ')}`);
}

type Json = Readonly<Record<string, unknown>>;
type Container = Json & { readonly name: string };

/** As `PodManifest` of the ports, which translation does not import. */
export interface PodManifest {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly finalizers: readonly string[];
  };
  readonly spec: Json;
}
