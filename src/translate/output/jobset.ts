/** A job of several nodes as a JobSet: `script` runs the script, `nodes` are the job's other nodes, which wait to be used. [jobset.x-k8s.io/v1alpha2] */
import { PortError } from '../../domain/fault.ts';
import { podGroups } from './group.ts';
import { failing } from './job.ts';
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

/** Throws `refused` for an array. */
export function jobsetOutput(input: OutputInput): Output {
  const { array, name, nodes } = input;
  if (array !== undefined)
    throw new PortError('refused', 'translate.jobset', 'it is an array: job makes an index of each task');
  const kueue = queued(input);
  const group = podGroups(input, nodes);
  const deadline = deadlineSeconds(input);
  const hosts = hostsOf(input);
  const env = [
    { name: 'SLURM_JOB_NODELIST', value: hosts.join(',') },
    { name: 'SLURM_NODELIST', value: hosts.join(',') },
  ];
  const member = (of: string, pods: number, command: readonly string[], more: object) => ({
    name: of,
    replicas: 1,
    template: {
      spec: {
        completions: pods,
        parallelism: pods,
        completionMode: 'Indexed',
        ...failing(false),
        ...more,
        template: template(input, { command, env, labels: group.labels, annotations: group.annotations }),
      },
    },
  });
  const limit = deadline === undefined ? {} : { activeDeadlineSeconds: deadline };
  const jobset = {
    apiVersion: 'jobset.x-k8s.io/v1alpha2',
    kind: 'JobSet',
    metadata: { name, labels: { ...labelsOf(input), ...kueue.labels } },
    spec: {
      ...kueue.suspend,
      network: { enableDNSHostnames: true, subdomain: name, publishNotReadyAddresses: true },
      // Its end is the script's, and a second try would be a second run.
      successPolicy: { operator: 'All', targetReplicatedJobs: ['script'] },
      failurePolicy: { maxRestarts: 0 },
      replicatedJobs: [
        member('script', 1, [scriptPath], limit),
        // As a Job that is never done: the JobSet ends it with the script.
        ...(nodes === 1 ? [] : [member('nodes', nodes - 1, ['/bin/sh', '-c', 'exec sleep 2147483647'], {})]),
      ],
    },
  };
  return {
    objects: [scriptMap(input), ...group.objects, jobset],
    cannot: [
      ...common(input),
      'One run at most is asked for (maxRestarts 0, backoffLimit 0), not promised: by Kubernetes’ own words a Job’s program may at times be started twice, even so.',
      ...(nodes === 1
        ? []
        : [
            `Nothing starts processes on the other ${nodes - 1} nodes: srun is Spillway’s own there. The script must reach them by itself (SLURM_JOB_NODELIST has their names), and the image needs whatever it does that with.`,
            'The script may start before the other nodes’ pods do, unless a PodGroup holds all of them: it must wait for them.',
            'The names in SLURM_JOB_NODELIST need the cluster’s DNS.',
          ]),
      ...group.cannot,
      ...kueue.cannot,
    ],
  };
}

/** By rank, as the JobSet's headless service names its pods. */
function hostsOf({ name, nodes }: OutputInput): string[] {
  const others = Array.from({ length: nodes - 1 }, (_, i) => `${name}-nodes-0-${i}.${name}`);
  return [`${name}-script-0-0.${name}`, ...others];
}
