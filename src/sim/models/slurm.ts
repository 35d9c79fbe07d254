/**
 * A behaving Slurm 22.05: a queue with priorities, a main and a backfill scheduler over real nodes, virtual burst nodes, accounting
 * that lags, and a controller that restarts. Calls are synchronous and each is atomic; what takes time happens through the
 * scheduler. Nothing happens, and nothing is computed, while nothing can change.
 */
import type { ClusterName, Instant, JobRef } from '../../domain/ids.ts';
import type { JobDetail } from '../../domain/job.ts';
import type { SlurmPort } from '../../ports.ts';
import { submit } from './slurm-ask.ts';
import { Life } from './slurm-life.ts';
import { type Asked, slurmPort } from './slurm-port.ts';
import { Queue } from './slurm-queue.ts';
import { type JobRecord, refOf, second } from './slurm-record.ts';
import { type SlurmDeps, SlurmState, type Target } from './slurm-state.ts';
import { trueJob } from './slurm-truth.ts';
import {
  type BurstHost,
  type Ended,
  type JobSubmit,
  type SlurmAsk,
  type SlurmChange,
  type SlurmConfig,
  type SlurmFault,
  slurmDefaults,
  type TrueJob,
} from './slurm-types.ts';
import { Changes } from './slurm-update.ts';
import { detailView, queueRows, rowView } from './slurm-view.ts';
import { controllerAway, dbdAway, SlurmLate, SlurmRefused, SlurmSilent } from './slurm-words.ts';

export type { SlurmDeps } from './slurm-state.ts';

export interface SlurmRow {
  readonly job: JobRecord;
  readonly view: JobDetail;
}

export class SlurmModel {
  /** For the faces of the model; what is in it is changed by the model alone. */
  readonly state: SlurmState;
  readonly changes: Changes;
  readonly #life: Life;

  constructor(config: Partial<SlurmConfig>, deps: SlurmDeps) {
    this.state = new SlurmState({ ...slurmDefaults, ...config }, deps);
    this.#life = new Life(this.state);
    this.changes = new Changes(this.state, this.#life);
    new Queue(this.state, this.#life);
  }

  get config(): SlurmConfig {
    return this.state.config;
  }

  /** Who runs on the burst nodes; what starts from now on is started there. */
  get host(): BurstHost | undefined {
    return this.state.host;
  }
  set host(host: BurstHost | undefined) {
    this.state.host = host;
  }

  /** The site's job_submit plugin. */
  get jobSubmit(): JobSubmit {
    return this.state.jobSubmit;
  }
  set jobSubmit(plugin: JobSubmit) {
    this.state.jobSubmit = plugin;
  }

  /** Told when a run starts. */
  get onStart(): (job: TrueJob) => void {
    return this.state.onStart;
  }
  set onStart(told: (job: TrueJob) => void) {
    this.state.onStart = told;
  }

  /** Told when the job is over and its nodes are free; not of a run that is requeued. */
  get onEnd(): (job: TrueJob) => void {
    return this.state.onEnd;
  }
  set onEnd(told: (job: TrueJob) => void) {
    this.state.onEnd = told;
  }

  /** The in-process face, as the given cluster's gateway sees it when it logs in as `user`. */
  asPort(cluster: ClusterName, user: string): SlurmPort {
    return slurmPort(this, cluster, user);
  }

  /**
   * Every command of either face goes through here: faults come before any effect, or hide it. A change is not begun after its
   * deadline, by the seconds of the model's clock. Throws SlurmRefused, SlurmSilent and SlurmLate.
   */
  command<T>(what: 'read' | 'write', of: Asked, work: () => T, deadline?: Instant): T {
    if (this.on('away')) throw new SlurmSilent(false, 'the login node cannot be reached');
    if (what === 'write' && this.on('lost-request')) throw new SlurmSilent(true, 'no answer came');
    const lost = what === 'write' && this.on('lost-answer');
    try {
      if (deadline !== undefined && this.state.second() >= second(deadline)) throw new SlurmLate();
      if (of === 'slurmctld' && this.state.isDown) throw controllerAway();
      if (of === 'slurmdbd' && this.on('dbd-away')) throw dbdAway();
      if (what === 'write' && of === 'slurmctld' && this.on('busy')) throw new SlurmRefused('busy');
      const answer = work();
      if (!lost) return answer;
    } catch (error) {
      if (!lost) throw error;
    }
    throw new SlurmSilent(true, 'no answer came');
  }

  /** The rows of `squeue`: of one job, array or task, or of all that slurmctld has. Throws SlurmRefused where it knows no such job. */
  rows(ref?: JobRef): readonly SlurmRow[] {
    this.state.forget();
    const whole = (job: JobRecord): Target => ({ job, task: undefined });
    const targets = ref === undefined ? [...this.state.jobs.values()].map(whole) : this.state.targets(ref);
    if (ref !== undefined && targets.length === 0) throw new SlurmRefused('no_job');
    return queueRows(targets).map((row) => ({
      job: row.target.job,
      view: rowView(row, (target) => detailView(target, this.state)),
    }));
  }

  /** What `squeue -j` and `scontrol show job` say together of one job or task. */
  find(ref: JobRef): JobDetail | undefined {
    const targets = this.state.targets(ref);
    const own = ref.includes('_') ? targets[0]?.job : this.state.jobs.get(Number(ref));
    const row = queueRows(targets).find(({ target }) => target.job === own);
    return row && rowView(row, (target) => detailView(target, this.state));
  }

  /** As `sbatch` does. Throws SlurmRefused with Slurm's words, and SlurmSilent while slurmctld is away. */
  submit(user: string, ask: SlurmAsk): JobRef {
    this.state.needsController();
    const job = submit(this.state, this.state.user(user), ask);
    return refOf(job.array === undefined ? job : { ...job, task: undefined });
  }

  /** As `scontrol update` does; 'root' may do everything. */
  alter(user: string, ref: JobRef, change: SlurmChange): void {
    this.state.needsController();
    this.changes.update(this.state.user(user), ref, change);
  }

  hold(user: string, ref: JobRef): void {
    this.state.needsController();
    this.changes.hold(this.state.user(user), ref);
  }

  release(user: string, ref: JobRef): void {
    this.state.needsController();
    this.changes.release(this.state.user(user), ref);
  }

  cancel(user: string, ref: JobRef): void {
    this.state.needsController();
    this.changes.cancel(this.state.user(user), ref);
  }

  requeue(user: string, ref: JobRef): void {
    this.state.needsController();
    this.changes.requeue(this.state.user(user), ref);
  }

  /** `scancel --signal`, with `-b` to the script alone. */
  signal(user: string, ref: JobRef, signo: number, scope: 'script' | 'all' = 'all'): void {
    this.state.needsController();
    this.changes.signal(this.state.user(user), ref, signo, scope);
  }

  /** From the host: the stand-in of run `restarts` has ended. `submitAt` tells runs of a reused id apart. */
  ended(jobId: number, restarts: number, how: Ended, submitAt?: Instant): void {
    this.#life.processes.ended(jobId, restarts, how, submitAt);
  }

  /** slurmctld has given the node up (SlurmdTimeout is over); stand-ins on it may live on. */
  nodeDown(name: string): void {
    this.state.whenUp(() => this.#life.nodeDown(name));
  }

  /** Its slurmd has registered again, and ends what is not slurmctld's any more. */
  nodeUp(name: string): void {
    this.state.whenUp(() => this.#life.nodeUp(name));
  }

  /** `scontrol update partitionname=… state=…`. */
  partition(name: string, up: boolean): void {
    const partition = this.state.partitions.get(name);
    if (partition === undefined) throw new SlurmRefused('no_partition');
    partition.up = up;
    this.state.changed();
  }

  /** slurmctld goes, and is back after so long with all that it knew. */
  restart(awayMs: number): void {
    this.state.restart(awayMs);
  }

  on(fault: SlurmFault): boolean {
    return this.state.faults.has(fault);
  }

  faults(): SlurmFault[] {
    return [...this.state.faults];
  }

  switch(fault: SlurmFault, on: boolean): void {
    if (on) this.state.faults.add(fault);
    else this.state.faults.delete(fault);
    if (fault === 'slow-dbd' && !on) this.state.books.hurry();
  }

  /** Ends every fault. A controller that is away stays away until its time. */
  heal(): void {
    for (const fault of this.faults()) this.switch(fault, false);
  }

  /** Every job that ever was, in the order of its record. */
  truth(): TrueJob[] {
    return this.state.all.map((job) => trueJob(job, this.state));
  }
}
