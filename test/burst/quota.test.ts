/** A namespace whose quota is used up: the job goes back to its partition, and says why. */
import { expect, it } from 'vitest';
import type { BurstContext } from '../../src/burst/context.ts';
import { provision } from '../../src/burst/provision.ts';
import { instanceId, uuid } from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import { Chance } from '../../src/sim/chance.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { drained, model, taint, tenant } from '../contract/kubernetes.harness.ts';
import { at, burst } from './fixtures.ts';

it('is its own reason, in the API server’s words, and no failure of the pod', async () => {
  const time = new VirtualTime(at, drained);
  const entropy = new Chance(3);
  const cluster = model({ clock: time, scheduler: time, entropy });
  cluster.admission = () =>
    'exceeded quota: spillway, requested: count/pods=1, used: count/pods=500, limited: count/pods=500';
  const store = new MemStore({ clock: time, entropy });
  const held = burst({
    ...{ state: 'provisioning', instance: instanceId('i-1'), rev: 0, uid: 2001, gid: 2001 },
    pod: { ref: { namespace: tenant.namespace, name: 'spill-x' }, uid: undefined },
  });
  const pods = {
    images: { default: 'lab/base:1', partitions: {}, accounts: {}, modules: [], allow: [], pullSecrets: [] },
    ...{ agentImage: 'agent', imagePullPolicy: 'Always', mounts: [], keeperPort: 1 },
  };
  const ctx = {
    store,
    kubernetes: cluster.asPort(),
    ...{ entropy, clock: time, pods, streams: { keeper: () => undefined } },
    ...{ group: () => ({ taint }), hint: () => 'PENDING', epoch: () => 0 },
    ...{ log: () => undefined, wake: () => undefined, replan: () => undefined },
  } as unknown as BurstContext;
  const instance = {
    ...{ id: instanceId('i-1'), cluster: held.cluster, group: 'cpu', state: 'ready', rev: 0, node: 'a' },
    ...{ createdAt: at, enteredAt: at, spec: { capacityType: 'on-demand' } },
  } as unknown as Instance;
  const put = await store.commit(uuid('c1'), held.cluster, 0, [
    { kind: 'instance', instance, why: 'test' },
    { kind: 'burst', burst: held, why: 'test' },
  ]);
  expect(put).toBe('ok');
  expect(await provision(ctx, (await store.burst(held.id)) ?? held)).toEqual({ again: 'now' });
  expect(await store.burst(held.id)).toMatchObject({
    state: 'returning',
    cause: {
      kind: 'quota',
      text: expect.stringMatching(
        /^the quota of namespace spillway-alice is used up: .*used: count\/pods=500/,
      ),
    },
  });
});
