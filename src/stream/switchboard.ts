/** Knows every stand-in and every keeper connection of this process, and does what the steps ask of them. */
import type { Duplex } from 'node:stream';
import type { Exit } from '../domain/burst.ts';
import type { BurstId, ClusterName } from '../domain/ids.ts';
import type { PodRef } from '../domain/kube.ts';
import { type Introduction, StandinLeg } from './leg-a.ts';
import { wordsOf } from './link.ts';
import type { Message } from './messages.ts';
import type { Needs } from './needs.ts';
import { Run } from './run.ts';
import type { Staged, StageOrder } from './stage.ts';
import { Standin } from './standin.ts';
import {
  type KeeperView,
  type StandinKey,
  type StandinView,
  type StartSpec,
  type StreamEvent,
  type Streams,
  standinKey,
} from './streams.ts';
import { harmless, type Tap } from './tap.ts';

const rememberGoneMs = 5 * 60_000;
/** A job has one stand-in; more than a few sessions are a process that plays. */
const mostPerJob = 8;

export class Switchboard implements Streams {
  readonly #needs: Needs;
  /** By burst and rank. */
  readonly #runs = new Map<string, Run>();
  /** Of bursts of several nodes, those above rank 0. */
  readonly #others = new Map<BurstId, Set<number>>();
  readonly #standins = new Map<StandinKey, Standin>();
  readonly #legs = new Set<StandinLeg>();
  readonly #told = new Set<string>();
  readonly #tap: Tap | undefined;
  #sweep: { cancel(): void } | undefined;
  #closed = false;

  constructor(needs: Needs) {
    this.#needs = needs;
    this.#tap = needs.tap && harmless(needs.tap, needs.note?.bind(needs));
  }

  /** A relay's connection; the cluster is what its certificate says. */
  accept(socket: Duplex, cluster: ClusterName): void {
    if (this.#closed) {
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    let known: Standin | undefined;
    const leg = new StandinLeg(socket, this.#needs, {
      opened: (l, who) => {
        known = this.#opened(l, who, cluster);
      },
      message: (_, m) => known && this.#hear(known, m),
      data: (l, d) => {
        if (known?.leg === l) this.#pumpOf(known)?.fromStandin(d);
      },
      closed: (l, why) => {
        this.#legs.delete(l);
        if (known) this.#gone(known, l, why);
      },
    });
    this.#legs.add(leg);
  }

  attachKeeper(burst: BurstId, pod: PodRef, key: Uint8Array, rank = 0): void {
    this.#run(burst, rank)?.attach(pod, key);
  }

  keeper(burst: BurstId, rank = 0): KeeperView | undefined {
    const run = this.#runs.get(keyOf(burst, rank));
    return run?.attached === true ? run.view() : undefined;
  }

  standins(): readonly StandinView[] {
    return [...this.#standins.values()].map((s) => s.view());
  }

  standinOf(cluster: ClusterName, jobId: number): StandinView | undefined {
    let best: Standin | undefined;
    for (const s of this.#ofJob(cluster, jobId)) {
      const better =
        best === undefined ||
        (s.link !== undefined && best.link === undefined) ||
        ((s.link === undefined) === (best.link === undefined) && s.since >= best.since);
      if (better) best = s;
    }
    return best?.view();
  }

  wait(key: StandinKey, why: string): void {
    this.#standins.get(key)?.wait(why);
  }

  refuse(key: StandinKey, line: string, exit: number): void {
    this.#standins.get(key)?.refuse(line, exit);
  }

  couple(burst: BurstId, key: StandinKey): void {
    const standin = this.#standins.get(key);
    const run = this.#run(burst);
    if (standin === undefined || run === undefined || standin.coupled === burst) return;
    if (standin.coupled !== undefined) this.#runs.get(standin.coupled)?.pump.uncouple();
    for (const other of this.#standins.values()) if (other.coupled === burst) other.coupled = undefined;
    standin.coupled = burst;
    standin.quiet();
    run.pump.couple(standin);
    run.stages.here.up();
    run.tellEnd();
    this.#tellStandin(standin);
  }

  start(burst: BurstId, start: StartSpec): void {
    this.#run(burst, start.team.rank)?.start(start);
  }

  signal(burst: BurstId, id: string, signo: number, scope: 'script' | 'all', rank = 0): void {
    this.#run(burst, rank)?.pump.signal({ type: 'SIGNAL', id, signo, scope });
  }

  stage(burst: BurstId, at: 'here' | 'pod', order: StageOrder, rank = 0): void {
    this.#run(burst, rank)?.stages[at].want(order);
  }

  staged(burst: BurstId, at: 'here' | 'pod', rank = 0): Staged | undefined {
    return this.#runs.get(keyOf(burst, rank))?.stages[at].staged;
  }

  finish(burst: BurstId, exit: Exit): void {
    this.#run(burst)?.finish(exit);
  }

  discard(burst: BurstId): void {
    this.#run(burst)?.pump.discard();
  }

  bye(burst: BurstId): void {
    this.#run(burst)?.bye();
    for (const run of this.#above(burst)) run.bye();
  }

  release(burst: BurstId): void {
    for (const run of this.#above(burst)) {
      this.#runs.delete(keyOf(burst, run.rank));
      run.close();
    }
    this.#others.delete(burst);
    const run = this.#runs.get(burst);
    if (run === undefined) return;
    this.#runs.delete(burst);
    run.pump.uncouple();
    run.close();
    this.#tap?.ended(burst);
    for (const s of this.#standins.values()) if (s.coupled === burst) s.coupled = undefined;
  }

  drop(): void {
    this.#cut('another gateway leads');
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cut('the gateway ends');
  }

  #cut(why: string): void {
    this.#sweep?.cancel();
    this.#sweep = undefined;
    for (const run of this.#runs.values()) {
      run.close();
      this.#tap?.moved(run.burst);
    }
    for (const leg of this.#legs) leg.link.close(why);
    this.#runs.clear();
    this.#others.clear();
    this.#standins.clear();
    this.#legs.clear();
  }

  #run(burst: BurstId, rank = 0): Run | undefined {
    if (this.#closed) return undefined;
    const key = keyOf(burst, rank);
    const known = this.#runs.get(key);
    if (known !== undefined) return known;
    const changed = (): void => this.#tell(`keeper ${burst}`, { kind: 'keeper', burst });
    const run = new Run(burst, rank, this.#needs, changed, this.#tap);
    this.#runs.set(key, run);
    if (rank > 0) this.#others.set(burst, (this.#others.get(burst) ?? new Set()).add(rank));
    return run;
  }

  #above(burst: BurstId): readonly Run[] {
    return [...(this.#others.get(burst) ?? [])].flatMap((rank) => this.#runs.get(keyOf(burst, rank)) ?? []);
  }

  #pumpOf(standin: Standin): Run['pump'] | undefined {
    return standin.coupled === undefined ? undefined : this.#runs.get(standin.coupled)?.pump;
  }

  #ofJob(cluster: ClusterName, jobId: number): Standin[] {
    return [...this.#standins.values()].filter((s) => s.cluster === cluster && s.jobId === jobId);
  }

  #opened(leg: StandinLeg, who: Introduction, cluster: ClusterName): Standin | undefined {
    const key = standinKey(cluster, who.peer.jobId, who.open.session);
    const known = this.#standins.get(key);
    if (known !== undefined) {
      if (!known.sameProcess(who)) {
        leg.link.fail('session', 'this session belongs to another process');
        return undefined;
      }
      known.reconnect(leg, who);
      known.repeat();
      this.#pumpOf(known)?.standinUp();
      if (known.coupled !== undefined) this.#runs.get(known.coupled)?.stages.here.up();
      this.#tellStandin(known);
      return known;
    }
    const others = this.#ofJob(cluster, who.peer.jobId);
    if (others.length >= mostPerJob) {
      const gone = others.find((s) => s.link === undefined && s.coupled === undefined);
      if (gone === undefined) {
        leg.link.fail('busy', 'too many stand-ins of one job');
        return undefined;
      }
      this.#standins.delete(gone.key);
    }
    const standin = new Standin(key, cluster, leg, who, this.#needs.clock);
    this.#standins.set(key, standin);
    this.#tellStandin(standin);
    return standin;
  }

  #hear(standin: Standin, m: Message): void {
    if (m.type === 'BYE') {
      if (standin.ends()) this.#tellStandin(standin);
    } else if (m.type === 'SIGNAL') {
      if (standin.signalled(m)) this.#tellStandin(standin);
      this.#pumpOf(standin)?.fromStandin(m);
    } else if (m.type === 'BLOBS' || m.type === 'CARRIED' || m.type === 'STAGED') {
      if (standin.coupled !== undefined) this.#runs.get(standin.coupled)?.stages.here.hear(m);
    } else if (m.type === 'CALLED') {
      if (standin.coupled !== undefined) this.#runs.get(standin.coupled)?.called(m);
    } else if (m.type === 'ACK' || m.type === 'CLOSE') {
      this.#pumpOf(standin)?.fromStandin(m);
    } else {
      standin.link?.fail('protocol', `${m.type} from a stand-in`);
    }
  }

  #gone(standin: Standin, leg: StandinLeg, why: string): void {
    if (standin.leg !== leg) return;
    standin.gone();
    this.#needs.note?.('a stand-in is gone', { key: standin.key, why });
    this.#tellStandin(standin);
    this.#sweep ??= this.#needs.scheduler.after(rememberGoneMs, () => this.#forget());
  }

  #forget(): void {
    this.#sweep = undefined;
    const before = this.#needs.clock.now() - rememberGoneMs;
    let left = false;
    for (const s of this.#standins.values()) {
      if (s.goneSince === undefined) continue;
      // A coupled one stays until its burst is released: a step may still ask for it.
      if (s.goneSince <= before && s.coupled === undefined) this.#standins.delete(s.key);
      else left = true;
    }
    if (left) this.#sweep = this.#needs.scheduler.after(rememberGoneMs, () => this.#forget());
  }

  #tellStandin(standin: Standin): void {
    this.#tell(standin.key, () => ({ kind: 'standin', view: standin.view() }));
  }

  /** After the present turn, so that a callback never runs amid a change; changes of one turn are told once. */
  #tell(what: string, event: StreamEvent | (() => StreamEvent)): void {
    if (this.#told.has(what)) return;
    this.#told.add(what);
    queueMicrotask(() => {
      this.#told.delete(what);
      if (this.#closed) return;
      try {
        this.#needs.on(typeof event === 'function' ? event() : event);
      } catch (e) {
        this.#needs.note?.('a listener threw', { what, error: wordsOf(e) });
      }
    });
  }
}

const keyOf = (burst: BurstId, rank: number): string => (rank === 0 ? burst : `${burst}/${rank}`);
