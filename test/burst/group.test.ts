/** A job of several nodes on a cluster with PodGroups: its group is made once its pods are there, and asked for again until they are placed. */
import { describe, expect, it } from 'vitest';
import type { BurstContext } from '../../src/burst/context.ts';
import { provision } from '../../src/burst/provision.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { type Fault, PortError } from '../../src/domain/fault.ts';
import { instanceId, instant, uuid } from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { KubernetesPort, PodGroupManifest } from '../../src/ports.ts';
import { Chance } from '../../src/sim/chance.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { podNameFor } from '../../src/translate/index.ts';
import { drained, join, model, taint, tenant } from '../contract/kubernetes.harness.ts';
import { at, burst } from './fixtures.ts';

const podOf = (rank: number) => ({
  ref: { namespace: tenant.namespace, name: podNameFor(burst(), rank) },
  uid: undefined,
});

/** Two nodes that are Ready, and what is asked of PodGroups; `fails`: how each request ends, until it is emptied. */
async function world(podGroups: 'volcano' | undefined, nodes = 2) {
  const time = new VirtualTime(at, drained);
  const entropy = new Chance(3);
  const cluster = model({ clock: time, scheduler: time, entropy });
  const store = new MemStore({ clock: time, entropy });
  const asked: PodGroupManifest[] = [];
  const fails: Fault[] = [];
  const real = cluster.asPort();
  // The model has no pod groups; what it is asked of pods it does.
  const kubernetes: KubernetesPort = {
    ...real,
    pod: (ref) => real.pod(ref),
    async createPodGroup(manifest) {
      asked.push(manifest);
      const fault = fails.shift();
      if (fault !== undefined) throw new PortError(fault, 'kubernetes.createPodGroup', 'said so');
    },
  };
  const others = nodes === 1 ? [] : [{ rank: 1, instance: instanceId('i-1'), pod: podOf(1) }];
  const held = burst({
    ...{ state: 'provisioning', instance: instanceId('i-0'), rev: 0, uid: 2001, gid: 2001, pod: podOf(0) },
    ...(others.length === 0 ? {} : { others }),
  });
  const pods = {
    images: { default: 'lab/base:1', partitions: {}, accounts: {}, modules: [], allow: [], pullSecrets: [] },
    ...{ agentImage: 'spillway/agent:dev', imagePullPolicy: 'Never', mounts: [], keeperPort: 1 },
    scheduling: podGroups === undefined ? undefined : { podGroups },
  };
  const ctx = {
    store,
    kubernetes,
    ...{ entropy, clock: time, pods, streams: { keeper: () => undefined } },
    ...{ group: () => ({ taint }), hint: () => 'PENDING', epoch: () => 0 },
    ...{ log: () => undefined, wake: () => undefined, replan: () => undefined },
  } as unknown as BurstContext;
  const instanceOf = (rank: number) =>
    ({
      ...{ id: instanceId(`i-${rank}`), cluster: held.cluster, group: 'cpu', state: 'ready', rev: 0 },
      ...{ node: `n${rank}`, createdAt: at, enteredAt: at, spec: { capacityType: 'on-demand' } },
    }) as unknown as Instance;
  const put = await store.commit(uuid('c1'), held.cluster, 0, [
    ...[0, 1].map((rank) => ({ kind: 'instance', instance: instanceOf(rank), why: 'test' }) as const),
    { kind: 'burst', burst: held, why: 'test' },
  ]);
  expect(put).toBe('ok');
  const now = async (): Promise<Burst> => (await store.burst(held.id)) ?? held;
  const step = async () => provision(ctx, await now());
  return { asked, cluster, fails, kubernetes, now, step, time };
}

describe('the pod group of a job', () => {
  it('is of all its nodes, and goes with its first pod', async () => {
    const w = await world('volcano');
    await w.step();
    const first = await w.kubernetes.pod(podOf(0).ref);
    expect(first).toBeDefined();
    expect(w.asked).toHaveLength(1);
    expect(w.asked[0]).toMatchObject({
      apiVersion: 'scheduling.volcano.sh/v1beta1',
      metadata: {
        namespace: tenant.namespace,
        ownerReferences: [{ name: first?.ref.name, uid: first?.uid }],
      },
      spec: { minMember: 2 },
    });
  });

  it('is asked for anew after an answer that was lost, by the same name, and no more once its pods are placed', async () => {
    const w = await world('volcano');
    w.fails.push('unknown');
    await expect(w.step()).rejects.toThrow('said so');
    await w.step();
    expect(w.asked.map(({ metadata }) => metadata.name)).toEqual(['spill-gang-b-1', 'spill-gang-b-1']);
    for (const node of ['n0', 'n1']) join(w.cluster, node);
    await w.time.run(instant(at + 60_000));
    expect((await w.kubernetes.pod(podOf(1).ref))?.scheduled).toBe(true);
    await w.step();
    expect(w.asked).toHaveLength(2);
  });

  it.each<[Fault, string]>([
    ['refused', 'the API server refused the pod group: said so; deploy/kubernetes/scheduling/rights.yaml'],
    ['not_found', 'the cluster has no PodGroup of scheduling.volcano.sh/v1beta1'],
  ])('that cannot be (%s) sends the job back, with why', async (fault, words) => {
    const w = await world('volcano');
    w.fails.push(fault);
    await w.step();
    expect(await w.now()).toMatchObject({
      state: 'returning',
      cause: { kind: 'pod_failed', text: expect.stringContaining(words) },
    });
  });

  it('is not made for one node, nor where none is configured', async () => {
    for (const w of [await world('volcano', 1), await world(undefined)]) {
      await w.step();
      expect(w.asked).toEqual([]);
      expect((await w.now()).state).toBe('provisioning');
    }
  });
});
