/**
 * A job that Slurm holds after a failed launch: let go; where Slurm refuses that, it is given back, nothing is paid for it any more, and an
 * admin is told; it is not asked every second.
 */
import { expect, it } from 'vitest';
import type { BurstContext } from '../../src/burst/context.ts';
import { giveBack } from '../../src/burst/giveback.ts';
import { launchFailed, letGo, letGoOrLeave } from '../../src/burst/letgo.ts';
import { type Fault, PortError } from '../../src/domain/fault.ts';
import { instanceId, uuid } from '../../src/domain/ids.ts';
import { after } from '../../src/domain/next.ts';
import { Chance } from '../../src/sim/chance.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { at, burst, detail, pod } from './fixtures.ts';

async function asked(fault: Fault | undefined, by = letGo) {
  const clock = { now: () => at };
  const store = new MemStore({ clock, entropy: new Chance(5) });
  const held = burst({ state: 'placed', rev: 0 });
  await store.commit(uuid('c1'), held.cluster, 0, [{ kind: 'burst', burst: held, why: 'test' }]);
  const releases: string[] = [];
  const release = async (ref: string): Promise<void> => {
    releases.push(ref);
    if (fault !== undefined) throw new PortError(fault, 'slurm.release', 'Access/permission denied');
  };
  const ctx = {
    ...{ store, clock, entropy: new Chance(7), slurm: { release }, epoch: () => 0 },
    ...{ log: () => undefined, wake: () => undefined },
  } as unknown as BurstContext;
  const next = await by(ctx, (await store.burst(held.id)) ?? held);
  return { next, releases, burst: await store.burst(held.id) };
}

it.each(['launch failed requeued held', 'launch_failed_requeued_held'])(
  'is told by its reason: %s',
  (reason) => {
    expect(launchFailed({ reason })).toBe(true);
    expect(launchFailed({ reason: 'JobHeldUser' })).toBe(false);
  },
);

it('is let go, and looked at again', async () => {
  const { next, releases, burst: left } = await asked(undefined);
  expect(releases).toEqual([burst().ref]);
  expect(next).toEqual(after(1_000));
  expect(left?.trouble).toBeUndefined();
});

it('that may not be let go is an admin’s, with the words to do it by, once a minute', async () => {
  const { next, burst: left } = await asked('refused');
  expect(next).toEqual(after(60_000));
  expect(left?.trouble?.text).toMatch(
    /refuses to release job .*permission denied; an admin must .*scontrol release/,
  );
});

it.each([
  ['unknown', 2_000],
  ['unreachable', 5_000],
] as const)('%s is no refusal', async (fault, again) => {
  const { next, burst: left } = await asked(fault);
  expect(next).toEqual(after(again));
  expect(left?.trouble).toBeUndefined();
});

it('that may not be let go is given back where its pods wait on machines that are paid; no other fault does that', async () => {
  const { burst: left } = await asked('refused', letGoOrLeave);
  expect(left).toMatchObject({
    ...{ state: 'returning', trouble: undefined },
    cause: { kind: 'no_standin', text: expect.stringMatching(/refuses to release job .*permission denied/) },
  });
  for (const [fault, ms] of [
    [undefined, 1_000],
    ['unknown', 2_000],
    ['unreachable', 5_000],
  ] as const) {
    const { next, burst: stays } = await asked(fault, letGoOrLeave);
    expect([next, stays?.state]).toEqual([after(ms), 'placed']);
  }
});

it('given back and still held keeps neither pod nor machine while an admin is waited for, and closes once it is let go', async () => {
  const clock = { now: () => at };
  const store = new MemStore({ clock, entropy: new Chance(5) });
  const waits = pod({ state: 'running', startedAt: at });
  const held = burst({
    ...{ state: 'returning', rev: 0, instance: instanceId('i-1'), pod: { ref: waits.ref, uid: waits.uid } },
    cause: { kind: 'no_standin', text: 'held' },
  });
  await store.commit(uuid('c1'), held.cluster, 0, [{ kind: 'burst', burst: held, why: 'test' }]);
  let exists = true;
  let refuses = true;
  const woken: string[] = [];
  const ctx = {
    ...{
      store,
      clock,
      entropy: new Chance(7),
      epoch: () => 0,
      log: () => undefined,
      replan: () => undefined,
    },
    setup: { burstPartition: 'burst', waitPartition: 'burst_wait' },
    wake: (id: string) => woken.push(id),
    streams: { release: () => undefined },
    kubernetes: {
      pod: async () => (exists ? { ...waits, containers: {}, deletingSince: at } : undefined),
      deleteSecret: async () => undefined,
      releasePod: async () => {
        exists = false;
      },
    },
    slurm: {
      job: async () =>
        detail({ reason: refuses ? 'launch_failed_requeued_held' : 'Resources', priority: refuses ? 0 : 1 }),
      release: async () => {
        throw new PortError('refused', 'slurm.release', 'Access/permission denied');
      },
    },
  } as unknown as BurstContext;
  const load = async () => (await store.burst(held.id)) ?? held;
  await giveBack(ctx, await load());
  expect(await load()).toMatchObject({ state: 'returning', instance: undefined, pod: undefined });
  expect(woken).toEqual(['i-1']);
  expect(await giveBack(ctx, await load())).toEqual(after(60_000));
  expect(await load()).toMatchObject({
    state: 'returning',
    trouble: { text: expect.stringMatching(/admin/) },
  });
  refuses = false;
  await giveBack(ctx, await load());
  expect(await load()).toMatchObject({ state: 'returned', trouble: undefined });
});
