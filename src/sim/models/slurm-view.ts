/** Jobs, partitions and nodes as the port tells of them: what the adapter reads out of `squeue`, `scontrol` and `sinfo`. */
import { jobRef } from '../../domain/ids.ts';
import type { Job, JobDetail, Partition, SlurmNode } from '../../domain/job.ts';
import { dependencyText } from './slurm-depend.ts';
import { askedCpus, endOf, limitOf, partitionText, priorityOf, startOf } from './slurm-figures.ts';
import { freeRoom, nodeState, ranges } from './slurm-nodes.ts';
import { type JobRecord, type NodeRecord, refOf, stateOf, waits } from './slurm-record.ts';
import type { PartitionRecord, SlurmState, Target } from './slurm-state.ts';

export function taskText({ job, task }: Target): string | undefined {
  if (task !== undefined) return `${task}`;
  if (job.tasks === undefined) return job.task === undefined ? undefined : `${job.task}`;
  const throttle = job.array?.throttle ?? 0;
  return `${ranges(job.tasks)}${throttle > 0 ? `%${throttle}` : ''}`;
}

export function jobView(target: Target, state: SlurmState): Job {
  const { job, task } = target;
  const array = taskText(target);
  const pending = job.base === 'PENDING' && !job.completing;
  const nodes = job.run.nodes;
  // A husk of the array stands for its tasks; the task alone bears its own name.
  const ref =
    job.tasks === undefined
      ? refOf(job)
      : task === undefined
        ? jobRef(`${job.id}`)
        : jobRef(`${job.id}_${task}`);
  return {
    ref,
    id: job.id,
    arrayJobId: array === undefined ? undefined : job.array?.jobId,
    arrayTask: array,
    name: job.name,
    user: job.user.name,
    account: job.account,
    qos: job.qos,
    partition: partitionText(job),
    state: stateOf(job),
    reason: job.reason,
    submitAt: job.submitAt,
    eligibleAt: job.eligibleAt,
    deadlineAt: job.deadlineAt,
    startAt: startOf(job, state),
    priority: priorityOf(job, state),
    timeLimitMs: limitOf(job, state),
    minNodes: nodes.length > 0 ? nodes.length : job.minNodes,
    maxNodes: pending && job.maxNodes !== job.minNodes ? job.maxNodes : undefined,
    cpus: askedCpus(job),
    batch: job.batch,
    hetJob: job.het !== undefined,
    dependency: dependencyText(job.unmet),
    features: '',
    licenses: '',
    reservation: '',
    requiredNodes: '',
    gres: '',
    restarts: job.restarts,
    nodeList: job.run.nodeList,
  };
}

export function detailView(target: Target, state: SlurmState): JobDetail {
  const { job } = target;
  const view = jobView(target, state);
  const file = `${job.workDir}/slurm-${view.ref}.out`;
  // Not one literal: a spread that many properties follow takes 100 times as long.
  return Object.assign(view, {
    maxNodes: view.state === 'PENDING' ? job.maxNodes : undefined,
    uid: job.user.uid,
    gid: job.user.gid,
    command: job.script,
    workDir: job.workDir,
    comment: job.comment,
    adminComment: '',
    nice: job.nice,
    requeue: job.requeue,
    accrueAt: job.accrueAt,
    endAt: endOf(job, state),
    memory: job.memory,
    cpusPerTask: job.cpusPerTask,
    tasks: job.ntasks ?? (view.state === 'PENDING' ? Math.max(1, job.minNodes) : view.minNodes),
    exclusive: job.exclusive,
    exitCode: job.exit,
    batchHost: job.run.nodes[0] ?? '',
    // The few of sixty keys that anybody reads from the text; `shown` has them all, and takes its time.
    raw: {
      JobId: `${job.id}`,
      MinCPUsNode: `${job.cpusPerTask}`,
      OverSubscribe: job.exclusive ? 'NO' : 'OK',
      StdIn: job.stdin,
      StdOut: file,
      StdErr: file,
    },
  });
}

/** One row of `squeue`, and the jobs that it stands for besides its own. */
export interface QueueRow {
  readonly target: Target;
  readonly also: readonly JobRecord[];
}

/** Tasks that wait in the same partition as the rest of their array are one row with it, and the throttle is not told any more. */
export function queueRows(targets: Iterable<Target>): readonly QueueRow[] {
  const rows: { readonly target: Target; readonly also: JobRecord[] }[] = [];
  for (const target of targets) rows.push({ target, also: [] });
  const wholes = rows.filter(
    ({ target: { job, task } }) => job.tasks !== undefined && task === undefined && waits(job),
  );
  if (wholes.length === 0) return rows;
  return rows.filter(({ target: { job } }) => {
    if (job.array === undefined || job.tasks !== undefined || !waits(job)) return true;
    const whole = wholes.find(
      ({ target }) => target.job.array === job.array && partitionText(target.job) === partitionText(job),
    );
    whole?.also.push(job);
    return whole === undefined;
  });
}

export function rowView<V extends Job>({ target, also }: QueueRow, view: (target: Target) => V): V {
  const own = view(target);
  if (also.length === 0) return own;
  const tasks = [...(target.job.tasks ?? []), ...also.flatMap(({ task }) => task ?? [])];
  const reasons = [own.reason, ...also.map(({ reason }) => reason)];
  return { ...own, arrayTask: ranges(tasks), reason: [...new Set(reasons)].join(',') };
}

export function partitionView({ spec, up, nodes, nodeList, totalCpus }: PartitionRecord): Partition {
  return {
    name: spec.name,
    up,
    defaultTimeMs: spec.defaultTimeMs,
    maxTimeMs: spec.maxTimeMs,
    defMemory: spec.defMemory,
    priorityJobFactor: 1,
    nodes: nodeList,
    totalNodes: nodes.length,
    totalCpus,
    overSubscribe: 'NO',
    billingWeights: spec.billingWeights,
    qos: spec.qos,
  };
}

export function nodeView(node: NodeRecord): SlurmNode {
  const { name, cpus, memoryMib } = node.spec;
  return {
    name,
    state: nodeState(node),
    partitions: node.partitions,
    cpus,
    allocatedCpus: cpus - freeRoom(node).cpus,
    memoryMib,
    features: '',
    gres: '',
  };
}
