/** The computing centre of the chaos runs: two nodes on-prem, six virtual ones, two users, and a cloud of two types. */
import type { Duplex } from 'node:stream';
import { clusterName } from '../../../src/domain/ids.ts';
import type { NodeGroup } from '../../../src/domain/policy.ts';
import { GiB } from '../../../src/domain/resources.ts';
import type { Chance } from '../../../src/sim/chance.ts';
import { CloudModel } from '../../../src/sim/models/cloud.ts';
import { KubernetesModel } from '../../../src/sim/models/kubernetes.ts';
import { SlurmModel } from '../../../src/sim/models/slurm.ts';
import type { VirtualTime } from '../../../src/sim/time.ts';
import { World, type WorldOptions } from '../../../src/sim/world.ts';

export const cluster = clusterName('sim');
export const second = 1_000;
export const minute = 60 * second;

export const group: NodeGroup = {
  name: 'cpu',
  launchTemplate: 'cpu',
  types: ['m.small', 'm.large'],
  zones: ['eu-sim-1a', 'eu-sim-1b'],
  vcpuPerCpu: 1,
  overhead: { cpuMillis: 100, memoryBytes: GiB / 2, extended: {} },
  capacityType: 'on-demand',
  max: 3,
  idleMs: minute,
  joinTimeoutMs: 3 * minute,
  lostAfterMs: 2 * minute,
  prices: { 'm.small': 200_000, 'm.large': 400_000 },
  taint: { key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' },
};
const types = [
  { name: 'm.small', vcpus: 8, memoryMib: 16_384, price: { 'on-demand': 200_000, spot: 60_000 } },
  { name: 'm.large', vcpus: 16, memoryMib: 32_768, price: { 'on-demand': 400_000, spot: 120_000 } },
];
const users = {
  alice: {
    name: 'alice',
    uid: 2001,
    gid: 2001,
    groups: [2001, 3001],
    account: 'physics',
    home: '/home/alice',
  },
  bob: { name: 'bob', uid: 2002, gid: 2002, groups: [2002], account: 'chemistry', home: '/home/bob' },
} as const;

export interface Centre {
  readonly slurm: SlurmModel;
  readonly kubernetes: KubernetesModel;
  readonly cloud: CloudModel;
  readonly world: World;
}

export function openCentre(
  time: VirtualTime,
  entropy: () => Chance,
  credExpireMs: number,
  dialGateway: () => Duplex,
  data: Pick<WorldOptions, 'objects' | 'onOutput'> = {},
): Centre {
  const deps = { clock: time, scheduler: time };
  const onprem = ['n1', 'n2'].map((name) => ({ name, cpus: 8, memoryMib: 16_000 }));
  // In a partition of less Slurm would not keep a job of three nodes.
  const further = [{ name: 'n3', cpus: 8, memoryMib: 16_000 }];
  const virtual = ['v1', 'v2', 'v3', 'v4', 'v5', 'v6'].map((name) => ({
    name,
    cpus: 8,
    memoryMib: 16_000,
    burst: true,
  }));
  const names = (of: readonly { name: string }[]): string[] => of.map((n) => n.name);
  const common = { maxTimeMs: 24 * 60 * minute, defMemory: { per: 'cpu' as const, mib: 1_000 } };
  const slurm = new SlurmModel(
    {
      nodes: [...onprem, ...further, ...virtual],
      partitions: [
        { name: 'batch', nodes: names(onprem), up: true, default: true, ...common },
        { name: 'other', nodes: names(onprem), up: true, ...common },
        { name: 'cloud', nodes: names([...onprem, ...further]), up: false, ...common },
        { name: 'burst_wait', nodes: names(virtual), up: false, ...common },
        { name: 'burst', nodes: names(virtual), up: true, ...common },
      ],
      credExpireMs,
      users: [
        users.alice,
        users.bob,
        {
          name: 'spillway',
          uid: 900,
          gid: 900,
          groups: [900],
          account: 'root',
          home: '/',
          adminLevel: 'Operator',
        },
      ],
    },
    { ...deps, entropy: entropy() },
  );
  const kubernetes = new KubernetesModel(
    { image: { pullMs: [500, 5_000] } },
    { ...deps, entropy: entropy() },
  );
  for (const u of [users.alice, users.bob])
    kubernetes.addTenant({
      namespace: `t-${u.name}`,
      uid: u.uid,
      gids: [...u.groups],
      claims: ['home'],
    });
  const cloud = new CloudModel({ types, zones: [...group.zones] }, { ...deps, entropy: entropy() });
  cloud.putTemplate('cpu', '{}');
  const world = new World({
    ...deps,
    entropy: entropy(),
    slurm,
    kubernetes,
    cloud,
    joinMs: [2_000, 20_000],
    dialGateway,
    capacityOf: (name) => {
      const type = types.find((t) => t.name === name);
      return {
        cpuMillis: (type?.vcpus ?? 1) * 1000 - 100,
        memoryBytes: ((type?.memoryMib ?? 1024) - 512) * 1_048_576,
      };
    },
    taint: group.taint,
    ...data,
  });
  return { slurm, kubernetes, cloud, world };
}
