/** The run in words: what differs without a documented reason, script by script, and how often each documented one showed. */
import type { Judged } from './judge.ts';
import type { Verdict } from './pair.ts';

/** One script, once both of its runs are over. */
export function tellOne(v: Verdict, say: (line: string) => void): void {
  const faults = faultsOf(v);
  say(`${faults.length === 0 ? 'same   ' : 'DIFFERS'}  ${v.job.name}  (jobs ${v.ids})`);
  for (const fault of faults) say(`         ${fault}`);
}

/** What all came to; 0 where both ways are the same but for what is documented, else 1. */
export function tellAll(verdicts: readonly Verdict[], seconds: number, say: (line: string) => void): number {
  const bad = verdicts.filter((v) => faultsOf(v).length > 0);
  const expected = new Map<string, string[]>();
  for (const { job, differences } of verdicts)
    for (const d of differences)
      if (d.why !== undefined) expected.set(key(d), [...(expected.get(key(d)) ?? []), job.name]);
  say('');
  for (const [what, names] of [...expected].sort())
    say(`expected: ${what} (${names.length === 1 ? names[0] : `${names.length} scripts`})`);
  say('');
  if (bad.length > 0)
    say(
      `not the same: ${bad
        .map(({ job }) => job.name)
        .sort()
        .join(' ')}`,
    );
  say(
    `${verdicts.length} scripts, each on-prem and burst: ${verdicts.length - bad.length} the same, ${bad.length} not; ${seconds} s`,
  );
  return bad.length === 0 && verdicts.length > 0 ? 0 : 1;
}

/** As `npm test` reads it, by names of scripts. */
export interface ParityReport {
  readonly same: readonly string[];
  readonly different: readonly { readonly name: string; readonly faults: readonly string[] }[];
}

export function reportOf(verdicts: readonly Verdict[]): ParityReport {
  const all = verdicts.map((v) => ({ name: v.job.name, faults: faultsOf(v) }));
  return {
    same: all.filter(({ faults }) => faults.length === 0).map(({ name }) => name),
    different: all.filter(({ faults }) => faults.length > 0),
  };
}

const key = ({ place, name, why }: Judged): string =>
  `${place} ${place === 'file' ? '' : `${name} `}because ${why}`;

export function faultsOf({ fault, differences, missing }: Verdict): string[] {
  return [
    ...(fault === undefined ? [] : [fault]),
    ...differences
      .filter(({ why }) => why === undefined)
      .map(({ place, name, onprem, burst }) => `${place} ${name}: on-prem ${onprem} | burst ${burst}`),
    ...missing.map((name) => `it says that it shows "${name}", and it does not`),
  ];
}
