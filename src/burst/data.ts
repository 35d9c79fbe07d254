/**
 * Data under no mount of the pod: up from the burst host before the start is granted, down into the pod, and after the script's end the same
 * way back (docs/decisions/0027). Each leg is an order with a name of its own, so a gateway that restarts says the same order again and is told
 * how it went; what went well is committed before the next is asked for.
 */
import type { Burst } from '../domain/burst.ts';
import { type Blob, type BurstData, pathsOf } from '../domain/data.ts';
import { instant } from '../domain/ids.ts';
import { mainGone, type Staged, type StageOrder } from '../stream/stage.ts';
import type { KeeperView, StandinView } from '../stream/streams.ts';
import { comment } from './comment.ts';
import { after, type BurstContext, change, later, leave, type Next, now } from './context.ts';

const SIGTERM = 15;
/** What an order says wakes the step; this is for what was lost. */
const pollMs = 10_000;
/** So long nothing may come of bringing results to the store, also when Slurm has ended the job; while nobody could ask does not count. */
export const resultsMs = 30 * 60_000;
/** Of all of it: a pod that asks for one more URL every now and then holds its instance no longer. */
const allResultsMs = 86_400_000;
const againMs = 15_000;
/** A file server that does not take them now is tried so often. */
const homeTries = 4;
/** The stand-in has so long to write where the results are. */
const sayMs = 5_000;
/** A content that a sweep may take while it is used is sent again. */
const dayMs = 86_400_000;

/** Where in the store what this burst's script made is kept until it is here. */
export const resultKeys = (burst: Pick<Burst, 'cluster' | 'uid' | 'id'>): string =>
  `${burst.cluster}/${burst.uid}/out/${burst.id}`;

/** attached, script and environment are with the keeper: what the script needs. Undefined: all of it is in the pod. */
export async function bring(
  ctx: BurstContext,
  burst: Burst,
  standin: StandinView,
  keeper: KeeperView,
): Promise<Next | undefined> {
  const { data } = burst;
  if (data === undefined) return undefined;
  const old = tooOld(standin, keeper);
  if (old !== undefined) return failed(ctx, burst, old);
  const paths = pathsOf(data, 'in');
  if (paths.length === 0 || data.there !== undefined) return undefined;
  if (standin.termAt !== undefined) {
    // Nothing has begun: it ends by the signal, as a script that has not caught it.
    ctx.streams.finish(burst.id, { signal: SIGTERM });
    return leave(ctx, burst, { kind: 'job_ended', text: 'Slurm ended the job while its data were carried' });
  }
  if (data.up === undefined) {
    const order = orderFor(ctx, burst, 'in-up', { way: 'send', paths, strict: true });
    const sent = ask(ctx, burst, 'here', order);
    if (sent === undefined) return after(pollMs);
    if (sent.fault !== undefined || sent.manifest === undefined)
      return failed(ctx, burst, `its data could not be brought to the store: ${sent.fault}`);
    const why = `${inWords(sent)} of its data are in the store`;
    await change(ctx, burst, { data: { ...data, up: sent.manifest } }, why);
    return now;
  }
  const order = orderFor(ctx, burst, 'in-down', { way: 'fetch', paths, manifest: data.up, strict: true });
  const come = ask(ctx, burst, 'pod', order);
  if (come === undefined) return after(pollMs);
  if (come.fault !== undefined)
    return failed(ctx, burst, `its data could not be brought into the pod: ${come.fault}`);
  await change(
    ctx,
    burst,
    { data: { ...data, there: ctx.clock.now(), inBytes: come.bytes } },
    `${inWords(come)} of its data are in the pod`,
  );
  return now;
}

/** As a burst that never began: the job goes home, and its owner is told why. */
async function failed(ctx: BurstContext, burst: Burst, text: string): Promise<Next> {
  await comment(ctx, burst, `not run in the cloud: ${text}`);
  return leave(ctx, burst, { kind: 'data_failed', text });
}

function tooOld(standin: StandinView, keeper: KeeperView): string | undefined {
  if (standin.open.stages !== true)
    return `the spill on ${standin.peer.host} is older than this gateway and carries no data: install the newer one there`;
  if (keeper.stages !== true)
    return 'the spill in its pod is older than this gateway and carries no data: set kubernetes.agentImage to the newer one';
  return undefined;
}

/** Whether there are results that nobody has said the last word on. */
export function resultsLeft(burst: Burst): boolean {
  const { data } = burst;
  if (data === undefined || pathsOf(data, 'out').length === 0) return false;
  // A run that Slurm has requeued is run again; half of a result is none.
  return data.home !== true && data.kept === undefined && burst.cause?.kind !== 'requeued';
}

/**
 * The script has ended: up from the pod, which then may end, and down to here. Results are never lost in silence: where they cannot come they
 * stay in the store, and the owner is told where. `here`: its stand-in can still write. Undefined: the last word on them is said.
 */
export async function takeHome(
  ctx: BurstContext,
  burst: Burst,
  keeper: KeeperView | undefined,
  here: boolean,
): Promise<Next | undefined> {
  const { data } = burst;
  if (data === undefined) return undefined;
  if (!resultsLeft(burst)) {
    endMain(ctx, burst);
    return told(ctx, burst, here);
  }
  if (data.againAt !== undefined && ctx.clock.now() < data.againAt)
    return after(data.againAt - ctx.clock.now());
  if (data.results === undefined) return gather(ctx, burst, data, keeper);
  endMain(ctx, burst);
  if (!here) return keep(ctx, burst, data, 'the job was over for Slurm before they were here');
  return land(ctx, burst, data, data.results);
}

async function gather(
  ctx: BurstContext,
  burst: Burst,
  data: BurstData,
  keeper: KeeperView | undefined,
): Promise<Next> {
  const killed = 'process 1 of its container was killed';
  if (burst.grant === undefined) return keep(ctx, burst, data, killed);
  const order = orderFor(ctx, burst, `out-up-${data.tries ?? 0}`, {
    ...{ way: 'send', paths: pathsOf(data, 'out'), strict: false, keys: resultKeys(burst) },
  });
  const sent = ask(ctx, burst, 'pod', order);
  if (sent === undefined) {
    if (keeper?.exit?.exit.lost === true) return keep(ctx, burst, data, killed);
    return late(ctx, burst, keeper)
      ? keep(ctx, burst, data, `in ${resultsMs / 60_000} minutes nothing more of them came to the store`)
      : after(pollMs);
  }
  if (sent.fault?.startsWith(mainGone) === true) return keep(ctx, burst, data, sent.fault);
  if (sent.fault !== undefined || sent.manifest === undefined)
    return again(ctx, burst, data, `its results do not come to the store yet: ${sent.fault}`);
  await change(
    ctx,
    burst,
    {
      data: {
        ...data,
        results: sent.manifest,
        resultBytes: sent.bytes,
        told: sent.told,
        tries: undefined,
        againAt: undefined,
      },
      trouble: undefined,
    },
    `${inWords(sent)} of its results are in the store`,
  );
  return now;
}

/** By what it could do since it could be asked: the script may have ended while the gateway was away, and much takes long. */
function late(ctx: BurstContext, burst: Burst, keeper: KeeperView | undefined): boolean {
  const since = Math.max(burst.endedAt ?? burst.enteredAt, keeper?.linkSince ?? 0);
  const at = ctx.clock.now();
  return at - Math.max(since, keeper?.carriedAt ?? 0) > resultsMs || at - since > allResultsMs;
}

async function land(ctx: BurstContext, burst: Burst, data: BurstData, manifest: Blob): Promise<Next> {
  const tries = data.tries ?? 0;
  const order = orderFor(ctx, burst, `out-home-${tries}`, {
    ...{ way: 'fetch', paths: pathsOf(data, 'out'), manifest, keys: resultKeys(burst) },
    say: tries === 0 ? (data.told ?? []) : [],
  });
  const come = ask(ctx, burst, 'here', order);
  if (come === undefined) return after(pollMs);
  if (come.fault !== undefined) {
    if (tries + 1 >= homeTries) return keep(ctx, burst, data, come.fault);
    return again(ctx, burst, data, `its results do not come here yet: ${come.fault}`);
  }
  await change(
    ctx,
    burst,
    { data: { ...data, home: true, homeAt: ctx.clock.now(), againAt: undefined }, trouble: undefined },
    `${inWords(come)} of its results are here`,
  );
  return now;
}

async function again(ctx: BurstContext, burst: Burst, data: BurstData, text: string): Promise<Next> {
  const at = ctx.clock.now();
  const next = { ...data, tries: (data.tries ?? 0) + 1, againAt: later(at, againMs) };
  ctx.log({ level: 'warn', text, burst: burst.id, job: burst.ref });
  const since = burst.trouble?.since ?? at;
  await change(ctx, burst, { data: next, trouble: { since, text } }, text);
  return after(againMs);
}

/** The last word on results that did not come: where they are, or that they are lost. */
async function keep(ctx: BurstContext, burst: Burst, data: BurstData, why: string): Promise<Next> {
  const at = ctx.clock.now();
  const where = `${ctx.pods.staging?.where ?? 'the object store: '}${resultKeys(burst)}`;
  const text =
    data.results === undefined
      ? `the results of the job were lost with its pod: ${why} (what of them had come by then is in ${where})`
      : `the results of the job are not here but in ${where} (${why}); its list is ${data.results.sha256}`;
  ctx.log({ level: 'warn', text, burst: burst.id, job: burst.ref });
  const kept = { ...data, kept: text, againAt: later(at, sayMs) };
  const since = burst.trouble?.since ?? at;
  const held = await change(ctx, burst, { data: kept, trouble: { since, text } }, text);
  if (held !== undefined) await comment(ctx, burst, text);
  return now;
}

/** The pod is over and nobody came to bring what its script made: where it is, or that it is lost, is said all the same. */
export const giveUp = (ctx: BurstContext, burst: Burst, why: string): Promise<Next> =>
  burst.data === undefined ? Promise.resolve(now) : keep(ctx, burst, burst.data, why);

/** What did not come is written to the job's stderr before the stand-in ends. */
function told(ctx: BurstContext, burst: Burst, here: boolean): Next | undefined {
  const { kept, againAt = instant(0) } = burst.data ?? {};
  if (kept === undefined || !here) return undefined;
  const order = orderFor(ctx, burst, 'kept', { way: 'end', paths: [], say: [kept] });
  const left = againAt - ctx.clock.now();
  return ask(ctx, burst, 'here', order) === undefined && left > 0 ? after(Math.min(left, 500)) : undefined;
}

/** Nothing more is asked of main, which has waited since its script's end. */
function endMain(ctx: BurstContext, burst: Burst): void {
  if (pathsOf(burst.data, 'out').length > 0)
    ctx.streams.stage(burst.id, 'pod', orderFor(ctx, burst, 'end', { way: 'end', paths: [] }));
}

function ask(ctx: BurstContext, burst: Burst, at: 'here' | 'pod', order: StageOrder): Staged | undefined {
  ctx.streams.stage(burst.id, at, order);
  const staged = ctx.streams.staged(burst.id, at);
  return staged?.id === order.id ? staged : undefined;
}

function orderFor(
  ctx: BurstContext,
  burst: Burst,
  name: string,
  of: Pick<StageOrder, 'way' | 'paths'> & Partial<StageOrder>,
): StageOrder {
  const { staging } = ctx.pods;
  const keepMs = staging?.keepMs ?? 30 * dayMs;
  return {
    id: `${burst.id}/${name}`,
    keys: `${burst.cluster}/${burst.uid}/blob`,
    reuseSince:
      of.keys === undefined ? instant(ctx.clock.now() - Math.max(keepMs / 2, keepMs - dayMs)) : undefined,
    mostBytes: staging?.maxBytes ?? 0,
    mark: burst.id,
    jobId: burst.jobId,
    // What changes here from the start of the job on is its owner's.
    since: burst.data?.since ?? burst.startedAt ?? burst.enteredAt,
    strict: false,
    say: [],
    ...of,
  };
}

/** What is fetched is not needed in the store any more. */
export async function clearResults(ctx: BurstContext, burst: Burst): Promise<void> {
  const { objects } = ctx;
  if (burst.data?.home !== true || objects === undefined) return;
  try {
    for (const { key } of await objects.list(`${resultKeys(burst)}/`)) await objects.remove(key);
  } catch (e) {
    // The sweep takes them.
    const text = `results that were fetched are still in the store: ${(e as Error).message}`;
    ctx.log({ level: 'warn', text, burst: burst.id, job: burst.ref });
  }
}

function inWords({ files, bytes }: Staged): string {
  return `${files} ${files === 1 ? 'file' : 'files'}, ${bytes} bytes`;
}
