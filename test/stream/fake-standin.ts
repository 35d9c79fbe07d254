/** A stand-in as the protocol wants it, and its relay, without processes. */
import { createHash, randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { type Data, encode, headOfData, type Message, type Told } from '../../src/stream/messages.ts';
import { chunk, listen, type Pattern } from './talk.ts';

export interface StandinSetup {
  readonly pattern: Pattern;
  readonly jobId: number;
  readonly script: Buffer;
  readonly environment: Buffer;
  readonly pid?: number;
  readonly join?: boolean;
  readonly session?: string;
}

export class FakeStandin {
  readonly setup: StandinSetup;
  readonly session: string;
  readonly written = { 1: 0, 2: 0 };
  readonly waits: string[] = [];
  readonly answered: string[] = [];
  readonly errors: string[] = [];
  /** The numbers of the programs that it was asked to run. */
  readonly asked: number[] = [];
  refused: Told<'REFUSE'> | undefined;
  exit: Told<'EXIT'> | undefined;
  exits = 0;
  gos: Told<'GO'>[] = [];
  /** Bytes of script and environment that were sent, over all connections. */
  inputSent = 0;
  wrong = 0;
  gaps = 0;
  /** Writes nothing while set. */
  stuck = false;
  /** So many bytes of what it wrote it had still in hand when it said OPEN. */
  inHand = 0;
  /** Answers EXIT with BYE only when set. */
  polite = true;
  socket: Duplex | undefined;
  readonly #backlog: Data[] = [];

  constructor(setup: StandinSetup) {
    this.setup = setup;
    this.session = setup.session ?? randomBytes(16).toString('hex');
  }

  connect(socket: Duplex): void {
    this.socket = socket;
    this.#backlog.length = 0;
    const { jobId, pid } = this.setup;
    listen(
      socket,
      (m) => this.#hear(m, socket),
      () => {
        if (this.socket === socket) this.socket = undefined;
      },
    );
    this.say({
      type: 'PEER',
      uid: 2001,
      gid: 2001,
      groups: [{ gid: 2001, name: 'alice' }],
      user: 'alice',
      home: '/home/alice',
      shell: '/bin/bash',
      jobId,
      pid: pid ?? 4242,
      host: 'burst1',
    });
    this.say({ type: 'HELLO', v: [1], role: 'standin', nonce: randomBytes(16).toString('hex') });
  }

  say(m: Message): void {
    this.socket?.write(encode(m));
  }

  signal(id: string, signo: number, scope: 'script' | 'all'): void {
    this.say({ type: 'SIGNAL', id, signo, scope });
  }

  unstick(): void {
    this.stuck = false;
    for (const d of this.#backlog.splice(0)) this.#write(d);
  }

  #hear(m: Message | Data, socket: Duplex): void {
    if (m.type === 'HELLO') {
      this.say({
        type: 'OPEN',
        restart: 0,
        argv: [],
        cwd: Buffer.from('/home/alice').toString('base64'),
        umask: 18,
        limits: { nofile: [1024, 4096] },
        join: this.setup.join ?? false,
        have: {
          1: Math.max(0, this.written[1] - this.inHand),
          2: Math.max(0, this.written[2] - this.inHand),
        },
        session: this.session,
      });
    } else if (m.type === 'WAIT') this.waits.push(m.why);
    else if (m.type === 'REFUSE') this.refused = m;
    else if (m.type === 'SIGNALLED') this.answered.push(m.id);
    else if (m.type === 'ERROR') this.errors.push(`${m.code}: ${m.text}`);
    else if (m.type === 'CALL') this.asked.push(m.n);
    else if (m.type === 'GO') this.#go(m);
    else if (m.type === 'DATA') {
      if (this.stuck) this.#backlog.push(m);
      else this.#write(m);
    } else if (m.type === 'EXIT') {
      this.exit = m;
      this.exits += 1;
      if (!this.polite) return;
      this.say({ type: 'BYE' });
      socket.end();
    }
  }

  #write(d: Data): void {
    if (d.channel !== 1 && d.channel !== 2) throw new Error('input at the stand-in');
    const at = this.written[d.channel];
    if (d.offset > at) {
      this.gaps += 1;
      this.say({ type: 'ERROR', code: 'gap', text: `${d.offset} where ${at} was next` });
      this.socket?.end();
      return;
    }
    const fresh = d.bytes.subarray(at - d.offset);
    if (fresh.length === 0) return;
    if (!fresh.equals(this.setup.pattern.at(d.channel, at, fresh.length))) this.wrong += 1;
    this.written[d.channel] = at + fresh.length;
    this.say({ type: 'ACK', channel: d.channel, offset: this.written[d.channel] });
  }

  #go(m: Told<'GO'>): void {
    this.gos.push(m);
    for (const channel of [1, 2] as const)
      if (this.written[channel] > 0) this.say({ type: 'ACK', channel, offset: this.written[channel] });
    for (const [channel, bytes] of [
      [3, this.setup.script],
      [4, this.setup.environment],
    ] as const) {
      for (let at = m.have[channel]; at < bytes.length; at += chunk) {
        const part = bytes.subarray(at, at + chunk);
        this.socket?.write(headOfData(channel, at, part.length));
        this.socket?.write(part);
        this.inputSent += part.length;
      }
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      this.say({ type: 'CLOSE', channel, size: bytes.length, sha256 });
    }
  }
}
