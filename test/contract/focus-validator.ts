import { existsSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { run } from '../../lab/real/proc.ts';
import { debianPython, ensureVenv } from '../venv.ts';

/** FinOps' own validator, and what it runs on: pinned, so that what a test says is about the export. Its newest numpy and pyarrow do not fit together. */
const validator = 'focus-validator==2.2.1';
const beside = [
  ...['ddt==1.7.2', 'duckdb==1.5.6', 'graphviz==0.21', 'jsonschema==4.26.0', 'multimethod==2.0.2'],
  ...['numpy==1.26.4', 'pandas==2.3.3', 'pandasql==0.7.3', 'pandera==0.26.1', 'polars==1.44.2'],
  ...['pyarrow==21.0.0', 'pydantic==2.14.4', 'pytz==2025.2', 'PyYAML==6.0.4', 'requests==2.34.2'],
  ...['sqlglot==27.29.0', 'tabulate==0.10.0'],
];
const dir = resolve('node_modules/.cache/focus-validator-2.2.1');
const patientMs = 280_000;

/** What we say of ourselves: the rules for what nobody here can know (commitments, reservations, other currencies) do not count. */
const criteria = [
  ...['ACCOUNT_NAMING', 'AVAILABILITY_ZONE', 'MULTIPLE_PRICING_CATEGORIES', 'NEGOTIATED_PRICING'],
  ...['PUBLIC_PRICE_LIST', 'USAGE_MEASUREMENT', 'UNIT_PRICING', 'SUB_ACCOUNT'],
  ...['BILLING_BASED_ON_PROVISIONED_RESOURCES', 'RESOURCE_TYPE_ASSIGNMENT', 'REGION', 'TAGGING'],
].map((c) => `${c}_SUPPORTED`);

export interface Validated {
  readonly passed: number;
  /** Ids of rules. */
  readonly failed: readonly string[];
}

/** Holds a file against FOCUS 1.2. */
export async function validate(file: string): Promise<Validated> {
  const packages = await installed();
  const script = 'import sys; from focus_validator.main import main; sys.exit(main())';
  const order = ['--data-file', resolve(file), '--validate-version', '1.2', '--block-download'];
  const python = [join(dir, 'bin', 'python'), '-c', script];
  // It looks for its list of currencies from where it is started.
  const { stdout, stderr } = await run(
    [...python, ...order, '--applicability-criteria', criteria.join(',')],
    { cwd: packages, timeoutMs: patientMs },
  );
  const total = /Total: \d+ \| Pass: (\d+) \| Fail: (\d+)/.exec(stdout);
  if (total === null) throw new Error(`focus-validator said nothing of use: ${stderr.slice(-2_000)}`);
  const failed = [...stdout.matchAll(/^\S* ?([A-Za-z]+-[A-Z]-\d+-[A-Z]): FAIL/gm)].map((m) => m[1] ?? '');
  if (failed.length !== Number(total[2])) throw new Error(`focus-validator counts ${total[2]}: ${failed}`);
  return { passed: Number(total[1]), failed: failed.sort() };
}

/** Its site-packages; installed once, from PyPI. */
async function installed(): Promise<string> {
  const ours = ['--no-deps', '--ignore-requires-python', validator];
  const python = () => python312() ?? debianPython();
  await ensureVenv(dir, python, [ours, beside], () => fitted(packagesOf()));
  return packagesOf();
}

function packagesOf(): string {
  const lib = join(dir, 'lib');
  const [python] = readdirSync(lib).filter((name) => name.startsWith('python3.'));
  return join(lib, python ?? '', 'site-packages');
}

/** The one that it asks for, where there is one: on the way, or kept by pyenv. */
function python312(): string | undefined {
  const versions = join(process.env.PYENV_ROOT ?? join(homedir(), '.pyenv'), 'versions');
  const kept = existsSync(versions) ? readdirSync(versions).filter((v) => v.startsWith('3.12.')) : [];
  const on = (process.env.PATH ?? '').split(':').filter((p) => !p.endsWith('/shims'));
  return [
    ...kept.map((v) => join(versions, v, 'bin', 'python3')),
    ...on.map((p) => join(p, 'python3.12')),
  ].find((p) => existsSync(p));
}

/** Debian 12 has Python 3.11, and all that this lacks of 3.12 is one line's way of quoting. */
async function fitted(packages: string): Promise<void> {
  if (!packages.includes('python3.11')) return;
  const file = join(packages, 'focus_validator/config_objects/focus_to_duckdb_converter.py');
  const text = await readFile(file, 'utf8');
  const [modern, plain] = [
    `f"'{k.replace('\\"', '\\"\\"')}'" for k in ignore_keys`,
    `"'" + k.replace('"', '""') + "'" for k in ignore_keys`,
  ];
  if (text.split(modern).length !== 2) throw new Error(`${file} is not what it was`);
  await writeFile(
    file,
    text.replace(modern, () => plain),
  );
}
