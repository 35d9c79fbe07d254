/** What is found is one line each; the last line says how far it reaches. */
export interface AuditFinding {
  readonly kind: 'fault' | 'note';
  readonly where: string;
  readonly text: string;
}

export interface AuditSum {
  readonly upTo: { readonly seq: number; readonly at: number } | undefined;
  readonly anchors: number;
  readonly chains: number;
  readonly links: number;
}

/** Faults beyond this many are counted only: a store that was rewritten has one for each chain. */
const mostFaults = 1_000;

/** `spillway audit verify --json`: as in words, at its end. */
export async function auditVerifyJson(
  verify: (say: (finding: AuditFinding) => void) => Promise<AuditSum>,
  print: (line: string) => void,
): Promise<number> {
  const findings: AuditFinding[] = [];
  let faults = 0;
  const { upTo, ...sum } = await verify((finding) => {
    if (finding.kind === 'fault') faults += 1;
    if (finding.kind === 'note' || faults <= mostFaults) findings.push(finding);
  });
  const reach = upTo === undefined ? {} : { upTo: { seq: upTo.seq, at: new Date(upTo.at).toISOString() } };
  print(JSON.stringify({ ok: faults === 0, faults, findings, ...sum, ...reach }, undefined, 2));
  return faults === 0 ? 0 : 1;
}

/** `spillway audit verify`: 0 where nothing is wrong, else 1. */
export async function auditVerify(
  verify: (say: (finding: AuditFinding) => void) => Promise<AuditSum>,
  print: (line: string) => void,
): Promise<number> {
  let faults = 0;
  const { upTo, anchors, chains, links } = await verify(({ kind, where, text }) => {
    if (kind === 'fault') faults += 1;
    if (kind === 'note') print(`note ${where}: ${text}`);
    else if (faults <= mostFaults) print(`BAD  ${where}: ${text}`);
  });
  if (faults > mostFaults) print(`     and ${faults - mostFaults} more`);
  const reach =
    upTo === undefined
      ? 'nothing is exported yet'
      : `the export vouches up to anchor ${upTo.seq} (${new Date(upTo.at).toISOString()})`;
  const verdict = faults === 0 ? 'all is as it was written' : `${faults} to look into`;
  print(`${verdict}: ${chains} chains, ${links} rows, ${anchors} anchors; ${reach}`);
  return faults === 0 ? 0 : 1;
}
