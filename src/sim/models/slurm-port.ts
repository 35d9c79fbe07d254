/** The model behind the port: what the adapter over SSH has to work out of Slurm's answers, said in the port's words. */
import { PortError } from '../../domain/fault.ts';
import { type ClusterName, type Instant, type JobRef, jobRef } from '../../domain/ids.ts';
import { type AccountedJob, type EndedRun, finalStates, type JobDetail } from '../../domain/job.ts';
import type { SlurmPort } from '../../ports.ts';
import type { Row } from './slurm-books.ts';
import { changedInPart, moveKeys } from './slurm-moves.ts';
import type { SlurmState } from './slurm-state.ts';
import type { Changes } from './slurm-update.ts';
import { jobView, nodeView, partitionView, queueRows, rowView } from './slurm-view.ts';
import { SlurmLate, SlurmRefused, SlurmSilent } from './slurm-words.ts';

export type Asked = 'slurmctld' | 'slurmdbd';

interface Model {
  readonly state: SlurmState;
  readonly changes: Changes;
  command<T>(what: 'read' | 'write', of: Asked, work: () => T, deadline?: Instant): T;
  find(ref: JobRef): JobDetail | undefined;
}

const running = new Set(['RUNNING', 'COMPLETING', 'SUSPENDED']);

export function slurmPort(model: Model, cluster: ClusterName, userName: string): SlurmPort {
  const { state, changes } = model;
  const user = state.user(userName);
  let closed = false;

  const travel = async (): Promise<void> => {
    if (!state.faults.has('latency')) return;
    const ms = state.within(state.config.latencyMs) / 2;
    await new Promise<void>((resolve) => state.after(ms, resolve));
  };
  const faultOf = (error: unknown, at: string, changing: boolean): unknown => {
    if (error instanceof SlurmSilent)
      return new PortError(error.asked && changing ? 'unknown' : 'unreachable', at, error.message);
    if (error instanceof SlurmLate) return new PortError('transient', at, error.message);
    return error instanceof SlurmRefused ? new PortError(error.fault, at, error.message) : error;
  };
  const ask = async <T>(
    at: string,
    what: 'read' | 'write',
    of: Asked,
    work: () => T,
    deadline?: Instant,
  ): Promise<T> => {
    if (closed) throw new PortError('unreachable', at, 'the connection is closed');
    await travel();
    try {
      return model.command(what, of, work, deadline);
    } catch (error) {
      throw faultOf(error, at, what === 'write');
    } finally {
      await travel();
    }
  };
  const read = <T>(at: string, work: () => T, of: Asked = 'slurmctld'): Promise<T> =>
    ask(at, 'read', of, work);
  const write = (at: string, deadline: Instant, work: () => void, of: Asked = 'slurmctld'): Promise<void> =>
    ask(at, 'write', of, work, deadline);
  /** A job or task that one write can mean. */
  const single = async (ref: JobRef, at: string): Promise<JobDetail> => {
    wellFormed(ref, at);
    const job = await read(at, () => model.find(ref));
    if (job === undefined) throw new PortError('not_found', at, `slurmctld knows no job ${ref}`);
    if (job.hetJob) throw new PortError('refused', at, `job ${ref} is part of a heterogeneous job`);
    if (job.arrayTask !== undefined && !/^\d+$/.test(job.arrayTask))
      throw new PortError('invalid', at, `${ref} is a whole array: name one task`);
    return job;
  };

  return {
    async snapshot() {
      const at = state.now();
      const seen = await read('slurm.snapshot', () => {
        const live = [...state.live].map((job) => ({ job, task: undefined }));
        return {
          jobs: queueRows(live).map((row) => rowView(row, (target) => jobView(target, state))),
          partitions: [...state.partitions.values()].map(partitionView),
          nodes: [...state.nodes.values()].map(nodeView),
        };
      });
      return { cluster, at, tookMs: state.now() - at, ...seen, partial: [] };
    },
    async job(ref) {
      wellFormed(ref, 'slurm.job');
      return read('slurm.job', () => model.find(ref));
    },
    async script(id) {
      const at = 'slurm.script';
      wellFormed(jobRef(`${id}`), at);
      return read(at, () => changes.script(user, id));
    },
    // A job of the model is submitted by a call of its own, not by a command.
    async submitLine(id) {
      wellFormed(jobRef(`${id}`), 'slurm.submitLine');
      return undefined;
    },
    async accounting(ref) {
      const at = 'slurm.accounting';
      wellFormed(ref, at);
      return read(at, () => state.books.rows(ref).filter(named(ref)).map(accounted), 'slurmdbd');
    },
    async history(from, to) {
      const runs = await read(
        'slurm.history',
        () => state.books.ended(from, to).flatMap(endedRun),
        'slurmdbd',
      );
      return { runs, partial: [] };
    },
    async move(ref, to, deadline) {
      const at = 'slurm.move';
      const before = await single(ref, at);
      if (before.state !== 'PENDING')
        throw new PortError('started', at, `job ${ref} is ${before.state} in ${before.partition}`);
      const keys = moveKeys(before, to, (name) => state.partitions.get(name)?.spec);
      try {
        await write(at, deadline, () => changes.update(user, before.ref, keys));
      } catch (error) {
        if (!(error instanceof PortError) || error.fault !== 'refused') throw error;
        const after = await read(at, () => model.find(before.ref)).catch(() => undefined);
        if (after === undefined || changedInPart(before, after, to))
          throw new PortError('unknown', at, `${error.message}; yet the job was changed`);
        throw error;
      }
    },
    async appendComment(ref, line, deadline) {
      const at = 'slurm.appendComment';
      const { comment, state: is, ref: own } = await single(ref, at);
      if (comment.endsWith(line)) return;
      const text = comment === '' ? line : `${comment}; ${line}`;
      if (!finalStates.has(is)) {
        await write(at, deadline, () => changes.update(user, own, { comment: text }));
        return;
      }
      if (/[A-Z"'\\]/.test(comment))
        throw new PortError(
          'refused',
          at,
          `job ${ref} is over, and sacctmgr would change its owner's comment`,
        );
      await write(at, deadline, () => changes.note(user, ref, { comment: text }), 'slurmdbd');
    },
    async annotate(ref, text) {
      const at = 'slurm.annotate';
      wellFormed(ref, at);
      if (!/^[A-Za-z0-9 _.:;=/+@%-]*$/.test(text))
        throw new PortError('invalid', at, `sacctmgr would change ${JSON.stringify(text)}`);
      await ask(at, 'write', 'slurmdbd', () => changes.note(user, ref, { adminComment: text }));
    },
    async cancel(ref, deadline) {
      const at = 'slurm.cancel';
      wellFormed(ref, at);
      await write(at, deadline, () => changes.cancel(user, ref));
    },
    async requeue(ref, restarts, deadline) {
      const at = 'slurm.requeue';
      const job = await single(ref, at);
      if (job.restarts !== restarts || !running.has(job.state))
        throw new PortError(
          'conflict',
          at,
          `job ${ref} is ${job.state} in run ${job.restarts}, not running in run ${restarts}`,
        );
      if (!job.requeue) throw new PortError('refused', at, `job ${ref} may not be requeued (--no-requeue)`);
      await write(at, deadline, () => changes.requeue(user, job.ref));
    },
    async release(ref, deadline) {
      const at = 'slurm.release';
      wellFormed(ref, at);
      await write(at, deadline, () => changes.release(user, ref));
    },
    facts: () =>
      read('slurm.facts', () => ({
        version: state.config.version,
        killWaitMs: state.config.killWaitMs,
        minJobAgeMs: state.config.minJobAgeMs,
        partitions: [...state.partitions.values()].map(partitionView),
        preemptMode: 'OFF',
        enforced: ['associations', 'limits', 'qos'],
      })),
    minutesLimits: () => read('slurm.minutesLimits', () => state.config.minutesLimits ?? [], 'slurmdbd'),
    qosLimits: (name) =>
      read(
        'slurm.qosLimits',
        () => {
          if (!/^[A-Za-z0-9_.-]+$/.test(name))
            throw new PortError('invalid', 'slurm.qosLimits', `${name} is no name of a QOS`);
          const limits = state.config.qosLimits?.[name];
          if (limits === undefined)
            throw new PortError('not_found', 'slurm.qosLimits', `slurmdbd has no QOS ${name}`);
          return limits;
        },
        'slurmdbd',
      ),
    whoami: () =>
      read('slurm.whoami', () => ({ user: userName, adminLevel: user.adminLevel ?? 'None' }), 'slurmdbd'),
    close: async () => {
      closed = true;
    },
  };
}

function wellFormed(ref: JobRef, at: string): void {
  if (!/^[1-9]\d{0,9}(_\d{1,9})?$/.test(ref))
    throw new PortError('invalid', at, `${JSON.stringify(ref)} is not a job id`);
}

/** Its own rows: an array's id is also that of its last task. */
const named =
  (ref: JobRef) =>
  ({ name, id }: Row): boolean =>
    name === ref || `${id}` === ref;

function endedRun({ name, startAt, endAt, ...row }: Row): EndedRun[] {
  if (startAt === undefined || endAt === undefined) return [];
  const { user, account, partition, state, submitAt, timeLimitMs, cpus, nodes, priority, memoryMib } = row;
  return [
    {
      ref: jobRef(name),
      user,
      account,
      partition,
      state,
      submitAt,
      startAt,
      endAt,
      timeLimitMs,
      cpus,
      nodes,
      priority,
      memoryMib,
      gres: new Map(),
    },
  ];
}

function accounted(row: Row): AccountedJob {
  return {
    ref: jobRef(row.name),
    id: row.id,
    state: row.state,
    partition: row.partition,
    submitAt: row.submitAt,
    startAt: row.startAt,
    endAt: row.endAt,
    exit: row.exit,
    nodeList: row.nodeList,
    restarts: undefined,
    adminComment: row.adminComment,
  };
}
