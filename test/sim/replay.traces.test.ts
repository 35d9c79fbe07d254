/** Replay on five real logs: the baselines as they were found by others, and the default policy against them at no more cloud. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Figures, figuresOf } from '../../src/sim/replay/figures.ts';
import { play, type Site, usualCloud, usualTickMs } from '../../src/sim/replay/play.ts';
import { makePolicy, type Named } from '../../src/sim/replay/policies.ts';
import { type Columns, columnsOf } from '../../src/sim/replay/policy.ts';
import { clean } from '../../src/sim/trace/job.ts';
import { readTrace } from '../../src/sim/trace/read.ts';

const dir = resolve(process.env.SPILLWAY_TRACES ?? '../shared/traces');
const hour = 3_600_000;

const rows = {
  none: ['none', {}],
  now: ['no-jobs-wait', {}],
  over1: ['waited', { waitedMs: hour }],
  over4: ['waited', { waitedMs: 4 * hour }],
  over24: ['waited', { waitedMs: 24 * hour }],
  request1: ['short-request', { requestMs: hour }],
  known3: ['short-run-knowing', { runMs: 180_000, waitedMs: 24 * hour }],
} as const satisfies Record<string, readonly [Named['policy'], Named['parameters']]>;
type Row = keyof typeof rows;
type Found = Readonly<Record<Row, readonly [waitHours: number, cloudPercent: number]>>;

/** Of each row, by which share of it the mean wait is to be less at no more cloud. */
const aims = { over24: 0.4, over4: 0.75, request1: 0.1 } as const;
type Aim = keyof typeof aims;

interface Log {
  readonly file: string;
  readonly processors: number;
  readonly found: Found;
  /** The one knob, as `pointForShare` found it; what it buys is asserted. */
  readonly knob: Readonly<Partial<Record<Aim, number>>>;
}

const logs: readonly Log[] = [
  {
    file: 'KTH-SP2-1996-2.1-cln',
    processors: 100,
    found: {
      none: [1.91, 0],
      now: [0.01, 32],
      over1: [0.13, 27],
      over4: [0.5, 19],
      over24: [1.61, 2.5],
      request1: [1.18, 1.8],
      known3: [1.13, 2.8],
    },
    knob: { over24: 45.9, over4: 2.78, request1: 64.4 },
  },
  {
    file: 'CTC-SP2-1996-3.1-cln',
    processors: 338,
    found: {
      none: [3.87, 0],
      now: [0.01, 36],
      over1: [0.12, 31],
      over4: [0.47, 24],
      over24: [2.25, 6.8],
      request1: [2.68, 2],
      known3: [1.91, 6.7],
    },
    knob: { over24: 81.365, over4: 6.019, request1: 375 },
  },
  {
    file: 'SDSC-SP2-1998-4.2-cln',
    processors: 128,
    found: {
      none: [5.72, 0],
      now: [0.01, 39],
      over1: [0.17, 34],
      over4: [0.63, 26],
      over24: [2.73, 6.7],
      request1: [3.55, 1.8],
      known3: [2.08, 6.7],
    },
    knob: { over24: 32, over4: 2.416, request1: 150 },
  },
  {
    file: 'SDSC-BLUE-2000-4.2-cln',
    processors: 1_152,
    found: {
      none: [2.16, 0],
      now: [0, 31],
      over1: [0.11, 26],
      over4: [0.4, 18],
      over24: [1.39, 4.8],
      request1: [1.19, 2.7],
      known3: [1.08, 4.6],
    },
    knob: { over24: 69, over4: 4.643, request1: 170 },
  },
  {
    file: 'CEA-Curie-2011-2.1-cln',
    processors: 80_640,
    found: {
      none: [1.93, 0],
      now: [0, 27],
      over1: [0.05, 22],
      over4: [0.19, 17],
      over24: [0.95, 4.3],
      request1: [1.1, 2.3],
      known3: [0.65, 4.4],
    },
    knob: { over24: 320, over4: 8.629, request1: 1_500 },
  },
];

it('the logs are there', () => {
  expect(existsSync(dir), `no ${dir}: set SPILLWAY_TRACES to where the logs lie`).toBe(true);
});

describe.each(logs)('$file', ({ file, processors, found, knob }) => {
  const site: Site = { processors, cloud: usualCloud, tickMs: usualTickMs };
  const known = new Map<Row, Figures>();
  let trace: Columns;
  beforeAll(async () => {
    trace = columnsOf(clean((await readTrace(join(dir, `${file}.swf.gz`))).jobs, processors).jobs);
  });

  function figures(policy: Named['policy'], parameters: Named['parameters']): Figures {
    return figuresOf(
      trace,
      play(trace, site, makePolicy({ label: '', policy, parameters }, trace, site)),
      site,
    );
  }

  function baseline(row: Row): Figures {
    const old = known.get(row) ?? figures(rows[row][0], rows[row][1]);
    known.set(row, old);
    return old;
  }

  it.each(Object.keys(found) as Row[])(
    '%s has the wait and the share of cloud that were found before',
    (row) => {
      const [waitHours, percent] = found[row];
      const { waitMs, cloudShare } = baseline(row);
      // Two logs written down to two digits, and machines whose ties fall differently.
      expect(Math.abs(waitMs.mean / hour - waitHours)).toBeLessThan(0.0075 + 0.02 * waitHours);
      expect(Math.abs(100 * cloudShare - percent)).toBeLessThan(percent >= 10 ? 0.7 : 0.16);
    },
  );

  it.each(Object.keys(knob) as Aim[])(
    'the default policy waits far less than %s at no more cloud, in the mean, at p95 and in slowdown',
    { timeout: 300_000 },
    (row) => {
      const base = baseline(row);
      const ours = figures('worth', { leastWorth: knob[row] as number });
      console.log(
        `${file} ${row}: ${(ours.waitMs.mean / hour).toFixed(3)} h, ${(100 * (ours.waitMs.mean / base.waitMs.mean - 1)).toFixed(1)} %`,
      );
      expect(ours.cloudShare).toBeLessThanOrEqual(base.cloudShare);
      expect(ours.waitMs.mean).toBeLessThan((1 - aims[row]) * base.waitMs.mean);
      expect(ours.waitMs.p95).toBeLessThan(base.waitMs.p95);
      expect(ours.slowdown.mean).toBeLessThan(base.slowdown.mean);
    },
  );
});
