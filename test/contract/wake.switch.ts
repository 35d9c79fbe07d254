import { expect } from 'vitest';
import { openBullWake } from '../../adapters/queue/bull.ts';
import { burstIsLive } from '../../src/domain/change.ts';
import { type BurstId, burstId, type ClusterName } from '../../src/domain/ids.ts';
import type { StorePort, WakePort } from '../../src/ports.ts';
import { aBurst, newId, next, putBurst } from './samples.ts';

/**
 * A gateway as far as its wakes go: each wake moves its burst on by one, in the store, and asks for the next. It is stopped in the midst;
 * `wipe` then empties the queue. The next one may have another queue: all it has of the first one's work is the store.
 */
export async function throughRestarts(
  store: StorePort,
  cluster: ClusterName,
  gateways: readonly { readonly url: string; wipe(): Promise<void> }[],
): Promise<void> {
  const all = Array.from({ length: 40 }, () => aBurst({ cluster }));
  await store.commit(
    newId(),
    cluster,
    1,
    all.map((b) => putBurst(b)),
  );
  const live = () => store.liveBursts(cluster).then((l) => l.length);

  for (const [i, gateway] of gateways.entries()) {
    const last = i === gateways.length - 1;
    const wakes = await openBullWake({ url: gateway.url, onError: () => undefined });
    await wakes.start((id) => moveOn(store, wakes, burstId(id)));
    // As ClusterEngine.sweep does.
    for (const b of await store.liveBursts(cluster)) await wakes.wake(b.id);
    const enough = last ? 0 : Math.round((all.length * (gateways.length - 1 - i)) / gateways.length);
    let left = await live();
    for (const end = performance.now() + 20_000; left > enough && performance.now() < end; )
      left = await live();
    expect(left).toBeLessThanOrEqual(enough);
    if (!last) expect(left).toBeGreaterThan(0);
    await wakes.close();
    await gateway.wipe();
  }
  for (const b of all) {
    const rows = await store.audit(b.id);
    expect(rows.map((r) => r.to)).toEqual([...Array.from({ length: 6 }, () => 'proposed'), 'withdrawn']);
  }
}

async function moveOn(store: StorePort, wakes: WakePort, id: BurstId): Promise<void> {
  const b = await store.burst(id);
  if (b === undefined || !burstIsLive(b)) return;
  const after = next({ ...b, rev: b.rev - 1 }, b.rev < 6 ? 'proposed' : 'withdrawn');
  await store.commit(newId(), b.cluster, 1, [putBurst(after)]);
  // Now and then the burst has to wait: what waits is lost with the queue, too.
  await wakes.wake(id, b.rev % 3 === 0 ? 30 : 0);
}
