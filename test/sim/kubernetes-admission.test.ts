/** The model refuses what the real API server refuses, in the same words; test/e2e/kubernetes-rights.test.ts asks that one. */
import { describe, expect, it } from 'vitest';
import { instant } from '../../src/domain/ids.ts';
import { Chance } from '../../src/sim/chance.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { drained, model, tenant } from '../contract/kubernetes.harness.ts';
import { breaches, goodPod, type Pod, variants } from '../contract/pod-breaches.ts';

const bare = { ...tenant, namespace: 'spillway-bare' };

function cluster() {
  const time = new VirtualTime(instant(1_700_000_000_000), drained);
  const made = model({ clock: time, scheduler: time, entropy: new Chance(7) });
  made.addTenant(bare, 'privileged');
  const create = (pod: Pod) => made.server.create('gateway', 'pods', pod.metadata.namespace, pod);
  return { create, server: made.server };
}

describe('a pod in a tenant’s namespace of the model', () => {
  it.each(variants)('is admitted %s', (_what, change) => {
    const pod = goodPod(tenant);
    change(pod);
    expect(cluster().create(pod).metadata.name).toBe('spill-good');
  });

  it.each(breaches)('is refused with %s, by admission alone', (_what, breach, words) => {
    const pod = goodPod(bare);
    breach(pod);
    const { create } = cluster();
    expect(() => create(pod)).toThrow(words);
    expect(() => create(pod)).toThrow('ValidatingAdmissionPolicy');
  });

  it('is refused by pod security as well', () => {
    const pod = goodPod(tenant);
    Object.assign(pod.spec.securityContext, { runAsNonRoot: undefined });
    expect(() => cluster().create(pod)).toThrow('violates PodSecurity "restricted');
  });

  it('keeps its labels', () => {
    const { create, server } = cluster();
    create(goodPod(tenant));
    const place = { kind: 'pods', namespace: tenant.namespace, name: 'spill-good' } as const;
    const patch = { metadata: { labels: { 'spillway.dev/burst': 'another' } } };
    expect(() => server.patch('gateway', place, 'merge', patch)).toThrow('its labels never change');
  });
});
