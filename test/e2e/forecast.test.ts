/** The start race on the real cluster: who would wait here for hours bursts, who would start within a minute stays, and both are told why. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  as,
  ended,
  endGateway,
  inState,
  killGateways,
  type RunningGateway,
  sbatch,
  startGateway,
} from './harness.ts';
import { decisionOn, type Told } from './why.ts';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    idle: '15s',
    policy: {
      burstWhen: { startsAtLeast: '30s', laterThan: 'cloud', confidence: 0.5 },
      // What earlier tests ran for would say that long jobs end at once.
      forecast: { history: '1m' },
    },
  });
});
afterAll(async () => {
  await endGateway(gateway).finally(killGateways);
});

/** Keeps both on-prem nodes busy under such a time limit. */
async function fill(limit: string, seconds: number): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const node of ['n1', 'n2']) {
    const where = ['-p', 'batch', '-w', node, '--exclusive', '-t', limit, '-o', '/dev/null'];
    ids.push(await sbatch('bob', [...where, '--wrap', `sleep ${seconds}`]));
  }
  for (const id of ids) await inState(id, 'RUNNING', 60_000);
  return ids;
}

const saidOf = (d: Told): string => d.because.find((r) => r.rule === 'burst-when')?.measured ?? '';

describe('the start race', () => {
  it('a job that would wait for a day here bursts, and its receipt names the forecast', async () => {
    const full = await fill('1-00:00:00', 1_500);
    try {
      const id = await sbatch('alice', ['-p', 'batch', '-t', '5', '--wrap', 'true']);
      expect(await ended(id)).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
      expect((await gateway.burstOf(id))?.state).toBeDefined();
      const decision = await decisionOn(id);
      expect(decision.verdict).toBe('burst');
      expect(saidOf(decision)).toMatch(/^starts here in \d+ min .*, in cpu in \d+ min/);
      expect(decision.basis?.policy).toMatch(/^[0-9a-f]{64}$/);
      expect(decision.basis?.forecast?.by).toMatch(/^backfill 500, draws 100, \d+ runs known$/);
      expect(decision.basis?.forecast?.startsIn.p50Ms).toBeGreaterThan(60_000);
      expect(decision.basis?.ready).toMatchObject({ group: 'cpu' });
    } finally {
      await as('root', ['scancel', ...full]);
    }
  });

  it('a job that starts here before the cloud is ready stays, and is told so', async () => {
    const full = await fill('1', 45);
    try {
      const id = await sbatch('alice', ['-p', 'batch', '-t', '5', '--wrap', 'true']);
      const decision = await decisionOn(id);
      expect(decision.verdict).toBe('wait');
      expect(decision.because.filter((r) => !r.pass).map((r) => r.rule)).toEqual(['burst-when']);
      expect(saidOf(decision)).toMatch(/^starts here in [01] min/);
      expect(await ended(id)).toMatchObject({ state: 'COMPLETED', partition: 'batch' });
      expect(await gateway.burstOf(id)).toBeUndefined();
    } finally {
      await as('root', ['scancel', ...full]);
    }
  });
});
