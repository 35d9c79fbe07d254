/** The other end of a model: says exactly what a test wants it to say, under virtual time. */
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { instant } from '../../src/domain/ids.ts';
import { Chance } from '../../src/sim/chance.ts';
import { KeeperModel } from '../../src/sim/models/keeper.ts';
import type { KeeperSetup } from '../../src/sim/models/keeper-setup.ts';
import { Pipe } from '../../src/sim/models/pipe.ts';
import { type StandinExit, StandinModel, type StandinSetup } from '../../src/sim/models/standin.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { mac } from '../../src/stream/auth.ts';
import { FrameDecoder } from '../../src/stream/frames.ts';
import {
  type Channel,
  type Data,
  encode,
  headOfData,
  type Message,
  parse,
  type Told,
} from '../../src/stream/messages.ts';
import { drain } from './drain.ts';
import { grant, startSpec } from './streams-scene.ts';

export const nonce = 'ab'.repeat(16);
export const key = Buffer.alloc(32, 7);

/** One connection, seen from the end that the test holds. */
export class Talk {
  readonly heard: (Message | Data)[] = [];
  readonly socket: Duplex;
  closed = false;

  constructor(socket: Duplex) {
    this.socket = socket;
    const decoder = new FrameDecoder();
    socket.on('data', (chunk: Buffer) =>
      decoder.push(chunk, (raw) => {
        const m = parse(raw);
        if (m !== undefined) this.heard.push(m);
      }),
    );
    socket.on('close', () => {
      this.closed = true;
    });
  }

  say(...messages: Message[]): void {
    for (const m of messages) this.socket.write(encode(m));
  }

  give(channel: Channel, offset: number, bytes: Buffer): void {
    this.socket.write(Buffer.concat([headOfData(channel, offset, bytes.length), bytes]));
  }

  /** Channel 3 or 4, whole. */
  input(channel: 3 | 4, text: string): void {
    const bytes = Buffer.from(text);
    this.give(channel, 0, bytes);
    this.say({
      type: 'CLOSE',
      channel,
      size: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
  }

  of<T extends (Message | Data)['type']>(type: T): Extract<Message | Data, { type: T }>[] {
    return this.heard.filter((m): m is Extract<Message | Data, { type: T }> => m.type === type);
  }

  get errors(): string[] {
    return this.of('ERROR').map((e) => e.code);
  }
}

export class Bench {
  readonly time = new VirtualTime(instant(1_700_000_000_000), drain);

  async pass(ms: number): Promise<void> {
    await this.time.run(instant(this.time.now() + ms));
  }
}

export class KeeperBench extends Bench {
  readonly keeper: KeeperModel;
  runs = 0;
  readonly ends: string[] = [];

  constructor(setup: Partial<KeeperSetup> = {}) {
    super();
    this.keeper = new KeeperModel({
      key,
      podUid: 'pod-uid',
      user: { uid: 2001, gid: 2001, groups: [2001, 3001] },
      clock: this.time,
      scheduler: this.time,
      entropy: new Chance(1),
      ran: () => {
        this.runs += 1;
      },
      onEnd: (container, end) => void this.ends.push(`${container} ${end.exitCode}`),
      ...setup,
    });
  }

  stranger(): Talk {
    const pipe = new Pipe();
    this.keeper.serve(pipe.far);
    return new Talk(pipe.near);
  }

  /** Authenticated. */
  async gateway(epoch = 1, with_: Uint8Array = key): Promise<Talk> {
    const t = this.stranger();
    t.say({ type: 'HELLO', v: [1], role: 'gateway', nonce, epoch });
    await this.pass(0);
    const [hello] = t.of('HELLO');
    if (hello === undefined) throw new Error('no HELLO from the keeper');
    t.say({ type: 'AUTH', mac: mac(with_, 'gateway', nonce, hello.nonce) });
    await this.pass(0);
    return t;
  }

  /** Authenticated, with script and environment. */
  async filled(script: string): Promise<Talk> {
    const t = await this.gateway();
    t.input(3, script);
    t.input(4, 'A=1\0');
    await this.pass(0);
    return t;
  }
}

export function start(more: Partial<Told<'START'>> = {}): Told<'START'> {
  const { endsAt: _, limits: __, ...rest } = startSpec;
  return { type: 'START', ...rest, limits: {}, grant, nowMs: 1_700_000_000_000, ...more };
}

export class StandinBench extends Bench {
  readonly standin: StandinModel;
  readonly talks: Talk[] = [];
  end: StandinExit | undefined;
  /** Nobody answers there. */
  away = false;
  dials = 0;

  constructor(setup: Partial<StandinSetup> = {}) {
    super();
    this.standin = new StandinModel({
      peer: {
        ...startSpec.user,
        groups: [{ gid: 2001, name: 'alice' }],
        jobId: 7,
        pid: 4242,
        host: 'burst1',
      },
      restart: 2,
      argv: ['é'],
      script: 'the script',
      environment: 'A=1\0',
      dial: () => {
        this.dials += 1;
        if (this.away) throw new Error('ECONNREFUSED');
        const pipe = new Pipe();
        this.talks.push(new Talk(pipe.far));
        return pipe.near;
      },
      clock: this.time,
      scheduler: this.time,
      entropy: new Chance(1),
      onEnd: (exit) => {
        this.end = exit;
      },
      ...setup,
    });
  }

  /** Its present connection, greeted by a gateway of that epoch. */
  async greeted(epoch = 1): Promise<Talk> {
    const t = await this.called();
    t.say({ type: 'HELLO', v: [1], role: 'gateway', nonce, epoch });
    await this.pass(0);
    return t;
  }

  async called(): Promise<Talk> {
    const n = this.talks.filter((t) => t.closed).length;
    await this.time.run(instant(this.time.now() + 6_000), () => this.talks.length > n);
    const t = this.talks.at(-1);
    if (t === undefined || t.closed) throw new Error('the stand-in has not called');
    return t;
  }

  /** GO was said. */
  async going(epoch = 1): Promise<Talk> {
    const t = await this.greeted(epoch);
    t.say({ type: 'GO', have: { 3: 0, 4: 0 }, epoch });
    await this.pass(0);
    return t;
  }
}
