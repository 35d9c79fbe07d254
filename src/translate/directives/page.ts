/** docs/directives.md, from the table that decides. */
import { differences, unmeasured } from '../differences.ts';
import { byAgent, dropped, renumbered, replaced } from '../environment.ts';
import type { Directive, Meaning } from './directive.ts';
import { directives, unseen } from './index.ts';

const head = `# Every option of sbatch, and what becomes of it

Made from \`src/translate/directives\` by \`npm run docs\`; a test holds the two together. sbatch(1) of Slurm 22.05 to 24.11.

- **exact**: it means in the cloud what it means on-prem.
- **emulated**: the job runs and its results are the same; how, or how fast, may differ, and the table says in what.
- **unsupported**: it would be broken or dropped. A job that uses it stays in its queue, untouched, with a receipt that says so.

\`policy.translation\` is the site's threshold: \`emulated\` (unless set) lets exact and emulated through, \`exact\` only exact.
A job is marked by what Slurm shows of it. Of some options Slurm shows nothing while a job waits, or not that they were asked for: the last column says
"in the script" of them, and the gateway reads those in the job's \`#SBATCH\` lines and in sbatch's command line as slurmdbd keeps it (SubmitLine, from 21.08), as \`spillway
explain job.sh\` does. So it reads options that are none of sbatch's, which a plugin of the site (SPANK) acts on: they are **unsupported**, but for
\`--container-image\` of pyxis, which is **emulated**; and \`srun --container-…\` in the script is **unsupported**. A variable \`SBATCH_*\` of such an option is seen by nobody. Heterogeneous jobs, jobs of scrontab, salloc and srun are unsupported as a whole.
`;

export function page(): string {
  const counts = (['exact', 'emulated', 'unsupported'] as const).map(
    (mark) => `${directives.filter((d) => d.mark === mark).length} ${mark}`,
  );
  const rows = directives.flatMap((d) => [row(d), ...d.cases.map((c) => caseRow(c))]);
  return [
    head,
    `${directives.length} options: ${counts.join(', ')}.`,
    '',
    '| option | mark | why | instead | the gateway sees it |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    seen,
    '| where | what | why |',
    '| --- | --- | --- |',
    ...differences.map(({ place, what, why }) => line([place, what, why])),
    '',
    beside,
    '| where | what | why |',
    '| --- | --- | --- |',
    ...unmeasured.map(({ place, what, why }) => line([place, what, why])),
    '',
    environment,
    '| variables | in the pod | why |',
    '| --- | --- | --- |',
    ...[...replaced, renumbered, ...byAgent].map(({ names, why }) => line([variables(names), 'set', why])),
    ...dropped.map(({ names, why }) => line([variables(names), 'absent', why])),
    '',
  ].join('\n');
}

const seen = `## What a run in the cloud shows that is not as on-prem

\`npm run parity\` runs the job scripts of \`test/parity/jobs\` both ways on a real Slurm and a real Kubernetes, compares what is left of them
(accounting, record, output, files, environment) and fails on any difference that is not listed here or in the next table.
Not compared is what is any run's own: its number, node and times, its priority, and what is measured of it (MaxRSS, CPU time).
`;

const beside = `That run does not measure these: it looks past them, or both sides of its lab are alike in them.
`;

const environment = `## The environment of the script

As Slurm made it on the virtual node, which has the shape of a node on-prem, but for these:
`;

const variables = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');

function row(d: Directive): string {
  const versions = [d.since && `from ${d.since}`, d.until && `until ${d.until}`].filter(Boolean).join(', ');
  const option = `\`${d.usage}\`${versions === '' ? '' : ` (${versions})`}`;
  return line([option, ...meaning(d), showing(d)]);
}

const caseRow = (c: Directive['cases'][number]): string =>
  line([`… ${c.of}`, ...meaning(c), c.unseen === true ? 'in the script' : '']);

const meaning = ({ mark, why, instead = '' }: Meaning): string[] => [`**${mark}**`, why, instead];

/** Where nothing but `exact` can come of it, it does not matter. */
function showing(d: Directive): string {
  if (d.shown !== undefined || d.shownBy !== undefined) return 'yes';
  return unseen(d) ? 'in the script' : '';
}

const line = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
