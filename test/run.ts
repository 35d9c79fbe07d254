/**
 * `npm test`: runs the lanes that LANES names, or those that need no root. A lane that is named and whose needs are missing fails; one
 * that is left out is said so, with how to run it.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { ensurePackages } from '../lab/real/apt.ts';
import { findBrowser } from './browser.ts';
import { ensureMpiWheels } from './mpi.ts';
import type { ParityReport } from './parity/report.ts';
import type { Unsteady } from './unsteady.ts';

const lanes = ['unit', 'model', 'chaos', 'traces', 'node24', 'servers', 'web', 'real', 'parity'] as const;
type Lane = (typeof lanes)[number];
const plain: readonly Lane[] = ['unit', 'model', 'chaos'];
const rooted: readonly Lane[] = ['servers', 'real', 'parity'];

const asked = process.env.LANES?.split(',')
  .map((l) => l.trim())
  .filter((l) => l !== '');
const unknown = asked?.filter((l) => !lanes.includes(l as Lane)) ?? [];
if (unknown.length > 0) {
  console.error(`LANES: unknown lane ${unknown.join(', ')}; write some of ${lanes.join(',')}`);
  process.exit(2);
}
// `LANES= npm test` is a slip, and a run that tests nothing is none that passed.
if (asked?.length === 0) {
  console.error(`LANES: names no lane; write some of ${lanes.join(',')}, or unset it`);
  process.exit(2);
}
const wanted: readonly Lane[] = asked === undefined ? plain : lanes.filter((l) => asked.includes(l));
const files = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), 'spillway-test-'));
let passed = 0;
let failed = 0;
const broken: string[] = [];
/** Tests that failed, each with the beginning of what it said: told last, as a long output is often read from its end. */
const failures: string[] = [];
const skipped: string[] = [];
const root = process.getuid?.() === 0;

function run(
  what: string,
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): boolean {
  const started = Date.now();
  console.log(`\n== ${what}`);
  const done = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  console.log(
    `== ${what}: ${done.status === 0 ? 'ok' : `failed (${done.error?.message ?? done.signal ?? done.status})`}, ${Math.round((Date.now() - started) / 1000)} s`,
  );
  if (done.status !== 0) broken.push(what);
  return done.status === 0;
}

/** So many tests of a lane may pass at their second try only [vitest.config.ts: lanes servers and real have one]. More is a fault of ours. */
const mostUnsteady = 2;

const failureChars = 1_500;

function ownLines(messages: readonly string[]): string {
  const lines = messages.join('\n').split('\n');
  return lines
    .filter((l) => !l.includes('node_modules') && !l.includes('(node:'))
    .join('\n')
    .slice(0, failureChars);
}

/** How a lane's tests are run, where it is not by the Node that runs this, all of the lane's own project. */
interface By {
  readonly node: string;
  readonly projects: readonly string[];
  readonly env: Record<string, string>;
}

function vitest(lane: Lane, by?: By, lanes: string = lane): void {
  const report = join(scratch, `${lane}.json`);
  const { node = process.execPath, projects = [lane], env = {} } = by ?? {};
  const args = projects.flatMap((name) => ['--project', name]);
  const vitestRun = ['node_modules/vitest/vitest.mjs', 'run', ...args, ...files];
  run(`lane ${lanes}`, node, vitestRun, { ...env, SPILLWAY_REPORT: report });
  try {
    const counts = JSON.parse(readFileSync(report, 'utf8')) as {
      numPassedTests: number;
      numFailedTests: number;
      numPendingTests: number;
      numTotalTests: number;
      testResults: {
        name: string;
        message?: string;
        assertionResults: { status: string; fullName: string; failureMessages?: string[] }[];
      }[];
    };
    for (const { name, message, assertionResults } of counts.testResults) {
      const file = relative(process.cwd(), name);
      if (assertionResults.length === 0 && (message ?? '') !== '')
        failures.push(`${file}\n${message?.slice(0, failureChars)}`);
      for (const { status, fullName, failureMessages = [] } of assertionResults)
        if (status === 'failed') failures.push(`${file}: ${fullName}\n${ownLines(failureMessages)}`);
    }
    passed += counts.numPassedTests;
    failed += counts.numFailedTests;
    // A lane that runs nothing, or leaves tests out, has not shown what it is there for.
    if (counts.numTotalTests === 0) broken.push(`lane ${lane} ran no test`);
    const ran = JSON.parse(readFileSync(`${report}.ran`, 'utf8')) as string[];
    const idle = files.length > 0 || counts.numTotalTests === 0 ? [] : projects;
    for (const name of idle.filter((p) => !ran.includes(p)))
      broken.push(`lane ${lane} ran no test of ${name}`);
    // As root nothing may be left out; without it, what needs it is told.
    if (counts.numPendingTests > 0 && root)
      broken.push(`lane ${lane} skipped ${counts.numPendingTests} tests`);
    else if (counts.numPendingTests > 0) skipped.push(`${counts.numPendingTests} tests of lane ${lane}`);
    const twice = JSON.parse(readFileSync(`${report}.unsteady`, 'utf8')) as Unsteady[];
    for (const { name, said } of twice) console.log(`unsteady: ${name}: the first time, ${said}`);
    if (twice.length > mostUnsteady)
      broken.push(`lane ${lane}: ${twice.length} tests passed only when run again; ${mostUnsteady} may`);
  } catch {
    broken.push(`lane ${lane} left no report`);
  }
}

/** Fetched once by npm, as a package without install scripts; pinned, so that what the lane says is about the code. */
const node24 = '24.21.0';

/** The path of a Node 24; undefined, and said so, where there is none. */
function findNode24(): string | undefined {
  if (process.versions.node.startsWith('24.')) return process.execPath;
  const name = `node-${process.platform}-${process.arch}`;
  const dir = join('node_modules', '.cache', `node-${node24}`);
  const node = resolve(dir, 'node_modules', name, 'bin', 'node');
  const install = ['install', '--prefix', dir, '--no-save', '--ignore-scripts', `${name}@${node24}`];
  if (!existsSync(node)) run(`node ${node24}`, 'npm', install);
  if (existsSync(node)) return node;
  broken.push(
    `lane node24: npm has no ${name}@${node24}; run \`npm test\` with a Node 24 of your own in its place`,
  );
  return undefined;
}

const suite = ['unit', 'model'] as const;

/** The suite on the next Node that is supported. */
function onNode24(): void {
  const node = findNode24();
  if (node === undefined) return;
  // Programs that tests start are to be found there, too, and to leave no cache of Node's own among what tests look at.
  const env = { PATH: `${dirname(node)}:${process.env.PATH ?? ''}`, NODE_DISABLE_COMPILE_CACHE: '1' };
  vitest('node24', { node, projects: suite, env });
}

/** What is read rather than run, and the agent's own tests. */
async function checks(): Promise<void> {
  run('types', 'npx', ['--no-install', 'tsc', '--noEmit']);
  run('types of the page', 'npx', ['--no-install', 'tsc', '--noEmit', '-p', 'src/web']);
  run('lint', 'npx', ['--no-install', 'biome', 'check', '.']);
  await goTests();
}

/** Both in one run where both are wanted, so that no core waits for the last file of the first. */
function onThisNode(): void {
  const own = suite.filter(alone);
  const [first] = own;
  if (first === undefined) return;
  vitest(first, { node: process.execPath, projects: own, env: {} }, own.join(', '));
}

/** Two MPIs for the agent's tests, and what compiles with any. Where they cannot be put, those tests are left out, and told. */
const mpi = ['openmpi-bin', 'libopenmpi-dev', 'mpich', 'libmpich-dev', 'gcc', 'libc6-dev'];

async function goTests(): Promise<void> {
  if (root && existsSync('/usr/bin/apt-get'))
    await ensurePackages(mpi, (line) => console.log(`\n== agent: ${line}`))
      .then(ensureMpiWheels)
      .catch((e: unknown) => {
        broken.push(`agent: ${e instanceof Error ? e.message : String(e)}`);
      });
  const report = spawnSync('go', ['test', '-json', './...'], {
    cwd: 'agent',
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, CGO_ENABLED: '0' },
  });
  console.log('\n== agent: go test');
  if (report.error !== undefined) {
    broken.push(`agent: go is needed for the agent's tests (${report.error.message}); install Go 1.26`);
    return;
  }
  const outputs = new Map<string, string>();
  for (const line of report.stdout.split('\n')) {
    if (!line.startsWith('{')) continue;
    const event = JSON.parse(line) as { Action: string; Test?: string; Output?: string };
    if (event.Test === undefined) continue;
    if (event.Action === 'output')
      outputs.set(event.Test, (outputs.get(event.Test) ?? '') + (event.Output ?? ''));
    if (event.Action === 'pass') passed += 1;
    if (event.Action === 'skip') skipped.push(event.Test);
    if (event.Action === 'fail') {
      failed += 1;
      failures.push(`agent: ${event.Test}\n${(outputs.get(event.Test) ?? '').slice(-failureChars)}`);
    }
  }
  console.log(`== agent: ${report.status === 0 ? 'ok' : 'failed'}`);
  if (report.status !== 0) {
    broken.push('agent: go test');
    console.log(report.stderr.slice(-4_000));
  }
}

/** The operator's page, built as it is shipped, in a real browser. */
async function onPage(): Promise<void> {
  if (findBrowser() === undefined && root && existsSync('/usr/bin/apt-get'))
    await ensurePackages(['chromium'], (line) => console.log(`\n== web: ${line}`)).catch((e: unknown) => {
      broken.push(`web: ${e instanceof Error ? e.message : String(e)}`);
    });
  if (findBrowser() === undefined) {
    broken.push('lane web needs Chromium; apt-get install chromium');
    return;
  }
  if (run('the page', 'npm', ['run', '-s', 'build:web'])) vitest('web');
}

/** What lane servers runs. Its tests would fetch it, too, but apt-get takes one caller at a time, and the lab may be another. */
const daemons = ['postgresql', 'redis-server', 'python3-venv', 'ruby', 'ruby-rack'];

async function serverPackages(): Promise<void> {
  if (!root) broken.push('lane servers needs root: it runs a Postgres as its own account');
  else if (existsSync('/usr/bin/apt-get'))
    await ensurePackages(daemons, (line) => console.log(`\n== servers: ${line}`)).catch((e: unknown) => {
      broken.push(`servers: ${e instanceof Error ? e.message : String(e)}`);
    });
}

/** Each script counts as a test; what differs is told last, as a test's failure is. */
function parity(): void {
  const report = join(scratch, 'parity.json');
  run('lane parity', 'npx', ['--no-install', 'tsx', 'test/parity/main.ts'], { SPILLWAY_REPORT: report });
  try {
    const told = JSON.parse(readFileSync(report, 'utf8')) as ParityReport;
    passed += told.same.length;
    failed += told.different.length;
    for (const { name, faults } of told.different)
      failures.push(`parity: ${name}\n${faults.join('\n').slice(0, failureChars)}`);
  } catch {
    broken.push('lane parity left no report');
  }
}

/** Those that need no lab: where lane real runs, which mostly waits, they run beside it with what it leaves of the machine, and are told after it. */
const labless: readonly Lane[] = ['unit', 'model', 'chaos', 'traces', 'node24', 'servers'];
const onLab = wanted.includes('real') || wanted.includes('parity');
const beside = onLab && files.length === 0 ? labless.filter((lane) => wanted.includes(lane)) : [];
const alone = (lane: Lane): boolean => wanted.includes(lane) && !beside.includes(lane);
const besideLog = join(scratch, 'beside.log');

function startBeside(): ChildProcess | undefined {
  if (beside.length === 0) return undefined;
  console.log(`\n== beside the lab: ${beside.join(', ')}`);
  const log = openSync(besideLog, 'w');
  return spawn('nice', ['-n', '15', 'npx', '--no-install', 'tsx', 'test/run.ts'], {
    stdio: ['ignore', log, log],
    env: { ...process.env, LANES: beside.join(','), SPILLWAY_BESIDE: '1' },
  });
}

async function awaitBeside(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  const said = readFileSync(besideLog, 'utf8');
  console.log(said);
  const [, ok, not] = /\n(\d+) passed, (\d+) failed\s*$/.exec(said) ?? [];
  passed += Number(ok ?? 0);
  failed += Number(not ?? 0);
  if (child.exitCode !== 0 || ok === undefined) broken.push(`beside the lab: ${beside.join(', ')}`);
}

if (wanted.includes('unit') && files.length === 0 && process.env.SPILLWAY_BESIDE === undefined)
  await checks();
if (wanted.includes('servers')) await serverPackages();
onThisNode();
if (wanted.includes('web')) await onPage();
if (alone('chaos') && files.length === 0) {
  const chaos = ['--no-install', 'tsx', 'test/engine/chaos/main.ts'];
  run('lane chaos: 5,000 seeds', 'npx', [...chaos, '--seeds', '5000']);
  run('lane chaos: planted bugs', 'npx', [...chaos, '--plants', '--seeds', '1500']);
}
if (alone('traces')) vitest('traces');
if (alone('node24')) onNode24();
if (alone('servers') && root) vitest('servers');
const child = startBeside();
if (wanted.includes('real')) {
  if (process.getuid?.() !== 0)
    broken.push('lane real needs root: it boots a Slurm, a Kubernetes and their nodes');
  else if (run('lab up', 'npm', ['run', '-s', 'lab', '--', 'up'])) vitest('real');
}
// Parity compares how long each script takes, so nothing runs beside it.
if (child !== undefined) await awaitBeside(child);
if (wanted.includes('parity') && files.length === 0) {
  if (!root) broken.push('lane parity needs root: it runs job scripts on the lab');
  else if (run('lab up', 'npm', ['run', '-s', 'lab', '--', 'up'])) parity();
}
rmSync(scratch, { recursive: true, force: true });

if (skipped.length > 0) {
  if (root) broken.push(`skipped: ${skipped.join(', ')}`);
  else console.log(`Left out for want of root: ${skipped.join(', ')}.`);
}
const left = lanes.filter((l) => !wanted.includes(l));
if (left.length > 0)
  console.log(
    `\nLeft out: ${left.join(', ')}; run with LANES=${lanes.join(',')} npm test${left.some((l) => rooted.includes(l)) ? ' as root on Debian 12' : ''}.`,
  );
for (const failure of failures) console.log(`failed: ${failure}\n`);
for (const b of broken) console.log(`broken: ${b}`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(broken.length > 0 || failed > 0 ? 1 : 0);
