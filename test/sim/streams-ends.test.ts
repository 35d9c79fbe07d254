import { describe, expect, it } from 'vitest';
import {
  type Behaviour,
  patternAt,
  patternSum,
  type Runner,
  type ScriptExit,
} from '../../src/sim/models/keeper-work.ts';
import { burst, Stage, type StageSetup } from './streams-scene.ts';

const TERM = 15;
const CONT = 18;
const long: Behaviour = { ms: 200_000, output: { 1: 20_000, 2: 300 }, write: 1_000, salt: 9 };

const stage = (setup: StageSetup = {}): Stage => {
  const s = new Stage({ does: long, ...setup });
  s.gateway();
  return s;
};
const running = async (setup: StageSetup = {}): Promise<Stage> => {
  const s = stage(setup);
  expect(await s.until(() => s.standin.written[1] > 2_000)).toBe(true);
  return s;
};

describe('signals', () => {
  it('Slurm’s CONT and TERM end a script as it takes them: by the signal, by its own exit, or not at all', async () => {
    const told = async (onTerm: Behaviour['onTerm']): Promise<unknown> => {
      const s = await running({ does: { ...long, ...(onTerm ? { onTerm } : {}) } });
      s.standin.signal(CONT);
      s.standin.signal(TERM);
      await s.pass(5_000);
      const seen = s.gateways[0]?.standin()?.termAt !== undefined;
      return { end: s.standinEnd, main: s.ends[0]?.[1], seen };
    };
    expect(await told('die')).toEqual({
      end: { signal: 15 },
      main: { exitCode: 143, signal: 0 },
      seen: true,
    });
    expect(await told('exit0')).toEqual({ end: { code: 0 }, main: { exitCode: 0, signal: 0 }, seen: true });
    expect(await told('ignore')).toEqual({ end: undefined, main: undefined, seen: true });
  });

  it('what was written before the end arrives, and the sum is that of the pattern so far', async () => {
    const s = await running();
    s.standin.signal(TERM, 'all');
    expect(await s.until(() => s.over())).toBe(true);
    expect(s.standin.written).toEqual(s.keeper.written);
    expect(s.standin.written[1]).toBeLessThan(20_000);
    expect(s.standin.sums[1]).toBe(patternSum(9, 1, s.standin.written[1]));
  });

  it('the gateway’s KILL ends one that ignores all else', async () => {
    const s = await running({ does: { ...long, onTerm: 'ignore' } });
    s.gateways[0]?.board.signal(burst, 'g1', TERM, 'all');
    await s.pass(1_000);
    expect(s.standinEnd).toBeUndefined();
    s.gateways[0]?.board.signal(burst, 'g2', 9, 'all');
    expect(await s.until(() => s.over(), 5_000)).toBe(true);
    expect(s.standinEnd).toEqual({ signal: 9 });
  });

  it('of the gateway, asked for while the pod cannot be reached, are applied once it can', async () => {
    const s = await running();
    s.portForward = false;
    s.last('B').cut('reset');
    await s.pass(1_000);
    s.gateways[0]?.board.signal(burst, 'g1', TERM, 'all');
    await s.pass(10_000);
    expect(s.keeper.exit).toBeUndefined();
    s.portForward = true;
    expect(await s.until(() => s.over(), 20_000)).toBe(true);
    expect(s.standinEnd).toEqual({ signal: TERM });
  });

  it('sent while both legs are down they are applied later, once, and answered', async () => {
    const got: [number, string][] = [];
    const runner: Runner = (_, io) =>
      new Promise((resolve) => {
        io.signals((signo, scope) => {
          got.push([signo, scope]);
          if (signo === TERM) resolve({ code: 3 });
        });
      });
    const s = stage({ keeper: { work: () => runner } });
    await s.until(() => s.ran.length === 1);
    s.last('A').cut('reset');
    s.last('B').cut('reset');
    s.standin.signal(10);
    s.standin.signal(12, 'all');
    await s.pass(60_000);
    s.last('B').cut('reset');
    s.last('A').cut('end');
    s.standin.signal(TERM);
    expect(await s.until(() => s.over(), 60_000)).toBe(true);
    expect(got.slice(0, 3)).toEqual([
      [10, 'script'],
      [12, 'all'],
      [TERM, 'script'],
    ]);
    expect(s.standin.unanswered).toBe(0);
    expect(s.standinEnd).toEqual({ code: 3 });
  });

  it('before the first GO nothing can have started: the stand-in ends itself by the signal', async () => {
    const s = new Stage();
    await s.pass(60_000);
    s.standin.signal(TERM);
    expect(s.standinEnd).toBeUndefined();
    s.standin.signal(CONT);
    await s.pass(900);
    s.standin.signal(TERM);
    expect(s.standinEnd).toEqual({ signal: TERM });
  });
});

describe('main and keeper die', () => {
  it('main is killed, the keeper lives: the end is lost, with all that was written before it', async () => {
    const s = await running();
    s.keeper.kill('main');
    await s.until(() => s.over());
    expect(s.keeper.exit).toMatchObject({ lost: true, reason: 'main ended without a report' });
    expect(s.standin.written).toEqual(s.keeper.written);
    expect(s.standinEnd).toEqual({ signal: 9 });
    expect(s.standin.line).toBe('spillway: the job was lost: main ended without a report');
    expect(s.text[2].endsWith(`${s.standin.line}\n`)).toBe(true);
    expect(s.ends).toEqual([
      ['main', { exitCode: 137, signal: 9 }],
      ['keeper', { exitCode: 0, signal: 0 }],
    ]);
  });

  it('killed between the grant and the first instruction, nothing ran and the end is lost', async () => {
    const s = stage({ keeper: { startMs: 50 } });
    await s.until(() => s.keeper.grant !== undefined);
    s.keeper.kill('main');
    await s.until(() => s.over());
    expect(s.ran).toEqual([]);
    expect(s.keeper.exit).toMatchObject({ lost: true });
  });

  it('the pod is gone: nobody answers any more, and the gateway never takes that for an end', async () => {
    const s = await running();
    s.keeper.kill('pod');
    await s.pass(3_600_000);
    expect(s.gateways[0]?.keeper()).toMatchObject({ link: 'down', exit: undefined, drained: false });
    expect(s.standinEnd).toBeUndefined();
    expect(s.ends).toEqual([
      ['keeper', { exitCode: 137, signal: 9 }],
      ['main', { exitCode: 137, signal: 9 }],
    ]);
    s.gateways[0]?.board.discard(burst);
    s.gateways[0]?.board.finish(burst, { lost: true, reason: 'the instance is gone' });
    expect(await s.until(() => s.standinEnd !== undefined, 5_000)).toBe(true);
    expect(s.standin.line).toBe('spillway: the job was lost: the instance is gone');
  });

  it('the keeper alone is killed: the script goes on until it writes into its broken pipe', async () => {
    const s = await running();
    s.keeper.kill('keeper');
    expect(s.ends.map(([name]) => name)).toEqual(['keeper']);
    await s.pass(60_000);
    expect(s.ends[1]).toEqual(['main', { exitCode: 141, signal: 0 }]);
  });

  it('the keeper alone is killed while it holds the script back: its write is broken at once', async () => {
    const s = stage({ does: { ms: 1_000, output: { 1: 900_000 } }, keeper: { spoolBytes: 100_000 } });
    s.standin.diskFull(true);
    expect(await s.until(() => s.keeper.held)).toBe(true);
    s.keeper.kill('keeper');
    expect(s.ends[1]).toEqual(['main', { exitCode: 141, signal: 0 }]);
  });

  it('told to go, a pod that never was granted goes; one with a script tells how that ended', async () => {
    const idle = new Stage();
    await idle.pass(1_000);
    idle.keeper.terminate();
    expect(idle.ends).toEqual([
      ['main', { exitCode: 143, signal: 0 }],
      ['keeper', { exitCode: 0, signal: 0 }],
    ]);
    const s = await running();
    s.keeper.terminate();
    expect(s.ends).toEqual([['main', { exitCode: 143, signal: 0 }]]);
    expect(await s.until(() => s.over())).toBe(true);
    expect(s.standinEnd).toEqual({ signal: TERM });
  });

  it('a main that refuses to run is seen, and nothing is sent to it', async () => {
    const s = stage({ keeper: { main: { afterMs: 300, fault: 'has the groups [1] instead of [2]' } } });
    await s.pass(10_000);
    expect(s.gateways[0]?.keeper()).toMatchObject({
      main: 'refused',
      mainFault: 'has the groups [1] instead of [2]',
      started: undefined,
    });
    expect(s.ends).toEqual([['main', { exitCode: 1, signal: 0 }]]);
    expect(s.ran).toEqual([]);
  });

  it('a job of other groups than the pod’s is not run, and its owner is told', async () => {
    const s = stage({ start: { groups: [2001] } });
    expect(await s.until(() => s.over())).toBe(true);
    expect(s.ran).toEqual([]);
    expect(s.standinEnd).toEqual({ code: 1 });
    expect(s.text[2]).toMatch(/^slurmstepd: error: the job is uid 2001's with the groups 2001, the pod/);
  });
});

describe('output that nobody takes', () => {
  it('the stand-in is killed: what is left is discarded, counted, and the keeper may end', async () => {
    const s = await running();
    s.standin.kill();
    expect(s.standinEnd).toEqual({ signal: 9 });
    expect(await s.until(() => s.over())).toBe(true);
    const view = s.gateways[0]?.keeper();
    expect(s.keeper.written).toEqual({ 1: 20_000, 2: 300 });
    expect(view).toMatchObject({ drained: true, byeSent: true });
    expect((view?.dropped ?? 0) + s.standin.written[1] + s.standin.written[2]).toBe(20_300);
  });

  it('a full disk at the stand-in holds the script back, through reconnects, and loses nothing', async () => {
    const does: Behaviour = { ms: 10_000, output: { 1: 6_000_000, 2: 100_000 }, salt: 3 };
    const s = stage({ does, keeper: { spoolBytes: 1_000_000 } });
    await s.until(() => s.standin.written[1] > 500_000);
    s.standin.diskFull(true);
    await s.pass(600_000);
    // What it does not read it cannot miss: that is no silence.
    expect([s.pipes.A.length, s.pipes.B.length]).toEqual([1, 1]);
    s.last('A').cut('reset');
    s.last('B').cut('reset');
    await s.pass(600_000);
    expect(s.keeper.held).toBe(true);
    expect(s.keeper.written[1] - s.keeper.acked[1]).toBe(1_000_000);
    const stuckAt = s.standin.written[1];
    s.standin.diskFull(false);
    expect(s.standin.written[1] - stuckAt).toBeLessThanOrEqual(256 * 1024 + 65_536);
    expect(await s.until(() => s.over())).toBe(true);
    expect(s.whole(does)).toBe(true);
    expect(s.ran).toHaveLength(1);
  });

  it('a writer that is killed while it is held back loses what it had in hand, and its end is known at once', async () => {
    const does: Behaviour = { ms: 10_000, output: { 1: 5_000_000 }, salt: 4 };
    for (const kill of [
      (s: Stage) => s.keeper.kill('main'),
      (s: Stage) => s.gateways[0]?.board.signal(burst, 'g1', 9, 'all'),
    ]) {
      const s = stage({ does, keeper: { spoolBytes: 300_000 } });
      s.standin.diskFull(true);
      expect(await s.until(() => s.keeper.held)).toBe(true);
      kill(s);
      await s.pass(1_000);
      expect(s.keeper.exit).toMatchObject({ ends: { 1: 300_000, 2: 0 } });
      s.standin.diskFull(false);
      expect(await s.until(() => s.over())).toBe(true);
      expect(s.standin.sums[1]).toBe(patternSum(4, 1, 300_000));
    }
  });

  it('without a stand-in the spool fills, holds the writer back, and drains to the one that comes back', async () => {
    const does: Behaviour = { ms: 10_000, output: { 1: 5_000_000 }, salt: 4 };
    const s = stage({ does, keeper: { spoolBytes: 300_000 } });
    await s.until(() => s.standin.written[1] > 500_000);
    const g = s.gateways[0];
    await g?.stop();
    await s.pass(3_600_000);
    expect([s.keeper.held, s.keeper.written[1] - s.keeper.acked[1]]).toEqual([true, 300_000]);
    s.gateway(4);
    expect(await s.until(() => s.over())).toBe(true);
    expect(s.whole(does)).toBe(true);
  });
});

describe('the time limit', () => {
  it('is the keeper’s own once no gateway is there: TERM, then KILL', async () => {
    const s = new Stage({ does: { ms: 9_000_000, onTerm: 'ignore' } });
    const endsAt = s.clock.now() + 100_000;
    Object.assign(s.setup, { start: { endsAt, killAfterMs: 30_000 } });
    const g = s.gateway();
    await s.until(() => s.ran.length === 1);
    await s.pass(200_000);
    expect(s.keeper.exit).toBeUndefined();
    await g.stop();
    const since = s.clock.now();
    expect(await s.until(() => s.keeper.exit !== undefined, 90_000)).toBe(true);
    expect(s.clock.now() - since).toBeGreaterThanOrEqual(30_000);
    expect(s.keeper.exit).toMatchObject({ signal: 9, reason: 'time_limit' });
  });
});

describe('a script that somebody really runs', () => {
  it('gets what it would have had on the cluster, and is held back by a full spool', async () => {
    const seen: unknown[] = [];
    let writes = 0;
    const runner: Runner = async (order, io): Promise<ScriptExit> => {
      const { env, argv, cwd, umask, join } = order;
      seen.push({ env, argv, cwd, umask, join, script: order.script.toString() });
      for (let at = 0; at < 1_000_000; at += 50_000) {
        await io.write(1, patternAt(6, 1, at, 50_000));
        writes += 1;
      }
      await io.write(2, Buffer.from('done\n'));
      return { code: 4 };
    };
    const s = stage({
      keeper: { work: () => runner, spoolBytes: 200_000 },
      standin: { script: '#!/bin/sh\necho\n', argv: ['x'] },
      start: { argv: [Buffer.from('x').toString('base64')] },
    });
    s.standin.diskFull(true);
    await s.until(() => s.ran.length === 1);
    await s.pass(10_000);
    expect(writes).toBeLessThan(15);
    s.standin.diskFull(false);
    expect(await s.until(() => s.over())).toBe(true);
    expect(seen).toEqual([
      {
        env: { A: '1', HOSTNAME: 'node1' },
        argv: ['x'],
        cwd: '/home/alice',
        umask: 18,
        join: false,
        script: '#!/bin/sh\necho\n',
      },
    ]);
    expect(s.standin.sums[1]).toBe(patternSum(6, 1, 1_000_000));
    expect(s.text[2]).toBe('done\n');
    expect(s.standinEnd).toEqual({ code: 4 });
  });

  it('one that cannot be started is said so; one whose main is killed is told and heard no more', async () => {
    const s = stage({ keeper: { work: () => () => Promise.reject(new Error('no such shell')) } });
    expect(await s.until(() => s.over())).toBe(true);
    expect(s.standinEnd).toEqual({ code: 1 });
    expect(s.text[2]).toBe('slurmstepd: error: no such shell\n');

    const told: unknown[] = [];
    const runner: Runner = (_, io) =>
      new Promise((resolve) => {
        io.signals(async (signo) => {
          told.push(signo);
          told.push(await io.write(1, Buffer.from('x')).catch((e: Error) => e.message.slice(0, 5)));
          resolve({ code: 0 });
        });
      });
    const t = stage({ keeper: { work: () => runner } });
    await t.until(() => t.ran.length === 1);
    t.keeper.kill('main');
    expect(await t.until(() => t.over())).toBe(true);
    expect(told).toEqual([9, 'EPIPE']);
    expect(t.standinEnd).toEqual({ signal: 9 });
  });
});
