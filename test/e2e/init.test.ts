/** The first ten minutes on a real Slurm: init, serve, the first receipts of a real job, and nothing left. */
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { initOrder } from '../../src/cli/init/order.ts';
import { init } from '../../src/main/init.ts';
import { type Serving, serve } from '../contract/init.typed.ts';
import { adminLevel, as, cleanJobs, fillOnPrem, jobFields, labEnv, sbatch, tidyLab } from './harness.ts';

let gateway: Serving | undefined;
let home: string | undefined;
afterEach(async () => {
  gateway?.kill();
  await adminLevel('Operator');
  await cleanJobs();
  if (home !== undefined) await rm(home, { recursive: true, force: true });
});

/** All that Slurm would tell of a change. */
async function slurmNow(conf: string): Promise<string> {
  const shown = await as('root', ['scontrol', '-a', '-o', 'show', 'partition']);
  return `${await readFile(conf, 'utf8')}${shown.stdout}`;
}

it('a Slurm that it never met is observed within minutes, by an account without any right, and left as it was', async () => {
  await tidyLab();
  await adminLevel('None');
  const env = await labEnv();
  const of = (name: string): string => env[`SPILLWAY_LAB_${name}`] ?? '';
  const conf = env.SLURM_CONF ?? '';
  const before = await slurmNow(conf);
  home = await mkdtemp(join(tmpdir(), 'spillway-init-'));
  // The embedded Postgres runs as an account of its own, which must get there.
  await chmod(home, 0o711);
  const dir = join(home, 'etc');
  const full = await fillOnPrem();
  const id = await sbatch('alice', ['-p', 'batch', '-t', '5', '--wrap', 'echo ran here']);

  const order = initOrder(
    {
      ...{ via: 'ssh', host: of('SSH_HOST'), port: of('SSH_PORT'), user: of('SSH_USER'), key: of('SSH_KEY') },
      ...{ hostKey: of('SSH_HOST_KEY'), env: [], dir, http: '127.0.0.1:0', price: '0.7', yes: true },
      ...{ burstHost: 'burst1', history: '7d' },
    },
    join(dir, 'spillway.yaml'),
  );
  const said: string[] = [];
  const say = (line: string): void => void said.push(line);
  expect(await init(order, undefined, say), said.join('\n')).toBe(0);
  const found = said.join('\n');
  expect(found).toMatch(/Slurm \d\d\.\d\d\.\d+, cluster lab: select\/cons_tres/);
  expect(found).toMatch(/\nbatch {2,}16 of 16 +2 +1 +1 +1 /);
  expect(found).toMatch(/the account is no Operator: enough to observe/);
  expect(found).toMatch(/GRES: gpu:a100:2,gpu:v100:1/);
  expect(found).toMatch(/runs? of batch ended: half of them had waited|no job of batch ended/);
  expect(found).not.toMatch(/\n {2}no(:| answer)/);

  gateway = await serve(join(dir, 'spillway.yaml'));
  const [receipt] = await gateway.receipts(id);
  expect(receipt).toMatchObject({ job: id, text: expect.stringMatching(/\S/) });
  expect(await jobFields(id)).toMatchObject({ JobState: 'PENDING', Partition: 'batch' });
  await gateway.stop();

  expect(await init({ ...order, undo: true, force: true }, undefined, say), said.join('\n')).toBe(0);
  expect(await readdir(home)).toEqual([]);
  expect(await slurmNow(conf)).toBe(before);
  await full.release();
});
