/** One trace through the real gateway, its cycle, steps and streams, on the models of Slurm, Kubernetes and EC2 under virtual time. */
import type { Forecaster } from '../../src/decide/forecast.ts';
import type { OfferedGroup } from '../../src/decide/rule.ts';
import { clusterName, type Instant, instant } from '../../src/domain/ids.ts';
import type { ClusterSetup, NodeGroup, Policy } from '../../src/domain/policy.ts';
import { GiB } from '../../src/domain/resources.ts';
import { Gateway } from '../../src/engine/gateway.ts';
import type { Scheduler } from '../../src/ports.ts';
import { Chance } from '../../src/sim/chance.ts';
import { CloudModel } from '../../src/sim/models/cloud.ts';
import { scriptOf } from '../../src/sim/models/keeper-work.ts';
import { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import { SlurmModel } from '../../src/sim/models/slurm.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { MemWake } from '../../src/sim/models/wake.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import type { TraceJob } from '../../src/sim/trace/job.ts';
import { World } from '../../src/sim/world.ts';
import { Switchboard } from '../../src/stream/switchboard.ts';
import { drain } from './drain.ts';

export const cluster = clusterName('sim');
/** From the decision to the script's first line, where nothing takes time. */
export const readyMs = 5;
const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

export const setup: ClusterSetup = {
  name: cluster,
  watch: ['batch'],
  explicit: undefined,
  waitPartition: 'burst_wait',
  burstPartition: 'burst',
  mode: 'observe',
  onLost: 'fail',
  pollMs: minute,
};

export const group: NodeGroup = {
  name: 'cpu',
  launchTemplate: 'cpu',
  types: ['m.one'],
  zones: ['eu-sim-1a'],
  vcpuPerCpu: 1,
  overhead: { cpuMillis: 100, memoryBytes: GiB / 2, extended: {} },
  capacityType: 'on-demand',
  max: 1_000,
  idleMs: minute,
  joinTimeoutMs: 15 * minute,
  lostAfterMs: 10 * minute,
  prices: { 'm.one': 400_000 },
  taint: { key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' },
};
const large = {
  name: 'm.one',
  vcpus: 80,
  memoryMib: 327_680,
  price: { 'on-demand': 400_000, spot: 120_000 },
};
/** As the gateway of this site has it. */
export const groupAt = ({ spotMicroUsd }: Pick<Site, 'spotMicroUsd'>): NodeGroup =>
  spotMicroUsd === undefined ? group : { ...group, spot: { capPercent: 100 } };
export const offeredAt = (site: Pick<Site, 'spotMicroUsd'>): OfferedGroup => ({
  group: groupAt(site),
  types: [{ name: large.name, vcpus: large.vcpus, memoryBytes: large.memoryMib * 1_048_576, gpus: 0 }],
});

/** A cloud that takes its time, whose machines hold one job of `cpus` each and go as soon as it is over. */
export interface Boots {
  readonly ms: number;
  readonly cpus: number;
}

export interface Site {
  /** Left out: nothing takes time, and a machine holds what comes. */
  readonly boots?: Boots;
  /** What an hour of the machine costs as spot, all the time; left out: none is bought. */
  readonly spotMicroUsd?: number;
  /** Node groups behind the first. */
  readonly moreGroups?: readonly NodeGroup[];
  readonly processors: number;
  /** The gateway starts here, between two seconds: Slurm is done with all that happened in one before the gateway looks. */
  readonly startAt: Instant;
  readonly setup: ClusterSetup;
  readonly policy: Policy;
  readonly forecaster: Forecaster;
}

export interface Ran {
  readonly gateway: Gateway;
  readonly store: MemStore;
  /** By job, the second in which its run began, here or in the cloud. */
  readonly starts: readonly number[];
  readonly errors: readonly string[];
}

/**
 * Slurm as replay reckons: one node for a machine, EASY, no time lost between a change and the pass after it, and of one second everything happens
 * before that pass. The cloud takes the same time for each.
 */
export async function throughGateway(jobs: readonly TraceJob[], site: Site): Promise<Ran> {
  const { startAt, setup: at, policy, forecaster, processors, boots } = site;
  const price = { ...large.price, spot: site.spotMicroUsd ?? large.price.spot };
  const type = { ...large, price, ...(boots === undefined ? {} : { vcpus: boots.cpus + 1 }) };
  const bootMs = boots?.ms ?? 0;
  const begin = instant(Math.floor(startAt / second) * second);
  const time = new VirtualTime(begin, drain);
  const chance = new Chance(7);
  const deps = { clock: time, scheduler: time };
  const names = [...new Set(jobs.map((j) => j.user))];
  const users = names.map((name, i) => ({
    ...{ name, uid: 2_000 + i, gid: 2_000 + i, groups: [2_000 + i], home: `/home/${name}` },
    account: jobs.find((j) => j.user === name)?.account ?? '',
  }));
  const operator = { name: 'spillway', uid: 900, gid: 900, groups: [900], account: 'root', home: '/' };
  const virtual = Array.from({ length: 64 }, (_, i) => `v${i}`);
  const shape = { cpus: processors, memoryMib: 256_000 };
  const common = { maxTimeMs: 'unlimited' as const, defMemory: { per: 'cpu' as const, mib: 1_000 } };
  const slurm = new SlurmModel(
    {
      nodes: [{ name: 'machine', ...shape }, ...virtual.map((name) => ({ name, ...shape, burst: true }))],
      partitions: [
        { name: 'batch', nodes: ['machine'], up: true, default: true, ...common },
        { name: 'burst_wait', nodes: virtual, up: false, ...common },
        { name: 'burst', nodes: virtual, up: true, ...common },
      ],
      users: [...users, { ...operator, adminLevel: 'Operator' }],
      ...{ launchMs: [0, 0], completingMs: [0, 0], dbdLagMs: [0, 0] },
      ...{ schedMs: afterAll, backfillMs: 0, backfillReserves: 1, backfillJobs: 100_000 },
      backfillWindowMs: 1_000 * 24 * hour,
    },
    { clock: time, scheduler: patient(time), entropy: chance.fork() },
  );
  const kubernetes = new KubernetesModel(steady, { ...deps, entropy: chance.fork() });
  for (const { name, uid, gid } of users)
    kubernetes.addTenant({ namespace: `t-${name}`, uid, gids: [gid], claims: ['home'] });
  const cloud = new CloudModel(
    { types: [type], zones: [...group.zones], consistencyMs: 0, bootMs: [bootMs, bootMs], stopMs: [0, 0] },
    { ...deps, entropy: chance.fork() },
  );
  cloud.putTemplate('cpu', '{}');
  const running: { gateway?: Gateway; board?: Switchboard } = {};
  const world: World = new World({
    ...{ ...deps, entropy: chance.fork(), slurm, kubernetes, cloud, joinMs: [0, 0], taint: group.taint },
    dialGateway: () => {
      const pipe = world.pipe();
      running.board?.accept(pipe.far, cluster);
      return pipe.near;
    },
    capacityOf: () => ({
      cpuMillis: type.vcpus * 1_000 - 100,
      memoryBytes: (type.memoryMib - 512) * 1_048_576,
    }),
  });
  const store = new MemStore({ clock: time, entropy: chance.fork() });
  const errors: string[] = [];
  const entropy = chance.fork();
  const kube = kubernetes.asPort((e) => errors.push(`a watch handler threw: ${String(e)}`));
  const wake = new MemWake({ ...deps, onError: (what, e) => errors.push(`${what} ${String(e)}`) });
  const board = new Switchboard({
    ...{ ...deps, entropy, dial: (pod) => kube.dial(pod, 7443) },
    epoch: () => running.gateway?.epochOf(cluster) ?? 0,
    on: (event) => running.gateway?.onStream(cluster, event),
  });
  running.board = board;
  for (const job of jobs)
    time.after(job.submitMs - begin, () => {
      slurm.submit(job.user, {
        ...{ partition: 'batch', cpusPerTask: job.processors, timeMs: job.requestMs },
        ...{ workDir: `/home/${job.user}`, work: { ms: job.runMs, exit: 0 } },
        script: scriptOf({ ms: job.runMs, exit: { code: 0 } }),
      });
    });
  time.after(startAt - begin, () => {
    const settings = {
      ...{
        setup: at,
        policy,
        forecaster,
        policyHash: 'law',
        historyMs: 365 * 24 * hour,
        groups: [
          boots === undefined ? groupAt(site) : { ...groupAt(site), idleMs: 1 },
          ...(site.moreGroups ?? []),
        ],
      },
      pods: {
        ...{
          images: { default: 'user', partitions: {}, accounts: {}, modules: [], allow: [], pullSecrets: [] },
          agentImage: 'agent',
          imagePullPolicy: 'IfNotPresent' as const,
          keeperPort: 7443,
        },
        mounts: [{ path: '/home', claim: 'home' }],
      },
      ...{ slurm: slurm.asPort(cluster, 'spillway'), cloud: cloud.asPort(cluster), streams: board },
    };
    const ports = {
      ...{ kubernetes: kube, store, wake, ...deps, entropy },
      log: ({ level, text }: { level: string; text: string }) => {
        if (level !== 'info') errors.push(text);
      },
    };
    const times = {
      ...{ holder: 'g1', monotonic: () => time.now() - begin, leaseMs: 3 * hour },
      ...{ sweepMs: at.mode === 'observe' ? hour : 30 * second },
      cloudPollMs: at.mode === 'observe' ? hour : 20 * second,
    };
    const health = { check: () => ({ name: '', ok: true, text: '', at: undefined }), asked: () => false };
    void Gateway.create([settings], ports, times, health).then((gateway) => {
      running.gateway = gateway;
      return gateway.start();
    });
  });
  // With nothing else to do, the machine is done by then.
  const last = Math.max(...jobs.map((j) => j.submitMs));
  const until = instant(last + jobs.reduce((ms, j) => ms + j.runMs, 0));
  let over = 0;
  slurm.onEnd = () => {
    over += 1;
  };
  await time.run(until, () => over === jobs.length);
  const { gateway } = running;
  if (gateway === undefined) throw new Error('the gateway did not start');
  await gateway.stop();
  const starts = slurm.truth().map((j) => j.runs.at(-1)?.startAt ?? Number.NaN);
  return { gateway, store, starts, errors };
}

/** To the timer below: when all that happens in this moment has happened. */
const afterAll = 0.25;
/** An end takes several timers of no time to free its nodes. */
const hops = 8;

function patient(time: VirtualTime): Scheduler {
  return {
    after(ms, work) {
      if (ms !== afterAll) return time.after(ms, work);
      let left = hops;
      let timer = time.after(0, hop);
      function hop(): void {
        left -= 1;
        if (left === 0) work();
        else timer = time.after(0, hop);
      }
      return { cancel: () => timer.cancel() };
    },
  };
}

/** Every step within a node takes no time. */
const none = [0, 0] as const;
const steady = {
  ...{ schedulerMs: none, registerMs: none, readyMs: none, controllerMs: none, kubeletMs: none },
  ...{ sandboxMs: none, startMs: none, reportMs: none, phaseMs: none, confirmMs: none },
  image: { pullMs: none },
};
