import {
  breakerSwitch,
  byItself,
  failedInARow,
  failuresInWords,
  likelyCause,
  usualBootFailures,
} from '../domain/boot.ts';
import { faultOf } from '../domain/fault.ts';
import type { Instance } from '../domain/instance.ts';
import { change, type InstanceContext, type InstancePatch } from './context.ts';

/** Further back no row in a row is looked for. */
const looksBack = 500;

/**
 * It was launched and did not become a node: noted with what its console says, and if too many of its group did so one after another, nothing more is
 * launched there. Undefined: somebody else changed it first.
 */
export async function bootFailed(
  ctx: InstanceContext,
  instance: Instance,
  patch: InstancePatch,
  why: string,
): Promise<Instance | undefined> {
  const likely = likelyCause(await consoleOf(ctx, instance));
  const failed = { at: ctx.clock.now(), why, ...(likely ?? {}) };
  const told = likely === undefined ? why : `${why}: likely ${likely.cause}`;
  const written = await change(ctx, instance, { ...patch, why: told, bootFailed: failed }, told);
  if (written !== undefined) await judge(ctx, written);
  return written;
}

/** For people alone, so no fault of it keeps anything from being done. */
async function consoleOf(ctx: InstanceContext, { cloudId, id }: Instance): Promise<string | undefined> {
  if (cloudId === undefined) return undefined;
  try {
    return await ctx.cloud.console(cloudId);
  } catch (e) {
    if (faultOf(e) === undefined) throw e;
    ctx.log({ level: 'warn', text: `the console of ${cloudId}: ${(e as Error).message}`, instance: id });
    return undefined;
  }
}

/** Trips the group's breaker where it is due. Once it was closed by its time, the first failure trips it again. */
async function judge(ctx: InstanceContext, { cluster, group: name }: Instance): Promise<void> {
  const group = ctx.group(name);
  if (group === undefined) return;
  const turns = await ctx.store.audit(`${breakerSwitch.name}/${cluster}/${name}`);
  const closed = turns.findLast((t) => t.to === breakerSwitch.rest);
  const newest = (await ctx.store.instances(looksBack)).filter(
    (i) => i.cluster === cluster && i.group === name && i.createdAt >= (closed?.at ?? 0),
  );
  const failed = failedInARow(newest);
  const onTrial =
    closed?.why.startsWith(`by ${byItself}:`) === true && newest.every((i) => i.readyAt === undefined);
  if (failed.length < (onTrial ? 1 : (group.bootFailures ?? usualBootFailures))) return;
  const why = failuresInWords(failed);
  await ctx.store.tripBreaker(cluster, name, byItself, why);
  ctx.log({ level: 'warn', text: `node group ${name} launches nothing more: ${why}` });
}
