/** Where the pods of printed objects may be placed. */
import { expect, it } from 'vitest';
import { jobOutput } from '../../../src/translate/output/job.ts';
import type { OutputInput } from '../../../src/translate/output/template.ts';
import { objectOf, outputInput, templateOf } from './samples.ts';

const of = (scheduling: OutputInput['scheduling']) => {
  const array = { indices: [0, 1], throttle: undefined };
  const output = jobOutput(outputInput({ array, scheduling }));
  return { spec: templateOf(objectOf(output, 'Job')).spec, told: output.cannot.join('\n') };
};
const labelSelector = { matchLabels: { 'app.kubernetes.io/name': 'md' } };

it('packed pods are placed where a label is the same, or wait', () => {
  const { spec, told } = of({ printed: { pack: 'topology.kubernetes.io/zone' } });
  expect(spec.affinity).toEqual({
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector, topologyKey: 'topology.kubernetes.io/zone' },
      ],
    },
  });
  expect(spec).not.toHaveProperty('topologySpreadConstraints');
  expect(told).toContain('the others wait if that place is full');
});

it('spread pods are placed over its values, or wait', () => {
  const { spec, told } = of({ printed: { spread: 'kubernetes.io/hostname' } });
  expect(spec.topologySpreadConstraints).toEqual([
    {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector,
    },
  ]);
  expect(spec).not.toHaveProperty('affinity');
  expect(told).toContain('no node with room holds up the pods');
});

it('scheduler and priority class are those of the site, and what they need is told', () => {
  const { spec, told } = of({ scheduler: 'mine', priorityClass: 'low' });
  expect(spec).toMatchObject({ schedulerName: 'mine', priorityClassName: 'low' });
  expect(told).toContain('no scheduler mine');
  expect(told).toContain('no PriorityClass low');
});
