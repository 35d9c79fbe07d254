/** One burst on a switchboard: a keeper that can be dialled, a stand-in that calls again when it is cut off. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Grant } from '../../src/domain/burst.ts';
import { type AttemptKey, burstId, clusterName, uuid } from '../../src/domain/ids.ts';
import type { Needs } from '../../src/stream/needs.ts';
import {
  type KeeperView,
  type StandinKey,
  type StartSpec,
  type StreamEvent,
  standinKey,
} from '../../src/stream/streams.ts';
import { Switchboard } from '../../src/stream/switchboard.ts';
import { FakeKeeper, type KeeperSetup } from './fake-keeper.ts';
import { FakeStandin, type StandinSetup } from './fake-standin.ts';
import { Pattern } from './talk.ts';
import { cut, entropy, hurried, Loopback, until, wallClock } from './wire.ts';

export const cluster = clusterName('hpc1');
export const burst = burstId('b-1');
export const pod = { namespace: 'alice', name: 'spill-1' };
const pattern = new Pattern(11);

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
  limits: { nofile: [1024, 4096], as: ['unlimited', 'unlimited'] },
  join: false,
  env: { drop: ['SLURM_TOPOLOGY_*'], set: { HOSTNAME: 'node1' } },
  groups: [2001],
  user: { uid: 2001, gid: 2001, user: 'alice', home: '/home/alice', shell: '/bin/bash' },
  endsAt: undefined,
  team: { rank: 0, hosts: [{ name: 'pod', address: '10.0.0.1' }], port: 7233 },
  killAfterMs: 30_000,
};

export interface SceneSetup {
  readonly size?: { readonly 1: number; readonly 2: number };
  readonly exit?: KeeperSetup['exit'];
  readonly standin?: Partial<StandinSetup>;
  readonly needs?: Partial<Needs>;
  readonly speed?: number;
}

export class Scene {
  readonly loopback = new Loopback();
  readonly key = randomBytes(32);
  readonly keeper: FakeKeeper;
  readonly standin: FakeStandin;
  readonly events: StreamEvent[] = [];
  readonly notes: string[] = [];
  readonly setup: SceneSetup;
  epoch = 3;
  board: Switchboard;
  /** The gateway's ends of the present connections. */
  toKeeper: Socket | undefined;
  toStandin: Socket | undefined;
  dials = 0;
  calls = 0;
  #over = false;

  constructor(setup: SceneSetup = {}) {
    this.setup = setup;
    const size = setup.size ?? { 1: 0, 2: 0 };
    this.keeper = new FakeKeeper({
      key: this.key,
      pattern,
      size,
      ...(setup.exit ? { exit: setup.exit } : {}),
    });
    this.standin = new FakeStandin({
      pattern,
      jobId: 7,
      script: Buffer.from('#!/bin/sh\necho hello\n'),
      environment: Buffer.from('A=1\0B=\xff\0', 'latin1'),
      ...setup.standin,
    });
    this.board = this.newBoard();
  }

  get standinKey(): StandinKey {
    return standinKey(cluster, this.standin.setup.jobId, this.standin.session);
  }

  newBoard(): Switchboard {
    return new Switchboard({
      clock: wallClock,
      scheduler: hurried(this.setup.speed ?? 20),
      entropy,
      dial: async () => {
        this.dials += 1;
        const [near, far] = await this.loopback.pair();
        this.toKeeper = near;
        this.keeper.serve(far);
        return near;
      },
      epoch: () => this.epoch,
      on: (e) => void this.events.push(e),
      note: (text, about) => void this.notes.push(`${text} ${JSON.stringify(about)}`),
      ...this.setup.needs,
    });
  }

  /** The stand-in calls, and again whenever it is cut off before its end. */
  async call(standin = this.standin): Promise<void> {
    if (this.#over || standin.exit !== undefined) return;
    this.calls += 1;
    const [near, far] = await this.loopback.pair();
    near.on('close', () => setTimeout(() => void this.call(standin).catch(() => {}), 2));
    this.toStandin = far;
    this.board.accept(far, cluster);
    standin.connect(near);
  }

  view(): KeeperView {
    const view = this.board.keeper(burst);
    if (view === undefined) throw new Error('no keeper is attached');
    return view;
  }

  /** What the engine's steps would do by now, whatever happened before; idempotent as they are. */
  step(): void {
    this.board.attachKeeper(burst, pod, this.key);
    const seen = this.board.standinOf(cluster, this.standin.setup.jobId);
    if (seen !== undefined && seen.coupled === undefined) this.board.couple(burst, seen.key);
    const keeper = this.view();
    if (keeper.inputComplete && keeper.started === undefined) this.board.start(burst, startSpec);
    if (keeper.drained && keeper.exit) this.board.finish(burst, keeper.exit.exit);
    if (seen?.bye === true) this.board.bye(burst);
  }

  /** Steps until it holds. */
  async until(what: string, holds: () => boolean, withinMs?: number): Promise<void> {
    await until(
      what,
      () => {
        this.step();
        return holds();
      },
      withinMs,
    );
  }

  async restart(): Promise<void> {
    await this.board.close();
    this.board = this.newBoard();
  }

  cutKeeper(): boolean {
    return cut(this.toKeeper);
  }

  cutStandin(): boolean {
    return cut(this.toStandin);
  }

  async end(): Promise<void> {
    this.#over = true;
    await this.board.close();
    this.loopback.close();
  }
}
