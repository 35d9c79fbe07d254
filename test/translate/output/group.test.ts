/** Printed objects whose pods are a PodGroup. */
import { expect, it } from 'vitest';
import { jobOutput } from '../../../src/translate/output/job.ts';
import { jobsetOutput } from '../../../src/translate/output/jobset.ts';
import { mpijobOutput } from '../../../src/translate/output/mpijob.ts';
import { objectOf, outputInput, type Template } from './samples.ts';

const plugins = { scheduler: 'gangs', podGroups: 'scheduler-plugins' } as const;
const volcano = { scheduler: 'volcano', podGroups: 'volcano', volcanoQueue: 'q' } as const;
const array = { indices: [0, 1, 2, 3], throttle: 3 };

it('an array has none: its tasks are jobs of their own, and the last would wait for the first for ever', () => {
  const { objects } = jobOutput(outputInput({ array, scheduling: plugins }));
  expect(objects.map((o) => (o as { kind: string }).kind)).toEqual(['ConfigMap', 'Job']);
  expect(JSON.stringify(objects)).not.toContain('pod-group');
});

it('a JobSet’s is of all its nodes', () => {
  const output = jobsetOutput(outputInput({ nodes: 3, scheduling: volcano }));
  expect(objectOf(output, 'PodGroup')).toMatchObject({
    apiVersion: 'scheduling.volcano.sh/v1beta1',
    spec: { minMember: 3, queue: 'q' },
  });
});

it('an MPIJob’s is of its workers: the launcher comes after them', () => {
  const output = mpijobOutput(outputInput({ nodes: 2, scheduling: volcano }));
  expect(objectOf(output, 'PodGroup').spec.minMember).toBe(2);
  const specs = objectOf(output, 'MPIJob').spec.mpiReplicaSpecs as Readonly<
    Record<string, { readonly template: Template }>
  >;
  const mark = 'scheduling.k8s.io/group-name';
  expect(specs.Worker?.template.metadata.annotations).toEqual({ [mark]: 'md' });
  expect(specs.Launcher?.template.metadata).not.toHaveProperty('annotations');
});

it('a pod alone has none', () => {
  const { objects } = jobsetOutput(outputInput({ scheduling: plugins }));
  expect(objects.map((o) => (o as { kind: string }).kind)).toEqual(['ConfigMap', 'JobSet']);
});
