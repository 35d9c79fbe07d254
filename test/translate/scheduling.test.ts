/** What a site's own scheduler is told of the gateway's pods. */
import { describe, expect, it } from 'vitest';
import { othersOf } from '../../src/domain/ranks.ts';
import { podFor } from '../../src/translate/pod.ts';
import { podGroupFor, type Scheduling } from '../../src/translate/scheduling.ts';
import { burst, input } from './samples.ts';

const gang = burst({ others: othersOf(3) });
const first = { namespace: 'spillway-alice', name: 'spill-x', uid: 'u1' };
const name = 'spill-gang-0190b0a4-7c1e-7d2a-8f00-3b1c2d4e5f60';
const plugins: Scheduling = { scheduler: 'gangs', podGroups: 'scheduler-plugins' };
const volcano: Scheduling = { scheduler: 'volcano', podGroups: 'volcano' };

describe('a pod of ours', () => {
  it('says nothing of a scheduler where none is configured', () => {
    const pod = podFor(input({ burst: gang, rank: 1 }));
    expect(pod.spec).not.toHaveProperty('schedulerName');
    expect(pod.spec).not.toHaveProperty('priorityClassName');
    expect(podGroupFor(undefined, gang, first)).toBeUndefined();
    expect(podGroupFor({ scheduler: 'mine' }, gang, first)).toBeUndefined();
  });

  it('has scheduler and priority class, and is bound to its own node all the same', () => {
    const scheduling = { scheduler: 'mine', priorityClass: 'bursts' };
    const pod = podFor(input({ scheduling }));
    expect(pod.spec).toMatchObject({ schedulerName: 'mine', priorityClassName: 'bursts' });
    expect(pod.spec.affinity).toEqual(podFor(input()).spec.affinity);
  });

  it('says which group it is of as scheduler-plugins reads it: by a label', () => {
    const { metadata } = podFor(input({ burst: gang, rank: 2, scheduling: plugins }));
    expect(metadata.labels['scheduling.x-k8s.io/pod-group']).toBe(name);
    expect(metadata.annotations).not.toHaveProperty(['scheduling.k8s.io/group-name']);
  });

  it('says which group it is of as Volcano reads it: by an annotation', () => {
    const { metadata } = podFor(input({ burst: gang, scheduling: volcano }));
    expect(metadata.annotations['scheduling.k8s.io/group-name']).toBe(name);
    expect(metadata.labels).not.toHaveProperty(['scheduling.x-k8s.io/pod-group']);
  });

  it('alone is of no group', () => {
    for (const scheduling of [plugins, volcano]) {
      const { metadata } = podFor(input({ scheduling }));
      const plain = podFor(input()).metadata;
      expect(metadata).toEqual(plain);
      expect(podGroupFor(scheduling, burst(), first)).toBeUndefined();
    }
  });
});

describe('the group of a job', () => {
  it('counts its nodes, and goes with its first pod', () => {
    expect(podGroupFor(plugins, gang, first)).toEqual({
      apiVersion: 'scheduling.x-k8s.io/v1alpha1',
      kind: 'PodGroup',
      metadata: {
        name,
        namespace: 'spillway-alice',
        labels: { 'spillway.dev/burst': gang.id },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'spill-x', uid: 'u1' }],
      },
      spec: { minMember: 3 },
    });
  });

  it('of Volcano has queue and priority class', () => {
    const more = { ...volcano, volcanoQueue: 'bursts', priorityClass: 'high' };
    expect(podGroupFor(more, gang, first)).toMatchObject({
      apiVersion: 'scheduling.volcano.sh/v1beta1',
      spec: { minMember: 3, queue: 'bursts', priorityClassName: 'high' },
    });
    expect(podGroupFor(volcano, gang, first)?.spec).toEqual({ minMember: 3 });
    expect(podGroupFor({ ...plugins, priorityClass: 'high' }, gang, first)?.spec).toEqual({ minMember: 3 });
  });
});
