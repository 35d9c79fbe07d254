/** The Slurm model on the wire, through the real adapter over a real SSH connection. */
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2 from 'ssh2';
import { afterEach, describe, expect, test } from 'vitest';
import { sshSlurm } from '../../adapters/slurm/index.ts';
import { ssh } from '../../adapters/slurm/ssh.ts';
import { type SlurmServer, serveSlurm } from '../../lab/servers/slurm.ts';
import { newKeys } from '../../lab/servers/slurm-keys.ts';
import { clusterName, instant } from '../../src/domain/ids.ts';
import type { Clock, Scheduler, SlurmPort } from '../../src/ports.ts';
import { Chance } from '../../src/sim/chance.ts';
import type { SlurmModel } from '../../src/sim/models/slurm.ts';
import type { SlurmConfig } from '../../src/sim/models/slurm-types.ts';
import { slurmContract } from './slurm.contract.ts';
import { backOf, claimOf, faultIn, type SlurmHarness } from './slurm.harness.ts';
import { partitions, people, slurmModel } from './slurm.model.ts';
import { cuttableWay } from './slurm.way.ts';

const quick: Partial<SlurmConfig> = {
  schedMs: 40,
  backfillMs: 500,
  limitCheckMs: 1_000,
  killWaitMs: 1_000,
  credExpireMs: 20_000,
  launchMs: [10, 30],
  completingMs: [10, 30],
  dbdLagMs: [10, 150],
};

const realTime: Clock & Scheduler = {
  now: () => instant(Date.now()),
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

const keys = newKeys();
const log = { info: () => undefined, warn: () => undefined };

async function eventually<T>(what: string, condition: () => Promise<T | undefined | false>): Promise<T> {
  const end = Date.now() + 45_000;
  for (let last: unknown; ; ) {
    try {
      const met = await condition();
      if (met !== undefined && met !== false) return met;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`, { cause: last });
    await sleep(20);
  }
}

interface Wired extends SlurmHarness {
  readonly model: SlurmModel;
  readonly server: SlurmServer;
  readonly lines: readonly string[];
}

interface Wishes {
  readonly config?: Partial<SlurmConfig>;
  readonly timeoutMs?: number;
}

async function wired({ config = {}, timeoutMs = 10_000 }: Wishes = {}): Promise<Wired> {
  const model = slurmModel(
    { ...quick, ...config },
    { clock: realTime, scheduler: realTime, entropy: new Chance(3) },
  );
  const lines: string[] = [];
  const logins = ['spillway', 'alice'].map((user) => ({ user, publicKey: keys.public }));
  const server = await serveSlurm(model, { port: 0, logins, log: (line) => lines.push(line) });
  const way = await cuttableWay(server.port);
  const port: SlurmPort = sshSlurm({
    ...{ cluster: clusterName('lab'), host: '127.0.0.1', port: way.port, user: 'spillway' },
    ...{ hostKey: server.hostKey, privateKey: keys.private, clock: realTime, log, timeoutMs },
    env: { SLURM_CONF: '/etc/slurm/slurm.conf' },
  });
  return {
    ...{ model, server, lines, port, partitions, eventually },
    now: () => realTime.now(),
    ...people(model),
    reach: async (on) => way.open(on),
    async close() {
      await port.close();
      await way.close();
      await server.close();
    },
  };
}

slurmContract('the model over the wire', () => wired());

describe('the Slurm server', () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });
  const start = async (wishes?: Wishes): Promise<Wired> => {
    const made = await wired(wishes);
    open.push(made);
    return made;
  };
  /** What somebody sees who logs in and types. */
  const shell = ({ server }: Wired, user: string) => {
    const transport = ssh({
      ...{ host: '127.0.0.1', port: server.port, user, hostKey: server.hostKey },
      ...{ privateKey: keys.private, clock: realTime, log },
    });
    open.unshift(transport);
    return (line: string) => transport.run({ at: 'shell', line, timeoutMs: 5_000, effect: true });
  };
  const soon = () => instant(Date.now() + 20_000);

  test('serves people: submit, look, change, cancel, as themselves', async () => {
    const it = await start();
    const [alice, operator] = [shell(it, 'alice'), shell(it, 'spillway')];
    const submitted = await alice(
      `sbatch --parsable -p cloud -J 'two words' --comment="it's mine" -t 1-02 -n 2 --wrap 'sleep 5; exit 3'`,
    );
    expect(submitted).toEqual({ code: 0, stdout: '1\n', stderr: '' });
    expect(await it.port.job('1' as never)).toMatchObject({
      ...{ name: 'two words', comment: "it's mine", timeLimitMs: 26 * 3_600_000, cpus: 2, user: 'alice' },
    });
    expect(it.model.truth()[0]).toMatchObject({ user: 'alice', partition: 'cloud' });
    expect(await alice('scontrol update jobid=1 comment=other nice=4')).toMatchObject({ code: 0 });
    const denied = await alice('scontrol update jobid=1 priority=9999');
    expect(denied).toEqual({ code: 1, stdout: '', stderr: 'Access/permission denied for job 1\n' });
    expect(await operator('scontrol update jobid=1 priority=9999')).toMatchObject({ code: 0 });
    expect(await alice('scontrol hold 1')).toMatchObject({ code: 0 });
    expect((await it.port.snapshot()).jobs[0]).toMatchObject({ reason: 'JobHeldUser', priority: 0 });
    expect(await alice('scancel 1')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(it.model.truth()[0]?.state).toBe('CANCELLED');
  });

  test('is no shell: other commands, formats and tricks are told so', async () => {
    const it = await start();
    const alice = shell(it, 'alice');
    const lines = [
      ...['ls', 'squeue; ls', 'squeue -O JobID', 'squeue -O Nonsense:0', 'squeue $(ls)', 'sinfo -N -o %Z'],
      ...['scontrol reboot n1', 'scontrol show job x', "exec sh -c 'ls; ls'", "squeue 'x", 'sbatch --wcpu=3'],
    ];
    for (const line of lines) {
      const answer = await alice(line);
      expect([line, answer.code, answer.stdout]).toEqual([line, 127, '']);
      expect(answer.stderr).toMatch(/\S/);
    }
    expect(it.model.truth()).toEqual([]);
    expect((await alice('date +%s')).stdout).toMatch(/^\d{10}\n$/);
    expect((await alice('sdiag')).stdout).toContain('Server thread count:');
  });

  test('lets in whom it knows, by key alone', async () => {
    const it = await start();
    await expect(shell(it, 'bob')('date +%s')).rejects.toMatchObject({ fault: 'unreachable' });
    await expect(shell(it, 'root')('date +%s')).rejects.toMatchObject({ fault: 'unreachable' });
  });

  test('a lost answer is unknown and made, a lost request unknown and not made', async () => {
    const it = await start();
    const ref = await it.submit({});
    const before = await it.port.job(ref);
    if (before === undefined) throw new Error('no job');
    it.model.switch('lost-request', true);
    expect(await faultIn(it.port.move(ref, claimOf(it, before), soon()))).toBe('unknown');
    it.model.heal();
    expect(await it.port.job(ref)).toMatchObject({ partition: 'cloud' });
    it.model.switch('lost-answer', true);
    expect(await faultIn(it.port.move(ref, claimOf(it, before), soon()))).toBe('unknown');
    it.model.heal();
    expect(await it.port.job(ref)).toMatchObject({ partition: 'burst_wait' });
    await it.port.move(ref, backOf(before), soon());
    expect(await it.port.job(ref)).toMatchObject({ partition: 'cloud' });
  });

  test('a connection that breaks with a command is unknown for a write, and the next one is new', async () => {
    const it = await start();
    const ref = await it.submit({});
    const before = await it.port.job(ref);
    if (before === undefined) throw new Error('no job');
    it.model.switch('dropped', true);
    expect(await faultIn(it.port.cancel(ref, soon()))).toBe('unknown');
    expect(await faultIn(it.port.snapshot())).toBe('unreachable');
    it.model.heal();
    await eventually('the port to be back', async () => (await it.port.job(ref))?.state === 'PENDING');
  });

  test('an answer of exit 0 with an error on stderr is no answer', async () => {
    const it = await start();
    const ref = await it.submit({});
    it.model.switch('exit-0-with-error', true);
    for (const work of [it.port.job(ref), it.port.snapshot(), it.port.accounting(ref)])
      expect(await faultIn(work)).toBe('unreachable');
  });

  test('a controller that is away, a busy one, and a database that is away', async () => {
    const it = await start();
    const ref = await it.submit({});
    const before = await it.port.job(ref);
    if (before === undefined) throw new Error('no job');
    it.model.switch('busy', true);
    expect(await faultIn(it.port.move(ref, claimOf(it, before), soon()))).toBe('transient');
    it.model.heal();
    it.model.restart(600_000);
    expect(await faultIn(it.port.job(ref))).toBe('unreachable');
    expect(await faultIn(it.port.cancel(ref, soon()))).toBe('unreachable');
    expect(await faultIn(it.port.accounting(ref))).toBe('none');
    it.model.switch('dbd-away', true);
    expect(await faultIn(it.port.accounting(ref))).toBe('unreachable');
    it.model.switch('away', true);
    expect(await faultIn(it.port.cancel(ref, soon()))).toBe('unreachable');
    it.model.restart(0);
    it.model.heal();
    await eventually('it to be back', async () => (await it.port.job(ref))?.state === 'PENDING');
  });

  test('a command that takes longer than it may is killed over there', async () => {
    // The far side gives up three seconds before the adapter does.
    const it = await start({ timeoutMs: 4_000, config: { latencyMs: [2_400, 2_400] } });
    const ref = await it.submit({});
    // The connection is up before time counts.
    await it.port.job(ref);
    it.model.switch('latency', true);
    await expect(it.port.job(ref)).rejects.toMatchObject({
      fault: 'unreachable',
      message: expect.stringContaining('did not end in time'),
    });
  });

  test('takes a script on stdin', async () => {
    const it = await start();
    const client = new ssh2.Client();
    open.unshift({ close: async () => void client.end() });
    const printed = await new Promise<string>((resolve, reject) => {
      client.on('error', reject);
      client.on('ready', () =>
        client.exec('sbatch -p batch', (error, channel) => {
          if (error !== undefined) return reject(error);
          channel.on('data', (chunk: Buffer) => resolve(chunk.toString()));
          channel.end('#!/bin/sh\nsleep 0.05\nexit 6\n');
        }),
      );
      const { port } = it.server;
      client.connect({ host: '127.0.0.1', port, username: 'alice', privateKey: keys.private });
    });
    expect(printed).toBe('Submitted batch job 1\n');
    const ended = await eventually('it to end', async () => {
      const [job] = it.model.truth();
      return job?.state === 'FAILED' && job;
    });
    expect(ended.runs[0]).toMatchObject({ exit: { code: 6, signal: 0 }, nodes: ['n1'] });
  });
});
