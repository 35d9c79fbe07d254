import { describe, expect, it } from 'vitest';
import type { LogLine } from '../../lab/real/demo-gateway.ts';
import type { Sight } from '../../lab/real/demo-sights.ts';
import { account } from '../../lab/real/demo-times.ts';

const job = { id: '7', at: 1_000, firstOutputAt: 6_000 };
const step = (time: number, to: string): LogLine => ({ time, msg: '', job: '7', burst: 'b', from: 'x', to });
const cloud = (time: number, to: string): LogLine => ({ time, msg: '', instance: 'i', from: 'x', to });
const pod = (at: number, state: 'made' | 'placed' | 'running'): Sight => ({
  kind: 'pod',
  at,
  name: 'p',
  job: '7',
  state,
  node: state === 'made' ? '' : 'n',
  user: '',
});

const log: readonly LogLine[] = [
  { time: 1_500, msg: 'bursts', job: '7', burst: 'b' },
  step(1_550, 'reserved'),
  cloud(1_700, 'launched'),
  cloud(2_700, 'ready'),
  step(5_000, 'placed'),
  step(5_800, 'attached'),
];
const sights = [pod(2_800, 'made'), pod(2_850, 'placed'), pod(4_800, 'running')];

describe("the demo's account of the time", () => {
  it('its legs follow each other without a gap, so they add up to the whole', () => {
    const found = account(job, log, sights);
    expect(found?.legs.map(({ ms }) => ms)).toEqual([500, 200, 1_000, 100, 2_000, 200, 800, 200]);
    expect(found?.totalMs).toBe(5_000);
    expect(found?.gatewayMs).toBe(1_200);
  });

  it('a node that was up already has no boot in it', () => {
    const warm = log.filter((line) => line.instance === undefined);
    expect(account(job, warm, sights)?.legs.map(({ ms }) => ms)).toEqual([500, 1_300, 2_000, 200, 800, 200]);
  });

  it('a leg whose end was not seen leads to no figure', () => {
    expect(account(job, log, sights.slice(0, 2))).toBeUndefined();
    expect(account({ ...job, firstOutputAt: undefined }, log, sights)).toBeUndefined();
  });
});
