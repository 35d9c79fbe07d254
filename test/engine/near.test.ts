import { describe, expect, it } from 'vitest';
import { deps } from '../../bench/deps.ts';
import { burstId, instant } from '../../src/domain/ids.ts';
import { NearWake } from '../../src/engine/near.ts';
import type { WakeId } from '../../src/ports.ts';
import { MemWake } from '../../src/sim/models/wake.ts';

const [a, b] = [burstId('b-a'), burstId('b-b')];
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A gateway's wakes over a queue that counts what goes through it. */
function wakes(leads: { now: boolean }) {
  const errors: string[] = [];
  const sent: WakeId[] = [];
  const queue = new MemWake({
    clock: { now: () => instant(Math.floor(performance.now())) },
    scheduler: deps.scheduler,
    onError: (what) => errors.push(what),
  });
  const far = {
    wake: (id: WakeId, ms?: number) => {
      sent.push(id);
      return queue.wake(id, ms);
    },
    start: (handler: (id: WakeId) => Promise<void>) => queue.start(handler),
    ping: () => queue.ping(),
    close: () => queue.close(),
  };
  const near = new NearWake(
    {
      far,
      scheduler: deps.scheduler,
      near: () => leads.now,
      onError: (id) => errors.push(id),
    },
    () => performance.now(),
  );
  return { near, sent, errors };
}

describe('wakes of a gateway', () => {
  it('that leads stay with it; those of one that does not go through the queue', async () => {
    const leads = { now: true };
    const { near, sent } = wakes(leads);
    const seen: WakeId[] = [];
    await near.start(async (id) => void seen.push(id));
    await near.wake(a);
    await near.wake(b, 20);
    await expect.poll(() => seen).toEqual([a, b]);
    expect(sent).toEqual([]);
    leads.now = false;
    await near.wake(a);
    await expect.poll(() => seen).toEqual([a, b, a]);
    expect(sent).toEqual([a]);
    await near.close();
  });

  it('of one id never run twice at once, whichever way they came', async () => {
    const leads = { now: true };
    const { near } = wakes(leads);
    let running = 0;
    let most = 0;
    let runs = 0;
    await near.start(async () => {
      most = Math.max(most, ++running);
      runs++;
      await sleep(10);
      running--;
    });
    for (let i = 0; i < 20; i++) {
      leads.now = i % 2 === 0;
      await near.wake(a);
      await sleep(3);
    }
    await expect.poll(() => running).toBe(0);
    expect(most).toBe(1);
    expect(runs).toBeLessThan(20);
    await near.close();
  });

  it('that wait by thousands do not keep a new one waiting', async () => {
    const { near } = wakes({ now: true });
    const seen: WakeId[] = [];
    await near.start(async (id) => {
      await sleep(1);
      seen.push(id);
    });
    for (let i = 0; i < 5_000; i++) await near.wake(burstId(`b-${i}`));
    await expect.poll(() => seen.length, { interval: 1 }).toBeGreaterThan(100);
    const before = seen.length;
    await near.wake(a);
    await expect.poll(() => seen.includes(a), { interval: 1 }).toBe(true);
    expect(seen.indexOf(a) - before).toBeLessThan(500);
    await expect.poll(() => new Set(seen).size, { timeout: 5_000 }).toBe(5_001);
    await near.close();
  });

  it('come again after a handler that threw, and end with the gateway', async () => {
    const { near, errors } = wakes({ now: true });
    let runs = 0;
    await near.start(async () => {
      if (++runs === 1) throw new Error('not yet');
    });
    await near.wake(a);
    await expect.poll(() => runs, { timeout: 3_000 }).toBe(2);
    expect(errors).toEqual([a]);
    await near.wake(b, 30);
    await near.close();
    await near.wake(b);
    await sleep(60);
    expect(runs).toBe(2);
  });
});
