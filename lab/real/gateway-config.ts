/** The configuration of a gateway of this lab, for tests and the demo: everything it needs is in `lab env`. */
import { stringify } from 'yaml';
import { clusterName, ports, stateDir } from './paths.ts';

export interface GatewayWishes {
  readonly dataDir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly idle?: string;
  /** What its groups' capacity says besides. */
  readonly capacity?: Readonly<Record<string, unknown>>;
  /** Of the jobs; the base image otherwise. */
  readonly image?: string;
  readonly backOff?: string;
  readonly policy?: Readonly<Record<string, unknown>>;
  readonly mode?: 'observe' | 'approve' | 'auto';
  readonly max?: number;
  readonly joinTimeout?: string;
  readonly ec2Endpoint?: string;
  readonly ramp?: 'off' | { readonly jobsPerDay: number; readonly usdPerDay: number };
  readonly charge?: 'cloud' | 'allocation' | 'both';
  readonly budgets?: readonly Readonly<Record<string, unknown>>[];
  readonly overhead?: Readonly<Record<string, unknown>>;
  /** Dollars an hour of the lab's one instance type. */
  readonly price?: number;
  /** Besides the default. */
  readonly images?: Readonly<Record<string, unknown>>;
  /** What each group has besides; each needs a name of its own. One without more, if left out. */
  readonly groups?: readonly Readonly<Record<string, unknown>>[];
  /** Without Kubernetes, cloud and relays: mode observe as on a site's first day. */
  readonly onlyLooks?: boolean;
  /** The object store for data under no mount. */
  readonly staging?: Readonly<Record<string, unknown>>;
  /** What becomes of a job whose pod was lost; it fails, if left out. */
  readonly onLost?: 'fail' | 'requeue';
  /** With it nobody is answered without a token. */
  readonly api?: Readonly<Record<string, unknown>>;
}

export function gatewayConfig(wishes: GatewayWishes): string {
  const { env } = wishes;
  const of = (name: string): string => {
    const value = env[name];
    if (value === undefined) throw new Error(`the lab's env has no ${name}: is it up? npm run lab -- status`);
    return value;
  };
  const hands = wishes.onlyLooks !== true;
  return stringify({
    clusters: [
      {
        name: clusterName,
        slurm: {
          via: 'ssh',
          host: of('SPILLWAY_LAB_SSH_HOST'),
          port: Number(of('SPILLWAY_LAB_SSH_PORT')),
          user: of('SPILLWAY_LAB_SSH_USER'),
          hostKey: of('SPILLWAY_LAB_SSH_HOST_KEY'),
          keyFile: of('SPILLWAY_LAB_SSH_KEY'),
          env: { SLURM_CONF: of('SLURM_CONF') },
        },
        watch: ['batch'],
        explicit: 'cloud',
        mode: hands ? (wishes.mode ?? 'auto') : 'observe',
        ramp: wishes.ramp ?? 'off',
        // The lab's burst partition bills like any other.
        charge: wishes.charge ?? 'both',
        pollSeconds: 1,
        ...(wishes.onLost === undefined ? {} : { onLost: wishes.onLost }),
      },
    ],
    dataDir: wishes.dataDir,
    ...(wishes.api === undefined ? {} : { api: wishes.api }),
    listen: {
      http: `127.0.0.1:${ports.gatewayHttp}`,
      ...(hands && {
        relay: `127.0.0.1:${ports.gatewayRelay}`,
        cert: of('SPILLWAY_LAB_GATEWAY_CERT'),
        key: of('SPILLWAY_LAB_GATEWAY_KEY'),
        clientCa: of('SPILLWAY_LAB_RELAY_CA'),
      }),
    },
    ...(hands && {
      kubernetes: {
        kubeconfig: of('SPILLWAY_LAB_KUBECONFIG'),
        agentImage: of('SPILLWAY_LAB_AGENT_IMAGE'),
        imagePullPolicy: 'Never',
      },
      images: { default: wishes.image ?? of('SPILLWAY_LAB_USER_IMAGE'), ...wishes.images },
    }),
    mounts: [{ path: `${stateDir}/home`, claim: 'home' }],
    nodeGroups: (wishes.groups ?? [{}]).map((group) => ({ ...groupOf(wishes, of), ...group })),
    policy: { backOff: wishes.backOff ?? '1m', maxBursts: 60, ...wishes.policy },
    ...(wishes.staging === undefined ? {} : { staging: wishes.staging }),
    ...(wishes.budgets === undefined ? {} : { budgets: wishes.budgets }),
    ...(wishes.overhead === undefined ? {} : { overhead: wishes.overhead }),
  });
}

function groupOf(wishes: GatewayWishes, of: (name: string) => string): Readonly<Record<string, unknown>> {
  return {
    name: 'cpu',
    provider: 'ec2',
    region: of('SPILLWAY_LAB_EC2_REGION'),
    endpoint: wishes.ec2Endpoint ?? of('SPILLWAY_LAB_EC2_ENDPOINT'),
    ...(wishes.onlyLooks === true
      ? { shapes: { 'lab.large': { vcpus: 2, memory: '8GiB' } } }
      : { launchTemplate: of('SPILLWAY_LAB_EC2_TEMPLATE') }),
    types: ['lab.large'],
    zones: ['a'],
    // A kubelet here has the machine's 2 cores, and forty jobs must fit.
    vcpuPerCpu: 0.02,
    capacity: { max: wishes.max ?? 4, idle: wishes.idle ?? '10s', ...wishes.capacity },
    joinTimeout: wishes.joinTimeout ?? '2m',
    ...(wishes.price === undefined ? {} : { prices: { 'lab.large': wishes.price } }),
  };
}
