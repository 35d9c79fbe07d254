/**
 * `npm test`: runs the lanes that LANES names, or those that need no root. A lane that is named and whose needs are missing fails; one
 * that is left out is said so, with how to run it.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const lanes = ['unit', 'model', 'chaos', 'real'] as const;
type Lane = (typeof lanes)[number];
const plain: readonly Lane[] = ['unit', 'model', 'chaos'];

const asked = process.env.LANES?.split(',')
  .map((l) => l.trim())
  .filter((l) => l !== '');
const unknown = asked?.filter((l) => !lanes.includes(l as Lane)) ?? [];
if (unknown.length > 0) {
  console.error(`LANES: unknown lane ${unknown.join(', ')}; write some of ${lanes.join(',')}`);
  process.exit(2);
}
const wanted: readonly Lane[] = asked === undefined ? plain : lanes.filter((l) => asked.includes(l));
const files = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), 'spillway-test-'));
let passed = 0;
let failed = 0;
const broken: string[] = [];
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

function vitest(lane: Lane): void {
  const report = join(scratch, `${lane}.json`);
  run(`lane ${lane}`, 'npx', [
    '--no-install',
    'vitest',
    'run',
    '--project',
    lane,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...files,
  ]);
  try {
    const counts = JSON.parse(readFileSync(report, 'utf8')) as {
      numPassedTests: number;
      numFailedTests: number;
      numPendingTests: number;
      numTotalTests: number;
    };
    passed += counts.numPassedTests;
    failed += counts.numFailedTests;
    // A lane that runs nothing, or leaves tests out, has not shown what it is there for.
    if (counts.numTotalTests === 0) broken.push(`lane ${lane} ran no test`);
    // As root nothing may be left out; without it, what needs it is told.
    if (counts.numPendingTests > 0 && root)
      broken.push(`lane ${lane} skipped ${counts.numPendingTests} tests`);
    else if (counts.numPendingTests > 0) skipped.push(`${counts.numPendingTests} tests of lane ${lane}`);
  } catch {
    broken.push(`lane ${lane} left no report`);
  }
}

function goTests(): void {
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
  for (const line of report.stdout.split('\n')) {
    if (!line.startsWith('{')) continue;
    const event = JSON.parse(line) as { Action: string; Test?: string; Output?: string };
    if (event.Test === undefined) continue;
    if (event.Action === 'pass') passed += 1;
    if (event.Action === 'skip') skipped.push(event.Test);
    if (event.Action === 'fail') {
      failed += 1;
      console.log(`failed: ${event.Test}`);
    }
  }
  console.log(`== agent: ${report.status === 0 ? 'ok' : 'failed'}`);
  if (report.status !== 0) {
    broken.push('agent: go test');
    console.log(
      report.stdout
        .split('\n')
        .flatMap((l) => (l.startsWith('{') ? [(JSON.parse(l) as { Output?: string }).Output ?? ''] : [l]))
        .join('')
        .slice(-8_000),
      report.stderr.slice(-4_000),
    );
  }
}

if (wanted.includes('unit')) {
  if (files.length === 0) {
    run('types', 'npx', ['--no-install', 'tsc', '--noEmit']);
    run('lint', 'npx', ['--no-install', 'biome', 'check', '.']);
    goTests();
  }
  vitest('unit');
}
if (wanted.includes('model')) vitest('model');
if (wanted.includes('chaos') && files.length === 0) {
  const chaos = ['--no-install', 'tsx', 'test/engine/chaos/main.ts'];
  run('lane chaos: 5,000 seeds', 'npx', [...chaos, '--seeds', '5000']);
  run('lane chaos: planted bugs', 'npx', [...chaos, '--plants', '--seeds', '1500']);
}
if (wanted.includes('real')) {
  if (process.getuid?.() !== 0)
    broken.push('lane real needs root: it boots a Slurm, a Kubernetes and their nodes');
  else if (run('lab up', 'npm', ['run', '-s', 'lab', '--', 'up'])) vitest('real');
}
rmSync(scratch, { recursive: true, force: true });

if (skipped.length > 0) {
  if (root) broken.push(`skipped: ${skipped.join(', ')}`);
  else console.log(`Left out for want of root: ${skipped.join(', ')}.`);
}
const left = lanes.filter((l) => !wanted.includes(l));
if (left.length > 0)
  console.log(
    `\nLeft out: ${left.join(', ')}; run with LANES=${lanes.join(',')} npm test${left.includes('real') ? ' as root on Debian 12' : ''}.`,
  );
for (const b of broken) console.log(`broken: ${b}`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(broken.length > 0 || failed > 0 ? 1 : 0);
