/** What the sweep of the object store takes away, and what it never does. */
import { describe, expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import { clusterName, instant } from '../../src/domain/ids.ts';
import { sweepObjects } from '../../src/engine/objects.ts';
import { Chance } from '../../src/sim/chance.ts';
import { ObjectsModel } from '../../src/sim/models/objects.ts';
import { burst } from '../burst/fixtures.ts';

const day = 86_400_000;
const cluster = clusterName('hpc1');

describe('the sweep of the object store', () => {
  it('takes old contents, fetched results and uploads that nobody completed, and nothing else', async () => {
    let now = instant(100 * day);
    const model = new ObjectsModel({ clock: { now: () => now }, entropy: new Chance(1) });
    const objects = model.asPort();
    const put = (key: string): void => model.put(key, Buffer.from(key));
    put('hpc1/2001/blob/old');
    put('other/2001/blob/old');
    put('hpc1/2001/else/old');
    for (const id of ['home', 'kept', 'running', 'requeued', 'told', 'unknown'])
      put(`hpc1/2001/out/${id}/part`);
    model.begin('hpc1/2001/blob/abandoned');
    now = instant(131 * day);
    put('hpc1/2001/blob/new');
    model.begin('hpc1/2001/blob/under-way');
    const data = { paths: [{ way: 'out' as const, path: '/data/out' }] };
    const bursts: Record<string, Burst> = {
      home: burst({ state: 'settled', data: { ...data, home: true } }),
      kept: burst({ state: 'settled', data: { ...data, kept: 'in the store' } }),
      running: burst({ state: 'running', data: { ...data, home: true } }),
      requeued: burst({ state: 'requeued', data }),
      told: burst({ state: 'requeued', data: { ...data, kept: 'in the store' } }),
    };
    const store = { burst: async (id: string) => bursts[id] };
    const gone = await sweepObjects({ objects, store, cluster, at: now, keepMs: 30 * day });
    expect(gone).toBe(4);
    expect(model.list('').map(({ key }) => key)).toEqual([
      'hpc1/2001/blob/new',
      'hpc1/2001/else/old',
      'hpc1/2001/out/kept/part',
      'hpc1/2001/out/running/part',
      'hpc1/2001/out/told/part',
      'hpc1/2001/out/unknown/part',
      'other/2001/blob/old',
    ]);
    expect(model.unfinished('').map(({ key }) => key)).toEqual(['hpc1/2001/blob/under-way']);
  });
});
