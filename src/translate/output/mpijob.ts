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

/** Where the operator mounts the keys: under no shared file system, or the directory would be made there. */
const sshDir = '/spillway-ssh';
const sshPort = 2222;
/** As a user who is not root, with nothing of the image's configuration. The keys are root's, so their modes are nothing to complain of. */
const sshd = [
  ...['/usr/sbin/sshd', '-De', '-f', '/dev/null', '-p', `${sshPort}`, '-o', `HostKey=${sshDir}/id_rsa`],
  ...['-o', `AuthorizedKeysFile=${sshDir}/authorized_keys`, '-o', 'PidFile=none'],
  ...['-o', 'StrictModes=no', '-o', 'UsePAM=no'],
];
const agent = [
  ...['ssh', '-p', `${sshPort}`, '-i', `${sshDir}/id_rsa`, '-o', 'StrictHostKeyChecking=no'],
  ...['-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR'],
].join(' ');
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
          template: template(input, {
            command: [scriptPath],
            env: [{ name: 'OMPI_MCA_plm_rsh_agent', value: agent }],
            needs: launcherNeeds,
          }),
        },
        Worker: {
          replicas: nodes,
          restartPolicy: 'Never',
          template: template(input, { ...marks, command: sshd }),
        },
      },
    },
  };
  return {
    objects: [scriptMap(input), ...group.objects, mpijob],
    cannot: [
      ...common(input),
      'One run at most is asked for (backoffLimit 0), not promised: the launcher is a Job, whose program may at times be started twice, even so.',
      `The image needs ssh, /usr/sbin/sshd and a name for uid ${input.uid} in its /etc/passwd; Spillway’s own pods need none of them.`,
      'The script must call mpirun (Open MPI’s; OMPI_MCA_orte_default_hostfile tells it the nodes): there is no srun, and SLURM_JOB_NODELIST is not set.',
      'The script runs beside the workers in a pod of its own, of 0.1 CPU and 256 MiB, not on the first of them.',
      ...group.cannot,
      ...kueue.cannot,
    ],
  };
}
