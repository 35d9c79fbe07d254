/** What portals are told of all that is under way: counted in full, however many there are. */
import { describe, expect, it } from 'vitest';
import type { Burst } from '../../src/domain/burst.ts';
import { instant } from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import { Portal, type Watched } from '../../src/engine/portal.ts';
import type { DeskPort, StorePort } from '../../src/ports.ts';
import { VirtualTime } from '../contract/cloud.harness.ts';
import { aBurst, aCluster, anInstance, aReceipt } from '../contract/samples.ts';
import { group } from './chaos/centre.ts';

const cluster = aCluster();
const other = aCluster();

function portalOf(
  held: { readonly bursts?: readonly Burst[]; readonly instances?: readonly Instance[] },
  groups: readonly NodeGroup[] = [],
): Portal {
  const store = {
    liveBursts: async (of) => (held.bursts ?? []).filter((b) => b.cluster === of),
    liveInstances: async (of) => (held.instances ?? []).filter((i) => i.cluster === of),
  } as Partial<StorePort> as StorePort;
  const watched = [cluster, other].map((name) => ({ name, settings: { groups } }) as unknown as Watched);
  return new Portal(watched, store, {} as DeskPort, new VirtualTime());
}

describe('bursts under way', () => {
  const price = (held: number) => ({ held, rates: {} });
  const bursts = [
    // More than any list has on a page; the two that stand out are the oldest of them.
    ...Array.from({ length: 1_200 }, (_, i) =>
      aBurst({ cluster, state: 'running', startedAt: instant(9_000 + i), price: price(1_000 + i) }),
    ),
    aBurst({ cluster: other, state: 'running', startedAt: instant(5), user: 'bob', price: price(3) }),
    aBurst({ cluster, state: 'final', startedAt: instant(1), endedAt: instant(2), price: price(7_000) }),
    aBurst({ cluster, state: 'proposed' }),
  ];

  it('are counted, and told is the one that has run longest and runs, and the one that holds most', async () => {
    const { counts, longest, costliest } = await portalOf({ bursts }).burstCounts(() => true);
    expect(counts).toEqual([
      { cluster, state: 'running', bursts: 1_200 },
      { cluster, state: 'final', bursts: 1 },
      { cluster, state: 'proposed', bursts: 1 },
      { cluster: other, state: 'running', bursts: 1 },
    ]);
    expect([longest?.id, costliest?.burst.id, costliest?.held]).toEqual([
      bursts.at(-3)?.id,
      bursts.at(-2)?.id,
      7_000,
    ]);
  });

  it('are those that may be seen, and none may be', async () => {
    const bobs = await portalOf({ bursts }).burstCounts((b) => b.user === 'bob');
    expect(bobs.counts).toEqual([{ cluster: other, state: 'running', bursts: 1 }]);
    expect([bobs.longest?.user, bobs.costliest?.held]).toEqual(['bob', 3]);
    expect(await portalOf({ bursts }).burstCounts(() => false)).toEqual({
      ...{ counts: [], longest: undefined, costliest: undefined },
    });
  });
});

describe('one receipt', () => {
  it('is of our own clusters, or there is none', async () => {
    const [ours, theirs] = [aReceipt(aBurst({ cluster })), aReceipt(aBurst({ cluster: aCluster() }))];
    const desk = { receipt: async (id) => [ours, theirs].find((r) => r.id === id) } as Partial<DeskPort>;
    const watched = [{ name: cluster } as Watched];
    const portal = new Portal(watched, {} as StorePort, desk as DeskPort, new VirtualTime());
    expect([await portal.decision(ours.id), await portal.decision(theirs.id)]).toEqual([ours, undefined]);
  });
});

describe('what the cloud has none of', () => {
  const lack = { type: 'm.large', zone: 'a', capacityType: 'spot', until: instant(7), why: 'none' } as const;
  const told = async (leads: boolean) => {
    const store = { liveBursts: async () => [], liveInstances: async () => [] } as Partial<StorePort>;
    const watched = { name: cluster, settings: { groups: [group] }, leads, shortage: { told: () => [lack] } };
    const portal = new Portal(
      [watched as unknown as Watched],
      store as StorePort,
      {} as DeskPort,
      new VirtualTime(),
    );
    return (await portal.groups()).map(({ lacks }) => lacks);
  };

  it('is told by who leads, as he remembers it, and by nobody else', async () => {
    expect(await told(true)).toEqual([[lack]]);
    expect(await told(false)).toEqual([undefined]);
  });
});

describe('what is up', () => {
  it('counts what may cost something, by list price, and says of how many none is known', async () => {
    const groups = [{ ...group, name: 'cpu', prices: { 'm.large': 100_000 } }];
    const up = { cluster, group: 'cpu', type: 'm.large', state: 'ready' } as const;
    const instances = [
      ...Array.from({ length: 1_500 }, () => anInstance(up)),
      anInstance({ ...up, state: 'draining' }),
      // Only wished for yet.
      anInstance({ ...up, state: 'intended', type: undefined }),
      anInstance({ ...up, type: 'm.huge' }),
      anInstance({ ...up, cluster: other, group: 'configured no more' }),
    ];
    expect(await portalOf({ instances }, groups).up()).toEqual({
      ...{ instances: 1_503, microUsdPerHour: 1_501 * 100_000, unpriced: 2 },
    });
    expect(await portalOf({}).up()).toEqual({ instances: 0, microUsdPerHour: 0, unpriced: 0 });
  });
});
