/** `scontrol update`, hold, release, requeue and `scancel`: by whom, of what, and what is refused in which words. */
import type { JobRef } from '../../domain/ids.ts';
import { partitionsOf } from './slurm-ask.ts';
import { limitOf, partitionText, priorityOf } from './slurm-figures.ts';
import type { Life } from './slurm-life.ts';
import { free, hostlist, take } from './slurm-nodes.ts';
import { heldReason, isOver, type JobRecord, runs, set, waits } from './slurm-record.ts';
import type { SlurmState, Target } from './slurm-state.ts';
import type { PartitionSpec, SlurmChange, UserSpec } from './slurm-types.ts';
import { SlurmRefused } from './slurm-words.ts';

export class Changes {
  readonly #state: SlurmState;
  readonly #life: Life;

  constructor(state: SlurmState, life: Life) {
    this.#state = state;
    this.#life = life;
  }

  /**
   * Key by key, the partition first: one that is refused for a later key was made up to that key. A task that waits in its array is
   * split off. All tasks of an array that is named by its own id.
   */
  update(user: UserSpec, ref: JobRef, change: SlurmChange): void {
    each(this.#found(ref), (target) => {
      const { job } = target;
      this.#own(user, job, 'not_yours');
      const words = this.#state.jobSubmit.modify?.(user, ref, change);
      if (words !== undefined) throw new SlurmRefused('plugin', about(target), words);
      if (job.base !== 'PENDING' && !runs(job)) throw new SlurmRefused('over', about(target));
      this.#keys(user, this.#state.split(target), change);
    });
    this.#state.changed();
  }

  /** Of a running job too: it is held as soon as it waits again. */
  hold(user: UserSpec, ref: JobRef): void {
    for (const target of this.#found(ref)) {
      this.#own(user, target.job, 'denied');
      if (!isOver(target.job)) this.#hold(user, this.#state.split(target));
    }
  }

  release(user: UserSpec, ref: JobRef): void {
    for (const target of this.#found(ref)) {
      this.#own(user, target.job, 'denied');
      if (target.job.held === 'admin' && !mayAll(user)) throw new SlurmRefused('denied', about(target));
      this.#release(this.#state.split(target));
    }
    this.#state.changed();
  }

  /** Nothing on a job that is over, nor on one that slurmctld does not know: scancel says nothing then. */
  /** Undefined: there is no such job, or it has none. */
  script(user: UserSpec, id: number): string | undefined {
    const job = this.#state.jobs.get(id);
    if (job === undefined || !job.batch) return undefined;
    this.#own(user, job, 'denied');
    return job.script || '#!/bin/sh\n';
  }

  cancel(user: UserSpec, ref: JobRef): void {
    const targets = this.#state.targets(ref);
    for (const { job } of targets) this.#own(user, job, 'denied');
    for (const { job, task } of targets) {
      if (task === undefined) {
        this.#life.cancel(job, user.uid);
        continue;
      }
      this.#life.drop(this.#state.split({ job, task }));
      this.#state.books.tell(job, job.run);
    }
  }

  signal(user: UserSpec, ref: JobRef, signo: number, scope: 'script' | 'all'): void {
    for (const target of this.#found(ref)) {
      const { job } = target;
      this.#own(user, job, 'denied');
      const { process } = job.run;
      if (runs(job) && process !== undefined) this.#life.processes.signal(process, signo, scope);
    }
  }

  /** Of a running or completing job, and also of one that is over. */
  requeue(user: UserSpec, ref: JobRef): void {
    each(this.#found(ref), (target) => {
      const { job } = target;
      this.#own(user, job, 'denied');
      if (!job.requeue) throw new SlurmRefused('disabled', about(target));
      if (!job.batch) throw new SlurmRefused('batch_only', about(target));
      if (job.base === 'PENDING') throw new SlurmRefused('pending', about(target));
      this.#life.requeue(job, 'REQUEUED');
    });
  }

  /** `sacctmgr modify job`: an Operator's note in slurmdbd, for jobs that are over too. */
  note(
    user: UserSpec,
    ref: JobRef,
    change: { readonly adminComment?: string; readonly comment?: string },
  ): void {
    if (!mayAll(user)) throw new SlurmRefused('denied');
    if (!this.#state.books.modify(ref, change)) throw new SlurmRefused('no_row');
  }

  #keys(user: UserSpec, job: JobRecord, change: SlurmChange): void {
    const about = `${job.id}`;
    const pending = job.base === 'PENDING';
    if (change.partition !== undefined) this.#move(user, job, change.partition);
    if (change.cpusPerTask !== undefined) {
      if (!pending) throw new SlurmRefused('not_pending', about);
      job.cpusPerTask = change.cpusPerTask;
    }
    if (change.timeMs !== undefined) {
      const rises =
        change.timeMs === 'unlimited' ||
        (job.timeMs !== 'unlimited' && change.timeMs > Number(limitOf(job, this.#state)));
      if (!pending && rises && !mayAll(user)) throw new SlurmRefused('denied', about);
      job.timeMs = change.timeMs;
      if (runs(job)) this.#life.watchLimit(job);
    }
    if (change.minNodes !== undefined || change.maxNodes !== undefined) this.#nodes(job, change);
    if (change.memory !== undefined) {
      if (!pending) throw new SlurmRefused('not_pending', about);
      set(job, { memory: change.memory, memorySet: true });
    }
    if (change.comment !== undefined) job.comment = change.comment;
    if (change.requeue !== undefined) job.requeue = change.requeue;
    if (change.nice !== undefined) {
      if (change.nice < job.nice && !mayAll(user)) throw new SlurmRefused('denied', about);
      job.nice = change.nice;
    }
    if (change.priority !== undefined) this.#priority(user, job, change.priority);
    job.verdicts = undefined;
  }

  #move(user: UserSpec, job: JobRecord, list: string): void {
    const specs = this.#known(job, list);
    const names = specs.map(({ name }) => name);
    const from = partitionText(job);
    if (names.join(',') === from) return;
    if (job.base !== 'PENDING') throw new SlurmRefused('not_pending', `${job.id}`);
    const [first] = specs;
    job.moves.push({ at: this.#state.now(), by: user.name, from, to: names.join(',') });
    set(job, {
      partitions: names,
      partition: undefined,
      plannedAt: undefined,
      verdicts: undefined,
    });
    job.run.partition = names.join(',');
    // What the owner left to his partition is now the new one's to say.
    if (!job.memorySet) job.memory = first?.defMemory ?? { per: 'cpu', mib: 1 };
    this.#state.books.tell(job, job.run);
    if (specs.every((spec) => !allows(job, spec, this.#state))) {
      job.reason = 'PartitionConfig';
      throw new SlurmRefused('part_config', `${job.id}`);
    }
  }

  #known(job: JobRecord, list: string): PartitionSpec[] {
    try {
      return partitionsOf(this.#state, list);
    } catch {
      throw new SlurmRefused('no_partition', `${job.id}`);
    }
  }

  #nodes(job: JobRecord, { minNodes = job.minNodes, maxNodes }: SlurmChange): void {
    const about = `${job.id}`;
    if (maxNodes !== undefined && maxNodes < minNodes) throw new SlurmRefused('node_count', about);
    if (runs(job)) {
      // A running job gives nodes back, and never gets any.
      if (minNodes > job.shares.length) throw new SlurmRefused('node_count', about);
      const shares = job.shares.slice(0, minNodes);
      free(this.#state.nodes, job);
      take(this.#state.nodes, job, shares);
      const nodes = shares.map(({ node }) => node);
      set(job.run, { nodes, nodeList: hostlist(nodes) });
      return;
    }
    if (job.base !== 'PENDING') throw new SlurmRefused('not_pending', about);
    const most = Math.max(
      0,
      ...job.partitions.map((name) => this.#state.partitions.get(name)?.nodes.length ?? 0),
    );
    if (maxNodes !== undefined) job.maxNodes = maxNodes;
    else if (job.maxNodes !== undefined && job.maxNodes < minNodes) job.maxNodes = minNodes;
    if (minNodes > most) {
      job.reason = 'PartitionConfig';
      throw new SlurmRefused('part_config', about);
    }
    job.minNodes = minNodes;
  }

  /** An admin's word in place of a calculated one; 0 is a hold, by whoever it is. */
  #priority(user: UserSpec, job: JobRecord, priority: number): void {
    if (priority === 0) {
      this.#hold(user, job);
      return;
    }
    if (!mayAll(user) && priority > priorityOf(job, this.#state))
      throw new SlurmRefused('denied', `${job.id}`);
    set(job, { fixedPriority: priority, held: undefined });
  }

  #hold(user: UserSpec, job: JobRecord): void {
    const held = user === job.user ? 'user' : 'admin';
    if (job.held === 'admin') return;
    set(job, { held, reason: heldReason(held), plannedAt: undefined });
    set(job, { eligibleAt: undefined, accrueAt: undefined, fixedPriority: undefined });
  }

  #release(job: JobRecord): void {
    if (job.held === undefined) return;
    job.held = undefined;
    if (waits(job)) job.reason = 'None';
  }

  #found(ref: JobRef): readonly Target[] {
    const targets = this.#state.targets(ref);
    if (targets.length > 0) return targets;
    // scontrol names a task before its error, and a job after it.
    throw ref.includes('_')
      ? new SlurmRefused('no_job', undefined, `${ref}: Invalid job id specified`)
      : new SlurmRefused('no_job', ref);
  }

  #own(user: UserSpec, job: JobRecord, code: 'not_yours' | 'denied'): void {
    if (user !== job.user && !mayAll(user)) throw new SlurmRefused(code, `${job.id}`);
  }
}

/** Each task of an array for itself; it is refused where it is for all of them. */
function each(targets: readonly Target[], work: (target: Target) => void): void {
  const refused: SlurmRefused[] = [];
  for (const target of targets)
    try {
      work(target);
    } catch (error) {
      if (!(error instanceof SlurmRefused)) throw error;
      refused.push(error);
    }
  if (refused.length === targets.length) throw refused[0];
}

const about = ({ job }: Target): string => `${job.id}`;

/** Operators may do to a job what its owner may, and more. */
const mayAll = ({ uid, adminLevel = 'None' }: UserSpec): boolean => uid === 0 || adminLevel !== 'None';

function allows(job: JobRecord, spec: PartitionSpec, state: SlurmState): boolean {
  const limit = job.timeMs ?? spec.defaultTimeMs ?? spec.maxTimeMs;
  const short = spec.maxTimeMs === 'unlimited' || (limit !== 'unlimited' && limit <= spec.maxTimeMs);
  return short && job.minNodes <= (state.partitions.get(spec.name)?.nodes.length ?? 0);
}
