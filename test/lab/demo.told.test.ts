/** What the demo plays and how it tells it. */
import { describe, expect, it } from 'vitest';
import { alone } from '../../lab/demo/alone.ts';
import { findings } from '../../lab/demo/check.ts';
import { isOver, waitsOf } from '../../lab/demo/fates.ts';
import { askOf, jobsIn, morningOf } from '../../lab/demo/morning.ts';
import { optionsOf } from '../../lab/demo/options.ts';
import { cut, lines, pictureOf, type View } from '../../lab/demo/show.ts';
import { people } from '../../lab/demo/site.ts';
import { stageNames, stagesOf } from '../../lab/demo/stages.ts';
import { summary, table, verdict } from '../../lab/demo/summary.ts';
import { msAt, timeOfDay, told } from '../../lab/demo/told.ts';
import { burstStates } from '../../src/domain/burst.ts';
import { evidence } from './demo.sample.ts';

describe('a morning', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(morningOf(3)).toEqual(morningOf(3));
    expect(morningOf(3)).not.toEqual(morningOf(4));
  });

  it.each([0, 1, 2, 3, 999_999_999])(
    'has some hundred jobs of everybody, some of which fail (seed %i)',
    (seed) => {
      const plans = morningOf(seed);
      expect(jobsIn(plans)).toBeGreaterThanOrEqual(100);
      expect(jobsIn(plans)).toBeLessThanOrEqual(200);
      expect(new Set(plans.map(({ partition }) => partition))).toEqual(new Set(['batch', 'long']));
      expect(new Set(plans.map(({ account }) => account))).toEqual(new Set(people.map((p) => p.account)));
      expect(plans.filter(({ exit }) => exit.code !== 0).length).toBeGreaterThan(2);
      expect(plans.filter(({ tasks }) => tasks > 1).length).toBeGreaterThan(2);
    },
  );

  it.each([1, 2, 3])(
    'without a cloud all jobs end, after waits of an hour and more (seed %i)',
    async (seed) => {
      const plans = morningOf(seed);
      const { jobs, submitted } = await alone(plans, seed);
      expect(submitted).toHaveLength(plans.length);
      expect(jobs).toHaveLength(jobsIn(plans));
      expect(jobs.every(isOver)).toBe(true);
      expect(waitsOf(jobs).meanMs).toBeGreaterThan(msAt(9, 0));
      expect((await alone(plans, seed)).jobs).toEqual(jobs);
    },
  );

  it('a script does in a pod what the job does at home', () => {
    const [failing] = morningOf(1).filter(({ exit }) => exit.code !== 0);
    if (failing === undefined) throw new Error('none fails');
    const { script = '', work } = askOf(failing);
    expect(JSON.parse(/^#SIM (.*)$/m.exec(script)?.[1] ?? '')).toMatchObject({
      ms: failing.runMs,
      exit: failing.exit,
    });
    const { code, signal } = failing.exit;
    expect(work).toEqual({ ms: failing.runMs, ...(signal === undefined ? { exit: code } : { signal }) });
  });
});

describe('time is told', () => {
  it('as the centre’s: one second here is four minutes there', () => {
    expect([0, 1_000, 15_000, 60_000].map(timeOfDay)).toEqual(['08:00', '08:04', '09:00', '12:00']);
    expect([0, 250, 14_750, 15_000, 16_250].map(told)).toEqual([
      '0 min',
      '1 min',
      '59 min',
      '1 h 00 min',
      '1 h 05 min',
    ]);
    expect(timeOfDay(msAt(10, 24))).toBe('10:24');
  });
});

describe('the summary', () => {
  const e = evidence();
  it('has waits with and without a cloud, fates and spend', () => {
    const text = summary(e);
    expect(text).toMatch(/on average +1 h 20 min +21 min/);
    expect(text).toMatch(/ 14 {2}in the cloud\n/);
    expect(text).toMatch(/ 1 {2}in the cloud twice/);
    expect(text).toMatch(/ 1 {2}at home: no budget held it/);
    expect(text).toMatch(/ 18 {2}COMPLETED, 2 FAILED \(2 scripts were written to fail\)/);
    expect(text).toMatch(/physics +\$5\.50 +\$60\.00\n/);
    expect(text).toMatch(
      /chemistry +\$0\.10 +\$1\.75 {3}has run out: one more of its jobs could cost \$1\.67/,
    );
  });

  it('says what holds, and what does not and why', () => {
    expect(verdict(findings(e))).not.toContain('✗');
    const text = verdict(findings(evidence({ left: ['pod spill-1'] })));
    expect(text).toContain('✗ no machine, pod, node or key is left\n      pod spill-1 is left');
  });

  it('has a line for each job, with its wait in either centre', () => {
    const rows = table(e).split('\n');
    expect(rows).toHaveLength(1 + e.jobs.length);
    expect(rows.find((r) => r.includes('106'))).toMatch(
      /106 +erin +biology .*48 min +1 h 20 min +COMPLETED 0:0 +in the cloud twice/,
    );
  });
});

describe('the picture', () => {
  const { bursts, decisions, budgets } = evidence();
  const view: View = {
    atMs: msAt(9, 12),
    queue: [
      { partition: 'batch', waiting: 12, running: 7 },
      { partition: 'long', waiting: 0, running: 2 },
    ],
    home: { used: 160, of: 192 },
    podsOn: new Map([['i-1', 1]]),
    sight: {
      bursts,
      decisions,
      budgets,
      instances: [
        { id: 'a', cloudId: 'i-1', type: 'c7i.16xlarge', zone: 'eu-sim-1a', state: 'ready' },
        { id: 'b', cloudId: 'i-2', type: 'c7i.16xlarge', zone: 'eu-sim-1a', state: 'gone' },
      ],
    },
  };

  it('shows backlog, bursts, machines, money, decisions and events', () => {
    const text = pictureOf(view, ['08:24  dave submits an array'], 45).join('\n');
    for (const part of [
      '09:12',
      /batch +12 +7/,
      /done +15/,
      /i-1 +c7i.* 1 job/,
      /physics +\$5\.50/,
      /given back: no capacity/,
      'dave submits',
    ])
      expect(text).toMatch(part);
    expect(text).not.toContain('i-2');
  });

  it.each([2, 10, 24, 45])('fits into %i rows, always with the same height', (rows) => {
    const heights = [[], Array.from({ length: 9 }, (_, i) => `event ${i}`)].map(
      (events) => pictureOf(view, events, rows).length,
    );
    expect(heights[0]).toBe(heights[1]);
    expect(heights[0]).toBeLessThanOrEqual(rows);
  });

  it('is cut at the terminal’s edge, colours left out of account', () => {
    expect(cut('\u001b[1mabcdef\u001b[22m', 5)).toBe('\u001b[1mabcd\u001b[22m');
  });

  it('where there is no terminal, is a line now and then, without control characters', () => {
    let text = '';
    const show = lines({
      write: (piece) => {
        text += piece;
      },
    });
    show.tell(1_000, 'the cloud is sold out');
    show.draw(view);
    show.draw(view);
    expect(text.split('\n').filter((line) => line !== '')).toEqual([
      '08:04  the cloud is sold out',
      expect.stringMatching(
        /^09:12 +waiting: batch 12, long 0 · bursts: done 15.* · machines: 1 · spent: physics \$5\.50/,
      ),
    ]);
    expect(text).not.toContain('\u001b');
  });

  it('has a word for every state of a burst', () => {
    const one = (state: string) =>
      stagesOf([{ job: '1', restarts: 0, user: 'alice', account: 'physics', state }]);
    for (const state of burstStates)
      expect(
        [...one(state).values()].reduce((a, b) => a + b),
        state,
      ).toBe(1);
    expect([...one('running').keys()]).toEqual(stageNames);
  });
});

describe('options', () => {
  it('are few', () => {
    expect(optionsOf([])).toEqual({ check: false, keep: false, verbose: false, help: false, seed: 1 });
    expect(optionsOf(['--check', '--verbose', '--seed', '7'])).toMatchObject({
      check: true,
      verbose: true,
      seed: 7,
    });
    expect(optionsOf(['--seed=7', '--keep'])).toMatchObject({ keep: true, seed: 7 });
  });

  it.each([
    [['--chekc'], /--chekc/],
    [['now'], /now/],
    [['--seed'], /seed/],
    [['--seed', 'x'], /--seed x: write a whole number/],
    [['--seed', '-1'], /seed/],
    [['--check', '--keep'], /write one of them/],
    [['--check=yes'], /check/],
  ])('%j is refused, with a reason', (args, why) => {
    expect(optionsOf(args)).toMatch(why);
  });
});
