/** A job's life in slurmctld: started, ended, completing, over; and begun again. */
import { type Instant, instant } from '../../domain/ids.ts';
import type { SeenState } from '../../domain/job.ts';
import { limitOf } from './slurm-figures.ts';
import type { Share } from './slurm-fit.ts';
import { free, hostlist, take } from './slurm-nodes.ts';
import { Processes } from './slurm-process.ts';
import {
  heldReason,
  isOver,
  type JobRecord,
  newRun,
  noExit,
  type Process,
  runs,
  second,
  set,
} from './slurm-record.ts';
import type { SlurmState } from './slurm-state.ts';
import { trueJob } from './slurm-truth.ts';
import type { Ended } from './slurm-types.ts';

export class Life {
  readonly #state: SlurmState;
  readonly processes: Processes;

  constructor(state: SlurmState) {
    this.#state = state;
    this.processes = new Processes(state);
    this.processes.gone = (process, how) => this.#gone(process, how);
  }

  start(job: JobRecord, partition: string, shares: readonly Share[]): void {
    const state = this.#state;
    const nodes = shares.map(({ node }) => node);
    const first = state.nodes.get(nodes[0] ?? '');
    if (first === undefined) return;
    take(state.nodes, job, shares);
    state.pending.delete(job);
    set(job, {
      base: 'RUNNING',
      reason: 'None',
      startAt: state.second(),
      endAt: undefined,
      plannedAt: undefined,
      partition,
      exit: noExit,
      eligibleAt: job.eligibleAt ?? state.second(),
    });
    const burst = first.spec.burst === true;
    set(job.run, {
      startAt: job.startAt,
      partition,
      nodes,
      nodeList: hostlist(nodes),
      burst,
      state: 'RUNNING',
    });
    state.books.tell(job, job.run);
    this.processes.start(job, first);
    this.watchLimit(job);
    state.onStart(trueJob(job, state));
  }

  /** Looks at the time limit on slurmctld's grid; called again when the limit was changed. */
  watchLimit(job: JobRecord): void {
    job.limit?.cancel();
    job.limit = undefined;
    const ms = limitOf(job, this.#state);
    if (ms === 'unlimited' || job.startAt === undefined) return;
    const { run } = job;
    const due = this.#state.onGrid(
      this.#state.config.limitCheckMs,
      Math.max(job.startAt + ms, this.#state.now()),
    );
    const check = () => {
      if (job.run === run && runs(job)) this.#end(job, 'TIMEOUT', 'TimeLimit');
    };
    job.limit = this.#state.after(due - this.#state.now(), () => this.#state.whenUp(check));
  }

  cancel(job: JobRecord, byUid: number): void {
    if (runs(job)) this.#end(job, 'CANCELLED', 'None', byUid);
    if (job.base !== 'PENDING') return;
    const now = this.#state.second();
    job.base = 'CANCELLED';
    set(job.run, { state: 'CANCELLED', endAt: now });
    this.#state.books.tell(job, job.run, { byUid });
    job.endAt = now;
    // One that was requeued and has still to leave its nodes does so first.
    if (job.completing) return;
    set(job, { startAt: now, plannedAt: undefined });
    this.#close(job);
  }

  /** It could not end before its deadline any more: slurmctld cancels it, as its schedulers come to it. */
  miss(job: JobRecord): void {
    if (job.base !== 'PENDING' || job.completing) return;
    const now = this.#state.second();
    const exit = { code: 1, signal: 0 };
    set(job, { base: 'DEADLINE', reason: 'DeadLine', exit, startAt: now, endAt: now, plannedAt: undefined });
    set(job.run, { state: 'DEADLINE', endAt: now });
    this.#state.books.tell(job, job.run, { exit });
    this.#close(job);
  }

  /** Cancels a task that was split off only for that: it leaves nothing behind, in slurmctld or in slurmdbd. */
  drop(job: JobRecord): void {
    const now = this.#state.second();
    set(job, { base: 'CANCELLED', startAt: now, endAt: now });
    set(job.run, { state: 'CANCELLED', endAt: now });
    this.#close(job);
    this.#state.jobs.delete(job.id);
    job.array?.records.delete(job);
  }

  /** The run is over as REQUEUED or NODE_FAIL, and the job waits again as soon as its nodes are rid of it. */
  requeue(job: JobRecord, as: 'REQUEUED' | 'NODE_FAIL'): void {
    const state = this.#state;
    const was = { running: runs(job), over: isOver(job) };
    const now = state.second();
    if (was.over) state.revive(job);
    job.limit?.cancel();
    job.base = 'PENDING';
    job.restarts += 1;
    job.run.state = as;
    job.run.endAt ??= now;
    state.books.tell(job, job.run, { exit: was.over ? job.exit : noExit });
    if (was.over) {
      this.#renew(job);
      return;
    }
    set(job, { startAt: now, endAt: undefined });
    if (!was.running) return;
    job.completing = true;
    const { process } = job.run;
    if (as === 'NODE_FAIL' && process?.node.up !== true) this.#settle(job);
    else if (process !== undefined) this.processes.terminate(process);
  }

  nodeDown(name: string): void {
    const node = this.#state.nodes.get(name);
    if (node === undefined || !node.up) return;
    node.up = false;
    for (const job of [...node.jobs]) {
      const { process } = job.run;
      const lost = process?.node === node ? process : undefined;
      if (job.completing) {
        if (lost !== undefined) this.#settle(job);
      } else if (job.batch && job.requeue) this.requeue(job, 'NODE_FAIL');
      else {
        this.#end(job, 'NODE_FAIL', 'NodeDown');
        if (lost !== undefined) this.#settle(job);
      }
      if (lost !== undefined) this.processes.lose(lost);
    }
    this.#state.changed();
  }

  /** Its slurmd is back, and ends what slurmctld has given up meanwhile. */
  nodeUp(name: string): void {
    const node = this.#state.nodes.get(name);
    if (node === undefined || node.up) return;
    node.up = true;
    for (const process of [...node.processes])
      if (process.job.run !== process.run || !runs(process.job)) this.processes.abort(process);
    this.#state.changed();
  }

  /** slurmctld ends the run: final state and end are now, its processes take what time they need. */
  #end(job: JobRecord, base: SeenState, reason: string, byUid?: number): void {
    this.#final(job, base, reason);
    this.#state.books.tell(job, job.run, byUid === undefined ? {} : { byUid });
    const { process } = job.run;
    if (process === undefined || process.state === 'over') this.#settleSoon(job);
    else if (process.node.up) this.processes.terminate(process);
  }

  #gone(process: Process, how: Ended | undefined): void {
    const { job, run } = process;
    if (how !== undefined) run.exit = exitOf(how);
    // What is left of a run that slurmctld has given up.
    if (job.run !== run || isOver(job)) return;
    if (runs(job)) {
      const ok = 'code' in (how ?? {}) && run.exit.code === 0;
      this.#final(job, ok ? 'COMPLETED' : 'FAILED', reasonOf(how));
      this.#state.books.tell(job, run, { exit: run.exit });
    }
    if (job.base !== 'PENDING') job.exit = run.exit;
    this.#settleSoon(job);
  }

  #final(job: JobRecord, base: SeenState, reason: string): void {
    const now = this.#state.second();
    job.limit?.cancel();
    set(job, { base, completing: true, reason, endAt: now });
    set(job.run, { state: base, endAt: now });
  }

  #settleSoon(job: JobRecord): void {
    if (job.settling !== undefined) return;
    const { run } = job;
    const settle = () => {
      if (job.run === run && job.completing) this.#settle(job);
    };
    const ms = this.#state.within(this.#state.config.completingMs);
    job.settling = this.#state.after(ms, () => this.#state.whenUp(settle));
  }

  /** Its nodes are free again. */
  #settle(job: JobRecord): void {
    job.settling?.cancel();
    job.settling = undefined;
    job.completing = false;
    free(this.#state.nodes, job);
    if (job.base === 'PENDING') this.#renew(job);
    else this.#close(job);
  }

  #renew(job: JobRecord): void {
    const state = this.#state;
    // The same second would make it the same job to slurmdbd.
    const submitAt = second(Math.max(state.now(), job.submitAt + 1_000));
    const beginAt: Instant = instant(submitAt + state.config.credExpireMs + 1_000);
    set(job, {
      submitAt,
      beginAt,
      eligibleAt: beginAt,
      accrueAt: undefined,
      startAt: undefined,
      endAt: undefined,
      partition: undefined,
      plannedAt: undefined,
      verdicts: undefined,
      reason: job.held === undefined ? 'BeginTime' : heldReason(job.held),
    });
    job.run = newRun(job.restarts, submitAt, job.partitions.join(','));
    job.runs.push(job.run);
    state.pending.add(job);
    state.books.tell(job, job.run);
    state.after(beginAt - state.now(), () => state.changed());
    state.changed();
  }

  #close(job: JobRecord): void {
    this.#state.over(job);
    this.#state.onEnd(trueJob(job, this.#state));
    this.#state.changed();
  }
}

const exitOf = (how: Ended) =>
  'code' in how ? { code: how.code, signal: 0 } : { code: 0, signal: how.signal };

function reasonOf(how: Ended | undefined): string {
  if (how === undefined || 'signal' in how) return 'JobLaunchFailure';
  return how.code === 0 ? 'None' : 'NonZeroExitCode';
}
