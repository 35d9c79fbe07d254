/** A submission: what is refused at once, and the record that is made of the rest. */
import { instant, type JobRef } from '../../domain/ids.ts';
import { waitedFor } from './slurm-depend.ts';
import { askedOf, latestStartOf } from './slurm-figures.ts';
import { type ArrayRecord, heldReason, type JobRecord, newRun, noExit } from './slurm-record.ts';
import type { SlurmState } from './slurm-state.ts';
import type { Asked, Memory, PartitionSpec, SlurmAsk, UserSpec } from './slurm-types.ts';
import { SlurmRefused } from './slurm-words.ts';

/** MaxArraySize. */
const mostTasks = 1_000;

/** The job, or the leader of a heterogeneous one. */
export function submit(state: SlurmState, user: UserSpec, ask: SlurmAsk): JobRecord {
  const words = state.jobSubmit.submit?.(user, ask);
  if (words !== undefined) throw new SlurmRefused('plugin', undefined, words);
  const tasks = ask.array === undefined ? undefined : arrayOf(ask.array);
  const partitions = partitionsOf(state, ask.partition);
  const qos = ask.qos ?? 'normal';
  if (state.config.qos[qos] === undefined) throw new SlurmRefused('qos');
  if (ask.account !== undefined && ask.account !== user.account && user.uid !== 0)
    throw new SlurmRefused('account');
  if ((ask.minNodes ?? 1) > (ask.maxNodes ?? Number.POSITIVE_INFINITY)) throw new SlurmRefused('node_count');
  const [first] = partitions;
  if (first === undefined) throw new SlurmRefused('no_partition');
  if (partitions.every((one) => tooMuchMemory(state, one, ask))) throw new SlurmRefused('node_config');

  const leader = record(state, user, ask, partitions, qos, tasks, undefined);
  if (ask.het === true) {
    record(state, user, ask, partitions, qos, undefined, leader.id);
    return Object.assign(leader, { het: { leader: leader.id, offset: 0 } });
  }
  return leader;
}

function record(
  state: SlurmState,
  user: UserSpec,
  ask: SlurmAsk,
  partitions: readonly PartitionSpec[],
  qos: string,
  tasks: { readonly all: readonly number[]; readonly throttle: number } | undefined,
  leader: number | undefined,
): JobRecord {
  const id = state.newId();
  const now = state.second();
  const names = partitions.map(({ name }) => name);
  const unmet = waitedFor(ask.after ?? [], (ref) => found(state, ref));
  const array = tasks === undefined ? undefined : newArray(id, tasks.throttle);
  const beginAt = ask.beginInMs === undefined ? undefined : instant(now + ask.beginInMs);
  const deadlineAt = ask.deadlineInMs === undefined ? undefined : instant(now + ask.deadlineInMs);
  const eligibleAt = beginAt ?? (ask.held === true || unmet.length > 0 ? undefined : now);
  const job: JobRecord = {
    id,
    array,
    tasks: undefined,
    task: undefined,
    user,
    qos,
    het: leader === undefined ? undefined : { leader, offset: 1 },
    account: ask.account ?? user.account,
    name: ask.name ?? 'sbatch',
    batch: ask.batch ?? true,
    script: ask.script ?? '',
    args: ask.args ?? [],
    workDir: ask.workDir ?? user.home,
    stdin: ask.stdin ?? '/dev/null',
    work: ask.work ?? { ms: 0, exit: 0 },
    asked: nothingYet,
    comment: ask.comment ?? '',
    nice: ask.nice ?? 0,
    bonus: ask.priority ?? 0,
    fixedPriority: undefined,
    held: ask.held === true ? 'user' : undefined,
    requeue: ask.requeue ?? true,
    partitions: names,
    partition: undefined,
    timeMs: ask.timeMs,
    memory: ask.memory ?? defaultMemory(partitions[0]),
    memorySet: ask.memory !== undefined,
    ntasks: ask.tasks,
    cpusPerTask: ask.cpusPerTask ?? 1,
    minNodes: ask.minNodes ?? 1,
    maxNodes: ask.maxNodes,
    exclusive: ask.exclusive ?? false,
    base: 'PENDING',
    completing: false,
    submitAt: now,
    eligibleAt,
    accrueAt: beginAt === undefined ? eligibleAt : undefined,
    reason: ask.held === true ? heldReason('user') : 'None',
    beginAt,
    deadlineAt,
    startAt: undefined,
    endAt: undefined,
    plannedAt: undefined,
    priority: 0,
    restarts: 0,
    exit: noExit,
    shares: [],
    runs: [],
    moves: [],
    unmet,
    verdicts: undefined,
    limit: undefined,
    settling: undefined,
    overAt: undefined,
    run: newRun(0, now, names.join(',')),
  };
  job.runs.push(job.run);
  job.asked = askedOf(job, state);
  if (tasks !== undefined) state.keep(job, tasks.all);
  if (array !== undefined) state.arrays.set(id, array);
  state.add(job);
  state.books.tell(job, job.run);
  state.look(job);
  state.changed();
  // What only time changes.
  for (const at of [beginAt, latestStartOf(job, state)])
    if (at !== undefined) state.after(Math.max(0, at - now) + 1_000, () => state.changed());
  return job;
}

const nothingYet: Asked = {
  partition: '',
  timeLimitMs: 'unlimited',
  memory: { per: 'node', mib: 0 },
  minNodes: 1,
  maxNodes: undefined,
  comment: '',
};

const newArray = (jobId: number, throttle: number): ArrayRecord => ({
  jobId,
  throttle,
  records: new Set(),
  live: new Set(),
  ok: 0,
  failed: 0,
});

function found(state: SlurmState, ref: JobRef): JobRecord | ArrayRecord | undefined {
  const targets = state.targets(ref);
  const [first] = targets;
  if (first === undefined) return undefined;
  const array = first.job.array;
  // A task that waits in its array has no record to wait for, so it gets one.
  if (ref.includes('_')) return state.split(first);
  return array !== undefined && ref === `${array.jobId}` ? array : first.job;
}

export function partitionsOf(state: SlurmState, list: string | undefined): PartitionSpec[] {
  const specs = [...state.partitions.values()].map(({ spec }) => spec);
  if (list === undefined) return specs.filter((spec) => spec.default === true).slice(0, 1);
  return list.split(',').map((name) => {
    const spec = specs.find((one) => one.name === name);
    if (spec === undefined) throw new SlurmRefused('no_partition');
    return spec;
  });
}

export function defaultMemory(partition: PartitionSpec | undefined): Memory {
  return partition?.defMemory ?? { per: 'node', mib: 0 };
}

function tooMuchMemory(
  state: SlurmState,
  { nodes }: PartitionSpec,
  { memory, cpusPerTask }: SlurmAsk,
): boolean {
  if (memory === undefined) return false;
  const most = Math.max(0, ...nodes.map((name) => state.nodes.get(name)?.spec.memoryMib ?? 0));
  return memory.mib * (memory.per === 'cpu' ? (cpusPerTask ?? 1) : 1) > most;
}

/** `3-5,9%2`. */
function arrayOf(text: string): { readonly all: readonly number[]; readonly throttle: number } {
  const [, list = '', throttle = '0'] = /^([0-9,:-]+)(?:%(\d+))?$/.exec(text) ?? [];
  const all = new Set<number>();
  for (const part of list.split(',')) {
    const [, from, to, step = '1'] = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part) ?? [];
    const [first, last, by] = [Number(from), Number(to ?? from), Number(step)];
    if (!(first <= last && by > 0) || last - first >= mostTasks * by) throw new SlurmRefused('array');
    for (let n = first; n <= last; n += by) all.add(n);
  }
  if (all.size === 0 || all.size > mostTasks) throw new SlurmRefused('array');
  return { all: [...all].sort((a, b) => a - b), throttle: Number(throttle) };
}
