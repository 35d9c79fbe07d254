/** A job of one node, or an array of them, as a batch/v1 Job: each task of an array is an index. Its tasks are jobs of their own, so they are no gang. */
import { PortError } from '../../domain/fault.ts';
import { queued } from './kueue.ts';
import {
  common,
  deadlineSeconds,
  labelsOf,
  type Output,
  type OutputInput,
  scriptMap,
  scriptPath,
  template,
} from './template.ts';

/** Their numbers stand in the pods' command. */
export const mostTasks = 10_000;

/** Throws `refused` for a job of several nodes, and for an array that is too large. */
export function jobOutput(input: OutputInput): Output {
  const { array, name, nodes } = input;
  if (nodes > 1)
    throw new PortError(
      'refused',
      'translate.job',
      `it has ${nodes} nodes: a Job would run the script on each of them; jobset or mpijob runs it on one`,
    );
  const deadline = deadlineSeconds(input);
  const kueue = queued(input);
  const pods = array === undefined ? 1 : array.indices.length;
  if (pods < 1 || pods > mostTasks)
    throw new PortError(
      'refused',
      'translate.job',
      pods < 1 ? '--array cannot be read' : `its array has more than ${mostTasks} tasks`,
    );
  const atOnce = Math.min(pods, array?.throttle ?? pods);
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, labels: { ...labelsOf(input), ...kueue.labels } },
    spec: {
      ...kueue.suspend,
      completions: pods,
      parallelism: atOnce,
      completionMode: array === undefined ? 'NonIndexed' : 'Indexed',
      ...failing(array !== undefined),
      // Of a whole array there is no such limit in Slurm: each of its pods has it.
      ...(deadline !== undefined && array === undefined ? { activeDeadlineSeconds: deadline } : {}),
      template: withDeadline(
        template(input, taskOf(array?.indices)),
        array === undefined ? undefined : deadline,
      ),
    },
  };
  return {
    objects: [scriptMap(input), job],
    cannot: [
      ...common(input),
      array === undefined
        ? 'One run at most is asked for (backoffLimit 0, podFailurePolicy), not promised: by Kubernetes’ own words a Job’s program may at times be started twice, even so.'
        : 'One run of each task at most is asked for (backoffLimitPerIndex 0), not promised: by Kubernetes’ own words a Job’s program may at times be started twice, even so.',
      'A pod that is deleted, drained or preempted is a failure, and no other is made for it.',
      ...(array === undefined
        ? []
        : [
            'SLURM_ARRAY_JOB_ID is not set, and %A and %a in --output mean nothing. The image needs /bin/sh.',
          ]),
      ...kueue.cannot,
    ],
  };
}

/** No failure is tried again, whether the program's own or the machine's. */
export function failing(indexed: boolean): Readonly<Record<string, unknown>> {
  const action = indexed ? 'FailIndex' : 'FailJob';
  return {
    ...(indexed ? { backoffLimitPerIndex: 0 } : { backoffLimit: 0 }),
    // No second pod while the first may still run.
    podReplacementPolicy: 'Failed',
    podFailurePolicy: {
      rules: [
        { action, onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
        { action, onExitCodes: { containerName: 'main', operator: 'NotIn', values: [0] } },
      ],
    },
  };
}

/** An index becomes its task's number; Kubernetes counts from 0, an array as it was asked for. */
function taskOf(indices: readonly number[] | undefined): { readonly command: readonly string[] } {
  if (indices === undefined) return { command: [scriptPath] };
  const lines = [
    `set -- ${indices.join(' ')}`,
    'shift "$JOB_COMPLETION_INDEX"',
    'export SLURM_ARRAY_TASK_ID="$1"',
    `export SLURM_ARRAY_TASK_COUNT=${indices.length}`,
    `export SLURM_ARRAY_TASK_MIN=${Math.min(...indices)}`,
    `export SLURM_ARRAY_TASK_MAX=${Math.max(...indices)}`,
    `exec ${scriptPath}`,
  ];
  return { command: ['/bin/sh', '-c', lines.join('\n')] };
}

function withDeadline(
  made: Readonly<Record<string, unknown>>,
  seconds: number | undefined,
): Readonly<Record<string, unknown>> {
  if (seconds === undefined) return made;
  return { ...made, spec: { ...(made.spec as object), activeDeadlineSeconds: seconds } };
}
