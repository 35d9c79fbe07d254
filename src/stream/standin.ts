/** One stand-in process over all its connections. */
import type { Exit } from '../domain/burst.ts';
import type { BurstId, ClusterName, Instant } from '../domain/ids.ts';
import type { Clock } from '../ports.ts';
import type { Introduction, StandinLeg } from './leg-a.ts';
import type { Link } from './link.ts';
import type { Told } from './messages.ts';
import type { Receiver } from './pump.ts';
import type { Open, Peer, StandinKey, StandinView } from './streams.ts';

const SIGTERM = 15;
/** More unanswered signals than this are the stand-in's to send again when it reconnects. */
const mostSignals = 256;

/** What it was told last, until it is coupled or ends; told again on each new connection. */
type Word = Told<'WAIT'> | Told<'REFUSE'> | Told<'EXIT'>;

export class Standin implements Receiver {
  readonly key: StandinKey;
  readonly cluster: ClusterName;
  readonly since: Instant;
  readonly signals = new Map<string, Told<'SIGNAL'>>();
  readonly #clock: Clock;
  #peer: Peer;
  #open: Open;
  #leg: StandinLeg | undefined;
  #linkSince: Instant;
  #bye = false;
  #termAt: Instant | undefined;
  #word: Word | undefined;
  have: { readonly 1: number; readonly 2: number };
  coupled: BurstId | undefined;

  constructor(key: StandinKey, cluster: ClusterName, leg: StandinLeg, who: Introduction, clock: Clock) {
    this.key = key;
    this.cluster = cluster;
    this.#clock = clock;
    this.#peer = who.peer;
    this.#open = who.open;
    this.#leg = leg;
    this.have = who.have;
    this.since = clock.now();
    this.#linkSince = this.since;
  }

  get link(): Link | undefined {
    return this.#leg?.link;
  }

  get leg(): StandinLeg | undefined {
    return this.#leg;
  }

  get goneSince(): Instant | undefined {
    return this.#leg === undefined ? this.#linkSince : undefined;
  }

  get jobId(): number {
    return this.#peer.jobId;
  }

  view(): StandinView {
    return {
      key: this.key,
      cluster: this.cluster,
      peer: this.#peer,
      open: this.#open,
      since: this.since,
      link: this.#leg === undefined ? 'gone' : 'up',
      linkSince: this.#linkSince,
      coupled: this.coupled,
      bye: this.#bye,
      termAt: this.#termAt,
    };
  }

  /** The session is only known to the process itself, but what the relay says of it must agree too. */
  sameProcess({ peer }: Introduction): boolean {
    return peer.uid === this.#peer.uid && peer.pid === this.#peer.pid && peer.host === this.#peer.host;
  }

  /** A new connection takes the place of the one before. */
  reconnect(leg: StandinLeg, who: Introduction): void {
    const before = this.#leg;
    this.#leg = leg;
    this.#peer = who.peer;
    this.#open = who.open;
    this.have = who.have;
    this.#linkSince = this.#clock.now();
    before?.link.close('replaced by a newer connection of the same stand-in');
  }

  repeat(): void {
    if (this.#word !== undefined && !this.#bye) this.link?.send(this.#word);
  }

  gone(): void {
    this.#leg = undefined;
    this.#linkSince = this.#clock.now();
  }

  wait(why: string): void {
    if (this.#word?.type === 'REFUSE' || this.#word?.type === 'EXIT') return;
    if (this.#word?.type === 'WAIT' && this.#word.why === why) return;
    this.#say({ type: 'WAIT', why });
  }

  refuse(line: string, exit: number): void {
    if (this.#word?.type !== 'REFUSE') this.#say({ type: 'REFUSE', line, exit });
  }

  /** Once: what was committed as the end does not change. */
  end(exit: Exit, ends: { readonly 1: number; readonly 2: number }): void {
    if (this.#word?.type === 'EXIT') return;
    const { code, signal, reason } = exit;
    const way =
      exit.lost === true
        ? { lost: true }
        : signal !== undefined
          ? { signal }
          : code !== undefined
            ? { code }
            : { lost: true };
    this.#say({ type: 'EXIT', ...way, ...(reason === undefined ? {} : { reason }), ends });
  }

  /** It is coupled: no WAIT is repeated any more. */
  quiet(): void {
    if (this.#word?.type === 'WAIT') this.#word = undefined;
  }

  /** Whether a step should know. */
  signalled(signal: Told<'SIGNAL'>): boolean {
    if (this.signals.size < mostSignals) this.signals.set(signal.id, signal);
    if (signal.signo !== SIGTERM || signal.scope !== 'all' || this.#termAt !== undefined) return false;
    this.#termAt = this.#clock.now();
    return true;
  }

  /** BYE answers EXIT; without one it says nothing. */
  ends(): boolean {
    if (this.#word?.type !== 'EXIT') return false;
    this.#bye = true;
    return true;
  }

  #say(word: Word): void {
    if (this.#bye) return;
    this.#word = word;
    this.link?.send(word);
  }
}
