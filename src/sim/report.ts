/** What a policy would have done with a span of a site's history, in one row: what it moved, saved and cost, and for whom. */
import type { MicroUsd } from '../domain/money.ts';
import { type Bill, figuresOf, type Spread } from './replay/figures.ts';
import { type Played, play, type Site } from './replay/play.ts';
import type { Columns, Policy } from './replay/policy.ts';

export interface Share {
  readonly account: string;
  readonly jobs: number;
  readonly bursts: number;
  /** Waiting that its jobs were spared, those that stayed included; negative where they waited longer. */
  readonly savedMs: number;
  readonly microUsd: MicroUsd;
}

export interface Report {
  readonly jobs: number;
  /** From the first submission to the last. */
  readonly spanMs: number;
  readonly bursts: number;
  readonly savedMs: number;
  readonly microUsd: MicroUsd;
  readonly cloudShare: number;
  readonly peakInstances: number;
  readonly waitMs: { readonly before: Spread; readonly after: Spread };
  /** Most saved first. */
  readonly accounts: readonly Share[];
}

/** Both sides are played on the same machine: the saving is what the policy changes, not what the model has wrong. */
export function reportOf(trace: Columns, site: Site, policy: Policy, bill: Bill): Report {
  const before = play(trace, site);
  const after = play(trace, site, policy);
  const [home, cloud] = [figuresOf(trace, before, site, bill), figuresOf(trace, after, site, bill)];
  const accounts = sharesOf(trace, before, after, site, bill);
  const first = trace.submitMs[0] ?? 0;
  return {
    jobs: trace.jobs.length,
    spanMs: (trace.submitMs.at(-1) ?? first) - first,
    bursts: cloud.bursts,
    savedMs: accounts.reduce((sum, a) => sum + a.savedMs, 0),
    microUsd: cloud.microUsd,
    cloudShare: cloud.cloudShare,
    peakInstances: cloud.peakInstances,
    waitMs: { before: home.waitMs, after: cloud.waitMs },
    accounts,
  };
}

function sharesOf(trace: Columns, before: Played, after: Played, site: Site, bill: Bill): readonly Share[] {
  const shares = new Map<string, { jobs: number; bursts: number; savedMs: number; microUsd: number }>();
  trace.jobs.forEach(({ account }, i) => {
    const share = shares.get(account) ?? { jobs: 0, bursts: 0, savedMs: 0, microUsd: 0 };
    share.jobs += 1;
    share.savedMs += (before.waitMs[i] as number) - (after.waitMs[i] as number);
    if (!Number.isNaN(after.burstMs[i] as number)) {
      share.bursts += 1;
      const paidMs = ((trace.runMs[i] as number) + site.cloud.bootMs) * (trace.processors[i] as number);
      share.microUsd += Math.round((paidMs * bill.microUsdPerCoreHour) / 3_600_000);
    }
    shares.set(account, share);
  });
  return [...shares]
    .map(([account, share]) => ({ account, ...share }))
    .sort((a, b) => b.savedMs - a.savedMs || a.account.localeCompare(b.account));
}
