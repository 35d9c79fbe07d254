/** A site's first day: an account without any right, nothing but Slurm to reach, and every decision told with its price. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  adminLevel,
  cleanJobs,
  fillOnPrem,
  inState,
  jobFields,
  killGateways,
  type RunningGateway,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

let gateway: RunningGateway | undefined;
beforeAll(async () => {
  gateway = await startGateway({
    onlyLooks: true,
    price: 0.5,
    policy: { or: [{ pendingJobs: 1 }] },
    budgets: [{ usd: 100, per: 'month' }],
  });
});
afterAll(async () => {
  await adminLevel('Operator');
  await cleanJobs();
  await gateway?.stop();
  killGateways();
});

it('decides and records with no right, no Kubernetes and no key, and touches nothing', async () => {
  const full = await fillOnPrem();
  const id = await sbatch('alice', ['-p', 'batch', '-t', '5', '--wrap', 'echo ran here']);
  const why = await until('a decision', async () => {
    const { stdout } = (await gateway?.spillway('why', id)) ?? { stdout: '' };
    return stdout.includes('may burst, to node group cpu') ? stdout : undefined;
  });
  expect(why).toMatch(/here: starts in about \d+ min/);
  expect(why).toMatch(/budget: 0\.\d\d USD at most, 100\.00 USD left/);
  expect(await gateway?.bursts()).toEqual([]);
  expect(await jobFields(id)).toMatchObject({ JobState: 'PENDING', Partition: 'batch' });
  const doctor = await gateway?.spillway('doctor');
  expect(doctor).toMatchObject({ code: 0 });
  expect(doctor?.stdout).not.toMatch(/kubernetes|node group/);
  expect((await gateway?.readyz())?.body.checks.map((c) => c.name)).not.toContain('kubernetes');
  await full.release();
  await inState(id, 'COMPLETED', 60_000);
  // slurmdbd tells what it ran for; the report is of what was decided here.
  const report = await until('the report to know its end', async () => {
    const { code, stdout } = (await gateway?.spillway('report', '--since', '1d')) ?? { code: 1, stdout: '' };
    return code === 0 && stdout.includes('started here before') ? stdout : undefined;
  });
  expect(report).toMatch(/decided to burst, and left here: [1-9]/);
  expect(report).toMatch(/started here before the cloud would have been ready, so nothing saved: [1-9]/);
});
