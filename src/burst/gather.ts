/**
 * What the job has made, from each of its pods to the store. The script has ended; ranks above 0 end what they still run, so that nothing changes any
 * more, and stay for as long as it takes. Every node's results lie there for themselves, so none takes the place of another's.
 */
import type { Burst } from '../domain/burst.ts';
import { type BurstData, type Gathered, gatheredOf, pathsOf, withGathered } from '../domain/data.ts';
import { nodesOf, type Rank, ranksOf } from '../domain/ranks.ts';
import { mainGone, type Staged } from '../stream/stage.ts';
import type { KeeperView } from '../stream/streams.ts';
import { ask, inWords, orderFor, pollMs, resultKeys } from './carry.ts';
import { after, type BurstContext, change, later, type Next, now } from './context.ts';
import { lookAtRank } from './pod.ts';

const SIGTERM = 15;
const SIGKILL = 9;
/** So long what a rank above 0 still runs may take to end by TERM. */
const graceMs = 5_000;
/** So long nothing may come of bringing results to the store, also when Slurm has ended the job; while nobody could ask does not count. */
export const resultsMs = 30 * 60_000;
/** Of all of it: a pod that says that it goes on every now and then holds its instance no longer. */
const allResultsMs = 86_400_000;
const againMs = 15_000;
const killed = 'process 1 of its container was killed';

/** Those of whose results nobody has said the last word yet. */
function open(burst: Burst, data: BurstData): readonly Rank[] {
  return ranksOf(burst).filter(({ rank }) => {
    const { results, lost } = gatheredOf(data, rank);
    return results === undefined && lost === undefined;
  });
}

/** Of rank 0 it is known: what is left can be asked of the others, whatever became of its keeper. */
export const scriptsKnown = ({ data }: Burst): boolean =>
  data !== undefined && (data.results ?? data.lost) !== undefined;

/** Some pod may have results that are not in the store. */
export function inPods(burst: Burst): boolean {
  const { data } = burst;
  if (data === undefined || pathsOf(data, 'out').length === 0) return false;
  if (data.home === true || data.kept !== undefined || burst.cause?.kind === 'requeued') return false;
  return open(burst, data).length > 0;
}

/** One round over the pods that have results. Undefined: of each of them it is known what became of them. */
export async function gather(ctx: BurstContext, burst: Burst, data: BurstData): Promise<Next | undefined> {
  let next: Next | undefined;
  for (const of of open(burst, data)) {
    const said = await gatherFrom(ctx, burst, data, of);
    if (said.kind === 'known') return note(ctx, burst, withGathered(said.data, of.rank, said.of), said.why);
    if (said.kind === 'again') return failedTry(ctx, burst, data, of, said.why);
    next = sooner(next, after(said.ms));
  }
  return next;
}

type Word =
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'again'; readonly why: string }
  | { readonly kind: 'known'; readonly data: BurstData; readonly of: Gathered; readonly why: string };

const wait = (ms: number): Word => ({ kind: 'wait', ms });

async function gatherFrom(ctx: BurstContext, burst: Burst, data: BurstData, of: Rank): Promise<Word> {
  const { rank } = of;
  const { tries = 0, againAt } = gatheredOf(data, rank);
  const keeper = ctx.streams.keeper(burst.id, rank);
  const lost = (why: string): Word => {
    const text = nodesOf(burst) === 1 ? why : `the results of rank ${rank} are lost: ${why}`;
    return { kind: 'known', data, of: { lost: why, tries: undefined, againAt: undefined }, why: text };
  };
  if (burst.grant === undefined) return lost(killed);
  if (againAt !== undefined && ctx.clock.now() < againAt) return wait(againAt - ctx.clock.now());
  if (rank > 0 && keeper?.exit === undefined) {
    const ends = await endSteps(ctx, burst, of, keeper);
    if (ends !== undefined) return typeof ends === 'string' ? lost(ends) : ends;
  }
  const order = orderFor(ctx, burst, `out-up-${tries}`, {
    ...{ way: 'send', paths: pathsOf(data, 'out'), strict: false, keys: resultKeys(burst) },
  });
  const sent = ask(ctx, burst, 'pod', order, rank);
  const late = isLate(ctx, burst, keeper);
  const tooLate = `in ${resultsMs / 60_000} minutes nothing more of them came to the store`;
  if (sent === undefined) {
    if (keeper?.exit?.exit.lost === true) return lost(killed);
    // What the tries before failed by is what its owner must know.
    const before = tries === 0 || burst.trouble === undefined ? '' : ` (${burst.trouble.text})`;
    return late ? lost(`${tooLate}${before}`) : wait(pollMs);
  }
  if (sent.fault?.startsWith(mainGone) === true) return lost(sent.fault);
  if (sent.fault !== undefined || sent.manifest === undefined)
    return late ? lost(`${tooLate}: ${sent.fault}`) : { kind: 'again', why: `${sent.fault}` };
  return { kind: 'known', ...inStore(burst, data, rank, sent) };
}

function inStore(
  burst: Burst,
  data: BurstData,
  rank: number,
  sent: Staged,
): Pick<Extract<Word, { kind: 'known' }>, 'data' | 'of' | 'why'> {
  const several = nodesOf(burst) > 1;
  const told = several ? sent.told.map((line) => `rank ${rank}: ${line}`) : sent.told;
  return {
    data: {
      ...data,
      resultBytes: (data.resultBytes ?? 0) + sent.bytes,
      told: [...(data.told ?? []), ...told],
    },
    of: { results: sent.manifest, tries: undefined, againAt: undefined },
    why: `${inWords(sent)} of its results are in the store${several ? `, from rank ${rank}` : ''}`,
  };
}

/** Undefined: nothing runs there any more. A text: nothing can be asked there any more, and why. */
async function endSteps(
  ctx: BurstContext,
  burst: Burst,
  of: Rank,
  keeper: KeeperView | undefined,
): Promise<Word | string | undefined> {
  const { rank } = of;
  if (keeper?.link === 'up') {
    const name = `gsteps-${rank}-${burst.restarts}`;
    const since = Math.max(burst.endedAt ?? burst.enteredAt, keeper.linkSince);
    ctx.streams.signal(burst.id, `${name}-term`, SIGTERM, 'all', rank);
    const graceOver = ctx.clock.now() - since >= graceMs;
    if (graceOver) ctx.streams.signal(burst.id, `${name}-kill`, SIGKILL, 'all', rank);
    return isLate(ctx, burst, keeper) ? 'what ran there did not end' : wait(1_000);
  }
  const sight = await lookAtRank(ctx, of);
  if (sight.kind === 'over' && sight.all) return sight.how;
  return isLate(ctx, burst, keeper) ? 'its keeper did not answer' : wait(2_000);
}

/** By what it could do since it could be asked: the script may have ended while the gateway was away, and much takes long. */
function isLate(ctx: BurstContext, burst: Burst, keeper: KeeperView | undefined): boolean {
  const since = Math.max(burst.endedAt ?? burst.enteredAt, keeper?.linkSince ?? 0);
  const at = ctx.clock.now();
  return at - Math.max(since, keeper?.carriedAt ?? 0) > resultsMs || at - since > allResultsMs;
}

async function note(ctx: BurstContext, burst: Burst, data: BurstData, why: string): Promise<Next> {
  await change(ctx, burst, { data, trouble: undefined }, why);
  return now;
}

async function failedTry(
  ctx: BurstContext,
  burst: Burst,
  data: BurstData,
  { rank }: Rank,
  why: string,
): Promise<Next> {
  const whose = nodesOf(burst) === 1 ? 'its results do not' : `the results of rank ${rank} do not`;
  return again(ctx, burst, data, rank, `${whose} come to the store yet: ${why}`);
}

/** What failed of a rank's is tried again in a while. */
export async function again(
  ctx: BurstContext,
  burst: Burst,
  data: BurstData,
  rank: number,
  text: string,
): Promise<Next> {
  const at = ctx.clock.now();
  const tries = (gatheredOf(data, rank).tries ?? 0) + 1;
  const next = withGathered(data, rank, { tries, againAt: later(at, againMs) });
  ctx.log({ level: 'warn', text, burst: burst.id, job: burst.ref });
  const since = burst.trouble?.since ?? at;
  await change(ctx, burst, { data: next, trouble: { since, text } }, text);
  return after(againMs);
}

function sooner(one: Next | undefined, other: Next): Next {
  if (one?.again !== 'after' || other.again !== 'after') return other;
  return one.ms <= other.ms ? one : other;
}
