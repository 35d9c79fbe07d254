import { describe, expect, it } from 'vitest';
import type { AttemptKey } from '../../src/domain/ids.ts';
import type { Behaviour } from '../../src/sim/models/keeper-work.ts';
import type { Cut } from '../../src/sim/models/pipe.ts';
import { burst, grant, type Leg, pod, Stage, type StageSetup, startSpec } from './streams-scene.ts';

const short: Behaviour = {
  ms: 2_000,
  output: { 1: 3_000, 2: 200 },
  write: 1_000,
  salt: 5,
  exit: { code: 7 },
};
const long: Behaviour = { ms: 200_000, output: { 1: 20_000, 2: 300 }, write: 1_000, salt: 9 };

const stage = (setup: StageSetup = {}): Stage => {
  const s = new Stage({ does: short, ...setup });
  s.gateway();
  return s;
};

const nextTo = (s: Stage): Stage['gateways'][number] => {
  const g = s.gateways.at(-1);
  if (g === undefined) throw new Error('no gateway');
  return g;
};

describe('a whole talk under virtual time', () => {
  it('the script begins once, its output arrives whole, and both sides end as it ended', async () => {
    const s = stage();
    expect(await s.until(() => s.over())).toBe(true);
    expect(s.ran).toEqual([{ grant, podUid: 'pod-uid', rank: 0, at: expect.any(Number) }]);
    expect(s.whole(short)).toBe(true);
    expect(s.standinEnd).toEqual({ code: 7 });
    expect(s.ends).toEqual([
      ['main', { exitCode: 7, signal: 0 }],
      ['keeper', { exitCode: 0, signal: 0 }],
    ]);
    expect(nextTo(s).keeper()).toMatchObject({ drained: true, dropped: 0, byeSent: true });
    expect(nextTo(s).standin()).toMatchObject({ bye: true, termAt: undefined });
  });

  it('megabytes on both outputs, torn and late, with one pipe for both or two', async () => {
    const does: Behaviour = { ms: 5_000, output: { 1: 3_000_017, 2: 1_000_003 }, salt: 77 };
    for (const join of [false, true]) {
      const s = stage({
        does,
        start: { join },
        standin: { join },
        pipe: ({ clock, scheduler, chance }) => ({
          tear: (n) => Math.ceil(n * chance.random()),
          delay: { clock, scheduler, ms: () => 20 * chance.random() },
        }),
      });
      expect(await s.until(() => s.over())).toBe(true);
      expect(s.whole(does, join)).toBe(true);
    }
  });

  it('the same seed makes the same talk, frame by frame; another seed another', async () => {
    const talk = async (seed: number): Promise<string> => {
      const s = stage({
        seed,
        log: true,
        pipe: ({ clock, scheduler, chance }) => ({
          delay: { clock, scheduler, ms: () => chance.whole(1, 30) },
        }),
        frame: (one, leg) => {
          if (one.chance.hit(0.03)) one.last(leg).cut('reset');
        },
      });
      await s.until(() => s.over());
      return s.log.join('\n');
    };
    const first = await talk(5);
    expect(first).toMatch(/BYE[\s\S]*keeper ends 0 0/);
    expect(await talk(5)).toBe(first);
    expect(await talk(6)).not.toBe(first);
  });
});

describe('connections that break', () => {
  const afterEachFrame = async (how: Cut, both: boolean): Promise<number> => {
    for (let nth = 1; ; nth++) {
      let cut = 0;
      const s = stage({
        frame: (one, leg, frames) => {
          if (frames !== nth) return;
          cut = frames;
          one.last(leg).cut(how);
          if (both) one.pipes[leg === 'A' ? 'B' : 'A'].at(-1)?.cut(how);
        },
      });
      const over = await s.until(() => s.over());
      expect([nth, over, s.ran.length, s.whole(short)]).toEqual([nth, true, 1, true]);
      expect([nth, s.standinEnd, s.errors]).toEqual([nth, { code: 7 }, []]);
      if (cut === 0) return nth - 1;
    }
  };

  it('a leg is cut at each frame of the talk in turn, and the outcome is the same', async () => {
    expect(await afterEachFrame('reset', false)).toBeGreaterThan(40);
    expect(await afterEachFrame('end', false)).toBeGreaterThan(40);
  });

  it('both legs are cut at each frame in turn', async () => {
    expect(await afterEachFrame('reset', true)).toBeGreaterThan(40);
  });

  it('cut at random, again and again, through torn and late frames', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const does: Behaviour = { ms: 500, output: { 1: 800_000, 2: 90_000 }, write: 20_000, salt: seed };
      let quiet = false;
      const s = stage({
        seed,
        does,
        pipe: ({ clock, scheduler, chance }) => ({
          tear: (n) => (n < 100 ? n : chance.whole(1, n)),
          delay: { clock, scheduler, ms: () => chance.whole(0, 40) },
        }),
        frame: (one, leg) => {
          if (!quiet && one.chance.hit(0.02)) one.last(leg).cut(one.chance.pick<Cut>(['reset', 'end']));
        },
      });
      await s.pass(30_000);
      quiet = true;
      expect([seed, await s.until(() => s.over())]).toEqual([seed, true]);
      expect([seed, s.ran.length]).toEqual([seed, 1]);
      // Connections break; what goes over them is never wrong, not even a gap.
      expect([seed, s.errors]).toEqual([seed, []]);
      expect([seed, s.whole(does), s.standinEnd]).toEqual([seed, true, { code: 0 }]);
    }
  });

  it('half-open ones, each way of each leg, are ridden out by the 60 s of silence', async () => {
    for (const leg of ['A', 'B'] as Leg[])
      for (const lost of [['near'], ['far'], ['near', 'far']] as const) {
        const s = stage({ does: long });
        expect(await s.until(() => s.standin.written[1] > 3_000)).toBe(true);
        const before = s.pipes[leg].length;
        for (const side of lost) s.last(leg).lose(side);
        const since = s.clock.now();
        await s.until(() => s.pipes[leg].length > before);
        expect(s.clock.now() - since).toBeGreaterThan(35_000);
        expect(s.clock.now() - since).toBeLessThan(81_000);
        expect(await s.until(() => s.over())).toBe(true);
        expect([leg, lost, s.whole(long), s.ran.length]).toEqual([leg, lost, true, 1]);
      }
  });

  it('the pod cannot be reached for an hour: its output waits, and so does all that was asked meanwhile', async () => {
    const s = stage({ does: { ...long, onTerm: 'exit0' } });
    await s.until(() => s.standin.written[1] > 3_000);
    s.portForward = false;
    s.last('B').cut('reset');
    await s.pass(1_000);
    nextTo(s).board.signal(burst, 'g1', 15, 'all');
    await s.pass(3_600_000);
    expect(nextTo(s).keeper()).toMatchObject({ link: 'down', fault: 'dial: error dialing backend' });
    s.portForward = true;
    expect(await s.until(() => s.over(), 11_000)).toBe(true);
    // By the time the signal came it had ended by itself.
    expect([s.whole(long), s.standinEnd]).toEqual([true, { code: 0 }]);
  });

  it('with a connection that is there and silent, nobody takes silence for an end', async () => {
    const s = stage({ does: { ms: 900_000 } });
    await s.pass(800_000);
    expect([s.pipes.A.length, s.pipes.B.length, s.standinEnd]).toEqual([1, 1, undefined]);
    expect(await s.until(() => s.over())).toBe(true);
  });
});

describe('gateways that come and go', () => {
  it('killed at each frame of the talk in turn, the next with a higher epoch goes on where it was', async () => {
    for (let nth = 1, killed = true; killed; nth++) {
      killed = false;
      const s = stage({
        frame: (one, _, frames) => {
          if (frames !== nth) return;
          killed = true;
          void one.gateways[0]?.stop();
          one.scheduler.after(3_000, () => one.gateway(4));
        },
      });
      expect([nth, await s.until(() => s.over())]).toEqual([nth, true]);
      expect([nth, s.ran.length, s.whole(short), s.standinEnd]).toEqual([nth, 1, true, { code: 7 }]);
    }
  });

  it('an older leader is refused by keeper and stand-in once a later one was heard', async () => {
    const calls: number[] = [];
    const s: Stage = new Stage({
      does: long,
      log: true,
      standin: {
        dial: () => {
          const g = s.gateways[calls.shift() ?? 1];
          if (g === undefined) throw new Error('ECONNREFUSED');
          return s.toThe(g);
        },
      },
    });
    calls.push(0, 1, 0, 0);
    const [old, young] = [s.gateway(3), s.gateway(4)];
    expect(await s.until(() => young.keeper()?.link === 'up' && old.keeper()?.fault === 'stale')).toBe(true);
    // The stand-in has heard the old one only, which has no keeper for it.
    s.last('A').cut('end');
    expect(await s.until(() => s.standin.written[1] > 0)).toBe(true);
    s.last('A').cut('reset');
    await s.until(() => s.pipes.A.length === 4);
    expect(s.log.filter((l) => /A[23] > ERROR/.test(l))).not.toEqual([]);
    expect(await s.until(() => s.over())).toBe(true);
    expect(s.whole(long)).toBe(true);
    expect(s.ran.map((r) => r.grant.epoch)).toEqual([3]);
    expect(old.keeper()).toMatchObject({ link: 'down', started: undefined });
  });

  it('none is away for too long: both far ends go on calling for hours', async () => {
    const s = new Stage({ does: short });
    await s.pass(3 * 3_600_000);
    expect(s.standinEnd).toBeUndefined();
    s.gateway();
    expect(await s.until(() => s.over(), 20_000)).toBe(true);
  });

  it('a gateway with another grant starts nothing and is told whose it is', async () => {
    const s = stage({ does: long });
    expect(await s.until(() => s.ran.length === 1)).toBe(true);
    const g = s.gateway(4);
    g.board.attachKeeper(burst, pod, s.key);
    g.board.start(burst, { ...startSpec, grant: { ...grant, attempt: 'hpc1/7@1#1' as AttemptKey } });
    expect(await s.until(() => g.keeper()?.started !== undefined)).toBe(true);
    expect(g.keeper()).toMatchObject({ started: { grant } });
    expect(g.keeper()?.fault).toMatch(/^already_granted: hpc1\/7@1#0/);
    await s.pass(300_000);
    expect(s.ran).toHaveLength(1);
  });
});
