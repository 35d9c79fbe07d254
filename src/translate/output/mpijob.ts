/** An MPI job as an MPIJob of Kubeflow's MPI operator: the launcher runs the script, which calls mpirun; each worker is one of the job's nodes. [kubeflow.org/v2beta1] */
import { PortError } from '../../domain/fault.ts';
import { MiB } from '../../domain/resources.ts';
import { podGroups } from './group.ts';
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

/** Where the operator mounts the keys; a user other than root has a copy of them in it, by the operator's own doing. */
const sshDir = '/home/mpiuser/.ssh';
const launcherNeeds = { cpuMillis: 100, memoryBytes: 256 * MiB, extended: {} };

/** Throws `refused` for an array. */
export function mpijobOutput(input: OutputInput): Output {
  const { array, name, nodes, tasks } = input;
  if (array !== undefined)
    throw new PortError('refused', 'translate.mpijob', 'it is an array: job makes an index of each task');
  const kueue = queued(input);
  // Of the workers alone: the launcher comes when they are ready, so a group that waited for it would wait for ever.
  const group = podGroups(input, nodes);
  const deadline = deadlineSeconds(input);
  const marks = { labels: group.labels, annotations: group.annotations };
  const mpijob = {
    apiVersion: 'kubeflow.org/v2beta1',
    kind: 'MPIJob',
    metadata: { name, labels: { ...labelsOf(input), ...kueue.labels } },
    spec: {
      mpiImplementation: 'OpenMPI',
      slotsPerWorker: Math.max(1, Math.ceil(tasks / nodes)),
      sshAuthMountPath: sshDir,
      launcherCreationPolicy: 'WaitForWorkersReady',
      runPolicy: {
        ...kueue.suspend,
        cleanPodPolicy: 'Running',
        // A second launcher would be a second run.
        backoffLimit: 0,
        ...(deadline === undefined ? {} : { activeDeadlineSeconds: deadline }),
      },
      mpiReplicaSpecs: {
        Launcher: {
          replicas: 1,
          restartPolicy: 'Never',
          template: template(input, { command: [scriptPath], needs: launcherNeeds }),
        },
        Worker: {
          replicas: nodes,
          restartPolicy: 'Never',
          template: template(input, {
            ...marks,
            command: ['/usr/sbin/sshd', '-De', '-f', '/home/mpiuser/.sshd_config'],
          }),
        },
      },
    },
  };
  return {
    objects: [scriptMap(input), ...group.objects, mpijob],
    cannot: [
      ...common(input),
      'One run at most is asked for (backoffLimit 0), not promised: the launcher is a Job, whose program may at times be started twice, even so.',
      `The image needs an sshd that runs as uid ${input.uid} by /home/mpiuser/.sshd_config, as Kubeflow’s own images have for uid 1000; Spillway’s pods need none.`,
      'The script must call mpirun (Open MPI’s; OMPI_MCA_orte_default_hostfile tells it the nodes): there is no srun, and SLURM_JOB_NODELIST is not set.',
      'The script runs beside the workers in a pod of its own, of 0.1 CPU and 256 MiB, not on the first of them.',
      ...group.cannot,
      ...kueue.cannot,
    ],
  };
}
