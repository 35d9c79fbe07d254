/** Which policy decides in each cluster, and what somebody has to know of that. */
import { faultOf } from '../domain/fault.ts';
import type { ClusterName, Instant } from '../domain/ids.ts';
import { type Activation, type PolicyName, policyInWords } from '../domain/policy-version.ts';
import type { StorePort } from '../ports.ts';
import type { PolicyProblem, PolicyTerms } from './context.ts';

export interface PolicyState {
  readonly cluster: ClusterName;
  readonly decides: PolicyName;
  /** Undefined: nobody has said anything yet. */
  readonly said: Activation | undefined;
  /** A version decides, and the file says something else than when that was said. */
  readonly fileChanged: boolean;
  /** Why what decides cannot be read: nothing is bought until it can. */
  readonly unreadable: string | undefined;
}

/** By this gateway's own file. */
export async function policyState(
  store: Pick<StorePort, 'activePolicy' | 'policyVersion'>,
  cluster: ClusterName,
  terms: PolicyTerms,
): Promise<PolicyState> {
  let said: Activation | undefined;
  try {
    said = await store.activePolicy(cluster);
  } catch (e) {
    if (faultOf(e) !== 'invalid') throw e;
    const unreadable = (e as Error).message;
    return { cluster, decides: 'file', said: undefined, fileChanged: false, unreadable };
  }
  const decides = said?.decides ?? 'file';
  if (said === undefined || decides === 'file')
    return { cluster, decides, said, fileChanged: false, unreadable: undefined };
  const fileChanged = said.file.hash !== terms.fileHash;
  return { cluster, decides, said, fileChanged, unreadable: await unreadable(store, decides, terms) };
}

async function unreadable(
  store: Pick<StorePort, 'policyVersion'>,
  version: number,
  terms: PolicyTerms,
): Promise<string | undefined> {
  try {
    const kept = await store.policyVersion(version);
    if (kept === undefined) return 'the store has none of that number';
    const read = terms.read(kept.text);
    return read.ok ? undefined : problemsInWords(read.problems);
  } catch (e) {
    if (faultOf(e) !== 'invalid') throw e;
    return (e as Error).message;
  }
}

export interface PolicyTrouble {
  readonly cluster: ClusterName;
  readonly since: Instant | undefined;
  readonly text: string;
  readonly todo: string;
}

/** Of the clusters of one gateway. */
export function policyTroubles(states: readonly PolicyState[]): readonly PolicyTrouble[] {
  return states.flatMap((state) => [...ofOne(state), ...ofOthers(state, states)]);
}

function ofOne({ cluster, decides, said, fileChanged, unreadable }: PolicyState): PolicyTrouble[] {
  const of = { cluster, since: said?.at };
  const troubles: PolicyTrouble[] = [];
  if (unreadable !== undefined)
    troubles.push({
      ...of,
      text: `${policyInWords(decides)} cannot be read, and nothing is bought: ${unreadable}`,
      todo: 'spillway policy list, then activate one that this version reads',
    });
  if (fileChanged && said !== undefined)
    troubles.push({
      ...of,
      text: `${policyInWords(decides)} decides, and the configuration file says something else than when ${said.by} said so`,
      todo: `spillway policy diff ${said.file.version} file, then activate file to let the file decide, or activate ${decides} to keep what decides`,
    });
  return troubles;
}

/** One policy is for all clusters of a gateway; one that came later has nobody's word yet. */
function ofOthers({ cluster, decides, said }: PolicyState, all: readonly PolicyState[]): PolicyTrouble[] {
  const other = all.find((s) => s.decides !== decides);
  if (other === undefined || said !== undefined) return [];
  return [
    {
      ...{ cluster, since: undefined },
      text: `${policyInWords(decides)} decides here, and ${policyInWords(other.decides)} in ${other.cluster}`,
      todo: `spillway policy activate ${other.decides}, for all clusters`,
    },
  ];
}

/** Of thousands the first. */
const problemsTold = 5;

export function problemsInWords(problems: readonly PolicyProblem[]): string {
  const more = problems.length - problemsTold;
  const told = problems
    .slice(0, problemsTold)
    .map(({ field, text }) => (field === '' ? text : `${field}: ${text}`));
  return [...told, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}
