/** A keeper and a stand-in as the protocol wants them, without processes: what they send and got can be looked at. */
import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { mac, sameMac } from '../../src/stream/auth.ts';
import { FrameDecoder } from '../../src/stream/frames.ts';
import { type Data, encode, headOfData, type Message, parse, type Told } from '../../src/stream/messages.ts';

const window = 1_048_576;
const chunk = 65_536;

/** Bytes that are known by channel and offset, without being kept; the period is a prime, so no cut hides behind it. */
export class Pattern {
  readonly #block: Buffer;
  readonly #period = 1_048_573;
  constructor(seed = 1) {
    const bytes = Buffer.allocUnsafe(this.#period);
    let x = seed | 1;
    for (let i = 0; i < bytes.length; i++) {
      x = (Math.imul(x, 1_103_515_245) + 12_345) | 0;
      bytes[i] = x >>> 16;
    }
    this.#block = Buffer.concat([bytes, bytes.subarray(0, chunk)]);
  }
  at(channel: number, offset: number, length: number): Buffer {
    const start = (offset + channel * 7919) % this.#period;
    return this.#block.subarray(start, start + Math.min(length, chunk));
  }
}

/** Reads frames from a socket; stops for good when the socket closes. */
function listen(socket: Duplex, message: (m: Message | Data) => void, closed: () => void): void {
  const decoder = new FrameDecoder();
  socket.on('data', (c: Buffer) =>
    decoder.push(c, (raw) => {
      const m = parse(raw);
      if (m !== undefined && !socket.destroyed) message(m);
    }),
  );
  socket.on('error', () => {});
  socket.on('close', closed);
}

export interface KeeperSetup {
  readonly key: Uint8Array;
  readonly pattern: Pattern;
  /** How much output the job makes, in turns. */
  readonly size: { readonly 1: number; readonly 2: number };
  readonly exit?: Partial<Told<'EXIT'>>;
}

export class FakeKeeper {
  readonly setup: KeeperSetup;
  readonly got = { 3: [] as Buffer[], 4: [] as Buffer[] };
  readonly applied: Told<'SIGNAL'>[] = [];
  readonly heard: string[] = [];
  readonly acked = { 1: 0, 2: 0 };
  have = { 3: 0, 4: 0 };
  closed = { 3: false, 4: false };
  main: 'absent' | 'ready' | 'refused' = 'ready';
  started: Told<'STARTED'> | undefined;
  starts = 0;
  ended = false;
  /** The script goes on until told to `end` while set. */
  busy = false;
  byes = 0;
  pings = 0;
  readonly errors: string[] = [];
  /** Says nothing at all while set. */
  mute = false;
  /** What it says to a START, as an ERROR. */
  refuses: { readonly code: string; readonly text: string } | undefined;
  highestEpoch = 0;
  /** Sends beyond its window. */
  greedy = false;
  /** Does not answer signals while set. */
  deaf = false;
  socket: Duplex | undefined;
  #sent = { 1: 0, 2: 0 };
  #resumed = false;

  constructor(setup: KeeperSetup) {
    this.setup = setup;
  }

  get bytesWritten(): number | undefined {
    return (this.socket as Socket | undefined)?.bytesWritten;
  }

  serve(socket: Duplex): void {
    const nonce = randomBytes(16).toString('hex');
    let theirs = '';
    let up = false;
    const say = (m: Message): void => void (socket.destroyed || this.mute || socket.write(encode(m)));
    listen(
      socket,
      (m) => {
        if (m.type === 'HELLO') {
          if ((m.epoch ?? 0) < this.highestEpoch) {
            say({ type: 'ERROR', code: 'stale_epoch', text: 'a later leader was heard' });
            socket.end();
            return;
          }
          this.highestEpoch = m.epoch ?? 0;
          theirs = m.nonce;
        } else if (m.type === 'AUTH') {
          if (!sameMac(m.mac, mac(this.setup.key, 'gateway', theirs, nonce))) {
            socket.destroy();
            return;
          }
          say({ type: 'AUTH', mac: mac(this.setup.key, 'keeper', nonce, theirs) });
          this.socket?.destroy();
          this.socket = socket;
          this.#resumed = false;
          up = true;
          this.tellReady();
          if (this.started) say(this.started);
          this.#tellExit();
        } else if (up && this.socket === socket) this.#hear(m);
      },
      () => {
        if (this.socket === socket) this.socket = undefined;
      },
    );
    socket.on('drain', () => this.#pour());
    say({ type: 'HELLO', v: [1], role: 'keeper', nonce });
  }

  say(m: Message): void {
    if (!this.mute) this.socket?.write(encode(m));
  }

  end(): void {
    this.ended = true;
    this.#tellExit();
  }

  tellReady(): void {
    this.say({
      type: 'READY',
      main: this.main,
      ...(this.started ? { started: this.started.grant, exited: this.ended } : {}),
      have: this.have,
      closed: this.closed,
      acked: this.acked,
    });
  }

  #hear(m: Message | Data): void {
    this.heard.push(m.type);
    if (m.type === 'DATA' && (m.channel === 3 || m.channel === 4)) {
      if (m.offset > this.have[m.channel]) throw new Error(`gap at the keeper, channel ${m.channel}`);
      const fresh = m.bytes.subarray(this.have[m.channel] - m.offset);
      this.got[m.channel].push(Buffer.from(fresh));
      this.have[m.channel] += fresh.length;
      this.say({ type: 'ACK', channel: m.channel, offset: this.have[m.channel] });
    } else if (m.type === 'CLOSE') {
      const sum = createHash('sha256').update(this.bytes(m.channel)).digest('hex');
      if (this.have[m.channel] !== m.size || sum !== m.sha256) throw new Error('a wrong CLOSE');
      this.closed = { ...this.closed, [m.channel]: true };
      this.tellReady();
    } else if (m.type === 'START') {
      this.starts += 1;
      if (this.refuses) {
        this.say({ type: 'ERROR', ...this.refuses });
        this.socket?.end();
        return;
      }
      this.started ??= { type: 'STARTED', grant: m.grant, at: m.nowMs, pid: 7 };
      this.say(this.started);
      if (!this.busy) this.end();
      this.#pour();
    } else if (m.type === 'RESUME') {
      for (const c of [1, 2] as const) {
        if (m.have[c] < this.acked[c]) throw new Error('RESUME below what was acknowledged');
        this.#sent[c] = m.have[c];
      }
      this.#resumed = true;
      this.#pour();
    } else if (m.type === 'ACK' && (m.channel === 1 || m.channel === 2)) {
      this.acked[m.channel] = Math.max(this.acked[m.channel], m.offset);
      this.#pour();
    } else if (m.type === 'SIGNAL') {
      if (this.deaf) return;
      if (!this.applied.some((s) => s.id === m.id)) this.applied.push(m);
      this.say({ type: 'SIGNALLED', id: m.id });
    } else if (m.type === 'PING') {
      this.pings += 1;
      this.say({ type: 'PONG', n: m.n });
    } else if (m.type === 'ERROR') {
      this.errors.push(`${m.code}: ${m.text}`);
    } else if (m.type === 'BYE') {
      this.byes += 1;
    }
  }

  bytes(channel: 3 | 4): Buffer {
    return Buffer.concat(this.got[channel]);
  }

  #tellExit(): void {
    if (this.ended) this.say({ type: 'EXIT', code: 0, ends: { ...this.setup.size }, ...this.setup.exit });
  }

  #pour(): void {
    const socket = this.socket;
    if (socket === undefined || !this.#resumed || this.started === undefined) return;
    let more = true;
    while (more) {
      more = false;
      for (const c of [1, 2] as const) {
        const sent = this.#sent[c];
        const within = this.greedy ? Number.POSITIVE_INFINITY : window - (sent - this.acked[c]);
        const room = Math.min(within, this.setup.size[c] - sent);
        if (room <= 0) continue;
        if (socket.writableLength > window) return;
        const bytes = this.setup.pattern.at(c, sent, Math.min(room, chunk));
        socket.write(headOfData(c, sent, bytes.length));
        socket.write(bytes);
        this.#sent[c] = sent + bytes.length;
        more = true;
      }
    }
  }
}

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
