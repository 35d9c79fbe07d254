/** A keeper as the protocol wants it, without a process: what it sends and got can be looked at. */
import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { mac, sameMac } from '../../src/stream/auth.ts';
import { type Data, encode, headOfData, type Message, type Told } from '../../src/stream/messages.ts';
import { chunk, listen, type Pattern, window } from './talk.ts';

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
  #size: { readonly 1: number; readonly 2: number };
  #sent = { 1: 0, 2: 0 };
  #resumed = false;

  constructor(setup: KeeperSetup) {
    this.setup = setup;
    this.#size = setup.size;
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

  /** The script writes more. */
  grow(size: { readonly 1: number; readonly 2: number }): void {
    this.#size = size;
    this.#pour();
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
    if (this.ended) this.say({ type: 'EXIT', code: 0, ends: { ...this.#size }, ...this.setup.exit });
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
        const room = Math.min(within, this.#size[c] - sent);
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
