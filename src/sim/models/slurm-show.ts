/** `scontrol -o show job`: key by key, in its order. */
import type { Job } from '../../domain/job.ts';
import { askedCpus, endOf, limitOf, partitionOf } from './slurm-figures.ts';
import { type JobRecord, stateOf } from './slurm-record.ts';
import type { SlurmState } from './slurm-state.ts';

export type Pair = readonly [key: string, value: string];

const orNull = (text: string): string => (text === '' ? '(null)' : text);
const seconds = (ms: number | undefined): string =>
  ms === undefined ? 'Unknown' : `${Math.floor(ms / 1000)}`;

/** `1-02:03:04`. */
export function longTime(ms: number | 'unlimited'): string {
  if (ms === 'unlimited') return 'UNLIMITED';
  const s = Math.floor(ms / 1000);
  const two = (n: number): string => `${n}`.padStart(2, '0');
  const days = Math.floor(s / 86_400);
  const clock = [Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60, s % 60].map(two).join(':');
  return days > 0 ? `${days}-${clock}` : clock;
}

/** What it has, or asks for and will be counted as. */
export function tresOf(job: JobRecord, state: SlurmState): string {
  const cpus = askedCpus(job);
  const nodes = job.shares.length || job.minNodes;
  const whole = partitionOf(job, state)?.nodes[0]?.spec.memoryMib ?? 0;
  const { per, mib } = job.memory;
  const asked = per === 'cpu' ? mib * cpus : (mib === 0 ? whole : mib) * nodes;
  const memory = job.shares.length > 0 ? job.shares.reduce((sum, s) => sum + s.memoryMib, 0) : asked;
  return `cpu=${cpus},mem=${memory}M,node=${nodes},billing=${cpus}`;
}

export function shown(view: Job, job: JobRecord, state: SlurmState): Pair[] {
  const { uid, gid, name } = job.user;
  const waiting = view.state === 'PENDING';
  const range =
    waiting && job.maxNodes !== undefined ? `${view.minNodes}-${job.maxNodes}` : `${view.minNodes}`;
  const end = endOf(job, state);
  const out = `${job.workDir}/slurm-${view.arrayJobId === undefined ? view.id : `${view.arrayJobId}_${view.arrayTask}`}.out`;
  const pairs: (Pair | undefined)[] = [
    ['JobId', `${job.id}`],
    view.arrayJobId === undefined ? undefined : ['ArrayJobId', `${view.arrayJobId}`],
    view.arrayTask === undefined ? undefined : ['ArrayTaskId', view.arrayTask],
    job.array === undefined || job.array.throttle === 0
      ? undefined
      : ['ArrayTaskThrottle', `${job.array.throttle}`],
    job.het === undefined ? undefined : ['HetJobId', `${job.het.leader}`],
    job.het === undefined ? undefined : ['HetJobOffset', `${job.het.offset}`],
    ['JobName', job.name],
    job.het === undefined ? undefined : ['HetJobIdSet', `${job.het.leader}-${job.het.leader + 1}`],
    ['UserId', `${name}(${uid})`],
    ['GroupId', `${name}(${gid})`],
    ['MCS_label', 'N/A'],
    ['Priority', `${view.priority}`],
    ['Nice', `${job.nice}`],
    ['Account', orNull(job.account)],
    ['QOS', orNull(job.qos)],
    ['JobState', stateOf(job)],
    ['Reason', view.reason],
    ['Dependency', orNull(view.dependency)],
    ['Requeue', job.requeue ? '1' : '0'],
    ['Restarts', `${job.restarts}`],
    ['BatchFlag', job.batch ? '1' : '0'],
    ['Reboot', '0'],
    ['ExitCode', `${job.exit.code}:${job.exit.signal}`],
    ['TimeLimit', longTime(limitOf(job, state))],
    ['TimeMin', 'N/A'],
    ['SubmitTime', seconds(job.submitAt)],
    ['EligibleTime', seconds(job.eligibleAt)],
    ['AccrueTime', seconds(job.accrueAt)],
    ['StartTime', seconds(view.startAt)],
    ['EndTime', seconds(end)],
    ['Deadline', job.deadlineAt === undefined ? 'N/A' : seconds(job.deadlineAt)],
    ['Partition', view.partition],
    ['AllocNode:Sid', 'login:1'],
    ['ReqNodeList', '(null)'],
    ['ExcNodeList', '(null)'],
    ['NodeList', view.nodeList],
    view.nodeList === '' ? undefined : ['BatchHost', job.run.nodes[0] ?? ''],
    ['NumNodes', range],
    ['NumCPUs', `${view.cpus}`],
    ['NumTasks', `${job.ntasks ?? view.minNodes}`],
    ['CPUs/Task', `${job.cpusPerTask}`],
    ['ReqB:S:C:T', '0:0:*:*'],
    ['TRES', tresOf(job, state)],
    ['Socks/Node', '*'],
    ['NtasksPerN:B:S:C', '0:0:*:*'],
    ['CoreSpec', '*'],
    ['MinCPUsNode', `${job.cpusPerTask}`],
    [job.memory.per === 'cpu' ? 'MinMemoryCPU' : 'MinMemoryNode', memoryText(job)],
    ['MinTmpDiskNode', '0'],
    ['Features', '(null)'],
    ['DelayBoot', '00:00:00'],
    ['OverSubscribe', job.exclusive ? 'NO' : 'OK'],
    ['Contiguous', '0'],
    ['Licenses', '(null)'],
    ['Network', '(null)'],
    ['Command', orNull(job.script)],
    ['WorkDir', job.workDir],
    job.comment === '' ? undefined : ['Comment', job.comment],
    ['StdErr', out],
    ['StdIn', job.stdin],
    ['StdOut', out],
    ['Power', ''],
  ];
  return pairs.flatMap((pair) => (pair === undefined ? [] : [pair]));
}

export const memoryText = ({ memory: { mib } }: JobRecord): string => (mib === 0 ? '0' : `${mib}M`);
