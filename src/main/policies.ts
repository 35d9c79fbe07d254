/** How a policy is read that stands in the store, beside all else that the configuration says. */
import { policyTextOf } from '../../config/load.ts';
import { type PolicyText, readPolicyText, writtenIn } from '../../config/policy-text.ts';
import type { Config } from '../../config/schema.ts';
import type { PolicyRead, PolicyTerms } from '../engine/context.ts';
import { sha256 } from './ground.ts';
import { policyHashOf, policyOf } from './settings.ts';

export function policyTermsOf(config: Config): PolicyTerms {
  const file = policyTextOf(config);
  // What decides is read whenever somebody looks at it.
  let last: { readonly text: string; readonly read: PolicyRead } | undefined;
  const read = (text: string): PolicyRead => {
    if (last?.text !== text) last = { text, read: readAs(config, text) };
    return last.read;
  };
  return { file, fileHash: sha256(file), read, written: writtenIn, sha256 };
}

function readAs(config: Config, text: string): PolicyRead {
  const read = readPolicyText(text);
  if (!read.ok) return read;
  const beside = withPolicy(config, read.value);
  const { clusters, budgets } = beside;
  const own = clusters.find((c) => c.charge === 'allocation');
  if (own !== undefined && budgets.length > 0) {
    const problem = `cluster ${own.name} is charged to the allocation, which leaves no dollars to count; leave them out`;
    return { ok: false, problems: [{ field: 'budgets', text: problem }] };
  }
  return { ok: true, policy: policyOf(beside), policyHash: policyHashOf(beside) };
}

/** The configuration as if its policy were this one; how starts are forecast stays. */
const withPolicy = (config: Config, { policy, budgets = config.budgets }: PolicyText): Config => ({
  ...config,
  policy: { ...policy, forecast: config.policy.forecast },
  budgets,
});
