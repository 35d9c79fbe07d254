/** Process 1 of the user's container, and the script under it. */
import type { Clock, Scheduler } from '../../ports.ts';
import {
  ActedScript,
  type Report,
  RunScript,
  type Scope,
  type Script,
  SIGKILL,
  SIGTERM,
  type Spools,
  WaitingScript,
} from './keeper-script.ts';
import type { Order, Work } from './keeper-work.ts';

export interface ContainerEnd {
  /** 128 + n where signal n ended what ran. */
  readonly exitCode: number;
  /** Of process 1 itself, 0 if it exited. CRI has no field for it: a kubelet shows the exit code alone. */
  readonly signal: number;
}

export interface MainNeeds {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly work: Work;
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  /** From the order to the script's first instruction. */
  readonly startMs: number;
}

export interface MainEvents {
  started(): void;
  applied(id: string): void;
  /** At most once: how the script ended. */
  reports(report: Report): void;
  /** Exactly once, and nothing after it; without a report something killed it. */
  ended(end: ContainerEnd): void;
}

/** Who START says the job is. */
export interface Meant {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

export class MainModel {
  readonly #needs: MainNeeds;
  readonly #spools: Spools;
  readonly #events: MainEvents;
  #starting: { cancel(): void } | undefined;
  #script: Script | undefined;
  /** A signal that came before the script. */
  #stopping: number | undefined;
  /** Its script has ended, and it waits for what is asked of it still. */
  #staying: ContainerEnd | undefined;
  #ended = false;
  #stays = false;

  constructor(needs: MainNeeds, spools: Spools, events: MainEvents) {
    this.#needs = needs;
    this.#spools = spools;
    this.#events = events;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Nothing more is asked. */
  release(): void {
    if (this.#staying !== undefined) this.#gone(this.#staying);
  }

  start(order: Order, meant: Meant): void {
    this.#stays = order.stays;
    this.#startSoon(order.join, meant, () => this.#scriptFor(order));
  }

  /** A node of the job above rank 0: it runs what the job's other pods ask for, and nothing of its own. */
  serve(meant: Meant, stays: boolean): void {
    this.#stays = stays;
    this.#startSoon(false, meant, () => new WaitingScript((report) => this.#reports(report)));
  }

  #startSoon(join: boolean, meant: Meant, script: () => Script | undefined): void {
    this.#starting = this.#needs.scheduler.after(this.#needs.startMs, () => {
      if (join) this.#spools[2].finish();
      const wrong = notMeant(meant, this.#needs.user);
      if (wrong === undefined) this.#begin(script());
      else this.#notRun(wrong);
    });
  }

  signal(signo: number, scope: Scope, id?: string): void {
    if (this.#ended || this.#script === undefined) return;
    if (id !== undefined) this.#events.applied(id);
    if (scope !== 'steps') this.#script.signal(signo, scope); // nothing that srun started runs here
  }

  /** The kubelet's own signal, at the pod's deletion. */
  terminate(): void {
    if (this.#script !== undefined) this.signal(SIGTERM, 'all');
    else if (this.#starting === undefined) this.#end({ exitCode: 128 + SIGTERM, signal: 0 }, undefined);
    else this.#stopping = SIGTERM;
  }

  /** Killed, and with it, as process 1, everything in its container. */
  kill(): void {
    this.#end({ exitCode: 128 + SIGKILL, signal: SIGKILL }, undefined);
  }

  /** A fault of its own, before any order. */
  refuse(): void {
    this.#end({ exitCode: 1, signal: 0 }, undefined);
  }

  /** The keeper is gone: a script that runs goes on, until it writes; one that waits to write is told at once. */
  alone(): void {
    if (this.#staying !== undefined) {
      this.release();
      return;
    }
    if (this.#script === undefined) {
      this.refuse();
      return;
    }
    this.#script.alone();
    for (const spool of [this.#spools[1], this.#spools[2]]) spool.interrupt();
  }

  #begin(script: Script | undefined): void {
    if (script === undefined) return;
    this.#script = script;
    this.#events.started();
    script.run();
    if (this.#stopping !== undefined) script.signal(this.#stopping, 'all');
  }

  #scriptFor(order: Order): Script | undefined {
    const ended = (report: Report): void => this.#reports(report);
    try {
      const work = this.#needs.work(order);
      if (typeof work === 'function') return new RunScript(work, order, this.#spools, ended);
      return new ActedScript(work, order.join, this.#spools, this.#needs, ended);
    } catch (e) {
      this.#notRun(e instanceof Error ? e.message : String(e));
      return undefined;
    }
  }

  /** As slurmstepd would say it, into the job's own stderr. */
  #notRun(why: string): void {
    const text = Buffer.from(`slurmstepd: error: ${why}\n`);
    const to = this.#spools[2].closed ? 1 : 2;
    this.#spools[to].write(text, () => undefined);
    this.#reports({ exit: { code: 1 }, reason: `the script was not started: ${why}` });
  }

  #reports(report: Report): void {
    const { code, signal } = report.exit;
    this.#end({ exitCode: signal === undefined ? code : 128 + signal, signal: 0 }, report);
  }

  #end(end: ContainerEnd, report: Report | undefined): void {
    if (this.#ended) return;
    if (this.#staying !== undefined) {
      if (report === undefined) this.#gone(end);
      return;
    }
    if (this.#stays && report !== undefined) this.#staying = end;
    else this.#ended = true;
    this.#starting?.cancel();
    this.#script?.stop();
    if (report !== undefined) this.#events.reports(report);
    for (const spool of [this.#spools[1], this.#spools[2]]) {
      if (report === undefined) spool.interrupt();
      spool.finish();
    }
    if (this.#staying === undefined) this.#events.ended(end);
  }

  #gone(end: ContainerEnd): void {
    this.#staying = undefined;
    this.#ended = true;
    this.#events.ended(end);
  }
}

function notMeant(meant: Meant, user: Meant): string | undefined {
  const set = (of: Meant): string => [...new Set([...of.groups, of.gid])].sort((a, b) => a - b).join(' ');
  if (meant.uid === user.uid && meant.gid === user.gid && set(meant) === set(user)) return undefined;
  return `the job is uid ${meant.uid}'s with the groups ${set(meant)}, the pod uid ${user.uid}'s with ${set(user)}`;
}
