import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ReportOrder, report as reported } from '../../src/cli/report.ts';
import { usualBill } from '../../src/sim/replay/figures.ts';
import { usualCloud, usualTickMs } from '../../src/sim/replay/play.ts';
import { columnsOf } from '../../src/sim/replay/policy.ts';
import { reportOf } from '../../src/sim/report.ts';
import type { TraceJob } from '../../src/sim/trace/job.ts';

const hour = 3_600_000;
const job = (id: string, account: string, submitMs: number, hours: number, processors = 4): TraceJob => ({
  ...{ id, account, submitMs, processors, user: account, partition: '' },
  runMs: hours * hour,
  requestMs: hours * hour,
});
const site = { processors: 4, cloud: usualCloud, tickMs: usualTickMs };

describe('what a policy would have done', () => {
  it('is told in bursts, hours of waiting saved and dollars, for each account', () => {
    // The second waits for ten hours here; after one it goes, and nobody behind it waits.
    const jobs = [job('1', 'a', 0, 10), job('2', 'b', 0, 1), job('3', 'a', 20 * hour, 1)];
    const made = reportOf(columnsOf(jobs), site, { patienceMs: () => hour }, usualBill);
    expect(made).toMatchObject({ jobs: 3, bursts: 1, spanMs: 20 * hour, peakInstances: 1 });
    const saved = 10 * hour - (hour + usualCloud.bootMs);
    expect(made.savedMs).toBe(saved);
    expect(made.waitMs.before.mean).toBeCloseTo((10 * hour) / 3);
    expect(made.waitMs.after.mean).toBeCloseTo((10 * hour - saved) / 3);
    // Four cores for an hour and its boot.
    const cost = Math.round((4 * (hour + usualCloud.bootMs) * usualBill.microUsdPerCoreHour) / hour);
    expect(made.microUsd).toBe(cost);
    expect(made.accounts).toEqual([
      { account: 'b', jobs: 1, bursts: 1, savedMs: saved, microUsd: cost },
      { account: 'a', jobs: 2, bursts: 0, savedMs: 0, microUsd: 0 },
    ]);
  });

  it('under a policy that bursts nobody it is nothing', () => {
    const made = reportOf(columnsOf([job('1', 'a', 0, 1), job('2', 'a', 0, 1)]), site, {}, usualBill);
    expect(made).toMatchObject({ bursts: 0, savedMs: 0, microUsd: 0, cloudShare: 0 });
    expect(made.waitMs.after).toEqual(made.waitMs.before);
  });
});

describe('spillway report', () => {
  const sacct = 'config/examples/small.swf';
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'spillway-report-'));
  });
  afterAll(async () => {
    await rm(dir, { recursive: true });
  });
  const report = (order: ReportOrder) =>
    reported(order, () => Promise.reject(new Error('no gateway is asked')));
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(dir, name), text);
    return join(dir, name);
  };

  it('says in words what --json says in numbers, and twice the price is twice the cost', async () => {
    const made = JSON.parse((await report({ sacct, json: true })).join('\n')) as {
      bursts: number;
      microUsd: number;
    };
    const words = (await report({ sacct })).join('\n');
    expect(words).toContain(`would have burst ${made.bursts} jobs`);
    expect(words).toContain(`cost ${(made.microUsd / 1e6).toFixed(2)} USD`);
    const prices = await file('p.yaml', `usdPerCoreHour: ${(2 * usualBill.microUsdPerCoreHour) / 1e6}\n`);
    const dear = JSON.parse((await report({ sacct, prices, json: true })).join('\n')) as typeof made;
    expect(dear.bursts).toBe(made.bursts);
    expect(Math.abs(dear.microUsd - 2 * made.microUsd)).toBeLessThanOrEqual(made.bursts);
  });

  it.each([
    ['usdPerCoreHour: x\n', 'usdPerCoreHour: Invalid input'],
    ['usd: 1\n', 'Unrecognized key'],
    ['- [\n', 'A price file is such as'],
  ])('refuses the price file %j', async (text, why) => {
    const prices = await file('bad.yaml', text);
    await expect(report({ sacct, prices })).rejects.toThrow(why);
  });

  it('refuses a log that is not there, and a policy that nobody knows', async () => {
    await expect(report({ sacct: join(dir, 'none.txt') })).rejects.toThrow('cannot be read');
    await expect(report({ sacct, policy: 'best' })).rejects.toThrow('neither a file nor a policy');
  });
});
