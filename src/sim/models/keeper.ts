/**
 * What runs in one pod of a burst: the keeper, with main under it. It speaks the protocol as `agent/keeper*.go` does, and lives on
 * given time alone.
 */
import type { Duplex } from 'node:stream';
import type { Message, Told } from '../../stream/messages.ts';
import type { FarLink, OutputChannel } from './far-link.ts';
import { FarStage } from './far-stage.ts';
import { Door } from './keeper-door.ts';
import { Inboxes } from './keeper-inbox.ts';
import { TimeLimit } from './keeper-limit.ts';
import { type ContainerEnd, MainModel } from './keeper-main.ts';
import { exitOf, orderOf, sameGrant } from './keeper-order.ts';
import { type Report, type Scope, SIGKILL } from './keeper-script.ts';
import type { Container, KeeperSetup } from './keeper-setup.ts';
import { Spool } from './keeper-spool.ts';
import { behaviourIn, type Grant } from './keeper-work.ts';

const spoolSize = 64 * 1024 * 1024;
/** Ids remembered, so that a repeated signal is applied once. */
const mostIds = 4_096;
const pidInPod = 12;
const mainIsGone = 'main_gone: the container that the data lie in has ended';

/** Without an id it is the keeper's own, of which the gateway knows nothing. */
interface Signal {
  readonly signo: number;
  readonly scope: Scope;
  readonly id?: string;
}

export class KeeperModel {
  readonly setup: KeeperSetup;
  readonly #main: MainModel;
  readonly #in = new Inboxes();
  readonly #out: Readonly<Record<OutputChannel, Spool>>;
  readonly #door: Door;
  readonly #applied = new Set<string>();
  /** Signals from before the start. */
  readonly #waiting: Signal[] = [];
  #gateway: FarLink | undefined;
  #mainState: 'absent' | 'ready' | 'refused' = 'absent';
  #fault: string | undefined;
  #start: Told<'START'> | undefined;
  #started: Told<'STARTED'> | undefined;
  #handed = false;
  #mainGone = false;
  #report: Report | undefined;
  /** Why the keeper itself ended the script. */
  #reason: string | undefined;
  #byeOn: FarLink | undefined;
  #exit: Told<'EXIT'> | undefined;
  #limit: TimeLimit | undefined;
  readonly #stage: FarStage | undefined;
  #terminating = false;
  #ended = false;
  #errFirst = false;

  constructor(setup: KeeperSetup) {
    this.setup = setup;
    const changed = (): void => this.#outputChanged();
    const size = setup.spoolBytes ?? spoolSize;
    this.#out = { 1: new Spool(1, size, changed), 2: new Spool(2, size, changed) };
    const needs = {
      clock: setup.clock,
      scheduler: setup.scheduler,
      user: setup.user,
      work: setup.work ?? behaviourIn,
      startMs: setup.startMs ?? 5,
    };
    this.#main = new MainModel(needs, this.#out, {
      started: () => this.#mainStarted(),
      applied: (id) => this.#answer({ type: 'SIGNALLED', id }),
      reports: (report) => {
        this.#report = report;
        this.#make();
        // Main may stay.
        setup.scheduler.after(0, () => this.#concludeIfDrained());
      },
      ended: (end) => this.#mainEnded(end),
    });
    this.#stage =
      setup.data &&
      new FarStage({
        ...setup.data,
        scheduler: setup.scheduler,
        send: (m) => this.#answer(m),
        ended: () => this.#main.release(),
      });
    this.#door = new Door(setup, {
      enters: (link) => this.#enters(link),
      message: (link, m) => this.#hear(link, m),
      data: (link, d) => this.#in.take(link, d),
      next: (link) => this.#next(link),
      leaves: (link) => this.#leaves(link),
    });
    setup.scheduler.after(setup.main?.afterMs ?? 0, () => this.#mainIsThere());
  }

  /** The one grant that it keeps. */
  get grant(): Grant | undefined {
    return this.#start?.grant;
  }

  get exit(): Told<'EXIT'> | undefined {
    return this.#exit;
  }

  /** Nobody can reach it any more. */
  get over(): boolean {
    return this.#ended;
  }

  get connected(): boolean {
    return this.#gateway !== undefined;
  }

  /** A writer is held back by a full spool. */
  get held(): boolean {
    return this.#out[1].held || this.#out[2].held;
  }

  get written(): { readonly 1: number; readonly 2: number } {
    return { 1: this.#out[1].end, 2: this.#out[2].end };
  }

  get acked(): { readonly 1: number; readonly 2: number } {
    return { 1: this.#out[1].acked, 2: this.#out[2].acked };
  }

  /** One connection to its port. */
  serve(socket: Duplex): void {
    this.#door.come(socket);
  }

  /** From outside, as the kernel does it: no word is said. `main`: out of memory; `pod`: both, as at the end of a grace period. */
  kill(what: Container | 'pod'): void {
    const killed = { exitCode: 128 + SIGKILL, signal: SIGKILL };
    if (what !== 'main') this.#end(killed);
    if (what !== 'keeper') this.#main.kill();
    // One that has not come up yet goes on looking for its keeper.
    else if (this.#mainState !== 'absent') this.#main.alone();
  }

  /** The kubelet's TERM to both containers, when the pod is deleted. What there is to tell is still told. */
  terminate(): void {
    this.#terminating = true;
    this.#main.terminate();
    this.#endIfUseless();
  }

  #mainIsThere(): void {
    if (this.#main.ended || this.#ended) return;
    const fault = this.setup.main?.fault;
    if (fault !== undefined) {
      this.#fault = fault;
      this.#mainState = 'refused';
      this.#main.refuse();
      return;
    }
    this.#mainState = 'ready';
    this.#handStart();
    this.#tellReady();
  }

  /** It takes the place of the connection before, and may be another gateway's than the one that was told. */
  #enters(link: FarLink): void {
    const before = this.#gateway;
    this.#gateway = link;
    before?.close('replaced by a new connection');
    this.#tellReady();
    if (this.#started !== undefined) link.send(this.#started);
    if (this.#exit !== undefined) link.send(this.#exit);
  }

  #leaves(link: FarLink): void {
    if (this.#gateway === link) this.#gateway = undefined;
    if (this.#byeOn === link) this.#end({ exitCode: 0, signal: 0 });
    this.#endIfUseless();
  }

  #tellReady(): void {
    this.#answer({
      type: 'READY',
      main: this.#mainState,
      ...(this.#fault === undefined ? {} : { fault: this.#fault }),
      ...(this.#start === undefined ? {} : { started: this.#start.grant }),
      exited: this.#exit !== undefined,
      have: this.#in.have,
      closed: this.#in.closed,
      acked: this.acked,
      ...(this.#stage === undefined ? {} : { stages: true, ranks: true }),
    });
  }

  /** What its script leaves in the pod. */
  #make(): void {
    const { files } = this.setup.data ?? {};
    const rank = this.#start?.team?.rank ?? 0;
    const does =
      rank === 0
        ? behaviourIn({ script: this.#in.bytes(3) })
        : this.setup.steps?.get(this.#start?.grant.attempt ?? '');
    const makes = rank === 0 ? does?.makes : does?.makesOn?.[rank];
    const by = rank === 0 ? 'made' : `made on rank ${rank}`;
    for (const [to, from] of Object.entries(makes ?? {}))
      files?.write(to, `${by} of ${files.read(from) ?? `no ${from}`}`);
  }

  /** To the gateway of now; one that is away asks again when it is back. */
  #answer(m: Message): void {
    this.#gateway?.send(m);
  }

  #hear(link: FarLink, m: Message): void {
    switch (m.type) {
      case 'CLOSE':
        if (this.#in.end(link, m)) this.#tellReady();
        return;
      case 'START':
        this.#takeStart(link, m);
        return;
      case 'RESUME':
        for (const c of [1, 2] as const)
          if (!this.#out[c].resumeAt(link, m.have[c])) {
            link.fail('gap', `channel ${c} cannot go on at ${m.have[c]}`);
            return;
          }
        link.poke();
        return;
      case 'ACK':
        if (m.channel === 3 || m.channel === 4) link.fail('malformed', `ACK of channel ${m.channel}`);
        else if (!this.#out[m.channel].acknowledge(m.offset))
          link.fail('malformed', `ACK of channel ${m.channel} at ${m.offset}: beyond what was written`);
        else link.poke();
        return;
      case 'SIGNAL':
        this.#takeSignal(link, m);
        return;
      case 'STAGE':
        if (this.#main.ended || this.#stage === undefined)
          link.send({ type: 'STAGED', id: m.id, fault: mainIsGone, files: 0, bytes: 0, told: [] });
        else this.#stage.take(m);
        return;
      case 'SIGNED':
        this.#stage?.signed(m);
        return;
      case 'BYE':
        this.#takeBye(link);
        return;
      case 'ERROR':
        link.close(`${m.code}: ${m.text}`);
        return;
      default:
        link.fail('malformed', `a keeper takes no ${m.type}`);
    }
  }

  #takeStart(link: FarLink, start: Told<'START'>): void {
    const kept = this.#start?.grant;
    // Replaced while this was on its way.
    if (this.#gateway !== link) return;
    if (kept !== undefined && !sameGrant(kept, start.grant))
      link.fail('already_granted', `attempt ${kept.attempt} of burst ${kept.burst} has the grant`);
    else if (kept !== undefined) {
      if (this.#started !== undefined) link.send(this.#started);
    } else if (this.#mainState === 'refused') link.fail('main_refused', this.#fault ?? '');
    else if (!isOther(start) && !(this.#in.closed[3] && this.#in.closed[4]))
      link.fail('not_closed', 'script and environment are not here yet');
    else if (start.user.uid !== this.setup.user.uid)
      link.fail('wrong_user', `this pod is uid ${this.setup.user.uid}'s, not ${start.user.uid}'s`);
    else {
      this.#start = start;
      this.#limit = new TimeLimit(start, this.setup.scheduler, {
        gatewayIsThere: () => this.#gateway !== undefined,
        over: () => {
          this.#reason = 'time_limit';
        },
        signal: (signo) => this.#signalMain({ signo, scope: 'all' }),
      });
      this.#handStart();
      this.#tellReady();
    }
  }

  #handStart(): void {
    const start = this.#start;
    if (start === undefined || this.#handed || this.#mainState !== 'ready') return;
    this.#handed = true;
    const { uid, gid } = start.user;
    const meant = { uid, gid, groups: start.groups };
    if (isOther(start)) this.#main.serve(meant, start.stays === true);
    else this.#main.start(orderOf(start, this.#in.bytes(3), this.#in.bytes(4)), meant);
  }

  #mainStarted(): void {
    const grant = this.#start?.grant;
    if (grant === undefined) return;
    const at = this.setup.clock.now();
    const rank = this.#start?.team?.rank ?? 0;
    if (rank === 0) this.setup.steps?.set(grant.attempt, behaviourIn({ script: this.#in.bytes(3) }));
    this.setup.ran?.({ grant, podUid: this.setup.podUid, at, rank });
    if (this.#ended) return;
    this.#started = { type: 'STARTED', grant, at, pid: pidInPod };
    this.#answer(this.#started);
    for (const s of this.#waiting.splice(0)) this.#main.signal(s.signo, s.scope, s.id);
    this.#tellReady();
  }

  #takeSignal(link: FarLink, s: Told<'SIGNAL'>): void {
    const fresh = !this.#applied.has(s.id);
    const running = this.#started !== undefined && !this.#main.ended;
    if (fresh) {
      this.#applied.add(s.id);
      const [oldest] = this.#applied;
      if (this.#applied.size > mostIds && oldest !== undefined) this.#applied.delete(oldest);
      this.#signalMain(s);
    }
    // A running main answers by itself once it has applied it; else it waits for the start, or has nothing to hit.
    if (!fresh || !running) link.send({ type: 'SIGNALLED', id: s.id });
  }

  #signalMain(s: Signal): void {
    if (this.#main.ended) return;
    if (this.#started === undefined) this.#waiting.push(s);
    else this.#main.signal(s.signo, s.scope, s.id);
  }

  /** The end is committed. Output that nobody acknowledged is nobody's any more. */
  #takeBye(link: FarLink): void {
    if (this.#start !== undefined && this.#exit === undefined) {
      link.fail('not_ended', 'BYE before EXIT');
      return;
    }
    this.#byeOn = link;
    link.finish('bye');
  }

  #mainEnded(end: ContainerEnd): void {
    this.#stage?.stop(mainIsGone);
    this.#limit?.cancel();
    this.#mainGone = true;
    if (this.#start === undefined && this.#mainState !== 'refused') {
      this.#mainState = 'refused';
      this.#fault = 'main ended before the start';
    }
    this.setup.onEnd?.('main', end);
    this.#concludeIfDrained();
    if (this.#exit === undefined) this.#tellReady();
  }

  /** The end is settled once main is gone and all that it wrote is here: nothing can come any more. */
  #concludeIfDrained(): void {
    const [out, err] = [this.#out[1], this.#out[2]];
    const over = this.#mainGone || (this.#report !== undefined && this.#start?.stays === true);
    if (!over || !out.closed || !err.closed || this.#exit !== undefined) return;
    if (this.#start === undefined || this.#ended) return;
    this.#exit = exitOf(this.#report, this.#reason, this.written);
    this.#tellReady();
    this.#answer(this.#exit);
  }

  #outputChanged(): void {
    this.#gateway?.poke();
    this.#concludeIfDrained();
  }

  /** From both outputs in turn; they know which connection resumed last. */
  #next(link: FarLink): Buffer | undefined {
    this.#errFirst = !this.#errFirst;
    const [first, second]: OutputChannel[] = this.#errFirst ? [2, 1] : [1, 2];
    for (const c of [first, second]) {
      const frame = c === undefined ? undefined : this.#out[c].next(link);
      if (frame !== undefined) return frame;
    }
    return undefined;
  }

  /** Told to go, nothing granted, and nobody there who might. */
  #endIfUseless(): void {
    if (this.#terminating && this.#start === undefined && this.#gateway === undefined)
      this.#end({ exitCode: 0, signal: 0 });
  }

  #end(end: ContainerEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#limit?.cancel();
    this.#door.shut();
    this.#main.release();
    this.setup.onEnd?.('keeper', end);
  }
}

/** A node of the job that gets neither script nor environment (section 10). */
const isOther = ({ team }: Told<'START'>): boolean => team !== undefined && team.rank > 0;
