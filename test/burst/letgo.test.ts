/** A job that Slurm holds after a failed launch: let go; where Slurm refuses that, an admin is told, and it is not asked every second. */
import { expect, it } from 'vitest';
import type { BurstContext } from '../../src/burst/context.ts';
import { launchFailed, letGo } from '../../src/burst/letgo.ts';
import { type Fault, PortError } from '../../src/domain/fault.ts';
import { uuid } from '../../src/domain/ids.ts';
import { after } from '../../src/domain/next.ts';
import { Chance } from '../../src/sim/chance.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { at, burst } from './fixtures.ts';

async function asked(fault: Fault | undefined) {
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
  const next = await letGo(ctx, (await store.burst(held.id)) ?? held);
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
