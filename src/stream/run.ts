/** The streams of one pod of a burst: its keeper's connection, its pump, what the steps asked for and how far it came. */
import type { Exit, Grant } from '../domain/burst.ts';
import { type AttemptKey, type BurstId, type Instant, instant, uuid } from '../domain/ids.ts';
import type { PodRef } from '../domain/kube.ts';
import { KeeperLeg } from './leg-b.ts';
import { type Link, pressure } from './link.ts';
import type { Message, Told } from './messages.ts';
import type { Needs } from './needs.ts';
import { Pump } from './pump.ts';
import { Stager } from './stage.ts';
import type { KeeperView, Limits, StartSpec } from './streams.ts';
import type { Tap } from './tap.ts';

export class Run {
  readonly burst: BurstId;
  readonly rank: number;
  readonly pump: Pump;
  readonly stages: { readonly here: Stager; readonly pod: Stager };
  readonly #needs: Needs;
  readonly #changed: () => void;
  readonly #born: Instant;
  #leg: KeeperLeg | undefined;
  #ready: Told<'READY'> | undefined;
  #start: StartSpec | undefined;
  /** START went out on this connection. */
  #askedOn: Link | undefined;
  #started: KeeperView['started'];
  /** The keeper was started by another grant than the one asked for. */
  #conflict: string | undefined;
  #exit: KeeperView['exit'];
  #finish: Exit | undefined;
  #bye = false;
  #byeSent = false;
  #drained = false;

  /** `tap` must not throw. */
  constructor(burst: BurstId, rank: number, needs: Needs, changed: () => void, tap: Tap | undefined) {
    this.burst = burst;
    this.rank = rank;
    this.#needs = needs;
    this.#changed = changed;
    this.#born = needs.clock.now();
    const passed = tap?.passed.bind(tap, burst);
    this.pump = new Pump(needs.epoch, () => this.#weigh(), passed);
    const here = (m: Message): void => this.pump.standin?.link?.send(m);
    // Before main is there nobody could do it.
    const pod = (m: Message): void => {
      if (this.#ready?.main !== 'absent') this.#leg?.send(m);
    };
    this.stages = {
      here: new Stager(needs, here, changed, () => this.pump.standin?.link?.queued ?? 0),
      pod: new Stager(needs, pod, changed, () => this.#leg?.link?.queued ?? 0),
    };
  }

  attach(pod: PodRef, key: Uint8Array): void {
    this.#leg ??= new KeeperLeg(pod, key, this.#needs, {
      up: (ready) => this.#up(ready),
      message: (m) => this.#hear(m),
      data: (d) => this.pump.fromKeeper(d),
      down: () => this.pump.keeperDown(),
      changed: this.#changed,
    });
  }

  get attached(): boolean {
    return this.#leg !== undefined;
  }

  view(): KeeperView {
    const leg = this.#leg;
    const ready = this.#ready;
    return {
      burst: this.burst,
      rank: this.rank,
      link: leg?.state ?? 'connecting',
      linkSince: leg?.since ?? this.#born,
      everUp: leg?.everUp ?? false,
      fault: this.#conflict ?? leg?.fault,
      main: ready?.main ?? 'unknown',
      mainFault: ready?.fault,
      inputComplete: ready?.closed[3] === true && ready.closed[4],
      started: this.#started,
      exit: this.#exit,
      acked: this.pump.acked,
      drained: this.#drained,
      dropped: this.pump.dropped,
      byeSent: this.#byeSent,
      carriedAt: this.stages.pod.carriedAt,
      stages: ready?.stages === true,
      ranks: ready?.ranks === true,
    };
  }

  start(spec: StartSpec): void {
    if (this.#start !== undefined && !sameGrant(this.#start.grant, spec.grant)) this.#askedOn = undefined;
    this.#start = spec;
    this.#tryStart();
  }

  finish(exit: Exit): void {
    this.#finish = exit;
    this.tellEnd();
  }

  /** EXIT to the stand-in, if the end was committed and the stand-in is there. */
  tellEnd(): void {
    const { standin, discarding, written } = this.pump;
    if (this.#finish === undefined || standin === undefined) return;
    // It ends when it has written up to `ends`; what will not come to it any more must not be waited for.
    const whole = this.#drained && !discarding ? this.#exit?.ends : undefined;
    standin.end(this.#finish, whole ?? written);
  }

  bye(): void {
    if (this.#bye) return;
    this.#bye = true;
    this.#tellBye();
  }

  close(): void {
    this.#leg?.close();
  }

  #up(ready: Told<'READY'>): void {
    this.#ready = ready;
    if (this.#leg?.link) this.pump.keeperUp(this.#leg.link, ready);
    this.#weigh();
    this.#tryStart();
    this.stages.pod.up();
    this.#tellBye();
    this.#changed();
  }

  #hear(m: Message): void {
    switch (m.type) {
      case 'ACK':
      case 'SIGNALLED':
        this.pump.fromKeeper(m);
        return;
      case 'BLOBS':
      case 'CARRIED':
      case 'STAGED':
        this.stages.pod.hear(m);
        return;
      case 'CALL':
        pass(m, this.pump.standin?.link);
        return;
      case 'READY':
        if (this.#ready?.main === 'absent' && m.main !== 'absent') {
          this.#ready = m;
          this.stages.pod.up();
        }
        this.#ready = m;
        this.pump.keeperReady(m);
        this.#tryStart();
        break;
      case 'STARTED':
        this.#started = { grant: grantOf(m.grant), at: instant(m.at), pid: m.pid };
        break;
      case 'EXIT': {
        const { type: _, rusage, ends, ...exit } = m;
        this.#exit = { exit, usage: rusage, ends };
        this.#weigh();
        if (this.rank > 0) this.#tellBye();
        break;
      }
      default:
        this.#leg?.link?.fail('protocol', `${m.type} from a keeper`);
        return;
    }
    this.#changed();
  }

  /** What the stand-in answers to main. */
  called(m: Told<'CALLED'>): void {
    pass(m, this.#leg?.link);
  }

  /** Whether all output is accounted for; said once. */
  #weigh(): void {
    const ends = this.#exit?.ends;
    const { acked } = this.pump;
    const drained = ends !== undefined && acked[1] >= ends[1] && acked[2] >= ends[2];
    if (drained === this.#drained) return;
    this.#drained = drained;
    this.#changed();
  }

  #tryStart(): void {
    const leg = this.#leg;
    const ready = this.#ready;
    const spec = this.#start;
    if (spec === undefined || this.#started !== undefined || leg?.link === undefined || ready === undefined)
      return;
    if (ready.started !== undefined && !sameGrant(grantOf(ready.started), spec.grant)) {
      this.#conflict = `already_granted: ${ready.started.attempt} on pod ${ready.started.podUid}`;
      this.#changed();
      return;
    }
    // Script and environment go to rank 0 alone.
    if (ready.main !== 'ready' || (this.rank === 0 && !(ready.closed[3] && ready.closed[4]))) return;
    if (this.#askedOn === leg.link) return;
    this.#askedOn = leg.link;
    const { endsAt, limits, ...rest } = spec;
    leg.send({
      type: 'START',
      ...rest,
      limits: numeric(limits),
      nowMs: this.#needs.clock.now(),
      ...(endsAt === undefined ? {} : { endsAtMs: endsAt }),
    });
  }

  #tellBye(): void {
    // A keeper that was started takes no BYE before its EXIT, and of a rank above 0 nobody has waited for that.
    if (this.rank > 0 && this.#startedThere() && this.#exit === undefined) return;
    if (!this.#bye || !this.#leg?.send({ type: 'BYE' }) || this.#byeSent) return;
    this.#byeSent = true;
    this.#changed();
  }

  #startedThere(): boolean {
    return this.#started !== undefined || this.#ready?.started !== undefined;
  }
}

/** Nothing is kept: with nobody there, or one who reads nothing, it is dropped, and main asks again. */
function pass(m: Told<'CALL'> | Told<'CALLED'>, to: Link | undefined): void {
  if (to !== undefined && to.queued <= pressure) to.send(m);
}

function grantOf(g: Told<'STARTED'>['grant']): Grant {
  return {
    burst: g.burst as BurstId,
    attempt: g.attempt as AttemptKey,
    podUid: g.podUid,
    epoch: g.epoch,
    generation: uuid(g.generation),
  };
}

function sameGrant(a: Grant, b: Grant): boolean {
  return (
    a.burst === b.burst &&
    a.attempt === b.attempt &&
    a.podUid === b.podUid &&
    a.epoch === b.epoch &&
    a.generation === b.generation
  );
}

/** The keeper takes numbers only; -1 = no limit. */
function numeric(limits: Limits): Limits {
  const one = (v: number | string): number => {
    const n = typeof v === 'number' ? v : Number(v);
    return Number.isFinite(n) ? n : -1;
  };
  return Object.fromEntries(
    Object.entries(limits).map(([name, [soft, hard]]) => [name, [one(soft), one(hard)]]),
  );
}
