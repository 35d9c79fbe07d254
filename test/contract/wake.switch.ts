import { expect } from 'vitest';
import { openBullWake } from '../../adapters/queue/bull.ts';
import { burstIsLive } from '../../src/domain/change.ts';
import { type BurstId, burstId, type ClusterName } from '../../src/domain/ids.ts';
import type { StorePort, WakePort } from '../../src/ports.ts';
import { aBurst, newId, next, putBurst } from './samples.ts';

/** From proposed to withdrawn. */
const steps = 6;

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
    // Its share of the work; what comes after that it puts off, so that it is in the midst when it is stopped, and its queue is not empty.
    const share = last ? Number.POSITIVE_INFINITY : (all.length * steps) / gateways.length;
    let done = 0;
    await wakes.start((id) => {
      done += 1;
      return done > share ? wakes.wake(id, 60_000) : moveOn(store, wakes, burstId(id));
    });
    // As ClusterEngine.sweep does.
    for (const b of await store.liveBursts(cluster)) await wakes.wake(b.id);
    const end = performance.now() + 20_000;
    while ((last ? (await live()) > 0 : done <= share) && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await live()) > 0).toBe(!last);
    await wakes.close();
    await gateway.wipe();
  }
  for (const b of all) {
    const rows = await store.audit(b.id);
    expect(rows.map((r) => r.to)).toEqual([...Array.from({ length: steps }, () => 'proposed'), 'withdrawn']);
  }
}

async function moveOn(store: StorePort, wakes: WakePort, id: BurstId): Promise<void> {
  const b = await store.burst(id);
  if (b === undefined || !burstIsLive(b)) return;
  const after = next({ ...b, rev: b.rev - 1 }, b.rev < steps ? 'proposed' : 'withdrawn');
  await store.commit(newId(), b.cluster, 1, [putBurst(after)]);
  // Now and then the burst has to wait: what waits is lost with the queue, too.
  await wakes.wake(id, b.rev % 3 === 0 ? 30 : 0);
}
