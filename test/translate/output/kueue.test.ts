/** Objects that wait for Kueue. */
import { expect, it } from 'vitest';
import { type OutputName, outputs } from '../../../src/translate/output/index.ts';
import { objectOf, outputInput } from './samples.ts';

const kinds = { job: 'Job', jobset: 'JobSet', mpijob: 'MPIJob' } as const;
const names = Object.keys(kinds) as OutputName[];
const queue = { printed: { kueueQueue: 'team-a' } };

it.each(names)('%s is suspended and in its queue, and says what comes of that', (name) => {
  const output = outputs[name](outputInput({ scheduling: queue }));
  const { metadata, spec } = objectOf(output, kinds[name]);
  expect(metadata.labels['kueue.x-k8s.io/queue-name']).toBe('team-a');
  expect(name === 'mpijob' ? spec.runPolicy : spec).toMatchObject({ suspend: true });
  expect(output.cannot.join('\n')).toContain('suspended for ever');
  expect(output.cannot.join('\n')).toContain('preemption Never');
});

it.each(names)('%s without a queue starts at once', (name) => {
  const output = outputs[name](outputInput());
  const made = JSON.stringify(output.objects);
  expect(made).not.toContain('kueue');
  expect(made).not.toContain('suspend');
  expect(output.cannot.join('\n')).not.toContain('Kueue');
});
