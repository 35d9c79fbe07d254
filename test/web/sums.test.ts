/** What the page reckons by itself: sums, shares of time, what stands behind a list's newest page, and how numbers are written. */
import { describe, expect, it } from 'vitest';
import type { LedgerView } from '../../src/api/portal-schemas.ts';
import type { BurstView, InstanceView } from '../../src/api/schemas.ts';
import { behindOf } from '../../src/web/behind.ts';
import { exitOf } from '../../src/web/exit.ts';
import { csv, share, span, usd } from '../../src/web/format.ts';
import { failuresOf, livesOf, upOverTime, utilisation } from '../../src/web/pages/capacity/use.ts';
import { stepsOf } from '../../src/web/pages/job/steps.ts';
import { costBy, spentOverTime, tableOf } from '../../src/web/pages/money/sums.ts';
import { isBlind, lookAge } from '../../src/web/pages/now/look-age.ts';
import { languages } from '../../src/web/texts.ts';
import { paceOf, touches } from '../../src/web/touched.ts';

const at = (minute: number): string => new Date(Date.UTC(2026, 0, 5, 8, minute)).toISOString();
const instant = (minute: number): number => Date.parse(at(minute));

describe('numbers and times', () => {
  it.each<[number, string]>([
    [0, '0 s'],
    [900, '1 s'],
    [61_000, '1 min 1 s'],
    [3_600_000, '1 h'],
    [90 * 60_000 + 59_000, '1 h 30 min'],
    [26 * 3_600_000, '1 d 2 h'],
    [-5, '0 s'],
  ])('%s ms are %s', (ms, words) => {
    expect(span(ms)).toBe(words);
  });

  it('money has cents, and more where it would read as nothing', () => {
    expect(usd(2_500_000, 'en')).toBe('$2.50');
    expect(usd(1_234_567_890, 'en')).toBe('$1,235');
    expect(usd(4_200, 'en')).toBe('$0.0042');
    expect(usd(0, 'en')).toBe('$0.00');
  });

  it('a share is never above all of it, nor a number that is none', () => {
    expect([share(1, 4), share(9, 4), share(-1, 4), share(1, 0)]).toEqual([0.25, 1, 0, 0]);
  });

  it('CSV keeps commas and quotes in their cell, and runs no formula', () => {
    expect(csv([['a,b', 'say "x"', '=1+1', 3]])).toBe(`"a,b","say ""x""",'=1+1,3\r\n`);
  });
});

describe('an end', () => {
  it.each<[BurstView['exit'], string | undefined, string | undefined]>([
    [undefined, undefined, undefined],
    [{ code: 0 }, '0', '0'],
    [{ code: 137, signal: 9, reason: 'OOMKilled' }, '137, signal 9, OOMKilled', '137, Signal 9, OOMKilled'],
    [{ lost: true, reason: 'NodeLost' }, 'NodeLost', 'NodeLost'],
  ])('%j is said in each language', (exit, en, de) => {
    expect([exitOf({ exit }, languages.en), exitOf({ exit }, languages.de)]).toEqual([en, de]);
  });
});

describe('a list', () => {
  const keyOf = (n: number): string => String(n);
  it('goes on behind its newest page where that was cut, whatever came on top of it', () => {
    expect(behindOf([9, 8, 7], [8, 7, 6, 5], keyOf)).toEqual([6, 5]);
  });
  it('does not show again what left the newest page', () => {
    expect(behindOf([9, 7], [9, 8, 7, 6], keyOf)).toEqual([6]);
  });
  it('that moved on by more than a page shows nothing twice', () => {
    expect(behindOf([9, 8], [5, 4], keyOf)).toEqual([5, 4]);
  });
});

describe('money', () => {
  const row = (
    account: string,
    microUsd: number,
    minute: number,
    state: LedgerView['state'] = 'settled',
  ): LedgerView => ({
    ...{ burst: `b-${minute}`, cluster: 'hpc1', account, user: 'alice', microUsd, state, at: at(minute) },
  });
  const rows = [
    row('physics', 2e6, 3),
    row('biology', 5e6, 2),
    row('physics', 1e6, 1),
    row('physics', 9e6, 4, 'held'),
  ];

  it('that is held is not spent', () => {
    expect(costBy(rows, 'account')).toEqual([
      { key: 'biology', microUsd: 5e6, bursts: 1 },
      { key: 'physics', microUsd: 3e6, bursts: 2 },
    ]);
  });

  it('is summed up by node group, and under a dash where that is known no more', () => {
    const [first, second, ...rest] = rows.map((r) => ({ ...r, group: 'cpu' }));
    const { group: _, ...unknown } = second ?? row('biology', 5e6, 2);
    expect(
      costBy(
        [first, unknown, ...rest].filter((r) => r !== undefined),
        'group',
      ),
    ).toEqual([
      { key: '–', microUsd: 5e6, bursts: 1 },
      { key: 'cpu', microUsd: 3e6, bursts: 2 },
    ]);
  });

  it('is saved with all its columns, and a table that was cut is named after what it has', () => {
    const { name, text } = tableOf([{ ...row('physics', 2_500_000, 3), group: 'cpu' }], true);
    expect([name, text.split('\r\n')]).toEqual([
      'spillway-ledger-newest-1-rows.csv',
      [
        'at,cluster,account,user,burst,state,usd,group',
        `${at(3)},hpc1,physics,alice,b-3,settled,2.500000,cpu`,
        '',
      ],
    ]);
    expect(tableOf([], false).name).toBe('spillway-ledger.csv');
  });

  it('adds up over time, whatever order its rows come in', () => {
    expect(spentOverTime(rows, 'account')).toEqual({
      times: [instant(1), instant(2), instant(3)],
      series: [
        { label: 'biology', values: [0, 5, 5] },
        { label: 'physics', values: [1, 1, 3] },
      ],
      total: 8e6,
    });
  });
});

describe('capacity', () => {
  const instance = (id: string, over: Partial<InstanceView>): InstanceView => ({
    ...{ id, cluster: 'hpc1', group: 'cpu', state: 'ready', since: at(2), created: at(0), capacity: 'spot' },
    ...over,
  });
  const job = (on: string, started: number, ended?: number) =>
    ({
      instance: on,
      started: at(started),
      ...(ended === undefined ? {} : { ended: at(ended) }),
    }) as unknown as BurstView;
  const window = { from: instant(0), to: instant(20) };

  it('is busy while one job or several are on it, and ready time before the window counts not', () => {
    const lives = livesOf(
      [instance('i-1', { ready: at(0) })],
      [job('i-1', 5, 10), job('i-1', 8, 12), job('i-1', 18)],
      window,
    );
    expect(utilisation(lives, window)).toBeCloseTo(9 / 20);
    expect(utilisation(lives, { from: instant(10), to: instant(20) })).toBeCloseTo(4 / 10);
    expect(utilisation([], window)).toBeUndefined();
  });

  it('is counted at each moment at which it changed', () => {
    const lives = livesOf(
      [instance('i-1', { ready: at(2) }), instance('i-2', { state: 'gone', created: at(5), ended: at(15) })],
      [],
      window,
    );
    const { times, values } = upOverTime(lives, window);
    expect(times).toEqual([instant(0), instant(5), instant(15), instant(20)]);
    expect(values).toEqual([1, 2, 1, 1]);
  });

  it('that never launched has no zone, only its reason; that launched and never came is told by where it was', () => {
    // As the gateway writes them: type and zone are those of what the cloud gave.
    const refused = { state: 'gone', ended: at(3), why: 'no capacity: m.large a' } as const;
    const launched = { state: 'never_joined', type: 'm.large', zone: 'b', why: 'not in time' } as const;
    const lives = livesOf(
      [
        ...['i-1', 'i-2', 'i-3'].map((id) => instance(id, refused)),
        ...['i-4', 'i-5'].map((id) => instance(id, launched)),
        instance('i-6', { ...launched, state: 'gone', ended: at(3), ready: at(1) }),
      ],
      [],
      window,
    );
    expect(failuresOf(lives)).toEqual([
      { where: 'cpu · spot', times: 3, why: 'no capacity: m.large a' },
      { where: 'cpu · m.large · b · spot', times: 2, why: 'not in time' },
    ]);
  });
});

describe('a timeline', () => {
  const words = { submitted: 'handed over', eligible: 'could run' };
  const burst = (over: Partial<Parameters<typeof stepsOf>[0]> = {}) => ({
    ...({ state: 'running', restarts: 0, submitted: at(1) } as const),
    timeline: [
      { at: at(10), to: 'proposed', why: 'bursts', forMs: 60_000 },
      { at: at(11), from: 'proposed', to: 'running', why: 'began' },
    ],
    ...over,
  });
  type Args = Parameters<typeof stepsOf>;
  const told = (...args: [Args[0], Args[1]?]) =>
    stepsOf(args[0], args[1], words, instant(15)).map((s) => [s.to, s.took / 60_000, s.open]);

  it('begins where the job was submitted, and has when it could run where the queue tells', () => {
    expect(told(burst())).toEqual([
      ['submitted', 9, false],
      ['proposed', 1, false],
      ['running', 4, true],
    ]);
    expect(told(burst(), { restarts: 0, eligible: at(4) }).slice(0, 3)).toEqual([
      ['submitted', 3, false],
      ['eligible', 6, false],
      ['proposed', 1, false],
    ]);
  });

  it('of a run before the one in the queue has not when that one could run', () => {
    expect(told(burst({ restarts: 0 }), { restarts: 1, eligible: at(4) })[1]?.[0]).toBe('proposed');
  });

  it('has nothing that comes behind its first step, or at the same moment, and ends with no time', () => {
    expect(told(burst({ submitted: at(10) }), { restarts: 0, eligible: at(10) })[0]?.[0]).toBe('proposed');
    expect(told(burst(), { restarts: 0, eligible: at(1) }).map(([to]) => to)).not.toContain('eligible');
    const { submitted: _, ...older } = burst({ state: 'settled' });
    expect(told(older)).toEqual([
      ['proposed', 1, false],
      ['running', 0, false],
    ]);
    expect(told(burst({ timeline: [] }))).toEqual([]);
  });
});

describe('a look at the queue', () => {
  it('is as old as the gateway says, though this browser is an hour ahead, and older by what passed since', () => {
    const heardAt = instant(60);
    const age = lookAge(at(1), { now: at(3) }, heardAt, heardAt + 5_000);
    expect(age).toBe(125_000);
    expect(lookAge(at(3), { now: at(1) }, heardAt, heardAt - 9_000)).toBe(0);
  });

  it('is old when its cluster says so, not before', () => {
    const hourly = { staleAfterMs: 5 * 3_600_000 };
    expect([isBlind(hourly, 3_600_000), isBlind({ staleAfterMs: 150_000 }, 3_600_000)]).toEqual([
      false,
      true,
    ]);
    expect(isBlind(hourly, hourly.staleAfterMs)).toBe(false);
  });
});

describe('the texts', () => {
  it('are there in each language, none of them empty, and German says it in its own words', () => {
    const flat = (node: unknown, path: string): [string, string][] =>
      typeof node === 'object' && node !== null
        ? Object.entries(node).flatMap(([key, value]) => flat(value, `${path}.${key}`))
        : [[path, typeof node === 'function' ? String(node(1, 1, 1)) : String(node)]];
    const [en, de] = [flat(languages.en, ''), flat(languages.de, '')];
    expect(de.map(([path]) => path)).toEqual(en.map(([path]) => path));
    expect([...en, ...de].filter(([, words]) => words.trim() === '')).toEqual([]);
    const same = en.filter(([, words], i) => de[i]?.[1] === words).length;
    expect(same / en.length).toBeLessThan(0.25);
  });
});

describe('what an event has the page ask again', () => {
  it('is its lists, and never the counts of all receipts, which take the store seconds where there are millions', () => {
    const asked = ['decisions', 'decisions?rule=shape', 'decisions/counts', 'decisions/counts?rule=shape'];
    expect(asked.filter((path) => touches('burst', path))).toEqual(asked.slice(0, 2));
  });

  it('comes again soon where it is short, and where it is long not at each step', () => {
    expect(['groups', 'bursts/counts', 'audit?limit=14'].map(paceOf)).toEqual([500, 500, 500]);
    expect(['ledger?state=held&limit=1000', 'jobs?limit=500'].map(paceOf)).toEqual([5_000, 5_000]);
  });
});
