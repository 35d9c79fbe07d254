/** The site's own money for a machine: held before the cloud is asked, topped up while it lives, settled when it is gone. */
import { type Due, dueOf, paidUntil, tailMs } from '../decide/overhead.ts';
import type { Instant } from '../domain/ids.ts';
import type { Instance } from '../domain/instance.ts';
import type { Limit } from '../domain/ledger.ts';
import { type Budget, dollars, type MicroUsd, periodStart } from '../domain/money.ts';
import { type InstanceHold, overheadAccount, overheadId } from '../domain/overhead.ts';
import type { Write } from '../ports.ts';
import { change, changeWithin, guestsOn, type InstanceContext } from './context.ts';
import { paidBy } from './settled.ts';

/** The longest that a burst whose instance is Ready may wait for its pods and its claim. */
const startsInMs = 10 * 60_000;
/** Topped up by so much more than is due, so that the next look is no top-up again. */
const aheadMs = 5 * 60_000;
/** A budget that did not hold a top-up is asked again. */
const askAgainMs = 60_000;

/** `free`: nothing is to be held, as no budget of this kind counts or it is held already. `none`: nothing can be held, so nothing is launched. */
export type LaunchMoney =
  | { readonly kind: 'free' }
  | { readonly kind: 'held'; readonly hold: InstanceHold; readonly write: Write }
  | { readonly kind: 'none'; readonly why: string };

/** From boot to the longest end of what is planned on it, and what comes after: less what those bursts hold themselves. */
export async function forLaunch(ctx: InstanceContext, instance: Instance): Promise<LaunchMoney> {
  const terms = ctx.overhead?.();
  // What was asked for with others before, and is asked for anew, holds it already.
  if (terms === undefined || instance.hold !== undefined) return { kind: 'free' };
  const none = (why: string): LaunchMoney => ({
    kind: 'none',
    why: `the overhead budget holds nothing: ${why}`,
  });
  const group = ctx.group(instance.group);
  if (group === undefined) return none(`node group ${instance.group} is not configured any more`);
  const { prices = {} } = group;
  const bare = instance.spec.types.filter((type) => prices[type] === undefined);
  if (bare.length > 0)
    return none(`no price is configured for ${bare.join(', ')} of node group ${group.name}`);
  const perHour = Math.max(...instance.spec.types.map((type) => prices[type] ?? 0)) + terms.besides;
  const at = ctx.clock.now();
  const guests = await guestsOn(ctx, instance);
  const { marginMs } = terms;
  const waits = { bootsInMs: group.joinTimeoutMs, startsInMs, marginMs };
  const due = dueOf({ from: at, perHour, relieved: 0 }, guests, group, at, waits);
  if (due === undefined) return none('a job that is planned on it has no time limit of its own');
  const on = guests.map(({ id }) => id);
  const hold = { perHour, from: at, held: due.microUsd, rows: 1, on, relieved: 0 };
  return { kind: 'held', hold, write: rowOf(instance, 0, due.microUsd, at, terms.budgets) };
}

/** In words, for whoever waits for the instance. */
export const notHeld = ({ held }: InstanceHold): string =>
  `the overhead budget does not hold the ${dollars(held)} that a machine could cost besides its jobs`;

/**
 * What came and went on it since the last look is taken in, and what is due now is held. Where the budget does not hold that, the instance drains
 * before what is paid for is over. True: its row was written, or somebody else wrote it.
 */
export async function topUp(ctx: InstanceContext, instance: Instance): Promise<boolean> {
  const { hold } = instance;
  const terms = ctx.overhead?.();
  const group = ctx.group(instance.group);
  if (hold === undefined || terms === undefined || group === undefined) return false;
  const at = ctx.clock.now();
  const guests = await guestsOn(ctx, instance);
  const on = guests.map(({ id }) => id);
  const left = hold.on.filter((id) => !on.includes(id));
  const relieved = hold.relieved + (await paidBy(ctx.store, instance, left, at));
  const now: InstanceHold = { ...hold, on, relieved };
  const { marginMs } = terms;
  const due = dueOf(now, guests, group, at, { startsInMs, marginMs });
  const more = missing(now, due);
  if (more > 0 && (hold.short === undefined || at - hold.short >= askAgainMs)) {
    const ahead: InstanceHold = { ...now, held: hold.held + more, rows: hold.rows + 1, short: undefined };
    const write = rowOf(instance, hold.rows, more, at, terms.budgets);
    const words = `holds ${dollars(more)} more of the overhead budget`;
    const answer = await changeWithin(ctx, instance, { hold: ahead }, words, [write]);
    if (answer !== 'over_budget') return true;
    const text = `the overhead budget does not hold ${dollars(more)} more for it`;
    ctx.log({ level: 'warn', text, instance: instance.id });
    await change(ctx, instance, { hold: { ...now, short: at } }, text);
    return true;
  }
  // Due, and not to be had, or without an end that anybody could pay for.
  const unpaid = due === undefined || more > 0;
  if (unpaid && at >= paidUntil(now, guests, marginMs) - tailMs(group)) {
    const why = 'what the overhead budget holds for it is used up';
    await change(ctx, instance, { hold: now, state: 'draining', why }, why);
    return true;
  }
  if (left.length === 0 && on.length === hold.on.length) return false;
  await change(ctx, instance, { hold: now }, `${on.length} bursts are on it, ${left.length} left`);
  return true;
}

function missing({ held, perHour }: InstanceHold, due: Due | undefined): MicroUsd {
  if (due === undefined || due.microUsd <= held) return 0;
  return due.microUsd - held + Math.ceil((perHour * aheadMs) / 3_600_000);
}

function rowOf(
  { id, cluster }: Instance,
  nth: number,
  microUsd: MicroUsd,
  at: Instant,
  budgets: readonly Budget[],
): Write {
  const limits = budgets.map(
    (b): Limit => ({ account: b.account, user: b.user, microUsd: b.microUsd, since: periodStart(b.per, at) }),
  );
  const whose = { account: overheadAccount, user: overheadAccount };
  return { kind: 'hold', hold: { burst: overheadId(id, nth), cluster, ...whose, microUsd, at, limits } };
}
