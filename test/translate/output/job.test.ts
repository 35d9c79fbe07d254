/** A script as a batch/v1 Job. */
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { jobOutput, mostTasks } from '../../../src/translate/output/job.ts';
import { objectOf, outputInput, templateOf } from './samples.ts';

describe('a job of one node', () => {
  const output = jobOutput(outputInput());
  const job = objectOf(output, 'Job');

  it('is asked for once: no failure of program or machine is tried again', () => {
    expect(job.spec).toMatchObject({
      completions: 1,
      parallelism: 1,
      backoffLimit: 0,
      podReplacementPolicy: 'Failed',
      podFailurePolicy: {
        rules: [
          { action: 'FailJob', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
          { action: 'FailJob', onExitCodes: { containerName: 'main', operator: 'NotIn', values: [0] } },
        ],
      },
    });
    expect(job.spec).not.toHaveProperty('backoffLimitPerIndex');
    expect(templateOf(job).spec.restartPolicy).toBe('Never');
    expect(output.cannot.join('\n')).toContain('may at times be started twice');
  });

  it('runs the script itself, as the user, with what it asks for', () => {
    expect(objectOf(output, 'ConfigMap').data).toEqual({ 'job.sh': outputInput().script });
    const { containers, ...spec } = templateOf(job).spec;
    expect(containers[0]).toMatchObject({
      command: ['/spillway/job.sh'],
      resources: {
        requests: { cpu: '4000m', memory: `${8 * 2 ** 30}`, 'nvidia.com/gpu': '1' },
        limits: { memory: `${8 * 2 ** 30}`, 'nvidia.com/gpu': '1' },
      },
    });
    expect(spec).toMatchObject({
      imagePullSecrets: [{ name: 'registry' }],
      securityContext: { runAsUser: 2001, runAsGroup: 2001, runAsNonRoot: true },
      volumes: expect.arrayContaining([
        { name: 'script', configMap: { name: 'md-script', defaultMode: 0o555 } },
        { name: 'claim-0', persistentVolumeClaim: { claimName: 'home' } },
      ]),
    });
  });

  it('ends with its time limit, and says what is none', () => {
    expect(job.spec.activeDeadlineSeconds).toBe(3600);
    for (const timeMs of [undefined, 'unlimited'] as const)
      expect(objectOf(jobOutput(outputInput({ timeMs })), 'Job').spec).not.toHaveProperty(
        'activeDeadlineSeconds',
      );
    expect(jobOutput(outputInput({ timeMs: undefined })).cannot).toContain('No --time: it has no deadline.');
  });

  it('carries nothing of Spillway’s', () => {
    expect(JSON.stringify(output.objects)).not.toContain('spillway.dev/');
  });
});

describe('an array', () => {
  const indices = [3, 7, 12];
  const output = jobOutput(outputInput({ array: { indices, throttle: 2 } }));
  const job = objectOf(output, 'Job');

  it('is an index for each task, as many at once as it says, and one that fails ends no other', () => {
    expect(job.spec).toMatchObject({
      completionMode: 'Indexed',
      completions: 3,
      parallelism: 2,
      backoffLimitPerIndex: 0,
      podFailurePolicy: { rules: [{ action: 'FailIndex' }, { action: 'FailIndex' }] },
    });
    expect(job.spec).not.toHaveProperty('backoffLimit');
  });

  it('has the time limit on each of its pods', () => {
    expect(job.spec).not.toHaveProperty('activeDeadlineSeconds');
    expect(templateOf(job).spec.activeDeadlineSeconds).toBe(3600);
  });

  it.each([
    [0, '3'],
    [1, '7'],
    [2, '12'],
  ])('tells index %i its task’s number, %s', (index, task) => {
    const [sh = '', flag = '', text = ''] = templateOf(job).spec.containers[0]?.command ?? [];
    const asked = text.replace('exec /spillway/job.sh', 'env');
    const told = execFileSync(sh, [flag, asked], {
      env: { PATH: process.env.PATH, JOB_COMPLETION_INDEX: `${index}` },
      encoding: 'utf8',
    }).split('\n');
    expect(told).toEqual(
      expect.arrayContaining([
        `SLURM_ARRAY_TASK_ID=${task}`,
        'SLURM_ARRAY_TASK_COUNT=3',
        'SLURM_ARRAY_TASK_MIN=3',
        'SLURM_ARRAY_TASK_MAX=12',
      ]),
    );
  });

  it('that is none, or too large, is refused', () => {
    const of = (n: number) => () =>
      jobOutput(
        outputInput({ array: { indices: Array.from({ length: n }, (_, i) => i), throttle: undefined } }),
      );
    expect(of(0)).toThrow('--array cannot be read');
    expect(of(mostTasks + 1)).toThrow('more than 10000 tasks');
  });
});

it('a job of several nodes is refused: the script would run on each', () => {
  expect(() => jobOutput(outputInput({ nodes: 2 }))).toThrow('a Job would run the script on each of them');
});
