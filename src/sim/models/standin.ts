/**
 * One stand-in process: one run of one job on a burst node, with the relay of its host folded in. It behaves as `agent/standin.go`
 * does, and lives on given time alone.
 */
import type { Duplex } from 'node:stream';
import type { Clock, Entropy, Scheduler } from '../../ports.ts';
import type { Data, Message, Told } from '../../stream/messages.ts';
import type { Limits, Peer } from '../../stream/streams.ts';
import { Epochs, FarLink, hex, type OutputChannel, type Timing } from './far-link.ts';
import { FarStage, type Files } from './far-stage.ts';
import type { ObjectsModel } from './objects.ts';
import { Input, Output, type Outputs } from './standin-channels.ts';
import { SignalQueue } from './standin-signals.ts';

export type StandinExit =
  | { readonly code: number; readonly signal?: undefined }
  | { readonly code?: undefined; readonly signal: number };

export interface StandinSetup {
  /** What the relay says of it. */
  readonly peer: Peer;
  /** SLURM_RESTART_COUNT. */
  readonly restart: number;
  readonly argv: readonly string[];
  readonly script: string | Uint8Array;
  /** NUL-separated `NAME=value`, NUL after the last too; `environmentOf` makes one. */
  readonly environment: string | Uint8Array;
  /** Default: the user's home. */
  readonly cwd?: string;
  readonly umask?: number;
  readonly limits?: Limits;
  /** Both outputs are one file. */
  readonly join?: boolean;
  /** To whichever gateway is up; what it throws, or rejects with, means that none could be reached. */
  dial(): Duplex | Promise<Duplex>;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly entropy: Entropy;
  readonly timing?: Timing;
  /** The files of its host, and the store that data go to; without them it carries none. */
  readonly data?: { readonly files: Files; readonly objects: ObjectsModel };
  /** Exactly once: how slurmstepd sees it end. */
  onEnd(exit: StandinExit): void;
  /** What it writes to the job's files, its own last line included. */
  onOutput?(channel: OutputChannel, bytes: Buffer): void;
}

const firstPause = 200;
const lastPause = 5_000;
const dialWithin = 10_000;
const SIGKILL = 9;

interface Outcome {
  readonly exit: StandinExit;
  readonly line?: string;
}

export class StandinModel {
  readonly setup: StandinSetup;
  readonly session: string;
  readonly #inputs: { readonly 3: Input; readonly 4: Input };
  readonly #outputs: Outputs;
  readonly #epochs = new Epochs();
  readonly #signals: SignalQueue;
  readonly #waits: string[] = [];
  readonly #stage: FarStage | undefined;
  #link: FarLink | undefined;
  #timer: { cancel(): void } | undefined;
  #pause = firstPause;
  /** GO came on this connection. */
  #going = false;
  /** GO ever came. */
  #started = false;
  #exit: Told<'EXIT'> | undefined;
  #outcome: Outcome | undefined;
  #over = false;

  /** It calls as soon as time passes. */
  constructor(setup: StandinSetup) {
    this.setup = setup;
    this.#signals = new SignalQueue(setup.clock);
    this.session = hex(setup.entropy.bytes(16));
    this.#inputs = {
      3: new Input(3, Buffer.from(setup.script)),
      4: new Input(4, Buffer.from(setup.environment)),
    };
    this.#outputs = {
      1: new Output((bytes) => this.#wrote(1, bytes)),
      2: new Output((bytes) => this.#wrote(2, bytes)),
    };
    this.#stage =
      setup.data &&
      new FarStage({
        ...setup.data,
        scheduler: setup.scheduler,
        send: (m) => this.#link?.send(m),
        say: (line) => setup.onOutput?.(setup.join === true ? 1 : 2, Buffer.from(`spillway: ${line}\n`)),
      });
    this.#timer = setup.scheduler.after(0, () => this.#dial());
  }

  /** Bytes of the job's output that it wrote. */
  get written(): { readonly 1: number; readonly 2: number } {
    return { 1: this.#outputs[1].written, 2: this.#outputs[2].written };
  }

  /** SHA-256 of them, in hex. */
  get sums(): { readonly 1: string; readonly 2: string } {
    return { 1: this.#outputs[1].sum, 2: this.#outputs[2].sum };
  }

  /** Why it was told to wait, in order. */
  get waits(): readonly string[] {
    return this.#waits;
  }

  /** Signals that nobody answered yet. */
  get unanswered(): number {
    return this.#signals.pending.length;
  }

  /** GO has come at least once: a script may run. */
  get going(): boolean {
    return this.#started;
  }

  get connected(): boolean {
    return this.#link?.open === true;
  }

  /** The process is gone, and this is how. */
  get ended(): StandinExit | undefined {
    return this.#over ? this.#outcome?.exit : undefined;
  }

  /** The line of its own on stderr with which it ended. */
  get line(): string | undefined {
    return this.#over ? this.#outcome?.line : undefined;
  }

  /** One that it can catch. Without a scope it is for whom the protocol says: CONT, then TERM, is Slurm's way to end a job. */
  signal(signo: number, scope?: 'script' | 'all'): void {
    if (this.#outcome !== undefined) return;
    const told = this.#signals.scopeOf(signo);
    const meant = scope ?? told;
    // Before anything can have started, an end of the whole job needs nobody's leave.
    if (!this.#started && meant === 'all') {
      this.#outcome = { exit: { signal: signo } };
      if (this.#link === undefined) this.#conclude();
      else this.#link.close('ended by a signal');
      return;
    }
    const signal = this.#signals.add(signo, meant);
    if (this.#going && signal !== undefined) this.#link?.send(signal);
  }

  /** SIGKILL, or its host is gone: not a word to the gateway. */
  kill(): void {
    if (this.#over) return;
    this.#outcome = { exit: { signal: SIGKILL } };
    const link = this.#link;
    this.#conclude();
    link?.close('killed');
  }

  /** The disk that its files lie on is full, or has room again. */
  diskFull(full: boolean): void {
    for (const c of [1, 2] as const) this.#outputs[c].stick(full);
    if (!full) this.#link?.resume();
  }

  #dial(): void {
    let waiting = true;
    const failed = (): void => {
      if (waiting) this.#again(false);
      waiting = false;
      late.cancel();
    };
    const late = this.setup.scheduler.after(dialWithin, failed);
    const dialled = (socket: Duplex): void => {
      late.cancel();
      if (waiting && this.#outcome === undefined) this.#introduce(socket);
      else {
        socket.on('error', () => undefined);
        socket.destroy();
      }
      waiting = false;
    };
    // Also what it throws at once is a rejection.
    new Promise<Duplex>((resolve) => resolve(this.setup.dial())).then(dialled, failed);
  }

  #introduce(socket: Duplex): void {
    const { clock, scheduler, entropy, timing, peer } = this.setup;
    let reached = false;
    let greeted = false;
    const link: FarLink = new FarLink(
      socket,
      { clock, scheduler, timing },
      {
        message: (m) => {
          if (m.type === 'WAIT' || m.type === 'GO') reached = true;
          if (m.type === 'HELLO') greeted = this.#greet(link, m);
          else if (greeted || m.type === 'ERROR') this.#hear(link, m);
          else link.fail('malformed', `${m.type} before HELLO`);
        },
        data: (d) => {
          if (greeted) this.#take(link, d);
          else link.fail('malformed', 'DATA before HELLO');
        },
        next: () => (this.#going ? (this.#inputs[3].next() ?? this.#inputs[4].next()) : undefined),
        closed: () => {
          this.#link = undefined;
          this.#going = false;
          if (this.#outcome !== undefined) this.#conclude();
          else this.#again(reached);
        },
      },
    );
    this.#link = link;
    link.send({ type: 'PEER', ...peer });
    link.send({ type: 'HELLO', v: [1], role: 'standin', nonce: hex(entropy.bytes(16)) });
  }

  /** For as long as it lives: a gateway that is away says nothing about the job. */
  #again(reached: boolean): void {
    if (this.#outcome !== undefined) return;
    if (reached) this.#pause = firstPause;
    this.#timer = this.setup.scheduler.after(this.#pause, () => this.#dial());
    this.#pause = Math.min(2 * this.#pause, lastPause);
  }

  #greet(link: FarLink, m: Told<'HELLO'>): boolean {
    const { restart, argv, peer, cwd = peer.home, umask = 0o22, limits = {}, join = false } = this.setup;
    if (!m.v.includes(1)) {
      link.fail('version', `this stand-in speaks version 1, the gateway ${m.v.join(', ')}`);
      this.#failBeforeStart("the gateway and this host's spill have no protocol version in common");
    } else if (m.role !== 'gateway') link.fail('malformed', `HELLO of a ${m.role}`);
    else if (m.epoch !== undefined && !this.#epochs.accept(m.epoch))
      link.fail('stale_epoch', 'a later leader was heard');
    else {
      link.send({
        type: 'OPEN',
        restart,
        argv: argv.map(base64),
        cwd: base64(cwd),
        umask,
        limits,
        join,
        have: this.written,
        session: this.session,
        ...(this.#stage === undefined ? {} : { stages: true, ranks: true }),
      });
      return true;
    }
    return false;
  }

  #hear(link: FarLink, m: Message): void {
    switch (m.type) {
      case 'WAIT':
        this.#waits.push(m.why);
        return;
      case 'REFUSE':
        this.#ends(link, { exit: { code: m.exit }, line: m.line });
        return;
      case 'GO':
        if (this.#epochs.accept(m.epoch)) this.#proceed(link, m);
        else link.fail('stale_epoch', 'a later leader was heard');
        return;
      case 'ACK':
        if (m.channel === 3 || m.channel === 4) this.#inputs[m.channel].acknowledge(m.offset);
        link.poke();
        return;
      case 'SIGNALLED':
        this.#signals.applied(m.id);
        return;
      case 'STAGE':
        this.#stage?.take(m);
        return;
      case 'SIGNED':
        this.#stage?.signed(m);
        return;
      case 'EXIT':
        this.#exit = m;
        this.#endIfWritten();
        return;
      case 'ERROR':
        if (m.code === 'not_a_batch_step' || m.code === 'version') this.#failBeforeStart(m.text);
        link.close(`${m.code}: ${m.text}`);
        return;
      default:
      // What means nothing to a stand-in is passed over.
    }
  }

  /** Script and environment from where the far side has them, what is written, and the signals that are still on their way. */
  #proceed(link: FarLink, { have }: Told<'GO'>): void {
    for (const c of [3, 4] as const) this.#inputs[c].restart(have[c]);
    for (const channel of [1, 2] as const) {
      const offset = this.#outputs[channel].written;
      if (offset > 0) link.send({ type: 'ACK', channel, offset });
    }
    this.#going = true;
    this.#started = true;
    for (const signal of this.#signals.pending) link.send(signal);
    link.poke();
  }

  #take(link: FarLink, { channel, offset, bytes }: Data): void {
    if (channel === 3 || channel === 4) link.fail('malformed', `DATA of channel ${channel}`);
    else if (!this.#outputs[channel].take(offset, bytes))
      link.fail('gap', `channel ${channel} does not go on at ${offset}`);
    else if (this.#outputs[channel].full) link.pause();
  }

  /** Acknowledges, and ends this process if that was the last byte. */
  #wrote(channel: OutputChannel, bytes: Buffer): void {
    this.setup.onOutput?.(channel, bytes);
    if (this.#going) this.#link?.send({ type: 'ACK', channel, offset: this.#outputs[channel].written });
    this.#endIfWritten();
  }

  #endIfWritten(): void {
    const exit = this.#exit;
    if (exit === undefined || this.#outcome !== undefined) return;
    if (this.#outputs[1].written < exit.ends[1] || this.#outputs[2].written < exit.ends[2]) return;
    const { code, signal, reason = '' } = exit;
    const link = this.#link;
    link?.send({ type: 'BYE' });
    if (code !== undefined) this.#ends(link, { exit: { code } });
    else if (signal !== undefined)
      this.#ends(link, {
        exit: { signal },
        ...(reason.includes(' ') ? { line: `spillway: ${reason}` } : {}),
      });
    else this.#ends(link, { exit: { signal: SIGKILL }, line: `spillway: the job was lost: ${reason}` });
  }

  /** Settles how this process ends, and ends it once its last word is heard. */
  #ends(link: FarLink | undefined, outcome: Outcome): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    if (link === undefined) this.#conclude();
    else link.finish('it ends');
  }

  /** With a line for the owner, but never one whose script may be running. */
  #failBeforeStart(text: string): void {
    if (this.#started || this.#outcome !== undefined) return;
    this.#outcome = { exit: { code: 1 }, line: `spillway: ${text}; nothing was run` };
    if (this.#link === undefined) this.#conclude();
  }

  #conclude(): void {
    if (this.#over || this.#outcome === undefined) return;
    this.#over = true;
    this.#stage?.stop();
    this.#timer?.cancel();
    const { line, exit } = this.#outcome;
    if (line !== undefined)
      this.setup.onOutput?.(this.setup.join === true ? 1 : 2, Buffer.from(`${line.trimEnd()}\n`));
    this.setup.onEnd(exit);
  }
}

/** The environment block of a process. */
export function environmentOf(variables: Readonly<Record<string, string>>): Buffer {
  return Buffer.from(
    Object.entries(variables)
      .map(([name, value]) => `${name}=${value}\0`)
      .join(''),
  );
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
