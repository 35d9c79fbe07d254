/** A script of several nodes as a JobSet. */
import { describe, expect, it } from 'vitest';
import { jobsetOutput } from '../../../src/translate/output/jobset.ts';
import { type Made, objectOf, outputInput, templateOf } from './samples.ts';

interface Replicated {
  readonly name: string;
  readonly replicas: number;
  readonly template: Made;
}

const membersOf = (nodes: number) => {
  const output = jobsetOutput(outputInput({ nodes }));
  const set = objectOf(output, 'JobSet');
  return { output, set, members: set.spec.replicatedJobs as readonly Replicated[] };
};

describe('a job of three nodes', () => {
  const { output, set, members } = membersOf(3);

  it('runs the script once, and holds its other nodes as long', () => {
    expect(
      members.map(({ name, replicas, template }) => [name, replicas, template.spec.completions]),
    ).toEqual([
      ['script', 1, 1],
      ['nodes', 1, 2],
    ]);
    const commands = members.map(({ template }) => templateOf(template).spec.containers[0]?.command);
    expect(commands).toEqual([['/spillway/job.sh'], ['/bin/sh', '-c', 'exec sleep 2147483647']]);
    expect(set.spec.successPolicy).toEqual({ operator: 'All', targetReplicatedJobs: ['script'] });
  });

  it('is not tried again, as a whole or in part', () => {
    expect(set.spec.failurePolicy).toEqual({ maxRestarts: 0 });
    for (const { template } of members) expect(template.spec.backoffLimit).toBe(0);
  });

  it('knows its nodes by the names that the JobSet gives them', () => {
    const env = templateOf((members[0] as Replicated).template).spec.containers[0]?.env;
    expect(env).toContainEqual({
      name: 'SLURM_JOB_NODELIST',
      value: 'md-script-0-0.md,md-nodes-0-0.md,md-nodes-0-1.md',
    });
    expect(set.spec.network).toMatchObject({ enableDNSHostnames: true, subdomain: 'md' });
  });

  it('says that nobody starts anything on the others', () => {
    expect(output.cannot.join('\n')).toContain('Nothing starts processes on the other 2 nodes');
  });
});

it('a job of one node is the script alone', () => {
  const { output, members } = membersOf(1);
  expect(members.map(({ name }) => name)).toEqual(['script']);
  expect(output.cannot.join('\n')).not.toContain('other');
});

it('an array is refused', () => {
  const array = { indices: [1], throttle: undefined };
  expect(() => jobsetOutput(outputInput({ array }))).toThrow('it is an array');
});
