/**
 * Data under no mount of the pod: up from the burst host before the start is granted, and down into every pod of the job (docs/decisions/0027,
 * 0032). Each leg is an order with a name of its own, so a gateway that restarts says the same order again and is told how it went; what went well
 * is committed before the next is asked for. The way back is in gather.ts and results.ts.
 */
import type { Burst } from '../domain/burst.ts';
import { type Blob, type BurstData, pathsOf } from '../domain/data.ts';
import { nodesOf, ranksOf } from '../domain/ranks.ts';
import type { Staged } from '../stream/stage.ts';
import type { KeeperView, StandinView } from '../stream/streams.ts';
import { ask, inWords, orderFor, pollMs } from './carry.ts';
import { comment } from './comment.ts';
import { after, type BurstContext, change, leave, type Next, now } from './context.ts';

const SIGTERM = 15;

/** attached, script and environment are with the keeper: what the script needs. Undefined: all of it is in the pod. */
export async function bring(
  ctx: BurstContext,
  burst: Burst,
  standin: StandinView,
  keeper: KeeperView,
): Promise<Next | undefined> {
  const { data } = burst;
  if (data === undefined) return undefined;
  const old = tooOld(ctx, burst, standin, keeper);
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
  return spread(ctx, burst, { ...data, up: data.up });
}

/**
 * Down into every pod of the job: on the cluster each of its nodes would see the same files, and nothing in its script says which of them reads
 * what. All at once, for all of them are paid for.
 */
async function spread(
  ctx: BurstContext,
  burst: Burst,
  data: BurstData & { readonly up: Blob },
): Promise<Next> {
  const paths = pathsOf(data, 'in');
  const order = orderFor(ctx, burst, 'in-down', { way: 'fetch', paths, manifest: data.up, strict: true });
  let come: Staged | undefined;
  let awaited = false;
  for (const { rank } of ranksOf(burst)) {
    const one = ask(ctx, burst, 'pod', order, rank);
    if (one === undefined) {
      awaited = true;
      continue;
    }
    const pod = rank === 0 ? 'the pod' : `the pod of rank ${rank}`;
    if (one.fault !== undefined)
      return failed(ctx, burst, `its data could not be brought into ${pod}: ${one.fault}`);
    come = one;
  }
  if (awaited || come === undefined) return after(pollMs);
  const nodes = nodesOf(burst);
  const where = nodes === 1 ? 'the pod' : `each of its ${nodes} pods`;
  const there = { ...data, there: ctx.clock.now(), inBytes: come.bytes };
  await change(ctx, burst, { data: there }, `${inWords(come)} of its data are in ${where}`);
  return now;
}

/** As a burst that never began: the job goes home, and its owner is told why. */
async function failed(ctx: BurstContext, burst: Burst, text: string): Promise<Next> {
  await comment(ctx, burst, `not run in the cloud: ${text}`);
  return leave(ctx, burst, { kind: 'data_failed', text });
}

function tooOld(
  ctx: BurstContext,
  burst: Burst,
  standin: StandinView,
  keeper: KeeperView,
): string | undefined {
  const several = nodesOf(burst) > 1;
  const here = `the spill on ${standin.peer.host} is older than this gateway and carries no data`;
  if (standin.open.stages !== true) return `${here}: install the newer one there`;
  if (several && standin.open.ranks !== true) return `${here} of several nodes: install the newer one there`;
  const pod = 'the spill in its pod is older than this gateway and carries no data';
  if (keeper.stages !== true) return `${pod}: set kubernetes.agentImage to the newer one`;
  const old = ranksOf(burst).some(({ rank }) => ctx.streams.keeper(burst.id, rank)?.ranks !== true);
  return several && old ? `${pod} of several nodes: set kubernetes.agentImage to the newer one` : undefined;
}
