/**
 * A script as pods that another controller makes: what Job, JobSet and MPIJob have in common. Nothing of Spillway is in them: no stand-in, no
 * keeper, no claim, so nothing of Slurm either. They are printed for whoever wants to hand a job over, and never made by the gateway
 * [docs/decisions/0028].
 */
import type { Resources } from '../../domain/resources.ts';
import { containerClaims, deviceAmounts, hugepageVolumes, podClaims } from '../devices.ts';
import type { Mount } from '../pod.ts';
import { type Scheduling, schedulingSpec } from '../scheduling.ts';
import { claimVolumes } from '../volumes.ts';

/** What a site puts into such objects; each undefined: not. */
export interface Printed {
  /** A LocalQueue of Kueue. */
  readonly kueueQueue?: string | undefined;
  /** A label of nodes: all pods where it is the same. */
  readonly pack?: string | undefined;
  /** A label of nodes: the pods spread over its values. */
  readonly spread?: string | undefined;
}

export interface OutputInput {
  /** A DNS label of at most 40 characters. */
  readonly name: string;
  /** The batch script as it is. */
  readonly script: string;
  /** Its first line's interpreter is not looked at: the kernel does that. */
  readonly image: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly pullSecrets: readonly string[];
  readonly uid: number;
  readonly gid: number;
  readonly nodes: number;
  readonly tasks: number;
  /** Of one node. */
  readonly needs: Resources;
  readonly timeMs: number | 'unlimited' | undefined;
  /** `--array`: its tasks, and how many at once. */
  readonly array: { readonly indices: readonly number[]; readonly throttle: number | undefined } | undefined;
  readonly mounts: readonly Mount[];
  readonly scheduling: (Scheduling & { readonly printed?: Printed | undefined }) | undefined;
}

export interface Output {
  /** In the order in which they are applied. */
  readonly objects: readonly object[];
  /** What it does not do that Slurm, or Spillway, would. */
  readonly cannot: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

export const nameLabel = 'app.kubernetes.io/name';
const scriptDir = '/spillway';
export const scriptPath = `${scriptDir}/job.sh`;

export const scriptName = ({ name }: OutputInput): string => `${name}-script`;

/** Holds the script, which every pod mounts. Anyone who may read ConfigMaps there reads it. */
export const scriptMap = (input: OutputInput): Json => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: scriptName(input), labels: labelsOf(input) },
  data: { 'job.sh': input.script },
});

export const labelsOf = ({ name }: Pick<OutputInput, 'name'>): Readonly<Record<string, string>> => ({
  [nameLabel]: name,
});

interface TemplateInput {
  readonly command: readonly string[];
  readonly env?: readonly Json[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Its needs; those of one node of the job if undefined. */
  readonly needs?: Resources;
}

/** One pod's template: the user's image under the user's uid, as pod security `restricted` wants it. */
export function template(input: OutputInput, of: TemplateInput): Json {
  const { mounts, needs: nodeNeeds, pullSecrets, scheduling } = input;
  const claims = claimVolumes(mounts);
  const { extended } = of.needs ?? nodeNeeds;
  const pages = hugepageVolumes(extended);
  const annotations = of.annotations === undefined ? {} : { annotations: of.annotations };
  return {
    metadata: { labels: { ...labelsOf(input), ...of.labels }, ...annotations },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets.map((name) => ({ name })) }),
      ...podClaims(extended),
      ...schedulingSpec(scheduling),
      ...topology(scheduling?.printed, labelsOf(input)),
      securityContext: {
        runAsNonRoot: true,
        runAsUser: input.uid,
        runAsGroup: input.gid,
        supplementalGroupsPolicy: 'Strict',
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'main',
          image: input.image,
          imagePullPolicy: input.imagePullPolicy,
          command: of.command,
          env: [...variables(input), ...(of.env ?? [])],
          resources: amounts(of.needs ?? nodeNeeds),
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          volumeMounts: [
            { name: 'script', mountPath: scriptDir, readOnly: true },
            { name: 'shm', mountPath: '/dev/shm' },
            ...pages.mounts,
            ...claims.mounts,
          ],
        },
      ],
      volumes: [
        { name: 'script', configMap: { name: scriptName(input), defaultMode: 0o555 } },
        { name: 'shm', emptyDir: { medium: 'Memory' } },
        ...pages.volumes,
        ...claims.volumes,
      ],
    },
  };
}

/** The variables of Slurm's that are known before anything runs. */
function variables({ name, nodes, tasks }: OutputInput): Json[] {
  const known = { SLURM_JOB_NAME: name, SLURM_JOB_NUM_NODES: `${nodes}`, SLURM_NTASKS: `${tasks}` };
  return Object.entries(known).map(([variable, value]) => ({ name: variable, value }));
}

function amounts(needs: Resources): Json {
  const devices = deviceAmounts(needs.extended);
  return {
    requests: { cpu: `${needs.cpuMillis}m`, memory: `${needs.memoryBytes}`, ...devices.requests },
    limits: { memory: `${needs.memoryBytes}`, ...devices.limits },
    ...containerClaims(needs.extended),
  };
}

/** Required, not preferred: pods that cannot be placed so wait. */
function topology(of: Printed | undefined, matchLabels: Readonly<Record<string, string>>): Json {
  const labelSelector = { matchLabels };
  return {
    ...(of?.pack === undefined
      ? {}
      : {
          affinity: {
            podAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector, topologyKey: of.pack }],
            },
          },
        }),
    ...(of?.spread === undefined
      ? {}
      : {
          topologySpreadConstraints: [
            { maxSkew: 1, topologyKey: of.spread, whenUnsatisfiable: 'DoNotSchedule', labelSelector },
          ],
        }),
  };
}

/** In whole seconds; undefined where there is none or it is the partition's. */
export const deadlineSeconds = ({ timeMs }: OutputInput): number | undefined =>
  typeof timeMs === 'number' ? Math.ceil(timeMs / 1000) : undefined;

/** What is true of all of them. */
export function common(input: OutputInput): string[] {
  const { printed, priorityClass, scheduler } = input.scheduling ?? {};
  const { array, timeMs } = input;
  return [
    'Slurm knows nothing of it: no job id, no squeue, sacct or scancel, no dependency, no output file (kubectl logs has what the node keeps of it), no --requeue, and two submissions are two runs.',
    'It is not for a tenant’s namespace (spillway-…): admission lets only the gateway make pods there. Apply it to one of yours that has the claims; supplementary groups are not in it.',
    'Nothing boots a node for it, and nothing it costs is counted or held to a budget.',
    'A node that is out of sight may go on running a pod that the controller counts as failed: nobody terminates its machine.',
    ...(timeMs === undefined
      ? ['No --time: it has no deadline.']
      : timeMs === 'unlimited'
        ? []
        : [
            array === undefined
              ? 'The time limit is counted from when its pods may start, so waiting for a node counts; TERM comes 30 s before KILL, and no --signal.'
              : 'The time limit of each task is counted from when its pod is on a node; TERM comes 30 s before KILL, and no --signal.',
          ]),
    ...(printed?.pack === undefined
      ? []
      : [
          `pack: the first pod goes where ${printed.pack} suits it alone, and the others wait if that place is full.`,
        ]),
    ...(printed?.spread === undefined
      ? []
      : [`spread: a value of ${printed.spread} that has no node with room holds up the pods.`]),
    ...(scheduler === undefined ? [] : [`Nobody places its pods where there is no scheduler ${scheduler}.`]),
    ...(priorityClass === undefined
      ? []
      : [`It is refused where there is no PriorityClass ${priorityClass}.`]),
  ];
}
