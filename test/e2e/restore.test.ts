/** A store that is older than what was done with it: backed up, gone on without, restored. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import {
  ended,
  endGateway,
  instances,
  killGateways,
  outputOf,
  pods,
  type RunningGateway,
  ran,
  root,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

let gateway: RunningGateway | undefined;
afterEach(async () => {
  if (gateway !== undefined) await endGateway(gateway);
  gateway = undefined;
});
afterAll(killGateways);

async function spillway(of: RunningGateway, ...args: readonly string[]): Promise<string> {
  const done = await ran(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), join(root, 'src/main.ts'), ...args],
    { env: { ...process.env, SPILLWAY_CONFIG: join(of.dataDir, 'spillway.yaml') } },
  );
  if (done.code !== 0) throw new Error(`spillway ${args.join(' ')}: ${done.stdout}${done.stderr}`);
  return done.stdout;
}

const ticking = (end: number): string =>
  `#!/bin/bash\necho began $SLURM_JOB_ID\nfor i in $(seq 1 150); do echo line-$i; sleep 0.2; done\nexit ${end}`;
const wholeOf = (id: string): string =>
  `began ${id}\n${Array.from({ length: 150 }, (_, i) => `line-${i + 1}\n`).join('')}`;

it('jobs that ran when the store was backed up, and jobs that it never heard of, end right and once', {
  retry: 0,
}, async () => {
  gateway = await startGateway({ idle: '5s' });
  const before = await sbatch('alice', ['-p', 'cloud'], '#!/bin/bash\necho ran\nexit 7');
  expect(await ended(before)).toMatchObject({ state: 'FAILED', exit: '7:0' });
  await gateway.reaches(before, ['settled']);
  const known = await sbatch('alice', ['-p', 'cloud'], ticking(3));
  await until('the known job to run', async () => outputOf('alice', known).includes('line-3\n'), 60_000);
  const backup = join(gateway.dataDir, 'backup');
  expect(await spillway(gateway, 'backup', backup)).toContain('2 bursts');

  const unknown = await sbatch('alice', ['-p', 'cloud'], ticking(4));
  await until('the unknown job to run', async () => outputOf('alice', unknown).includes('line-3\n'), 60_000);
  const held = (await pods()).map((p) => p.name).sort();
  await gateway.kill9();
  const killed = gateway;
  // Refused as long as the lease of the gateway that was killed runs: it might be alive.
  const told = await until("the dead gateway's lease to run out", () =>
    spillway(killed, 'restore', '--force', backup),
  );
  expect(told).toContain('older than what was done with it');
  gateway = await startGateway({ idle: '5s', dataDir: gateway.dataDir });

  await until('the unknown burst to be taken on', async () =>
    gateway?.burstOf(unknown).then((b) => b !== undefined),
  );
  expect((await pods()).map((p) => p.name).sort()).toEqual(held);
  expect(await ended(known)).toMatchObject({ state: 'FAILED', exit: '3:0' });
  expect(await ended(unknown)).toMatchObject({ state: 'FAILED', exit: '4:0' });
  expect(outputOf('alice', known)).toBe(wholeOf(known));
  expect(outputOf('alice', unknown)).toBe(wholeOf(unknown));
  await gateway.reaches(known, ['settled']);
  await gateway.reaches(unknown, ['settled']);
  for (const job of [before, known, unknown])
    expect((await gateway.bursts()).filter((b) => b.job === job)).toHaveLength(1);

  const after = await sbatch('alice', ['-p', 'cloud'], '#!/bin/bash\necho ran\nexit 5');
  expect(await ended(after)).toMatchObject({ state: 'FAILED', exit: '5:0' });
  await until('no instance to be left', async () => (await instances()).length === 0, 120_000);
  expect(await spillway(gateway, 'audit', 'verify')).toContain('all is as it was written');
});

it('a job that ran when the store was lost whole, without a backup, ends right and once', {
  retry: 0,
}, async () => {
  gateway = await startGateway({ idle: '5s' });
  const { dataDir } = gateway;
  const running = await sbatch('alice', ['-p', 'cloud'], ticking(3));
  await until('the job to run', async () => outputOf('alice', running).includes('line-3\n'), 60_000);
  const held = (await pods()).map((p) => p.name);
  expect(held).toHaveLength(1);
  await gateway.kill9();
  await loseStore(dataDir);

  gateway = await startGateway({ idle: '5s', dataDir });
  expect((await pods()).map((p) => p.name)).toEqual(held);
  expect(await ended(running)).toMatchObject({ state: 'FAILED', exit: '3:0' });
  expect(outputOf('alice', running)).toBe(wholeOf(running));
  await gateway.reaches(running, ['settled']);
  expect((await gateway.bursts()).filter((b) => b.job === running)).toHaveLength(1);
  await until('no instance to be left', async () => (await instances()).length === 0, 120_000);
});

/** With its audit's export: nothing of it is left to bear witness. */
async function loseStore(dataDir: string): Promise<void> {
  const pid = Number(readFileSync(`${dataDir}/data/postgres/data/postmaster.pid`, 'utf8').split('\n')[0]);
  process.kill(pid, 'SIGQUIT');
  await until('the database to end', async () => !existsSync(`/proc/${pid}`));
  rmSync(`${dataDir}/data`, { recursive: true });
}
