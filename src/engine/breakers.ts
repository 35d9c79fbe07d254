import { breakerInWords, byItself, usualBootRetryMs } from '../domain/boot.ts';
import { drainInWords } from '../domain/drain.ts';
import type { ClusterName, Instant } from '../domain/ids.ts';
import type { NodeGroup } from '../domain/policy.ts';
import type { Ports } from './context.ts';

/**
 * By group, why nothing is launched there: its last machines did not boot. A breaker whose time is over is closed, and the next launches are its
 * trial [instance/boots.ts]. `groups`: all of the cluster's, since each says itself how long that is.
 */
export async function haltedGroups(
  store: Ports['store'],
  cluster: ClusterName,
  groups: readonly NodeGroup[],
  at: Instant,
): Promise<ReadonlyMap<string, string>> {
  const halted = new Map<string, string>();
  for (const breaker of await store.breakers(cluster)) {
    const forMs = groups.find((g) => g.name === breaker.group)?.bootRetryMs ?? usualBootRetryMs;
    if (at - breaker.at < forMs) {
      halted.set(breaker.group, breakerInWords(breaker));
      continue;
    }
    const why = `tried again after ${Math.round(forMs / 60_000)} min`;
    await store.closeBreaker(cluster, breaker.group, byItself, why);
  }
  return halted;
}

/** By group, why nothing new goes there: somebody drained it, or its last machines did not boot. */
export async function shutGroups(
  store: Ports['store'],
  cluster: ClusterName,
  groups: readonly NodeGroup[],
  at: Instant,
): Promise<ReadonlyMap<string, string>> {
  const [halted, drains] = await Promise.all([
    haltedGroups(store, cluster, groups, at),
    store.drains(cluster),
  ]);
  return new Map([...halted, ...drains.map((d) => [d.group, drainInWords(d)] as const)]);
}
