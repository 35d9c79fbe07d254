/** A centre in memory whose Slurm, Kubernetes and cloud take next to no time: what is left is the gateway's own. */
import type { Duplex } from 'node:stream';
import { usualForecaster } from '../src/decide/forecast.ts';
import { type BurstState, terminalStates } from '../src/domain/burst.ts';
import { clusterName, type JobRef } from '../src/domain/ids.ts';
import type { NodeGroup } from '../src/domain/policy.ts';
import { GiB } from '../src/domain/resources.ts';
import type { ClusterSettings, PolicyTerms } from '../src/engine/context.ts';
import { Gateway } from '../src/engine/gateway.ts';
import type { StorePort, WakePort } from '../src/ports.ts';
import { CloudModel } from '../src/sim/models/cloud.ts';
import { scriptOf } from '../src/sim/models/keeper-work.ts';
import { KubernetesModel } from '../src/sim/models/kubernetes.ts';
import { SlurmModel } from '../src/sim/models/slurm.ts';
import { World } from '../src/sim/world.ts';
import { Switchboard } from '../src/stream/switchboard.ts';
import { deps } from './deps.ts';

export const cluster = clusterName('bench');
const minute = 60_000;
const hour = 60 * minute;
/** Pods of one vCPU: as many as the kubelet's own limit of 110 lets onto a node. */
const type = { name: 'm.big', vcpus: 100, memoryMib: 400_000, price: { 'on-demand': 2_000_000, spot: 1 } };
const cpusOfNode = 64;
const users = Array.from({ length: 8 }, (_, i) => ({
  name: `user${i}`,
  uid: 2_001 + i,
  gid: 2_001 + i,
  groups: [2_001 + i],
  account: `account${i % 4}`,
  home: `/home/user${i}`,
}));

export const group: NodeGroup = {
  name: 'cpu',
  launchTemplate: 'cpu',
  types: [type.name],
  zones: ['eu-sim-1a', 'eu-sim-1b'],
  vcpuPerCpu: 1,
  overhead: { cpuMillis: 100, memoryBytes: GiB / 2, extended: {} },
  capacityType: 'on-demand',
  max: 200,
  idleMs: hour,
  joinTimeoutMs: hour,
  lostAfterMs: hour,
  prices: { [type.name]: 2_000_000 },
  taint: { key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' },
};

export interface SiteOptions {
  readonly store: StorePort;
  readonly wake: WakePort;
  /** Bursts at once. */
  readonly cap: number;
  readonly pollMs: number;
  /** What reads the policies of the store; left out: none is there. */
  readonly policies?: PolicyTerms;
  /** A line of the gateway's log that is no information. */
  readonly onTrouble: (text: string) => void;
  /** A burst came to an end, which is committed. */
  readonly onEnd: (state: string) => void;
}

export class Site {
  readonly slurm: SlurmModel;
  readonly gateway: Gateway;
  readonly #board: Switchboard;
  #at = 0;

  static async open(options: SiteOptions): Promise<Site> {
    const slurm = slurmFor(options.cap);
    const kubernetes = quickKubernetes();
    for (const { name, uid, groups } of users)
      kubernetes.addTenant({ namespace: `t-${name}`, uid, gids: groups, claims: ['home'] });
    const cloud = quickCloud();
    const linked: { site?: Site } = {};
    const world: World = new World({
      ...deps,
      ...{ slurm, kubernetes, cloud, taint: group.taint, joinMs: [1, 5] },
      dialGateway: (): Duplex => {
        if (linked.site === undefined) throw new Error('no gateway takes it');
        return linked.site.#accept(world);
      },
      capacityOf: () => ({
        cpuMillis: type.vcpus * 1_000 - 100,
        memoryBytes: type.memoryMib * 2 ** 20 - GiB / 2,
      }),
    });
    const port = kubernetes.asPort((e) => options.onTrouble(`a watch handler threw: ${String(e)}`));
    const board = new Switchboard({
      ...deps,
      dial: (pod) => port.dial(pod, 7443),
      epoch: () => linked.site?.gateway.epochOf(cluster) ?? 0,
      on: (event) => linked.site?.gateway.onStream(cluster, event),
    });
    const gateway = await Gateway.create(
      [settingsOf(options, slurm, cloud, board)],
      {
        ...deps,
        store: options.store,
        wake: options.wake,
        kubernetes: port,
        log: ({ level, text, stack, to }) => {
          if (terminalStates.has(to as BurstState)) options.onEnd(to as BurstState);
          if (level === 'warn' || level === 'error') options.onTrouble(`${text} ${stack ?? ''}`.trim());
        },
      },
      {
        holder: deps.entropy.uuid(),
        monotonic: () => performance.now(),
        leaseMs: 45_000,
        sweepMs: 30_000,
        cloudPollMs: 1_000,
      },
      { check: () => ({ name: '', ok: true, text: '', at: undefined }), asked: () => false },
    );
    const site = new Site(slurm, gateway, board);
    linked.site = site;
    await gateway.start();
    return site;
  }

  private constructor(slurm: SlurmModel, gateway: Gateway, board: Switchboard) {
    this.slurm = slurm;
    this.gateway = gateway;
    this.#board = board;
  }

  #accept(world: World): Duplex {
    const pipe = world.pipe();
    this.#board.accept(pipe.far, cluster);
    return pipe.near;
  }

  /** A job of one CPU for the cloud that says a line and ends. */
  submit(): JobRef {
    const user = users[this.#at++ % users.length]?.name ?? 'user0';
    return this.slurm.submit(user, {
      partition: 'cloud',
      timeMs: 10 * minute,
      script: scriptOf({ ms: 0, exit: { code: 0 }, output: { 1: 200 } }),
      workDir: `/home/${user}`,
      work: { ms: 0, exit: 0 },
    });
  }
}

function settingsOf(
  options: SiteOptions,
  slurm: SlurmModel,
  cloud: CloudModel,
  streams: Switchboard,
): ClusterSettings {
  return {
    setup: {
      name: cluster,
      watch: ['batch'],
      explicit: 'cloud',
      waitPartition: 'burst_wait',
      burstPartition: 'burst',
      mode: 'auto',
      onLost: 'fail',
      pollMs: options.pollMs,
    },
    policyHash: 'bench',
    policies: options.policies,
    forecaster: usualForecaster,
    historyMs: 86_400_000,
    policy: {
      burstWhen: [{ kind: 'backlog', pendingJobs: 1, forMs: 30_000 }],
      never: [],
      maxBursts: options.cap,
      maxTimeMs: undefined,
      backOffMs: minute,
      returns: 3,
      budgets: [{ account: undefined, microUsd: 1e12, per: 'total', hard: true }],
    },
    groups: [group],
    pods: {
      images: { default: 'user', partitions: {}, accounts: {}, modules: [], allow: [], pullSecrets: [] },
      agentImage: 'agent',
      imagePullPolicy: 'IfNotPresent',
      mounts: [{ path: '/home', claim: 'home' }],
      keeperPort: 7443,
    },
    slurm: slurm.asPort(cluster, 'spillway'),
    cloud: cloud.asPort(cluster),
    streams,
  };
}

function slurmFor(cap: number): SlurmModel {
  const nodes = (prefix: string, count: number, burst: boolean) =>
    Array.from({ length: count }, (_, i) => ({
      name: `${prefix}${i}`,
      cpus: cpusOfNode,
      memoryMib: 256_000,
      burst,
    }));
  const onprem = nodes('n', 2, false);
  const virtual = nodes('v', Math.ceil(cap / cpusOfNode) + 1, true);
  const names = (of: readonly { readonly name: string }[]): string[] => of.map((n) => n.name);
  const common = { maxTimeMs: 24 * hour, defMemory: { per: 'cpu' as const, mib: 1_000 } };
  return new SlurmModel(
    {
      nodes: [...onprem, ...virtual],
      partitions: [
        { name: 'batch', nodes: names(onprem), up: true, default: true, ...common },
        { name: 'cloud', nodes: names(onprem), up: false, ...common },
        { name: 'burst_wait', nodes: names(virtual), up: false, ...common },
        { name: 'burst', nodes: names(virtual), up: true, ...common },
      ],
      users: [
        ...users,
        {
          ...{ name: 'spillway', uid: 900, gid: 900, groups: [900], account: 'root', home: '/' },
          adminLevel: 'Operator',
        },
      ],
      ...{ schedMs: 20, launchMs: [1, 5], completingMs: [1, 5], dbdLagMs: [1, 10], latencyMs: [0, 0] },
      minJobAgeMs: 2_000,
    },
    deps,
  );
}

function quickKubernetes(): KubernetesModel {
  return new KubernetesModel(
    {
      ...{ schedulerMs: [1, 2], registerMs: [1, 2], readyMs: [1, 2], controllerMs: [1, 2] },
      ...{ kubeletMs: [1, 2], sandboxMs: [1, 2], startMs: [1, 2], reportMs: [1, 2], phaseMs: [1, 2] },
      ...{ confirmMs: [1, 2], namespacesMs: [0, 1], reopenMs: [1, 5] },
      image: { baked: true },
    },
    deps,
  );
}

function quickCloud(): CloudModel {
  const cloud = new CloudModel(
    {
      types: [type],
      zones: [...group.zones],
      ...{ bootMs: [1, 5], stopMs: [1, 5], consistencyMs: 0 },
      requests: { burst: 1_000, perSecond: 1_000 },
      launches: { burst: 1_000, perSecond: 1_000 },
    },
    deps,
  );
  cloud.putTemplate('cpu', '{}');
  return cloud;
}
