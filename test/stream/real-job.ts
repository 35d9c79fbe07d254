/** The real keeper, main and stand-in as processes of this user on loopback, with a relay that only says PEER and copies. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Exit } from '../../src/domain/burst.ts';
import { encode } from '../../src/stream/messages.ts';
import type { KeeperView, StandinView } from '../../src/stream/streams.ts';
import { Switchboard } from '../../src/stream/switchboard.ts';
import { burst, cluster, pod, startSpec } from './scene.ts';
import { cut, entropy, hurried, Loopback, until, wallClock } from './wire.ts';

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
const groups = [...new Set([gid, ...(process.getgroups?.() ?? [])])];

/** The stand-in trusts only root's configuration; in a user namespace of its own, anybody's own files are root's. */
const asRoot = uid === 0 ? [] : ['unshare', '--user', '--map-root-user'];

/** Builds and installs the binary; Go keeps what it built. */
export function install(): string {
  const dir = mkdtempSync(join(tmpdir(), 'spill-real-'));
  chmodSync(dir, 0o755);
  const agent = fileURLToPath(new URL('../../agent', import.meta.url));
  execFileSync('go', ['build', '-o', join(dir, 'built'), '.'], {
    cwd: agent,
    env: { ...process.env, CGO_ENABLED: '0' },
    stdio: 'pipe',
  });
  execFileSync(join(dir, 'built'), ['install', join(dir, 'bin')]);
  return dir;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export interface JobSetup {
  /** With its `#!` line. */
  readonly script: string;
  readonly args?: readonly string[];
  /** stdout and stderr are one file. */
  readonly join?: boolean;
  /** Slurm's programs of the burst host, each a script of its own. */
  readonly slurm?: Readonly<Record<string, string>>;
}

export class RealJob {
  readonly dir: string;
  readonly setup: JobSetup;
  readonly #loopback = new Loopback();
  readonly #key = randomBytes(32);
  readonly #bin: string;
  readonly #relays = new Set<Socket>();
  #relay: Server | undefined;
  #port = 0;
  #teamPort = 0;
  board: Switchboard;
  keeper: ChildProcess | undefined;
  main: ChildProcess | undefined;
  standin: ChildProcess | undefined;
  toKeeper: Socket | undefined;
  toStandin: Socket | undefined;
  ended: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | undefined;

  constructor(installed: string, setup: JobSetup) {
    this.#bin = join(installed, 'bin');
    this.setup = setup;
    this.dir = mkdtempSync(join(installed, 'job-'));
    this.board = this.#newBoard();
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  output(): Buffer {
    return readFileSync(this.path('out'));
  }

  errors(): Buffer {
    return readFileSync(this.path('err'));
  }

  async begin(): Promise<void> {
    this.#port = await freePort();
    this.#teamPort = await freePort();
    mkdirSync(this.path('slurm'));
    for (const [name, text] of Object.entries(this.setup.slurm ?? {}))
      writeFileSync(join(this.path('slurm'), name), text, { mode: 0o755 });
    mkdirSync(this.path('spool'));
    writeFileSync(this.path('key'), this.#key);
    const shared = { SPILL_UID: String(uid), SPILL_SOCKET: this.path('keeper.sock') };
    this.keeper = this.#spawn('spill-keeper', {
      ...shared,
      SPILL_KEY_FILE: this.path('key'),
      SPILL_PORT: String(this.#port),
      SPILL_SPOOL: this.path('spool'),
    });
    this.main = this.#spawn('spill-main', {
      ...shared,
      SPILL_GID: String(gid),
      SPILL_GROUPS: groups.join(','),
      SPILL_DIR: this.path('job'),
    });
    await this.#listen();
    this.#beginStandin();
  }

  get keeperView(): KeeperView | undefined {
    return this.board.keeper(burst);
  }

  get standinView(): StandinView | undefined {
    return this.board.standinOf(cluster, 7);
  }

  /** What the engine's steps would do by now. */
  step(): void {
    this.board.attachKeeper(burst, pod, this.#key);
    const standin = this.standinView;
    if (standin !== undefined && standin.coupled === undefined) this.board.couple(burst, standin.key);
    const keeper = this.keeperView;
    if (keeper?.inputComplete && keeper.main === 'ready' && standin !== undefined) {
      const { argv, cwd, umask, limits, join, calls } = standin.open;
      const user = { uid, gid, user: 'me', home: this.dir, shell: '/bin/sh' };
      const team = { rank: 0, hosts: [{ name: 'pod', address: '127.0.0.1' }], port: this.#teamPort };
      this.board.start(burst, {
        ...{ ...startSpec, argv, cwd, umask, limits, join, groups, user, team },
        ...(calls === true ? { calls } : {}),
      });
    }
    if (keeper?.drained && keeper.exit) this.board.finish(burst, this.outcome(keeper.exit.exit));
    if (standin?.bye) this.board.bye(burst);
  }

  /** What is reported for how main ended. */
  outcome(exit: Exit): Exit {
    return exit;
  }

  async until(what: string, holds: () => boolean, withinMs?: number): Promise<void> {
    await until(
      what,
      () => {
        this.step();
        return holds();
      },
      withinMs,
    ).catch((e: unknown) => {
      const log = existsSync(this.path('log')) ? readFileSync(this.path('log'), 'utf8') : '';
      throw new Error(`${String(e)}\n${JSON.stringify(this.keeperView)}\n${log}`);
    });
  }

  cutKeeper(): void {
    cut(this.toKeeper);
  }

  cutStandin(): void {
    cut(this.toStandin);
  }

  async restart(): Promise<void> {
    await this.board.close();
    this.board = this.#newBoard();
  }

  async end(): Promise<void> {
    const pid = this.keeperView?.started?.pid;
    await this.board.close();
    this.#relay?.close();
    for (const s of this.#relays) s.destroy();
    this.#loopback.close();
    for (const child of [this.standin, this.main, this.keeper]) {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    try {
      // The script's session is its own; here no container's end ends it.
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    } catch {
      // It had ended.
    }
    rmSync(this.dir, { recursive: true });
  }

  #newBoard(): Switchboard {
    return new Switchboard({
      clock: wallClock,
      scheduler: hurried(4),
      entropy,
      dial: async () => {
        const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
        await once(socket, 'connect');
        this.toKeeper = socket;
        return socket;
      },
      epoch: () => 3,
      on: () => {},
    });
  }

  #spawn(name: string, env: Record<string, string>): ChildProcess {
    const log = openSync(this.path('log'), 'a');
    const child = spawn(join(this.#bin, name), [], {
      cwd: this.dir,
      env: { PATH: process.env.PATH ?? '', ...env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    return child;
  }

  #beginStandin(): void {
    const script = this.path('slurm_script');
    writeFileSync(script, `#!${join(this.#bin, 'spill-standin')}\n${this.setup.script}`, { mode: 0o700 });
    const out = openSync(this.path('out'), 'a');
    const err = this.setup.join ? out : openSync(this.path('err'), 'a');
    const [command = script, ...args] = [...asRoot, script, ...(this.setup.args ?? [])];
    const child = spawn(command, args, {
      cwd: this.dir,
      env: {
        PATH: process.env.PATH ?? '',
        GREETING: 'grüß dich\nzweite Zeile',
        SLURM_JOB_ID: '7',
        PWD_OF_TEST: this.dir,
      },
      stdio: ['ignore', out, err],
    });
    closeSync(out);
    if (err !== out) closeSync(err);
    child.on('exit', (code, signal) => {
      this.ended = { code, signal };
    });
    this.standin = child;
  }

  /** In the relay's place: says who calls, then copies both ways. */
  async #listen(): Promise<void> {
    const path = this.path('relay.sock');
    const config = { relaySocket: path, slurmBin: this.path('slurm') };
    writeFileSync(join(this.#bin, 'spill.json'), JSON.stringify(config), { mode: 0o644 });
    this.#relay = createServer((near) => {
      this.#relays.add(near);
      near.on('error', () => {});
      void this.#loopback.pair().then(([mine, gateways]) => {
        mine.write(
          encode({
            type: 'PEER',
            uid,
            gid,
            groups: groups.map((g) => ({ gid: g, name: '' })),
            user: 'me',
            home: this.dir,
            shell: '/bin/sh',
            jobId: 7,
            pid: this.standin?.pid ?? 1,
            host: 'burst1',
          }),
        );
        near.pipe(mine).pipe(near);
        near.on('close', () => mine.destroy());
        mine.on('close', () => near.destroy());
        this.toStandin = gateways;
        this.board.accept(gateways, cluster);
      });
    });
    this.#relay.listen(path);
    await once(this.#relay, 'listening');
  }
}
