/** `doctor`: which policy decides, and whether anybody has to say something to that. */
import type { ClusterName } from '../domain/ids.ts';
import { policyInWords } from '../domain/policy-version.ts';
import type { StorePort } from '../ports.ts';
import type { PolicyTerms } from './context.ts';
import type { Finding } from './doctor.ts';
import { policyState, policyTroubles } from './policy-state.ts';

export async function* examinePolicies(
  store: Pick<StorePort, 'activePolicy' | 'policyVersion'>,
  clusters: readonly ClusterName[],
  terms: PolicyTerms,
): AsyncGenerator<Finding> {
  const states = await Promise.all(clusters.map((name) => policyState(store, name, terms)));
  const troubles = policyTroubles(states);
  for (const { cluster, decides } of states) {
    const what = `policy of ${cluster}`;
    const own = troubles.filter((t) => t.cluster === cluster);
    if (own.length === 0) yield { what, ok: true, text: `${policyInWords(decides)} decides` };
    for (const { text, todo } of own) yield { what, ok: false, text, todo };
  }
}
