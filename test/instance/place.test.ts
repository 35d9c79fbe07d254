/** A node that somebody else brought is labelled as one instance, and stays that one's. */
import { beforeEach, describe, expect, it } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { cloudId, clusterName, instanceId, instant, launchToken, uuid } from '../../src/domain/ids.ts';
import type { CloudInstance, Instance } from '../../src/domain/instance.ts';
import { instanceLabel, type NodeView } from '../../src/domain/kube.ts';
import { GiB } from '../../src/domain/resources.ts';
import type { InstanceContext } from '../../src/instance/context.ts';
import { awaitJoin } from '../../src/instance/register.ts';
import type { KubernetesPort } from '../../src/ports.ts';
import { MemStore } from '../../src/sim/models/store.ts';

const at = instant(1_800_000_000_000);
const cluster = clusterName('hpc1');
const own = cloudId('external-own');
const needs = { cpuMillis: 1_000, memoryBytes: GiB, extended: {} };
let ids = 0;
const entropy = { uuid: () => uuid(`u${++ids}`), bytes: (n: number) => new Uint8Array(n), random: () => 0 };
let store: MemStore;
/** As the API server has it. */
let node: NodeView;
/** As the gateway saw it last. */
let seen: NodeView;

const listed: CloudInstance = {
  ...{ id: own, type: 'm', zone: 'a', state: 'running', capacityType: 'on-demand', privateDnsName: 'n' },
  ...{ launchedAt: at, token: launchToken('t'), tags: {}, external: {} },
};

const markNode: KubernetesPort['markNode'] = async ({ version }, { labels }) => {
  if (version !== node.version) throw new PortError('conflict', 'kubernetes.markNode', 'it has changed');
  const next = Object.entries({ ...node.labels, ...labels }).filter(([, value]) => value !== undefined);
  node = {
    ...node,
    version: `${Number(version) + 1}`,
    labels: Object.fromEntries(next) as NodeView['labels'],
  };
};

const context = (): InstanceContext =>
  ({
    ...{ store, entropy, epoch: () => 0, clock: { now: () => at }, cluster },
    kubernetes: { markNode },
    ...{ cloud: { console: async () => undefined }, group: () => ({ joinTimeoutMs: 60_000 }) },
    ...{ nodes: async () => [seen], listed: () => ({ at, ok: true, value: [listed] }) },
    ...{ wake: () => undefined, replan: () => undefined, log: () => undefined },
  }) as unknown as InstanceContext;

async function step(): Promise<Instance['state'] | undefined> {
  const row = (await store.instance(instanceId('i-1'))) as Instance;
  await awaitJoin(context(), row);
  return (await store.instance(row.id))?.state;
}

beforeEach(async () => {
  node = {
    ...{ name: 'n', uid: 'u', providerId: '', ready: 'true', readySince: at, createdAt: at, version: '1' },
    ...{ unschedulable: false, labels: {} },
    allocatable: { cpuMillis: 7_900, memoryBytes: 60 * GiB, pods: 10, extended: {} },
  };
  seen = node;
  store = new MemStore({ clock: { now: () => at }, entropy });
  const instance: Instance = {
    ...{ id: instanceId('i-1'), cluster, group: 'g', state: 'launched', rev: 0, token: launchToken('t') },
    spec: {
      ...{ group: 'g', launchTemplate: '', types: ['m'], zones: [], capacityType: 'on-demand', tags: {} },
      external: { needs },
    },
    ...{ cloudId: own, type: 'm', zone: 'a', node: undefined, capacity: needs, createdAt: at, enteredAt: at },
    ...{ launchedAt: at, readyAt: undefined, idleSince: undefined, endedAt: undefined },
    ...{ why: undefined, trouble: undefined },
  };
  await store.commit(entropy.uuid(), cluster, 0, [{ kind: 'instance', instance, why: 'test' }]);
});

describe('a node with a place', () => {
  it('is labelled as its instance', async () => {
    expect(await step()).toBe('joined');
    expect(node.labels[instanceLabel]).toBe(own);
  });

  it('that is another instance by now stays that one’s: its jobs run there', async () => {
    node = { ...node, labels: { [instanceLabel]: 'external-other' } };
    seen = node;
    expect(await step()).toBe('launched');
    expect(node.labels[instanceLabel]).toBe('external-other');
  });

  it('that became another’s since it was looked at does so too, and one that only changed is taken at the next look', async () => {
    node = { ...node, version: '2', labels: { [instanceLabel]: 'external-other' } };
    expect(await step()).toBe('launched');
    expect(node.labels[instanceLabel]).toBe('external-other');
    node = { ...node, version: '3', labels: {} };
    expect(await step()).toBe('launched');
    seen = node;
    expect(await step()).toBe('joined');
  });
});
