/** One burst's streams under virtual time: a real switchboard between a keeper and a stand-in of `src/sim/models`. */
import type { Grant } from '../../src/domain/burst.ts';
import { type AttemptKey, burstId, clusterName, instant, uuid } from '../../src/domain/ids.ts';
import type { Clock, Scheduler } from '../../src/ports.ts';
import { Chance } from '../../src/sim/chance.ts';
import { KeeperModel } from '../../src/sim/models/keeper.ts';
import type { ContainerEnd } from '../../src/sim/models/keeper-main.ts';
import type { Container, KeeperSetup } from '../../src/sim/models/keeper-setup.ts';
import { type Behaviour, outputOf, patternSum, scriptOf } from '../../src/sim/models/keeper-work.ts';
import { Pipe, type PipeOptions, type Side } from '../../src/sim/models/pipe.ts';
import {
  environmentOf,
  type StandinExit,
  StandinModel,
  type StandinSetup,
} from '../../src/sim/models/standin.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { FrameDecoder } from '../../src/stream/frames.ts';
import { parse } from '../../src/stream/messages.ts';
import type { KeeperView, StandinView, StartSpec } from '../../src/stream/streams.ts';
import { Switchboard } from '../../src/stream/switchboard.ts';
import type { Tap } from '../../src/stream/tap.ts';
import { drain } from './drain.ts';

export const cluster = clusterName('hpc1');
export const burst = burstId('b-1');
export const pod = { namespace: 'alice', name: 'spill-1' };
export const jobId = 7;
const user = { uid: 2001, gid: 2001, user: 'alice', home: '/home/alice', shell: '/bin/bash' };

export const grant: Grant = {
  burst,
  attempt: 'hpc1/7@1#0' as AttemptKey,
  podUid: 'pod-uid',
  epoch: 3,
  generation: uuid('00000000-0000-4000-8000-000000000001'),
};

export const startSpec: StartSpec = {
  grant,
  argv: [],
  cwd: Buffer.from('/home/alice').toString('base64'),
  umask: 18,
  limits: { nofile: [1024, 4096] },
  join: false,
  env: { drop: ['SLURM_TOPOLOGY_*'], set: { HOSTNAME: 'node1' } },
  groups: [2001, 3001],
  user,
  endsAt: undefined,
  team: { rank: 0, hosts: [{ name: 'pod', address: '10.0.0.1' }], port: 7233 },
  killAfterMs: 30_000,
};

type Ran = Parameters<NonNullable<KeeperSetup['ran']>>[0];

/** `A`: stand-in and gateway, `B`: gateway and keeper. */
export type Leg = 'A' | 'B';

export interface StageSetup {
  readonly seed?: number;
  readonly does?: Behaviour;
  readonly keeper?: Partial<KeeperSetup>;
  readonly standin?: Partial<StandinSetup>;
  readonly start?: Partial<StartSpec>;
  readonly pipe?: (stage: Stage) => PipeOptions;
  /** Called as each frame arrives, before it does. */
  readonly frame?: (stage: Stage, leg: Leg, nth: number) => void;
  /** Without a log nothing is decoded on the way. */
  readonly log?: boolean;
  /** Of each gateway, a new one. */
  readonly tap?: () => Tap;
}

/** A gateway process: its switchboard, and what the engine's steps would ask of it, whatever happened before. */
export class Gateway {
  readonly board: Switchboard;
  readonly stage: Stage;
  readonly epoch: number;
  /** What its steps want once all is drained; a test may stop them there. */
  finishes = true;
  #due = false;
  up = true;

  constructor(stage: Stage, epoch: number) {
    this.stage = stage;
    this.epoch = epoch;
    this.board = new Switchboard({
      clock: stage.clock,
      scheduler: stage.scheduler,
      entropy: stage.chance.fork(),
      dial: async () => stage.toKeeper(),
      epoch: () => epoch,
      on: () => this.wake(),
      tap: stage.setup.tap?.(),
      note: (text, about) => stage.say(`gateway ${epoch}: ${text} ${JSON.stringify(about)}`),
    });
    this.wake();
    this.#tick();
  }

  keeper(): KeeperView | undefined {
    return this.board.keeper(burst);
  }

  standin(): StandinView | undefined {
    return this.board.standinOf(cluster, jobId);
  }

  wake(): void {
    if (this.#due) return;
    this.#due = true;
    this.stage.scheduler.after(0, () => {
      this.#due = false;
      if (this.up) this.#step();
    });
  }

  async stop(): Promise<void> {
    this.up = false;
    await this.board.close();
  }

  /** Steps come again by themselves, too. */
  #tick(): void {
    this.stage.scheduler.after(1_000, () => {
      if (!this.up) return;
      this.wake();
      this.#tick();
    });
  }

  #step(): void {
    const { board, stage } = this;
    board.attachKeeper(burst, pod, stage.key);
    const seen = this.standin();
    if (seen !== undefined && seen.coupled === undefined) board.couple(burst, seen.key);
    const keeper = this.keeper();
    if (keeper === undefined) return;
    if (keeper.inputComplete && keeper.started === undefined)
      board.start(burst, { ...startSpec, ...stage.setup.start });
    if (!this.finishes) return;
    if (keeper.drained && keeper.exit) board.finish(burst, keeper.exit.exit);
    if (seen?.bye === true) board.bye(burst);
    // The engine learns from Slurm that the job is over: nobody will come for the rest.
    if (stage.standinEnd !== undefined && seen?.link !== 'up' && seen?.bye !== true) {
      board.discard(burst);
      if (keeper.drained) board.bye(burst);
    }
  }
}

export class Stage {
  readonly setup: StageSetup;
  readonly chance: Chance;
  readonly time = new VirtualTime(instant(1_700_000_000_000), drain);
  readonly clock: Clock = this.time;
  readonly scheduler: Scheduler = this.time;
  readonly key: Uint8Array;
  readonly keeper: KeeperModel;
  readonly standin: StandinModel;
  readonly gateways: Gateway[] = [];
  readonly pipes: Record<Leg, Pipe[]> = { A: [], B: [] };
  readonly ran: Ran[] = [];
  readonly ends: [Container, ContainerEnd][] = [];
  readonly log: string[] = [];
  readonly text: Record<1 | 2, string> = { 1: '', 2: '' };
  standinEnd: StandinExit | undefined;
  frames = 0;
  /** Complaints that passed on a watched connection. */
  readonly errors: string[] = [];
  /** The way from the gateways to the pod. */
  portForward = true;

  constructor(setup: StageSetup = {}) {
    this.setup = setup;
    this.chance = new Chance(setup.seed ?? 1);
    this.key = this.chance.bytes(32);
    const { clock, scheduler } = this;
    this.keeper = new KeeperModel({
      key: this.key,
      podUid: 'pod-uid',
      user: { uid: 2001, gid: 2001, groups: [2001, 3001] },
      clock,
      scheduler,
      entropy: this.chance.fork(),
      ran: (run) => {
        this.ran.push(run);
        this.say('the script begins');
      },
      onEnd: (container, end) => {
        this.ends.push([container, end]);
        this.say(`${container} ends ${end.exitCode} ${end.signal}`);
      },
      ...setup.keeper,
    });
    this.standin = new StandinModel({
      peer: {
        ...user,
        groups: [
          { gid: 2001, name: 'alice' },
          { gid: 3001, name: 'physics' },
        ],
        jobId,
        pid: 4242,
        host: 'burst1',
      },
      restart: 0,
      argv: ['a', 'b c'],
      script: scriptOf(setup.does ?? { ms: 1_000 }),
      environment: environmentOf({ A: '1', SLURM_TOPOLOGY_ADDR: 'x', HOSTNAME: 'login1' }),
      dial: () => this.toGateway(),
      clock,
      scheduler,
      entropy: this.chance.fork(),
      onEnd: (exit) => {
        if (this.standinEnd !== undefined) throw new Error('the stand-in ends twice');
        this.standinEnd = exit;
        this.say(`the stand-in ends ${JSON.stringify(exit)}`);
      },
      onOutput: (channel, bytes) => {
        this.text[channel] += bytes.toString('latin1');
      },
      ...setup.standin,
    });
  }

  /** One more gateway. */
  gateway(epoch = 3): Gateway {
    const g = new Gateway(this, epoch);
    this.gateways.push(g);
    return g;
  }

  say(what: string): void {
    if (this.setup.log === true) this.log.push(`${this.clock.now() - 1_700_000_000_000} ${what}`);
  }

  toKeeper(): Pipe['near'] {
    if (!this.portForward) throw new Error('error dialing backend');
    const pipe = this.#pipe('B');
    this.keeper.serve(pipe.far);
    return pipe.near;
  }

  /** To the first that is up. */
  toGateway(): Pipe['near'] {
    const g = this.gateways.find((one) => one.up);
    if (g === undefined) throw new Error('ECONNREFUSED');
    return this.toThe(g);
  }

  toThe(g: Gateway): Pipe['near'] {
    const pipe = this.#pipe('A');
    g.board.accept(pipe.far, cluster);
    return pipe.near;
  }

  last(leg: Leg): Pipe {
    const pipe = this.pipes[leg].at(-1);
    if (pipe === undefined) throw new Error(`leg ${leg} was never there`);
    return pipe;
  }

  /** True if it came to hold within so much virtual time. */
  until(holds: () => boolean, withinMs = 600_000): Promise<boolean> {
    return this.time.run(instant(this.clock.now() + withinMs), holds);
  }

  async pass(ms: number): Promise<void> {
    await this.time.run(instant(this.clock.now() + ms));
  }

  /** Everybody has ended as they should. */
  over(): boolean {
    return this.standinEnd !== undefined && this.keeper.over;
  }

  /** What the stand-in has is exactly what the script wrote, all of it. */
  whole(does: Behaviour, join = false): boolean {
    const size = outputOf(does, join);
    const salt = does.salt ?? 0;
    return ([1, 2] as const).every(
      (c) =>
        this.standin.written[c] === size[c] &&
        this.standin.sums[c] === patternSum(salt, c, this.standin.written[c]),
    );
  }

  #pipe(leg: Leg): Pipe {
    const options = this.setup.pipe?.(this) ?? {};
    const watched = this.setup.log === true || this.setup.frame !== undefined;
    const pipe = new Pipe({ ...options, ...(watched ? { passing: this.#watch(leg) } : {}) });
    this.pipes[leg].push(pipe);
    return pipe;
  }

  #watch(leg: Leg): (from: Side, bytes: Buffer) => void {
    const decoders = { near: new FrameDecoder(), far: new FrameDecoder() };
    const nth = this.pipes[leg].length;
    return (from, bytes) =>
      decoders[from].push(bytes, (raw) => {
        this.frames += 1;
        const m = parse(raw);
        const what = m?.type === 'DATA' ? `DATA ${m.channel} ${m.offset}+${m.bytes.length}` : m?.type;
        if (m?.type === 'ERROR') this.errors.push(`${leg} ${m.code}: ${m.text}`);
        this.say(`${leg}${nth} ${from === 'near' ? '>' : '<'} ${what}`);
        this.setup.frame?.(this, leg, this.frames);
      });
  }
}
