/** What the planner tells the plan of what runs and of what waits. */
import { expect, it } from 'vitest';
import { clusterName, instant } from '../../src/domain/ids.ts';
import { GiB, nothing } from '../../src/domain/resources.ts';
import { type PlannerInput, planAll } from '../../src/engine/planner.ts';
import type { Write } from '../../src/ports.ts';
import { aBurst, anInstance, newId } from '../contract/samples.ts';

const [minute, hour] = [60_000, 3_600_000];
const now = instant(1_800_000_000_000);
const capacity = { cpuMillis: 32_000, memoryBytes: 64 * GiB, extended: {} };
const limit = { ...aBurst().saved, timeLimitMs: 10 * hour };

/** A long job waits; beside one of `user` there is room for it on a machine that is dear. Whether it goes there. */
async function sharesWith(user: string): Promise<boolean> {
  const { writes, dear } = await planned(user);
  return writes.some((w) => w.kind === 'burst' && w.burst.instance === dear.id);
}

async function planned(user: string, over: Partial<PlannerInput> = {}) {
  const dear = anInstance({ state: 'ready', capacity, type: 'dear', createdAt: now });
  const spec = { ...dear.spec, types: ['dear'], capacityType: 'on-demand' as const };
  const runs = aBurst({ state: 'running', user, saved: limit, instance: dear.id, startedAt: now });
  const waits = aBurst({ state: 'reserved', user: 'long', saved: limit });
  const writes: Write[] = [];
  const input = {
    ports: {
      store: {
        liveBursts: async () => [runs, waits],
        liveInstances: async () => [{ ...dear, spec }],
        drains: async () => [],
        breakers: async () => [],
        commit: async (_id: string, _cluster: string, _epoch: number, of: readonly Write[]) => {
          writes.push(...of);
          return 'ok';
        },
      },
      ...{ entropy: { uuid: newId }, clock: { now: () => now }, wake: { wake: async () => undefined } },
      log: () => undefined,
    },
    setup: { name: clusterName('hpc1') },
    offered: [
      {
        group: {
          ...{ name: 'cpu', launchTemplate: 't', types: ['dear', 'cheap'], zones: ['a'], vcpuPerCpu: 1 },
          ...{ overhead: nothing, capacityType: 'on-demand', max: 9, idleMs: minute, maxAgeMs: 99 * hour },
          prices: { dear: 9_000_000, cheap: 100_000 },
        },
        types: [
          { name: 'dear', vcpus: 32, memoryBytes: 64 * GiB, gpus: 0 },
          { name: 'cheap', vcpus: 8, memoryBytes: 16 * GiB, gpus: 0 },
        ],
      },
    ],
    ...{ generation: newId(), epoch: 1, lacking: [] },
    foresight: { expectedMs: (of: { user: string }) => (of.user === 'short' ? 5 * minute : 9 * hour) },
  };
  await planAll({ ...input, ...over } as unknown as PlannerInput);
  return { writes, dear };
}

it('a machine that is paid for anyhow is shared, and one that is expected to be empty soon is not kept for somebody', async () => {
  expect(await sharesWith('long')).toBe(true);
  expect(await sharesWith('short')).toBe(false);
});

it('what waits for a group of which nobody knows what it offers goes on waiting; for one that is not configured it goes home', async () => {
  expect((await planned('long', { offered: [], unread: new Set([aBurst().group]) })).writes).toEqual([]);
  expect((await planned('long', { offered: [] })).writes).toMatchObject([{ burst: { state: 'returning' } }]);
});
