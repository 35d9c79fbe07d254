/** The computing centre of the demo: its nodes, its people, what the cloud sells, and what each account may spend there. */
import { clusterName } from '../../src/domain/ids.ts';
import type { CloudConfig } from '../../src/sim/models/cloud-types.ts';
import type { KubernetesConfig } from '../../src/sim/models/kubernetes-types.ts';
import type { PartitionSpec, SlurmConfig, UserSpec } from '../../src/sim/models/slurm-types.ts';
import { timesFaster } from './told.ts';

export const cluster = clusterName('hpc1');
/** Whose backlog may overflow. */
export const watched = ['batch', 'long'] as const;
export type Watched = (typeof watched)[number];

const shape = { cpus: 64, memoryMib: 256_000 };
const numbered = (letter: string, from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `${letter}${`${from + i}`.padStart(2, '0')}`);
const batchNodes = numbered('n', 1, 2);
const longNodes = numbered('n', 3, 3);
const virtualNodes = numbered('v', 1, 16);
export const homeNodes = batchNodes.length + longNodes.length;
export const homeCpus = homeNodes * shape.cpus;

const person = (name: string, uid: number, account: string, gid: number): UserSpec => ({
  ...{ name, uid, gid: uid, groups: [uid, gid], account, home: `/home/${name}` },
});
export const people = [
  person('alice', 2001, 'physics', 3001),
  person('bob', 2002, 'physics', 3001),
  person('carol', 2003, 'chemistry', 3002),
  person('dave', 2004, 'chemistry', 3002),
  person('erin', 2005, 'biology', 3003),
  person('frank', 2006, 'biology', 3003),
] as const satisfies readonly UserSpec[];
/** The gateway's account at the login node. */
export const operator: UserSpec = {
  ...{ name: 'spillway', uid: 900, gid: 900, groups: [900], account: 'services', home: '/home/spillway' },
  adminLevel: 'Operator',
};

const partition = (name: string, nodes: readonly string[], up: boolean): PartitionSpec => ({
  ...{ name, nodes, up, maxTimeMs: 86_400_000, defMemory: { per: 'cpu', mib: 1_500 } },
});

/** Slurm's own times, as much faster as the rest; a limit is a whole minute at least, so that one stays. */
export const slurm: Partial<SlurmConfig> = {
  nodes: [
    ...[...batchNodes, ...longNodes].map((name) => ({ name, ...shape })),
    ...virtualNodes.map((name) => ({ name, ...shape, burst: true })),
  ],
  partitions: [
    { ...partition('batch', batchNodes, true), default: true },
    partition('long', longNodes, true),
    partition('burst_wait', virtualNodes, false),
    partition('burst', virtualNodes, true),
  ],
  users: [...people, operator],
  schedMs: 250,
  backfillMs: 1_000,
  limitCheckMs: 1_000,
  killWaitMs: 5_000,
  credExpireMs: 500,
  launchMs: [50, 250],
  completingMs: [20, 150],
  dbdLagMs: [50, 400],
};

export interface MachineType {
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  /** US dollars for an hour of the centre, on demand. */
  readonly usd: number;
}

export const types: readonly MachineType[] = [
  { name: 'c7i.16xlarge', vcpus: 64, memoryMib: 131_072, usd: 2.856 },
  { name: 'c7i.24xlarge', vcpus: 96, memoryMib: 196_608, usd: 4.284 },
];
export const zones = ['a', 'b'] as const;
export const region = 'eu-sim-1';
export const launchTemplate = 'spillway-cpu';
export const mostMachines = 6;
/** So many jobs must wait in a partition before it overflows, and so many may be on their way or away at once. */
export const backlog = 4;
export const mostBursts = 24;

/** The gateway counts in real hours, so an hour of the centre must cost in them what it costs there. */
export const usdPerRealHour = (type: MachineType): number => Math.round(type.usd * timesFaster * 100) / 100;

export const cloud: Partial<CloudConfig> = {
  region,
  zones: zones.map((z) => `${region}${z}`),
  types: types.map(({ name, vcpus, memoryMib, usd }) => ({
    ...{ name, vcpus, memoryMib },
    price: { 'on-demand': Math.round(usd * 1e6), spot: Math.round(usd * 3e5) },
  })),
  consistencyMs: 200,
  bootMs: [500, 1_200],
  stopMs: [300, 800],
  launches: { burst: 1_000, perSecond: 20 },
};
/** From a machine's start until its node registers. */
export const joinMs = [100, 400] as const;

export const kubernetes: Partial<KubernetesConfig> = {
  registerMs: [50, 150],
  readyMs: [100, 300],
  sandboxMs: [50, 150],
  startMs: [20, 80],
  reportMs: [10, 150],
  phaseMs: [10, 100],
  confirmMs: [50, 250],
  image: { pullMs: [100, 400] },
};

/** US dollars for the morning. Chemistry's runs out. */
export const budgets = [
  { account: 'physics', usd: 250 },
  { account: 'chemistry', usd: 1.75 },
  { account: 'biology', usd: 250 },
] as const;
export const accounts = budgets.map(({ account }) => account);
