import { describe, expect, it } from 'vitest';
import { hindsightOf, type WouldBurst } from '../../src/decide/hindsight.ts';
import type { Basis } from '../../src/domain/decision.ts';
import { clusterName, instant, type JobKey, jobKey, jobRef } from '../../src/domain/ids.ts';
import type { EndedRun } from '../../src/domain/job.ts';

const hour = 3_600_000;
const minute = 60_000;
const at = instant(1_790_000_000_000);
const key = (id: number): JobKey => jobKey(clusterName('c'), jobRef(`${id}`), at);
const basis: Basis = {
  policy: 'today',
  forecast: { by: 'b', startsIn: { p10Ms: hour, p50Ms: 2 * hour, p90Ms: 5 * hour } },
  ready: { group: 'cpu', p50Ms: 3 * minute, p90Ms: 5 * minute, measured: 0 },
};
const would = (over: Partial<Basis> = {}): WouldBurst => ({ at, basis: { ...basis, ...over } });
/** Waited so long since the decision, and ran for an hour. */
const run = (id: number, waitedMs: number, over: Partial<EndedRun> = {}): EndedRun => ({
  ...{ ref: jobRef(`${id}`), user: 'ann', account: 'a', partition: 'batch', state: 'COMPLETED' },
  ...{ submitAt: at, startAt: instant(at + waitedMs), endAt: instant(at + waitedMs + hour) },
  ...{ timeLimitMs: 10 * hour, cpus: 4, nodes: 1 },
  ...over,
});
const told = (decided: readonly WouldBurst[], runs: readonly EndedRun[]) =>
  hindsightOf(
    new Map(decided.map((w, i) => [key(i + 1), w])),
    new Map(runs.map((r) => [key(Number(r.ref)), r])),
    'today',
    ({ cpus }, ms) => (cpus > 8 ? undefined : Math.round((cpus * ms * 50_000) / hour)),
  );

describe('what decisions would have come to', () => {
  it('is what each job really waited from then on, less the cloud’s time, and its real run', () => {
    const said = told([would(), would()], [run(1, 4 * hour), run(2, 2 * hour, { account: 'b', cpus: 2 })]);
    expect(said).toMatchObject({ decided: 2, bursts: 2, tooSoon: 0, unfinished: 0 });
    expect(said.savedMs).toBe(6 * hour - 6 * minute);
    expect(said.microUsd).toBe(300_000);
    expect(said.accounts).toEqual([
      { account: 'a', jobs: 1, savedMs: 4 * hour - 3 * minute, microUsd: 200_000 },
      { account: 'b', jobs: 1, savedMs: 2 * hour - 3 * minute, microUsd: 100_000 },
    ]);
  });

  it('who started here before the cloud was ready has saved nothing and cost nothing', () => {
    const said = told([would(), would()], [run(1, 3 * minute), run(2, 3 * minute + 1_000)]);
    expect(said).toMatchObject({ bursts: 1, tooSoon: 1, savedMs: 1_000, microUsd: 200_000 });
  });

  it('what is not known is counted, and nothing is made up for it', () => {
    const said = told(
      [would(), would({ ready: undefined }), would(), would({ forecast: undefined, policy: 'older' })],
      [run(2, 4 * hour), run(3, 4 * hour, { cpus: 16 }), run(4, 4 * hour)],
    );
    expect(said).toMatchObject({
      ...{ decided: 4, bursts: 2, unfinished: 1, microUsd: 200_000 },
      unknown: { ready: 1, price: 1, forecast: 1, policy: 1 },
    });
  });

  it('the forecasts of the day are held against what came', () => {
    const said = told(
      [would(), would(), would({ forecast: { by: 'b', startsIn: 'never' } })],
      [run(1, 3 * hour), run(2, 9 * hour), run(3, hour)],
    );
    expect(said.forecasts).toEqual({ known: 2, within: 1, medianErrorMs: 7 * hour });
  });

  it('of nothing it is nothing', () => {
    expect(told([], [])).toMatchObject({ decided: 0, bursts: 0, accounts: [] });
    expect(told([], []).forecasts.medianErrorMs).toBeUndefined();
  });
});
