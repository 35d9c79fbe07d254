/** How a policy is read that stands in the store, beside all else that the configuration says. */
import { setImmediate } from 'node:timers/promises';
import { policyTextOf } from '../../config/load.ts';
import { type PolicyText, readPolicyText, writtenIn } from '../../config/policy-text.ts';
import type { Config } from '../../config/schema.ts';
import type { PolicyRead, PolicyTerms } from '../engine/context.ts';
import { sha256 } from './ground.ts';
import { type PlainRead, readInThread } from './policy-thread.ts';
import { expressionsOfOne, policyHashOf, policyOf } from './settings.ts';

/** Characters: a shorter text is read sooner than a thread begins. */
const long = 10_000;
/** Texts whose reading is kept: the one that decides, and those that somebody looks at. */
const knownAtMost = 4;

export function policyTermsOf(config: Config): PolicyTerms {
  const file = policyTextOf(config);
  // What decides is read whenever somebody looks at it, and others are asked about meanwhile.
  const known = new Map<string, PolicyRead>();
  const remember = (text: string, read: PolicyRead): PolicyRead => {
    known.delete(text);
    known.set(text, read);
    for (const oldest of [...known.keys()].slice(0, -knownAtMost)) known.delete(oldest);
    return read;
  };
  const read = (text: string): PolicyRead => remember(text, known.get(text) ?? readAs(config, text));
  const readBeside = async (text: string): Promise<PolicyRead> => {
    if (text.length < long || known.has(text)) return read(text);
    const beside = await readInThread(config, text);
    // It may have been for want of time alone.
    if (!beside.ok) return beside;
    return remember(text, { ...beside, policy: { ...beside.policy, expressions: expressionsOfOne() } });
  };
  const pause = (): Promise<void> => setImmediate();
  return { file, fileHash: sha256(file), read, readBeside, pause, written: writtenIn, sha256 };
}

export function plainly(read: PolicyRead): PlainRead {
  if (!read.ok) return read;
  const { expressions: _, ...policy } = read.policy;
  return { ...read, policy };
}

export function readAs(config: Config, text: string): PolicyRead {
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
