/** `--time-min`: between claim and give-back nothing of it is touched, so that it is Slurm that shortens the limit, and by as much as on-prem. */
import { describe, expect, it } from 'vitest';
import { updateKeys } from '../../adapters/slurm/move.ts';
import { savedOf } from '../../src/burst/claim.ts';
import { marksOf } from '../../src/translate/marks.ts';
import { detail } from './fixtures.ts';

const hour = 3_600_000;
const partition = (name: string, maxTimeMs: number) => ({
  ...{ name, state: 'UP', nodes: [], isDefault: false, allowed: true },
  ...{ defaultTimeMs: maxTimeMs, maxTimeMs, defMemory: undefined },
});
const job = detail({ timeLimitMs: hour, raw: { JobId: '7', TimeMin: '00:10:00' } });
const moves = (from: string, to: string, limits: readonly [number, number]) =>
  updateKeys(
    { ...job, partition: from },
    { partition: to, timeLimitMs: hour, minNodes: 1, maxNodes: 1, memory: undefined },
    [partition('batch', limits[0]), partition('burst', limits[1])] as unknown as Parameters<
      typeof updateKeys
    >[2],
  );

describe('the shortest time that a job can do with', () => {
  it('is read of its record, and is as on-prem', () => {
    expect(marksOf(job)).toEqual([
      expect.objectContaining({ directive: '--time-min', value: '00:10:00', mark: 'exact' }),
    ]);
  });

  it('is in no update, neither of the claim nor of the give-back; the limit is never set below it', () => {
    for (const [from, to] of [
      ['batch', 'burst'],
      ['burst', 'batch'],
    ] as const)
      for (const limits of [
        [hour, hour],
        [hour, 2 * hour],
      ] as const) {
        const keys = moves(from, to, limits).map((key) => key.split('='));
        expect(keys.map(([name]) => name)).not.toContain('timemin');
        expect([undefined, '60']).toContain(keys.find(([name]) => name === 'timelimit')?.[1]);
      }
    expect(moves('batch', 'burst', [hour, 2 * hour])).toContain('timelimit=60');
  });

  it('is not what money is held for, nor what a give-back restores: that is the whole limit', () => {
    expect(savedOf(job).timeLimitMs).toBe(hour);
  });
});
