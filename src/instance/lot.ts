/** Several instances alike by one call of the cloud. */
import { faultOf, PortError } from '../domain/fault.ts';
import type { Uuid } from '../domain/ids.ts';
import type { CloudInstance, Instance } from '../domain/instance.ts';
import { behindLot, halved, inLot, ofItsOwn, waitsBehind } from '../domain/lot.ts';
import { after, type Next, now } from '../domain/next.ts';
import type { LaunchedLot, Write } from '../ports.ts';
import { launched, notLaunched, unanswered } from './answered.ts';
import {
  changeEach,
  drainOf,
  type InstanceChange,
  type InstanceContext,
  intend,
  wakeBursts,
} from './context.ts';
import { forLaunch } from './overhead.ts';

/** Who asks for all of them wakes the others; this is for when he did not. */
const othersMs = 10_000;

/**
 * intended → launched, of all that share a token. They are asked for together or, where one of them may not be, each by itself: so no
 * machine comes that no row stands for. Where fewer come than were asked for, the first of them by seat have one.
 */
export async function launchLot(ctx: InstanceContext, instance: Instance): Promise<Next> {
  const live = await ctx.store.liveInstances(instance.cluster);
  const rows = inLot(live, instance);
  if (rows[0]?.id !== instance.id || waitsBehind(live, instance)) return after(othersMs);
  const size = instance.lot?.size ?? rows.length;
  const asked = rows.some(wasAsked);
  const together = ctx.cloud.launchLot !== undefined;
  if (!together || (!asked && (rows.length < size || (await drainOf(ctx, instance)) !== undefined)))
    return apart(ctx, rows);
  const held = await hold(ctx, rows, asked, size);
  if (held === 'over_budget') return apart(ctx, rows);
  return held === 'conflict' ? now : ask(ctx, held, size);
}

/** It may be there already, and only its answer lost. */
const wasAsked = ({ askedAt, trouble }: Instance): boolean => askedAt !== undefined || trouble !== undefined;

interface Held {
  readonly rows: readonly Instance[];
  readonly intent: Uuid;
}

/** The intent and, with the first asking, the money for each. */
async function hold(
  ctx: InstanceContext,
  rows: readonly Instance[],
  asked: boolean,
  size: number,
): Promise<Held | 'conflict' | 'over_budget'> {
  const [first] = rows;
  if (first === undefined) return 'conflict';
  const intent = intend(ctx, first, 'cloud.launchLot', { ...first.spec, token: first.token, count: size });
  const why = `asks the cloud for ${size} of ${first.spec.types.join(', ')} by one call`;
  const askedAt = ctx.clock.now();
  const changes: InstanceChange[] = [];
  const extra: Write[] = [{ kind: 'intent', intent }];
  // What is held for them was held with the first asking.
  for (const row of asked ? [first] : rows) {
    const money = asked ? ({ kind: 'free' } as const) : await forLaunch(ctx, row);
    if (money.kind === 'none') return 'over_budget';
    const patch = { askedAt: row.askedAt ?? askedAt, ...(money.kind === 'held' ? { hold: money.hold } : {}) };
    changes.push({ instance: row, patch, why });
    if (money.kind === 'held') extra.push(money.write);
  }
  const written = await changeEach(ctx, changes, extra);
  if (typeof written === 'string') return written;
  return { rows: [...written, ...rows.slice(written.length)], intent: intent.id };
}

async function ask(ctx: InstanceContext, { rows, intent }: Held, size: number): Promise<Next> {
  const [first] = rows;
  if (first === undefined || ctx.cloud.launchLot === undefined) return now;
  const answered = (answer: string): Write[] => [{ kind: 'answered', intent, answer, at: ctx.clock.now() }];
  let answer: LaunchedLot;
  try {
    answer = await ctx.cloud.launchLot(first.spec, first.token, size);
  } catch (e) {
    const fault = faultOf(e);
    if (fault === undefined) throw e;
    if (metQuota(e as PortError)) return fewer(ctx, rows, e as PortError, answered(fault));
    const none = rows.flatMap((row) => notLaunched(ctx, row, e as PortError) ?? []);
    if (none.length > 0) return settle(ctx, none, answered(fault), await behind(ctx, first));
    await changeEach(ctx, [unanswered(ctx, first, e as PortError)], answered(fault));
    return after(3_000);
  }
  const { made, short } = answer;
  if (short === undefined) ctx.missed?.(first.group, first.spec.capacityType, made[0]?.missed ?? []);
  const left = await unclaimed(ctx, first, made);
  const changes = rows.flatMap((row) => {
    const machine = left.shift();
    if (machine !== undefined) return launched(ctx, row, machine);
    return notLaunched(ctx, row, short ?? new PortError('throttled', 'cloud.launchLot', unsaid)) ?? [];
  });
  const next = await behind(ctx, first);
  const over = short !== undefined && metQuota(short) ? short : undefined;
  if (over !== undefined) changes.push(...next.flatMap((row) => notLaunched(ctx, row, over) ?? []));
  return settle(ctx, changes, answered(made.map(({ id }) => id).join(' ')), next);
}

/** The account may have no more, and may have fewer. */
const metQuota = ({ fault, missed = [] }: PortError): boolean =>
  fault === 'no_capacity' && missed.some(({ why }) => why === 'quota');

const behind = async (ctx: InstanceContext, { cluster, token }: Instance): Promise<readonly Instance[]> =>
  behindLot(await ctx.store.liveInstances(cluster), token);

/**
 * Nothing was made, for the account's quota holds not so many: fewer are asked for. Those that wait behind them get none, as what is left of the
 * quota is not even enough for these. The money of those that are asked for again stays held.
 */
async function fewer(
  ctx: InstanceContext,
  rows: readonly Instance[],
  error: PortError,
  answered: readonly Write[],
): Promise<Next> {
  const [first] = rows;
  if (first === undefined) return now;
  const without = [...rows.slice(-1), ...(await behind(ctx, first))];
  const changes = without.flatMap((row) => notLaunched(ctx, row, error) ?? []);
  const again = halved(rows, ctx.generation).map(
    (instance): Write => ({
      ...{ kind: 'instance', instance },
      why: `fewer are asked for: ${error.message}`,
    }),
  );
  return settle(ctx, changes, [...answered, ...again], []);
}

const unsaid = 'fewer came than were asked for, and nobody said why';

/** By id. One that runs a pod has a row of its own already where the store had been older than that [engine/recover]. */
async function unclaimed(
  ctx: InstanceContext,
  { cluster }: Instance,
  made: readonly CloudInstance[],
): Promise<CloudInstance[]> {
  const claimed = new Set((await ctx.store.liveInstances(cluster)).map(({ cloudId }) => cloudId));
  return made.filter(({ id }) => !claimed.has(id)).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** All of them by one commit, so that who asks again finds all rows or none. `next`: who waited for this. */
async function settle(
  ctx: InstanceContext,
  changes: readonly InstanceChange[],
  answered: readonly Write[],
  next: readonly Instance[],
): Promise<Next> {
  const written = await changeEach(ctx, changes, answered);
  if (typeof written === 'string') return now;
  for (const row of written) {
    if (row.state === 'gone') await wakeBursts(ctx, row);
    ctx.wake(row.id);
  }
  for (const { id } of next) ctx.wake(id);
  return after(1_000);
}

/** Each by itself from here on, under a token of its own: what was drained, or is not paid for, is withheld row by row. */
async function apart(ctx: InstanceContext, rows: readonly Instance[]): Promise<Next> {
  const [first] = rows;
  if (first === undefined) return now;
  const writes = rows.map((row): Write => {
    const instance = ofItsOwn(row, ctx.generation);
    return { kind: 'instance', instance, why: 'is asked for by itself' };
  });
  await ctx.store.commit(ctx.entropy.uuid(), first.cluster, ctx.epoch(), writes);
  for (const { id } of rows) ctx.wake(id);
  return now;
}
