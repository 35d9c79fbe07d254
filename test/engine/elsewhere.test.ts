/** Where a burst may go whose node group is sold out, as a real turn saw it, with the groups told otherwise. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import { instant } from '../../src/domain/ids.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import type { ClusterEngine } from '../../src/engine/cluster.ts';
import { elsewhere } from '../../src/engine/elsewhere.ts';
import { lineBegunOn } from '../../src/engine/last-look.ts';
import { scriptOf } from '../../src/sim/models/keeper-work.ts';
import { cluster, group, minute } from './chaos/centre.ts';
import { Run } from './chaos/run.ts';

const cheap: NodeGroup = { ...group, name: 'cheap', types: ['m.small'], prices: { 'm.small': 200_000 } };
const other = (over: Partial<NodeGroup> = {}): NodeGroup => ({
  ...{ ...group, name: 'other', types: ['m.large'], prices: { 'm.large': 300_000 } },
  ...over,
});

describe('a burst whose node group is sold out', () => {
  let run: Run;
  let engine: ClusterEngine;
  let waits: Burst;

  beforeAll(async () => {
    run = new Run(
      {
        ...{ seed: 3, onLost: 'requeue', mode: 'auto', lowered: undefined, ramp: undefined, idleMs: minute },
        ...{ budget: 100_000_000, fullMs: 0, people: [], world: [], faults: [], kills: [], jobs: [] },
        ...{ pauses: [], secondAtMs: undefined, slowness: 0, groups: [cheap] },
      },
      () => new Promise((resolve) => setImmediate(resolve)),
    );
    run.cloud.limit({ type: 'm.small' }, { atMost: 0 });
    run.startGateway();
    const ref = run.slurm.submit('alice', {
      ...{ partition: 'cloud', cpusPerTask: 3, timeMs: 60 * minute, work: { ms: minute, exit: 0 } },
      script: scriptOf({ ms: minute, exit: { code: 0 } }),
    });
    await run.time.run(instant(run.time.now() + 2 * minute));
    const [led] = run.gateway?.clusters ?? [];
    const [burst] = await run.store.burstsOfJob(cluster, ref);
    if (led === undefined || burst === undefined) throw new Error('nothing waits');
    [engine, waits] = [led, burst];
  });
  afterAll(() => run.stop());

  /** With these groups beside its own. */
  function goes(groups: readonly NodeGroup[], over: Partial<Burst> = {}): string | undefined {
    const line = lineBegunOn(engine.snapshot, waits);
    if (line === undefined) throw new Error('its job does not wait');
    const { settings, foresight, shortage, ports, sees, offered } = engine;
    const typesOf = ({ types }: NodeGroup) =>
      types.map((name) => ({ name, vcpus: 16, memoryBytes: 32 * 2 ** 30, gpus: 0 }));
    const at = ports.clock.now();
    const value = group.zones.map((zone) => ({ type: 'm.large', zone, microUsd: 120_000, from: instant(0) }));
    const spot = { seen: { at, ok: true, value }, avoided: () => [] } as unknown as ClusterEngine['spot'];
    const all = [...offered, ...groups.map((of) => ({ group: of, types: typesOf(of) }))];
    const seeking = { settings, foresight, shortage, ports, sees, spot, offered: all };
    return elsewhere(seeking, { ...waits, ...over }, line)?.group;
  }

  it('goes to another one that measures alike', () => {
    expect(waits).toMatchObject({ state: 'reserved', group: 'cheap' });
    expect(goes([])).toBeUndefined();
    expect(goes([other()])).toBe('other');
  });

  it.each<[string, Partial<NodeGroup>]>([
    ['that counts its processors otherwise', { vcpuPerCpu: 1.5 }],
    [
      'with other devices',
      { devices: { gpu: { resource: 'nvidia.com/gpu' } } as unknown as NodeGroup['devices'] },
    ],
    ['with other features', { features: { avx512: 'cpu=avx512' } }],
    ['that is sold out as well', { types: ['m.small'], prices: { 'm.small': 200_000 } }],
  ])('goes to none %s', (_, over) => {
    expect(goes([other(over)])).toBeUndefined();
  });

  it('stays where it was to go on spot: on demand nobody asked for it, and its own group may have that', () => {
    expect(goes([other()], { capacityType: 'spot' })).toBeUndefined();
  });

  it('weighs what the others cost on demand, for there it goes: what is cheap on spot may be taken back', () => {
    const onSpot = other({ name: 'spot', prices: { 'm.large': 380_000 }, spot: { capPercent: 50 } });
    expect(goes([onSpot, other()])).toBe('other');
    expect(goes([onSpot])).toBe('spot');
  });
});
