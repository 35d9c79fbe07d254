/**
 * What was decided, held against what then happened: in mode observe the job stayed, so its real start and run are known, and what it would have been
 * spared and cost is reckoned from them. What its place would have done for those behind it is not in it.
 */
import type { Basis } from '../domain/decision.ts';
import type { Instant, JobKey } from '../domain/ids.ts';
import type { EndedRun } from '../domain/job.ts';
import type { MicroUsd } from '../domain/money.ts';

/** The first decision to burst a job that nobody carried out. */
export interface WouldBurst {
  readonly at: Instant;
  readonly basis: Basis | undefined;
}

export interface AccountShare {
  readonly account: string;
  readonly jobs: number;
  readonly savedMs: number;
  readonly microUsd: MicroUsd;
}

/** By the number of jobs, unless the name says otherwise. */
export interface Hindsight {
  /** The policy said burst, and nothing was done. */
  readonly decided: number;
  /** Of those, who really waited for longer than the cloud would have taken: the cloud would have had them. */
  readonly bursts: number;
  /** From when the cloud would have had them to their real starts. */
  readonly savedMs: number;
  /** Their real run times on the dearest type that may come. */
  readonly microUsd: MicroUsd;
  /** Started here before the cloud would have been ready: nothing saved, nothing run there. */
  readonly tooSoon: number;
  /** Not over yet, or cancelled before they ran, or unknown to sacct. */
  readonly unfinished: number;
  /** What cannot be told of some, by why. */
  readonly unknown: {
    /** Receipts that do not say how long the cloud would have taken: left out of all the rest. */
    readonly ready: number;
    /** Of those that count as bursts: no price is configured for what they need. */
    readonly price: number;
    /** Decided without a forecast. */
    readonly forecast: number;
    /** Decided under another policy, budgets, node groups or prices than today's. */
    readonly policy: number;
  };
  /** Of those with a finite forecast whose real start is known. */
  readonly forecasts: {
    readonly known: number;
    /** Whose start lay between its p10 and its p90: 8 in 10 if the forecasts hold. */
    readonly within: number;
    /** By how much the middle of them was off. */
    readonly medianErrorMs: number | undefined;
  };
  /** Most saved first. */
  readonly accounts: readonly AccountShare[];
}

/** What a run of this size and length would cost there; undefined: no price is known. */
export type CostOf = (run: Pick<EndedRun, 'cpus' | 'nodes'>, runMs: number) => MicroUsd | undefined;

/** `runs`: by job, the first run that began after the decision. */
export function hindsightOf(
  decided: ReadonlyMap<JobKey, WouldBurst>,
  runs: ReadonlyMap<JobKey, EndedRun>,
  policy: string,
  costOf: CostOf,
): Hindsight {
  const unknown = { ready: 0, price: 0, forecast: 0, policy: 0 };
  const shares = new Map<string, { jobs: number; savedMs: number; microUsd: number }>();
  const errors: number[] = [];
  let [bursts, savedMs, microUsd, tooSoon, unfinished, within] = [0, 0, 0, 0, 0, 0];
  for (const [key, { at, basis }] of decided) {
    if (basis?.policy !== policy) unknown.policy += 1;
    if (basis?.forecast === undefined) unknown.forecast += 1;
    const run = runs.get(key);
    if (run === undefined) {
      unfinished += 1;
      continue;
    }
    const waited = Math.max(0, run.startAt - at);
    const said = basis?.forecast?.startsIn;
    if (said !== undefined && said !== 'never') {
      errors.push(Math.abs(waited - said.p50Ms));
      if (waited >= said.p10Ms && waited <= said.p90Ms) within += 1;
    }
    const readyMs = basis?.ready?.p50Ms;
    if (readyMs === undefined) {
      unknown.ready += 1;
      continue;
    }
    if (waited <= readyMs) {
      tooSoon += 1;
      continue;
    }
    const cost = costOf(run, run.endAt - run.startAt);
    if (cost === undefined) unknown.price += 1;
    bursts += 1;
    savedMs += waited - readyMs;
    microUsd += cost ?? 0;
    const share = shares.get(run.account) ?? { jobs: 0, savedMs: 0, microUsd: 0 };
    share.jobs += 1;
    share.savedMs += waited - readyMs;
    share.microUsd += cost ?? 0;
    shares.set(run.account, share);
  }
  errors.sort((a, b) => a - b);
  return {
    ...{ decided: decided.size, bursts, savedMs, microUsd, tooSoon, unfinished, unknown },
    forecasts: { known: errors.length, within, medianErrorMs: errors[Math.floor(errors.length / 2)] },
    accounts: [...shares]
      .map(([account, share]) => ({ account, ...share }))
      .sort((a, b) => b.savedMs - a.savedMs || a.account.localeCompare(b.account)),
  };
}
