/** What slurmd does on a node: starts a batch script or a stand-in, signals it, and tells slurmctld of its end. */
import type { Instant } from '../../domain/ids.ts';
import { type JobRecord, type NodeRecord, type Process, refOf } from './slurm-record.ts';
import type { SlurmState } from './slurm-state.ts';
import type { Ended } from './slurm-types.ts';

const SIGKILL = 9;
const SIGTERM = 15;
const SIGCONT = 18;
/** slurmd waits at least so long between SIGTERM and SIGKILL. */
const leastKillWaitMs = 5_000;

export class Processes {
  readonly #state: SlurmState;
  /** By job id and restart count; more than one where an id was used again while an old stand-in lived. */
  readonly #living = new Map<string, Process[]>();
  /** slurmctld's part: the end of a process has reached it. Undefined: it never ran. */
  gone: (process: Process, how: Ended | undefined) => void = () => undefined;

  constructor(state: SlurmState) {
    this.#state = state;
  }

  /** The current run begins on its first node. */
  start(job: JobRecord, node: NodeRecord): void {
    const { run } = job;
    const process: Process = {
      job,
      run,
      node,
      state: 'starting',
      handle: undefined,
      timer: undefined,
      killing: undefined,
    };
    run.process = process;
    node.processes.add(process);
    const key = keyOf(job.id, run.restarts);
    this.#living.set(key, [...(this.#living.get(key) ?? []), process]);
    const { config } = this.#state;
    process.timer = this.#state.after(this.#state.within(config.launchMs), () => this.#launch(process));
  }

  /** A stand-in has ended, by itself or by a signal. Late or repeated news of one that is known to be over are nothing. */
  ended(jobId: number, restarts: number, how: Ended, submitAt?: Instant): void {
    const process = this.#living
      .get(keyOf(jobId, restarts))
      ?.find(({ run }) => submitAt === undefined || run.submitAt === submitAt);
    if (process !== undefined) this.#over(process, how);
  }

  /** `scancel --signal`, or the first part of an end. */
  signal(process: Process, signo: number, scope: 'script' | 'all'): void {
    if (process.state !== 'alive') return;
    if (process.handle !== undefined) process.handle.signal(signo, scope);
    // A script without a trap ends by any of them.
    else if (signo === SIGKILL || (signo !== SIGCONT && !isDeaf(process.job)))
      this.#over(process, { signal: signo });
  }

  /** REQUEST_TERMINATE_JOB: it may clean up until KillWait is over. */
  terminate(process: Process): void {
    if (process.state === 'starting') this.#over(process, undefined);
    this.signal(process, SIGCONT, 'all');
    this.signal(process, SIGTERM, 'all');
    if (this.#is(process, 'over') || process.killing !== undefined) return;
    const ms = Math.max(this.#state.config.killWaitMs, leastKillWaitMs);
    process.killing = this.#state.after(ms, () => this.abort(process));
  }

  /** REQUEST_ABORT_JOB: at once. */
  abort(process: Process): void {
    if (process.state === 'starting') this.#over(process, undefined);
    else if (process.state === 'alive' && process.handle !== undefined) process.handle.kill();
    else this.signal(process, SIGKILL, 'all');
  }

  /** Its machine is lost, and a script with it. Of a stand-in nobody knows: its node's slurmd may only be out of reach. */
  lose(process: Process): void {
    if (!process.run.burst || process.state === 'starting') this.#over(process, undefined);
  }

  #launch(process: Process): void {
    if (process.state !== 'starting') return;
    process.state = 'alive';
    process.timer = undefined;
    const { job, run, node } = process;
    if (run.burst && job.batch) {
      const { user, name, script, args, workDir, work } = job;
      const handle = this.#state.host?.start({
        jobId: job.id,
        ref: refOf(job),
        arrayJobId: job.array?.jobId,
        task: job.task,
        restarts: run.restarts,
        name,
        user: user.name,
        uid: user.uid,
        gid: user.gid,
        groups: user.groups,
        node: node.spec.name,
        nodes: run.nodes,
        partition: run.partition,
        script,
        args,
        workDir,
        submitAt: run.submitAt,
        work,
      });
      if (!this.#is(process, 'over')) process.handle = handle;
      return;
    }
    const { work } = job;
    if (work === 'forever') return;
    const how: Ended = 'exit' in work ? { code: work.exit } : { signal: work.signal };
    process.timer = this.#state.after(work.ms, () => this.#over(process, how));
  }

  #over(process: Process, how: Ended | undefined): void {
    if (process.state === 'over') return;
    process.state = 'over';
    process.timer?.cancel();
    process.killing?.cancel();
    process.node.processes.delete(process);
    const key = keyOf(process.job.id, process.run.restarts);
    const rest = (this.#living.get(key) ?? []).filter((one) => one !== process);
    if (rest.length === 0) this.#living.delete(key);
    else this.#living.set(key, rest);
    this.#state.whenUp(() => this.gone(process, how));
  }

  /** A handle that is called may end its process before it returns, which the compiler cannot know. */
  #is(process: Process, state: Process['state']): boolean {
    return process.state === state;
  }
}

const keyOf = (jobId: number, restarts: number): string => `${jobId}#${restarts}`;

const isDeaf = ({ work }: JobRecord): boolean => work !== 'forever' && work.deaf === true;
