import { beforeEach, describe, expect, it } from 'vitest';
import type { BurstContext } from '../../src/burst/context.ts';
import { unlessStopped } from '../../src/burst/halt.ts';
import type { Burst } from '../../src/domain/burst.ts';
import { uuid } from '../../src/domain/ids.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { at, burst } from './fixtures.ts';

let store: MemStore;
let ids = 0;
let stepped: number;
const entropy = { uuid: () => uuid(`s${++ids}`), bytes: (n: number) => new Uint8Array(n), random: () => 0 };
const clock = { now: () => at };
const ctx = () =>
  ({ store, clock, entropy, epoch: () => 0, log: () => undefined }) as Partial<BurstContext> as BurstContext;
const step = unlessStopped(async () => {
  stepped += 1;
  return { again: 'never' };
});

/** Writes it and takes one step; how it stands then. */
async function stepping(over: Partial<Burst>): Promise<Burst | undefined> {
  const first = burst({ ...over, rev: 0 });
  await store.commit(entropy.uuid(), first.cluster, 0, [{ kind: 'burst', burst: first, why: '' }]);
  const written = await store.burst(first.id);
  if (written !== undefined) await step(ctx(), written);
  return store.burst(first.id);
}

beforeEach(() => {
  store = new MemStore({ clock, entropy });
  stepped = 0;
});

describe('while bursting is stopped', () => {
  beforeEach(() => store.stop(burst().cluster, 'alice@gw', 'fire drill'));

  it('what was only proposed is withdrawn, with a receipt that says who, when and why', async () => {
    expect(await stepping({ state: 'proposed' })).toMatchObject({ state: 'withdrawn' });
    const [receipt] = await store.receipts(burst().cluster, burst().ref, 1);
    expect(receipt).toMatchObject({ kind: 'outcome', decision: { verdict: 'wait' } });
    expect(receipt?.text).toMatch(/^bursting is stopped by alice@gw since 2027-01-15T.*: fire drill$/);
    expect(stepped).toBe(0);
  });

  it.each(['reserved', 'provisioning', 'ready'] as const)('what is %s gives its job back', async (state) => {
    expect(await stepping({ state })).toMatchObject({ state: 'returning', cause: { kind: 'stopped' } });
    expect(stepped).toBe(0);
  });

  it.each(['requeue', 'adopted'] as const)(
    'the next run of a job that was claimed goes on (%s)',
    async (origin) => {
      expect(await stepping({ state: 'ready', origin })).toMatchObject({ state: 'ready' });
      expect(stepped).toBe(1);
    },
  );

  it('another cluster goes on, and this one once it is resumed', async () => {
    await store.resume(burst().cluster, 'bob', '');
    await stepping({ state: 'ready' });
    expect(stepped).toBe(1);
  });
});
