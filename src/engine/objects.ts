import { terminalStates } from '../domain/burst.ts';
import { ignoring } from '../domain/fault.ts';
import { burstId, type ClusterName, type Instant } from '../domain/ids.ts';
import type { ObjectsPort, StorePort } from '../ports.ts';

const dayMs = 86_400_000;
const usualKeepMs = 30 * dayMs;

/**
 * What nobody needs any more in the object store: contents that were staged in longer ago than they are kept, results of bursts that are over
 * and have them at home (or were run again), and uploads in parts that nobody completed. Results that did not come home stay, whatever
 * their age, and so does what no burst on record explains. How many went.
 */
export async function sweepObjects({
  objects,
  store,
  cluster,
  at,
  keepMs = usualKeepMs,
}: {
  readonly objects: ObjectsPort;
  readonly store: Pick<StorePort, 'burst'>;
  readonly cluster: ClusterName;
  readonly at: Instant;
  readonly keepMs?: number | undefined;
}): Promise<number> {
  let gone = 0;
  const done = new Map<string, boolean>();
  for (const { key, at: written } of await objects.list(`${cluster}/`)) {
    const [, , kind, of = ''] = key.split('/');
    if (kind === 'blob' && at - written < keepMs) continue;
    if (kind === 'out') {
      const known = done.get(of) ?? (await isDone(store, of));
      done.set(of, known);
      if (!known) continue;
    } else if (kind !== 'blob') continue;
    await objects.remove(key);
    gone += 1;
  }
  for (const { key, upload, at: begun } of await objects.unfinished(`${cluster}/`)) {
    if (at - begun < dayMs) continue;
    await ignoring('not_found', objects.abortParts(key, upload));
    gone += 1;
  }
  return gone;
}

async function isDone(store: Pick<StorePort, 'burst'>, of: string): Promise<boolean> {
  const burst = await store.burst(burstId(of));
  if (burst === undefined || !terminalStates.has(burst.state)) return false;
  // A run that was requeued after its owner was told where they are: they may be all that is left of it.
  return burst.data?.home === true || (burst.state === 'requeued' && burst.data?.kept === undefined);
}
