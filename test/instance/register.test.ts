/** An instance is ready once its node shows what its group promises: device plugins come after the kubelet. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import {
  type BurstId,
  cloudId,
  clusterName,
  instanceId,
  instant,
  launchToken,
  uuid,
} from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { DaemonSetView, NodeView } from '../../src/domain/kube.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import { GiB } from '../../src/domain/resources.ts';
import type { InstanceContext } from '../../src/instance/context.ts';
import { awaitReady } from '../../src/instance/register.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { aBurst } from '../contract/samples.ts';

const at = instant(1_800_000_000_000);
const cluster = clusterName('hpc1');
const id = instanceId('i-1');
let time = at;
let node: NodeView;
let store: MemStore;
let ids = 0;
let leases = 0;
let daemons: readonly DaemonSetView[] = [];
let found: Instance[] = [];

const group: NodeGroup = {
  ...{ name: 'gpu', launchTemplate: 't', types: ['g'], zones: ['a'], vcpuPerCpu: 1, max: 1, idleMs: 1 },
  ...{ overhead: { cpuMillis: 0, memoryBytes: 0, extended: {} }, capacityType: 'on-demand' },
  ...{ joinTimeoutMs: 60_000, lostAfterMs: 1, taint: { key: 'k', value: 'v', effect: 'NoSchedule' } },
  features: { a100: 'nvidia.com/gpu.product=A100', plain: undefined },
};
const capacity = { cpuMillis: 8_000, memoryBytes: 64 * GiB, extended: { 'nvidia.com/gpu': 4, 'claim:x': 4 } };
const entropy = { uuid: () => uuid(`u${++ids}`), bytes: (n: number) => new Uint8Array(n), random: () => 0 };

const context = (): InstanceContext =>
  ({
    ...{ store, entropy, epoch: () => 0, clock: { now: () => time } },
    kubernetes: { labelNode: async () => undefined, renewLease: async () => void leases++ },
    cloud: { console: async () => undefined },
    ...{ group: () => group, nodes: async () => [node], listed: () => undefined },
    ...{ daemons: async () => daemons, found: (of: Instance) => void found.push(of) },
    ...{ wake: () => undefined, replan: () => undefined, log: () => undefined },
    cluster,
  }) as unknown as InstanceContext;

async function look(): Promise<Instance> {
  const row = await store.instance(id);
  if (row === undefined) throw new Error('no instance');
  await awaitReady(context(), row);
  return (await store.instance(id)) as Instance;
}

beforeEach(async () => {
  [daemons, found] = [[], []];
  time = at;
  node = {
    ...{ name: 'n', uid: 'u', providerId: 'aws:///a/i-abc', ready: 'true', readySince: at, createdAt: at },
    ...{ unschedulable: false, labels: {} },
    allocatable: { cpuMillis: 7_900, memoryBytes: 60 * GiB, pods: 10, extended: {} },
  };
  store = new MemStore({ clock: { now: () => time }, entropy });
  const made: Instance = {
    ...{ id, cluster, group: 'gpu', state: 'joined', rev: 0, token: launchToken('t'), capacity },
    spec: { group: 'gpu', launchTemplate: '', types: [], zones: [], capacityType: 'on-demand', tags: {} },
    ...{ cloudId: cloudId('i-abc'), type: 'g', zone: 'a', node: 'n', createdAt: at, enteredAt: at },
    ...{ launchedAt: at, readyAt: undefined, idleSince: undefined, endedAt: undefined },
    ...{ why: undefined, trouble: undefined },
  };
  await store.commit(entropy.uuid(), cluster, 0, [{ kind: 'instance', instance: made, why: 'test' }]);
});

const show = (extended: Record<string, number>, labels: Record<string, string> = {}): void => {
  node = { ...node, labels, allocatable: { ...node.allocatable, extended } };
};

describe('an instance whose group promises devices', () => {
  it('is ready once its node shows them and what proves its features, and has as many as it shows', async () => {
    leases = 0;
    expect((await look()).state).toBe('joined');
    // A gateway stands for it from then on, however long a device takes.
    expect(leases).toBe(1);
    show({ 'nvidia.com/gpu': 0 });
    expect((await look()).state).toBe('joined');
    show({ 'nvidia.com/gpu': 3 });
    expect((await look()).state).toBe('joined');
    show({ 'nvidia.com/gpu': 3 }, { 'nvidia.com/gpu.product': 'A100' });
    expect(await look()).toMatchObject({
      state: 'ready',
      // No node counts what is claimed.
      capacity: { cpuMillis: 7_900, extended: { 'nvidia.com/gpu': 3, 'claim:x': 4 } },
    });
  });

  it.each<[string, Record<string, number>, RegExp]>([
    ['a device', {}, /its node shows no nvidia\.com\/gpu within/],
    [
      'a label',
      { 'nvidia.com/gpu': 4 },
      /no label nvidia\.com\/gpu\.product=A100, which proves feature a100 within/,
    ],
  ])('never joined where %s does not come in time', async (_what, extended, why) => {
    show(extended);
    time = instant(at + 61_000);
    const over = await look();
    expect(over.state).toBe('never_joined');
    expect(over.why).toMatch(why);
  });
});

describe('a node that is Ready', () => {
  const ready = { 'nvidia.com/gpu': 4 };
  const proof = { 'nvidia.com/gpu.product': 'A100' };
  const daemon = (name: string, cpuMillis: number, over: Partial<DaemonSetView> = {}): DaemonSetView => ({
    ...{ namespace: 'kube-system', name, brings: [], nodeSelector: {} },
    tolerations: [{ key: undefined, anyValue: true, value: '', effect: undefined }],
    requests: { cpuMillis, memoryBytes: GiB, extended: {} },
    ...over,
  });
  const planned = async (n: number, cpuMillis: number, over: Partial<Burst> = {}): Promise<BurstId> => {
    const burst = aBurst({
      ...{ cluster, group: 'gpu', state: 'provisioning', instance: id, createdAt: instant(at + n) },
      ...{ needs: { cpuMillis, memoryBytes: GiB, extended: {} }, ...over },
    });
    await store.commit(entropy.uuid(), cluster, 0, [{ kind: 'burst', burst, why: 'test' }]);
    return burst.id;
  };
  const places = async (...of: readonly BurstId[]) =>
    Promise.all(of.map(async (b) => (await store.burst(b))?.instance));

  it('leaves to jobs what it can allocate less what DaemonSets ask for there, and pods that are not theirs', async () => {
    show(ready, proof);
    daemons = [
      daemon('aws-node', 150),
      daemon('kube-proxy', 100),
      daemon('windows', 500, { nodeSelector: { 'kubernetes.io/os': 'windows' } }),
      daemon('untolerating', 500, { tolerations: [] }),
    ];
    const measured = { cpuMillis: 7_650, memoryBytes: 58 * GiB, pods: 8 };
    expect(await look()).toMatchObject({ state: 'ready', measured, capacity: measured });
    expect(found.map((of) => of.measured)).toEqual([measured]);
  });

  it('has more than was planned: what was planned counts', async () => {
    show(ready, proof);
    node = { ...node, allocatable: { ...node.allocatable, cpuMillis: 9_000, memoryBytes: 99 * GiB } };
    const row = await look();
    expect(row.capacity).toMatchObject({ cpuMillis: 8_000, memoryBytes: 64 * GiB });
    expect(row.measured).toMatchObject({ cpuMillis: 9_000, memoryBytes: 99 * GiB });
  });

  it('keeps the oldest that it holds; the others wait for a plan, and are not to blame', async () => {
    show(ready, proof);
    const [b, a, c] = [await planned(2, 4_200), await planned(1, 3_800), await planned(3, 1_000)];
    await look();
    expect(await places(a, b, c)).toEqual([id, undefined, id]);
    const back = await store.burst(b);
    expect(back).toMatchObject({
      state: 'reserved',
      seeking: { since: time, why: expect.stringContaining('node n leaves 7900 m vCPU') },
    });
    expect([back?.futile, back?.pod]).toEqual([undefined, undefined]);
  });

  it('sends nobody back to the end of his patience: who waited for a machine before has waited since then', async () => {
    show(ready, proof);
    const since = instant(at - 60_000);
    const seeking = { since, why: 'no capacity' };
    const [waits, comes] = [
      await planned(1, 9_000, { state: 'reserved', enteredAt: since, seeking }),
      await planned(2, 9_000, { enteredAt: since, seeking }),
    ];
    await look();
    const why = expect.stringContaining('node n leaves');
    expect(await store.burst(waits)).toMatchObject({ enteredAt: since, seeking: { since, why } });
    expect(await store.burst(comes)).toMatchObject({ enteredAt: time, seeking: { since, why } });
  });

  it('leaves alone who is on the way home already, and needs no pod there', async () => {
    show(ready, proof);
    const goes = await planned(1, 9_000, { state: 'returning' });
    await look();
    expect(await store.burst(goes)).toMatchObject({ state: 'returning', instance: id });
  });

  it('takes no more pods than its kubelet does', async () => {
    show(ready, proof);
    node = { ...node, allocatable: { ...node.allocatable, pods: 3 } };
    daemons = [daemon('aws-node', 10)];
    const all = [await planned(1, 100), await planned(2, 100), await planned(3, 100)];
    await look();
    expect(await places(...all)).toEqual([id, id, undefined]);
  });

  it('lets a job of several nodes go from all of them, and leaves alone whose pods are made', async () => {
    show(ready, proof);
    const other = instanceId('i-2');
    const others = [{ rank: 1, instance: id, pod: undefined }];
    const gang = await planned(1, 9_000, { instance: other, others });
    const ref = { namespace: 't', name: 'p' };
    const runs = await planned(2, 9_000, { state: 'running', pod: { ref, uid: 'made' } });
    await look();
    expect(await places(gang, runs)).toEqual([undefined, id]);
    expect((await store.burst(gang))?.others).toMatchObject([{ rank: 1, instance: undefined }]);
  });

  it('writes nothing where somebody changed one of them meanwhile, and looks again', async () => {
    show(ready, proof);
    const b = await planned(1, 9_000);
    const live = store.liveBursts.bind(store);
    store.liveBursts = async (of) => {
      const seen = await live(of);
      store.liveBursts = live;
      const [burst] = seen;
      if (burst !== undefined)
        await store.commit(entropy.uuid(), cluster, 0, [{ kind: 'burst', burst, why: 'someone else' }]);
      return seen;
    };
    expect((await look()).state).toBe('joined');
    expect((await look()).state).toBe('ready');
    expect(await places(b)).toEqual([undefined]);
  });
});
