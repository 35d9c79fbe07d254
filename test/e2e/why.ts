/** What the gateway on the lab says of a job, by its API. */
import { ports } from '../../lab/real/paths.ts';
import { until } from './harness.ts';

export interface Told {
  readonly verdict: string;
  readonly because: readonly { readonly rule: string; readonly pass: boolean; readonly measured: string }[];
  readonly basis?: {
    readonly policy: string;
    readonly forecast?: { readonly by: string; readonly startsIn: { readonly p50Ms: number } };
    readonly ready?: { readonly group: string; readonly p90Ms: number };
  };
}

export async function decisionOn(job: string): Promise<Told> {
  const base = `http://127.0.0.1:${ports.gatewayHttp}`;
  return until(`a decision on job ${job}`, async () => {
    const answer = await fetch(`${base}/api/v1/why/${job}`);
    if (answer.status !== 200) return undefined;
    return ((await answer.json()) as { jobs: { decision?: Told }[] }).jobs[0]?.decision;
  });
}
