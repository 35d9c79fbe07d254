/** An instance is ready once its node shows what its group promises: device plugins come after the kubelet. */
import { beforeEach, describe, expect, it } from 'vitest';
import { cloudId, clusterName, instanceId, instant, launchToken, uuid } from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { NodeView } from '../../src/domain/kube.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import { GiB } from '../../src/domain/resources.ts';
import type { InstanceContext } from '../../src/instance/context.ts';
import { awaitReady } from '../../src/instance/register.ts';
import { MemStore } from '../../src/sim/models/store.ts';

const at = instant(1_800_000_000_000);
const cluster = clusterName('hpc1');
const id = instanceId('i-1');
let time = at;
let node: NodeView;
let store: MemStore;
let ids = 0;
let leases = 0;

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
