/** slurmdbd: a row for each run, kept for ever, which hears of everything a little late and in order. */
import type { Instant, JobRef } from '../../domain/ids.ts';
import type { EndedRun, ExitCode, SeenState } from '../../domain/job.ts';
import { askedCpus } from './slurm-figures.ts';
import { ranges } from './slurm-nodes.ts';
import { type JobRecord, noExit, type RunRecord, refOf, set } from './slurm-record.ts';

export interface Row {
  /** As `sacct` names it: `15_2`, or `15_[3-5%2]` for tasks that wait. */
  name: string;
  readonly id: number;
  readonly arrayJobId: number | undefined;
  readonly submitAt: Instant;
  startAt: Instant | undefined;
  endAt: Instant | undefined;
  state: SeenState;
  /** Who cancelled it. */
  byUid: number | undefined;
  partition: string;
  exit: ExitCode;
  nodeList: string;
  comment: string;
  adminComment: string;
  readonly restarts: number;
  readonly user: string;
  readonly account: string;
  timeLimitMs: EndedRun['timeLimitMs'];
  cpus: number;
  nodes: number;
  priority: number;
  /** Undefined: it has none yet. */
  memoryMib: number | undefined;
}

interface News {
  due: number;
  readonly apply: () => void;
}

export class Books {
  readonly #limitOf: (job: JobRecord) => EndedRun['timeLimitMs'];
  readonly #now: () => number;
  readonly #lag: () => number;
  readonly #byId = new Map<number, Row[]>();
  readonly #byArray = new Map<number, Row[]>();
  readonly #rows = new Map<RunRecord, Row>();
  #news: News[] = [];

  constructor(now: () => number, lag: () => number, limitOf: (job: JobRecord) => EndedRun['timeLimitMs']) {
    this.#limitOf = limitOf;
    this.#now = now;
    this.#lag = lag;
  }

  /** A run that waits, or one more thing about it: the row as the run is now. */
  tell(job: JobRecord, run: RunRecord, end?: { readonly exit?: ExitCode; readonly byUid?: number }): void {
    const tasks = job.tasks;
    const name =
      tasks === undefined
        ? refOf(job)
        : `${job.id}_[${ranges(tasks)}${job.array?.throttle ? `%${job.array.throttle}` : ''}]`;
    const { endAt, state, partition, nodeList } = run;
    const nodes = run.nodes.length;
    // One that is cancelled while it waits, and could have started, has its end for a start.
    const husk = endAt !== undefined && job.eligibleAt !== undefined && job.eligibleAt <= endAt;
    const startAt = run.startAt ?? (husk ? endAt : undefined);
    const { comment, priority } = job;
    const memoryMib = job.shares.reduce((sum, share) => sum + share.memoryMib, 0);
    const [timeLimitMs, cpus] = [this.#limitOf(job), askedCpus(job)];
    this.#hear(() => {
      const row = this.#rows.get(run) ?? this.#open(job, run, name);
      set(row, { name, startAt, endAt, state, partition, nodeList, comment, timeLimitMs, cpus, nodes });
      // What it had it keeps when it has given it back.
      if (memoryMib > 0) set(row, { priority, memoryMib });
      if (end !== undefined) {
        row.exit = end.exit ?? noExit;
        row.byUid = end.byUid;
      }
    });
  }

  /** Every run that slurmdbd has heard of, oldest first. */
  rows(ref: JobRef): readonly Row[] {
    this.#catchUp();
    const [id = '', task] = ref.split('_');
    const known =
      task === undefined
        ? [...(this.#byId.get(Number(id)) ?? []), ...(this.#byArray.get(Number(id)) ?? [])]
        : (this.#byArray.get(Number(id)) ?? []).filter((row) => row.name === ref);
    return [...new Set(known)].sort((a, b) => a.submitAt - b.submitAt || (a.startAt ?? 0) - (b.startAt ?? 0));
  }

  /** Every run that ran and ended within this span, as far as slurmdbd has heard of it. */
  ended(from: number, to: number): readonly Row[] {
    this.#catchUp();
    return [...this.#rows.values()].filter(
      ({ nodeList, endAt }) => nodeList !== '' && endAt !== undefined && endAt >= from && endAt < to,
    );
  }

  /** `sacctmgr modify job`: of all that ever had this id, the one that was submitted last. False: no such row. */
  modify(ref: JobRef, change: { readonly adminComment?: string; readonly comment?: string }): boolean {
    const own = this.rows(ref).filter(({ id, name }) => name === ref || `${id}` === ref);
    const newest = own.at(-1);
    if (newest === undefined) return false;
    const { adminComment, comment } = change;
    // 22.05 writes in lower case, and takes double quotes for its own.
    const plain = (text: string) => text.toLowerCase().replaceAll('"', '`');
    if (adminComment !== undefined) newest.adminComment = plain(adminComment);
    if (comment !== undefined) newest.comment = plain(comment);
    return true;
  }

  /** What it should have heard by now, at its new pace. */
  hurry(): void {
    const latest = this.#now() + this.#lag();
    for (const news of this.#news) news.due = Math.min(news.due, latest);
  }

  #hear(apply: () => void): void {
    this.#news.push({ due: this.#now() + this.#lag(), apply });
  }

  /** One connection: nothing overtakes what is still on its way. */
  #catchUp(): void {
    const now = this.#now();
    const until = this.#news.findIndex(({ due }) => due > now);
    const heard = this.#news.splice(0, until < 0 ? this.#news.length : until);
    for (const { apply } of heard) apply();
  }

  #open(job: JobRecord, run: RunRecord, name: string): Row {
    const row: Row = {
      name,
      id: job.id,
      arrayJobId: job.array?.jobId,
      submitAt: run.submitAt,
      restarts: run.restarts,
      startAt: undefined,
      endAt: undefined,
      state: run.state,
      byUid: undefined,
      partition: run.partition,
      exit: noExit,
      nodeList: '',
      comment: '',
      adminComment: '',
      user: job.user.name,
      account: job.account,
      timeLimitMs: 'partition',
      cpus: 0,
      nodes: 0,
      priority: job.priority,
      memoryMib: undefined,
    };
    this.#rows.set(run, row);
    add(this.#byId, row.id, row);
    if (row.arrayJobId !== undefined) add(this.#byArray, row.arrayJobId, row);
    return row;
  }
}

function add<K>(rows: Map<K, Row[]>, key: K, row: Row): void {
  const known = rows.get(key);
  if (known === undefined) rows.set(key, [row]);
  else known.push(row);
}
