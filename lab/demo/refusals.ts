/** Whom a budget did not hold: refused before anything was begun, or when its money was to be held. */
import type { SeenBurst, SeenDecision } from './gateway.ts';

export interface Refusal {
  readonly job: string;
  readonly account: string;
  /** What the job could have cost at most. */
  readonly microUsd: number;
}

export function refusalsOf(
  bursts: readonly SeenBurst[],
  decisions: readonly SeenDecision[],
): readonly Refusal[] {
  const given = bursts.flatMap(({ job, account, cause }) =>
    cause?.kind === 'no_budget' ? refusal(job, account, cause.text) : [],
  );
  const waited = decisions.flatMap(({ job, because }) => {
    const [one, ...others] = because.filter(({ pass }) => !pass);
    // Only where nothing else stood in the way.
    if (one?.rule !== 'budget' || others.length > 0) return [];
    return refusal(job, /account ([^\s:]+)/.exec(one.measured)?.[1], one.measured);
  });
  return [...given, ...waited];
}

function refusal(job: string, account: string | undefined, text: string): readonly Refusal[] {
  const usd = /([\d.]+) USD/.exec(text)?.[1];
  return account === undefined || usd === undefined
    ? []
    : [{ job, account, microUsd: Number(usd) * 1_000_000 }];
}
