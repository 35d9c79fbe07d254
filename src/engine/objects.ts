import { terminalStates } from '../domain/burst.ts';
import { ignoring } from '../domain/fault.ts';
import { burstId, type ClusterName, type Instant } from '../domain/ids.ts';
import { listed } from '../domain/listing.ts';
import type { Clock, ObjectsPort, StoredObject, StorePort, Unfinished } from '../ports.ts';

const dayMs = 86_400_000;
const usualKeepMs = 30 * dayMs;
/** Of a job's data an upload in parts may be gone on with so long, by whichever job needs the same content. */
const uploadMs = 7 * dayMs;
/** A turn ends soon after: it has a process's other work beside it. */
const turnMs = 10 * 60_000;
/** So many are taken away at once; not every store knows a request that names several. */
const atOnce = 8;

export interface Swept {
  readonly gone: number;
  /** Of those the store did not take away; the next round tries them again. */
  readonly failed: number;
  /** Where the next turn goes on; undefined: it was the end of a round. */
  readonly from: string | undefined;
}

/**
 * What nobody needs any more in the object store: contents that were staged in longer ago than they are kept, results of bursts that are over
 * and have them at home (or were run again), and uploads in parts that nobody completes. Results that did not come home stay, whatever
 * their age, and so does what no burst on record explains. A page is looked at at a time, for a bounded time; `from` is where the turn
 * before ended.
 */
export async function sweepObjects({
  objects,
  store,
  cluster,
  clock,
  from,
  keepMs = usualKeepMs,
}: {
  readonly objects: ObjectsPort;
  readonly store: Pick<StorePort, 'burst'>;
  readonly cluster: ClusterName;
  readonly clock: Clock;
  readonly from?: string | undefined;
  readonly keepMs?: number | undefined;
}): Promise<Swept> {
  const at = clock.now();
  const isDone = remembered((of) => doneWith(store, of));
  const count = { gone: 0, failed: 0 };
  const prefix = `${cluster}/`;
  for (let page = from; ; ) {
    const { found, next } = await objects.list(prefix, page);
    const useless: StoredObject[] = [];
    for (const one of found) if (await isUseless(one, at, keepMs, isDone)) useless.push(one);
    await takeAway(useless, ({ key }) => objects.remove(key), count);
    if (next === undefined) break;
    page = next;
    if (clock.now() - at > turnMs) return { ...count, from: page };
  }
  for await (const one of listed((next) => objects.unfinished(prefix, next)))
    if (await isAbandoned(one, at, isDone))
      await takeAway(
        [one],
        ({ key, upload }) => ignoring('not_found', objects.abortParts(key, upload)),
        count,
      );
  return { ...count, from: undefined };
}

type IsDone = (burst: string) => Promise<boolean>;

async function isUseless(
  { key, at }: StoredObject,
  now: Instant,
  keepMs: number,
  isDone: IsDone,
): Promise<boolean> {
  const [, , kind, of = ''] = key.split('/');
  return kind === 'blob' ? now - at >= keepMs : kind === 'out' && (await isDone(of));
}

async function isAbandoned({ key, at }: Unfinished, now: Instant, isDone: IsDone): Promise<boolean> {
  const [, , kind, of = ''] = key.split('/');
  // A run may have begun it this minute: its row is not over yet.
  return now - at >= uploadMs || (kind === 'out' && now - at >= dayMs && (await isDone(of)));
}

/** One that the store does not take away now must not keep it from those behind it. */
async function takeAway<T>(
  all: readonly T[],
  remove: (one: T) => Promise<unknown>,
  count: { gone: number; failed: number },
): Promise<void> {
  for (let i = 0; i < all.length; i += atOnce) {
    const said = await Promise.allSettled(all.slice(i, i + atOnce).map(remove));
    for (const { status } of said) count[status === 'fulfilled' ? 'gone' : 'failed'] += 1;
  }
}

/** Of what was asked last: the keys of one burst stand together. */
function remembered(ask: IsDone): IsDone {
  let last: { readonly of: string; readonly said: boolean } | undefined;
  return async (of) => {
    if (last?.of !== of) last = { of, said: await ask(of) };
    return last.said;
  };
}

async function doneWith(store: Pick<StorePort, 'burst'>, of: string): Promise<boolean> {
  const burst = await store.burst(burstId(of));
  if (burst === undefined || !terminalStates.has(burst.state)) return false;
  // A run that was requeued after its owner was told where they are: they may be all that is left of it.
  return burst.data?.home === true || (burst.state === 'requeued' && burst.data?.kept === undefined);
}
