import { budgetsFor } from '../decide/funding.ts';
import { priceOf } from '../decide/price.ts';
import type { Burst } from '../domain/burst.ts';
import type { Hold, Limit } from '../domain/ledger.ts';
import { accountName, type Budget, dollars, periodStart, sourceOf, whose } from '../domain/money.ts';
import { overheadAccount } from '../domain/overhead.ts';
import { inWords } from '../domain/quote.ts';
import { nodesOf } from '../domain/ranks.ts';
import { plus } from '../domain/resources.ts';
import { keeperNeeds } from '../translate/index.ts';
import { after, type BurstContext, change, leave, type Next, now, withdraw } from './context.ts';
import { quoted } from './quote.ts';

/**
 * proposed → approved: by policy, or by a person. A person's no stands whatever the mode is by now. Back in mode observe, what was only
 * proposed is withdrawn. The next run of a job that was claimed goes on: its owner has the yes, and nobody else would run it.
 */
export async function approve(ctx: BurstContext, burst: Burst): Promise<Next> {
  const { mode } = ctx.setup;
  if (mode === 'observe')
    return withdraw(ctx, burst, { kind: 'stopped', text: 'mode is observe now: nothing was begun' });
  if (burst.answer?.yes === false)
    return withdraw(ctx, burst, { kind: 'declined', text: inWords(burst.answer) });
  if (burst.origin !== 'decision') {
    await change(ctx, burst, { state: 'approved' }, 'goes on with a job that was claimed before');
    return now;
  }
  if (mode === 'approve') return quoted(ctx, burst);
  // What was offered in mode approve was never held against the ramp: the turns decide anew how much of it goes today.
  if (burst.quote !== undefined && burst.answer === undefined && ctx.setup.ramp !== undefined)
    if ((await ctx.store.rampLifted(burst.cluster)) === undefined)
      return withdraw(ctx, burst, {
        kind: 'stopped',
        text: 'mode is auto now, on a ramp: it is decided anew',
      });
  const why = burst.answer === undefined ? 'approved by policy (mode: auto)' : inWords(burst.answer);
  await change(ctx, burst, { state: 'approved' }, why);
  return now;
}

/**
 * approved → reserved: from here the burst holds its place under the cap, and its money: the most that it can cost, in the same
 * transaction, so that no two together pass a hard budget.
 */
export async function reserve(ctx: BurstContext, burst: Burst): Promise<Next> {
  const at = ctx.clock.now();
  const budgets = budgetsFor(ctx.budgets, burst);
  const unfunded = ctx.unfunded?.(burst);
  if (unfunded !== undefined) return leave(ctx, burst, { kind: 'no_budget', text: unfunded });
  const offered = ctx.offered(burst.group);
  if (offered === undefined) return after(5_000);
  const needs = plus(burst.needs, keeperNeeds);
  const priced = priceOf(
    needs,
    burst.saved.timeLimitMs,
    offered,
    ctx.limitMarginMs,
    nodesOf(burst),
    burst.data?.egress?.held,
  );
  const hard = budgets.filter((b) => b.hard);
  if (priced.kind === 'unknown') {
    const overhead = ctx.budgets.some((b) => b.account === overheadAccount);
    if (hard.length > 0 || overhead)
      return leave(ctx, burst, {
        kind: 'no_budget',
        text: `${hard.length > 0 ? `a hard budget counts for account ${burst.account}` : 'there is an overhead budget'}, and what this job could cost is not known: ${priced.why}`,
      });
    await change(ctx, burst, { state: 'reserved' }, 'holds one of the places for bursts; no price is known');
    ctx.replan();
    return after(5_000);
  }
  const { price } = priced;
  const asked = burst.answer?.yes === true ? burst.quote?.microUsd : undefined;
  if (asked !== undefined && price.held > asked)
    return leave(ctx, burst, {
      kind: 'expired',
      text: `it was approved at ${dollars(asked)} at most and could cost ${dollars(price.held)} now: it is to be offered anew`,
    });
  // In the ledger accounts stand as they are compared.
  const limits: readonly Limit[] = hard.map((b) => ({
    account: b.account && accountName(b.account),
    user: b.user,
    microUsd: b.microUsd,
    since: periodStart(b.per, at),
  }));
  const { cluster, user } = burst;
  const account = accountName(burst.account);
  const hold: Hold = { burst: burst.id, cluster, account, user, microUsd: price.held, at, limits };
  const why = `holds ${dollars(price.held)} for account ${account}`;
  const next: Burst = { ...burst, state: 'reserved', price, enteredAt: at };
  const answer = await ctx.store.commit(ctx.entropy.uuid(), cluster, ctx.epoch(), [
    { kind: 'burst', burst: next, why },
    { kind: 'hold', hold },
  ]);
  if (answer === 'over_budget')
    return leave(ctx, burst, {
      kind: 'no_budget',
      text: `${asWords(hard)} not hold the ${dollars(price.held)} that this job could cost`,
    });
  if (answer === 'conflict') return now;
  ctx.log({ level: 'info', text: why, burst: burst.id, job: burst.ref, from: burst.state, to: 'reserved' });
  ctx.replan();
  return after(5_000);
}

/** Which of them was passed the store does not tell. */
function asWords(budgets: readonly Budget[]): string {
  const [only, ...others] = budgets;
  if (only === undefined || others.length > 0)
    return `the budgets ${budgets.map((b) => `of ${whose(b)} (${sourceOf(b)})`).join(', ')} do`;
  return `the budget of ${whose(only)} (${sourceOf(only)}) does`;
}
