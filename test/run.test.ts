/** What `npm test` says of a run that has shown nothing, with a script that stands for Vitest. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const main = resolve('test/run.ts');
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'spillway-run-'));
  const [, pinned] = /const node24 = '([\d.]+)'/.exec(readFileSync(main, 'utf8')) ?? [];
  const node = `node-${process.platform}-${process.arch}`;
  const node24 = join(dir, `node_modules/.cache/node-${pinned}/node_modules`, node, 'bin/node');
  for (const at of [dirname(node24), join(dir, 'node_modules/vitest')]) mkdirSync(at, { recursive: true });
  symlinkSync(process.execPath, node24);
});
afterAll(() => rmSync(dir, { recursive: true }));

/** `ran`: the projects of which the stub says that a test ran. */
function run(lanes: string, ran: readonly string[]) {
  const counts = {
    numPassedTests: 3,
    numFailedTests: 0,
    numPendingTests: 0,
    numTotalTests: 3,
    testResults: [],
  };
  const files = { '': counts, '.unsteady': [], '.ran': ran };
  writeFileSync(
    join(dir, 'node_modules/vitest/vitest.mjs'),
    `import { writeFileSync } from 'node:fs';
for (const [end, told] of Object.entries(${JSON.stringify(files)}))
  writeFileSync(process.env.SPILLWAY_REPORT + end, JSON.stringify(told));
`,
  );
  const { SPILLWAY_BESIDE: _, ...outer } = process.env;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), main],
    { cwd: dir, encoding: 'utf8', env: { ...outer, LANES: lanes } },
  );
  return { status, said: stdout + stderr };
}

describe('npm test', () => {
  it('of no lane is a slip, not a run that passed', () => {
    expect(run(' ,', [])).toMatchObject({ status: 2, said: expect.stringContaining('LANES: names no lane') });
  });

  it('fails where of two projects in a run one ran no test', () => {
    expect(run('node24', ['unit', 'model'])).toMatchObject({ status: 0 });
    expect(run('node24', ['unit'])).toMatchObject({
      status: 1,
      said: expect.stringContaining('broken: lane node24 ran no test of model\n'),
    });
  });
});
