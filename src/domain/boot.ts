/** Machines that do not boot: what their consoles say of it, and the breaker that ends launching where none does. Pure. */
import type { Instance } from './instance.ts';
import type { SwitchKind, Turn } from './switch.ts';

/** Nothing is launched in a node group whose last machines all failed to boot, until its time is over or a person says so. */
export interface Breaker extends Turn {
  readonly group: string;
}

/** One for each node group of a cluster. */
export const breakerSwitch = {
  name: 'breaker',
  rest: 'closed',
  turned: 'tripped',
} as const satisfies SwitchKind;

/** Who trips it, and who closes it when its time is over. */
export const byItself = 'spillway';

export const breakerInWords = ({ group, why, at }: Breaker): string =>
  `node group ${group} launches nothing since ${new Date(at).toISOString()}: ${why}`;

export const usualBootFailures = 10;
export const usualBootRetryMs = 30 * 60_000;

/** Of one group, newest first: so many of the last machines failed to boot, one after another. Who is not through yet, and whoever was not launched or was taken away, says nothing. */
export function failedInARow(
  newest: readonly Pick<Instance, 'readyAt' | 'bootFailed'>[],
): readonly NonNullable<Instance['bootFailed']>[] {
  const failed: NonNullable<Instance['bootFailed']>[] = [];
  for (const { readyAt, bootFailed } of newest) {
    if (readyAt !== undefined) break;
    if (bootFailed !== undefined) failed.push(bootFailed);
  }
  return failed;
}

/** What a console says in such words, and what it means; the first that is found. */
const signs: readonly (readonly [RegExp, string])[] = [
  [/kernel panic|unable to mount root/i, 'the image does not boot'],
  [/exec format error/i, 'the image is for another architecture'],
  [/no space left on device/i, 'its disk is too small'],
  [
    /x509|certificate (has expired|signed by unknown)/i,
    "the cluster's certificate is not what the user data say",
  ],
  [
    /unauthorized|forbidden|invalid bearer token|bootstrap token/i,
    'the cluster refuses its kubelet: token or role',
  ],
  [
    /i\/o timeout|connection refused|no route to host|network is unreachable|temporary failure in name resolution|could not resolve/i,
    'it does not reach the cluster: subnet, security group or name service',
  ],
  [/err(or)? ?(image)?pull|failed to pull/i, 'an image of its node cannot be pulled'],
  [/cloud-init.*(fail|error)|failed to run module/i, 'its user data fail'],
];

export interface Likely {
  readonly cause: string;
  /** The console's own line. */
  readonly line: string;
}

/** What most likely keeps a machine from joining; undefined: its console says nothing of it. */
export function likelyCause(console: string | undefined): Likely | undefined {
  const lines = (console ?? '').split(/\r?\n/).map((l) => l.trim());
  for (const [sign, cause] of signs) {
    const line = lines.findLast((l) => sign.test(l));
    if (line !== undefined) return { cause, line: line.slice(0, 300) };
  }
  return undefined;
}

/** Why a group's breaker trips. */
export function failuresInWords(failed: readonly NonNullable<Instance['bootFailed']>[]): string {
  const [last] = failed;
  const told = failed.find((f) => f.cause !== undefined);
  const n = failed.length === 1 ? 'a machine' : `${failed.length} machines in a row`;
  const what = `${n} did not boot (${last?.why ?? 'no reason on record'})`;
  if (told?.cause === undefined)
    return `${what}; their consoles say nothing of it: look at one in the cloud's own console`;
  return `${what}; likely ${told.cause}, as a console says: ${told.line}`;
}
