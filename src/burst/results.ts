/**
 * Results on their way home, and the last word on them. They are never lost in silence: where they cannot come they stay in the store, the
 * owner is told where, and the job does not end well.
 */
import type { Burst, Exit } from '../domain/burst.ts';
import { type BurstData, listsOf, lostOf, pathsOf } from '../domain/data.ts';
import { ignoring } from '../domain/fault.ts';
import { instant } from '../domain/ids.ts';
import { listed } from '../domain/listing.ts';
import { nodesOf, ranksOf } from '../domain/ranks.ts';
import { ask, inWords, orderFor, pollMs, resultKeys } from './carry.ts';
import { comment } from './comment.ts';
import { after, type BurstContext, change, later, type Next, now } from './context.ts';
import { again, gather, inPods } from './gather.ts';

/** A file server that does not take them now is tried so often. */
const homeTries = 4;
/** The stand-in has so long to write where the results are. */
const sayMs = 5_000;

/** Whether there are results that nobody has said the last word on. */
export function resultsLeft(burst: Burst): boolean {
  const { data } = burst;
  if (data === undefined || pathsOf(data, 'out').length === 0) return false;
  // A run that Slurm has requeued is run again; half of a result is none.
  return data.home !== true && data.kept === undefined && burst.cause?.kind !== 'requeued';
}

/** The script has ended: up from the pods, which then may end, and down to here. `here`: its stand-in can still write. Undefined: the last word on them is said. */
export async function takeHome(ctx: BurstContext, burst: Burst, here: boolean): Promise<Next | undefined> {
  const { data } = burst;
  if (data === undefined) return undefined;
  if (!resultsLeft(burst)) {
    endMain(ctx, burst);
    return told(ctx, burst, here);
  }
  const gathering = await gather(ctx, burst, data);
  if (gathering !== undefined) return gathering;
  endMain(ctx, burst);
  if (listsOf(data).length === 0) return keep(ctx, burst, data, lostOf(data)[0]?.why ?? 'nobody knows why');
  if (data.againAt !== undefined && ctx.clock.now() < data.againAt)
    return after(data.againAt - ctx.clock.now());
  if (!here) return keep(ctx, burst, data, 'the job was over for Slurm before they were here');
  return land(ctx, burst, data);
}

async function land(ctx: BurstContext, burst: Burst, data: BurstData): Promise<Next> {
  const tries = data.tries ?? 0;
  const others = listsOf(data).filter(({ rank }) => rank > 0);
  const order = orderFor(ctx, burst, `out-home-${tries}`, {
    ...{ way: 'fetch', paths: pathsOf(data, 'out'), manifest: data.results, keys: resultKeys(burst) },
    ...(others.length === 0 ? {} : { others: others.map(({ rank, list }) => ({ rank, ...list })) }),
    say: tries === 0 ? (data.told ?? []) : [],
  });
  const come = ask(ctx, burst, 'here', order);
  if (come === undefined) return after(pollMs);
  if (come.fault !== undefined) {
    if (tries + 1 >= homeTries) return keep(ctx, burst, data, come.fault);
    return again(ctx, burst, data, 0, `its results do not come here yet: ${come.fault}`);
  }
  const home = { ...data, home: true, homeAt: ctx.clock.now(), againAt: undefined };
  const [lost] = lostOf(data);
  if (lost !== undefined) return keep(ctx, burst, home, lost.why);
  await change(ctx, burst, { data: home, trouble: undefined }, `${inWords(come)} of its results are here`);
  return now;
}

/** The last word on results that did not come: where they are, or that they are lost. */
async function keep(ctx: BurstContext, burst: Burst, data: BurstData, why: string): Promise<Next> {
  const at = ctx.clock.now();
  const text = `${lastWord(ctx, burst, data, why)}`;
  // The line goes first: where it cannot be asked for now, the whole step comes again.
  await comment(ctx, burst, text);
  ctx.log({ level: 'warn', text, burst: burst.id, job: burst.ref });
  const kept = { ...data, kept: text, againAt: later(at, sayMs) };
  const since = burst.trouble?.since ?? at;
  await change(ctx, burst, { data: kept, trouble: { since, text } }, text);
  return now;
}

function lastWord(ctx: BurstContext, burst: Burst, data: BurstData, why: string): string {
  const where = `${ctx.pods.staging?.where ?? 'the object store: '}${resultKeys(burst)}`;
  const lists = listsOf(data);
  const whose = (ranks: readonly { readonly rank: number }[]): string =>
    nodesOf(burst) === 1 ? '' : ` on rank ${ranks.map(({ rank }) => rank).join(', ')}`;
  if (data.home === true)
    return `of the results of the job those made${whose(lostOf(data))} were lost: ${why}; the others are here`;
  if (lists.length === 0)
    return `the results of the job were lost with its pod: ${why} (what of them had come by then is in ${where})`;
  const named =
    nodesOf(burst) === 1
      ? `its list is ${lists[0]?.list.sha256}`
      : `the lists are ${lists.map(({ rank, list }) => `${list.sha256} of rank ${rank}`).join(', ')}`;
  const lost = ranksOf(burst).filter(({ rank }) => !lists.some((one) => one.rank === rank));
  const also = lost.length === 0 ? '' : `; those made${whose(lost)} did not come to it`;
  return `the results of the job are not here but in ${where} (${why}); ${named}${also}`;
}

/** The pod is over and nobody came to bring what its script made: where it is, or that it is lost, is said all the same. */
export const giveUp = (ctx: BurstContext, burst: Burst, why: string): Promise<Next> =>
  burst.data === undefined ? Promise.resolve(now) : keep(ctx, burst, burst.data, why);

/** A script that ended well and whose results are not here has not done what it was to do: whatever depends on it would look for them. */
export function exitWith(burst: Burst, exit: Exit): Exit {
  const kept = burst.data?.kept;
  return kept === undefined || exit.code !== 0 ? exit : { code: 1, reason: kept };
}

/** What did not come is written to the job's stderr before the stand-in ends. */
function told(ctx: BurstContext, burst: Burst, here: boolean): Next | undefined {
  const { kept, againAt = instant(0) } = burst.data ?? {};
  if (kept === undefined || !here) return undefined;
  const order = orderFor(ctx, burst, 'kept', { way: 'end', paths: [], say: [kept] });
  const left = againAt - ctx.clock.now();
  return ask(ctx, burst, 'here', order) === undefined && left > 0 ? after(Math.min(left, 500)) : undefined;
}

/** Nothing more is asked of main, which has waited since its script's end; of none of the job's nodes. */
export function endMain(ctx: BurstContext, burst: Burst): void {
  if (pathsOf(burst.data, 'out').length === 0 || inPods(burst)) return;
  const order = orderFor(ctx, burst, 'end', { way: 'end', paths: [] });
  for (const { rank } of ranksOf(burst)) ctx.streams.stage(burst.id, 'pod', order, rank);
}

/** What is fetched is not needed in the store any more. */
export async function clearResults(ctx: BurstContext, burst: Burst): Promise<void> {
  const { objects } = ctx;
  if (burst.data?.home !== true || objects === undefined) return;
  try {
    const prefix = `${resultKeys(burst)}/`;
    for await (const { key } of listed((from) => objects.list(prefix, from))) await objects.remove(key);
    for await (const { key, upload } of listed((from) => objects.unfinished(prefix, from)))
      await ignoring('not_found', objects.abortParts(key, upload));
  } catch (e) {
    // The sweep takes them.
    const text = `results that were fetched are still in the store: ${(e as Error).message}`;
    ctx.log({ level: 'warn', text, burst: burst.id, job: burst.ref });
  }
}
