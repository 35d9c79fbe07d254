/** The start race on the real cluster: who would wait here for hours bursts, who would start within a minute stays, and both are told why. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ports } from '../../lab/real/paths.ts';
import { account } from '../../lab/real/users.ts';
import { type QuoteView, quoteView } from '../../src/api/quote-schemas.ts';
import { question } from '../../src/cli/ask.ts';
import {
  as,
  ended,
  endGateway,
  inState,
  killGateways,
  type RunningGateway,
  sbatch,
  startGateway,
  until,
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

/** As the command line asks it. */
async function quoteFor(script: string): Promise<QuoteView> {
  const { home } = account('alice');
  const order = { script, user: 'alice', workDir: home };
  return until('a quote', async () => {
    const { status, body } = await question({ host: '127.0.0.1', port: ports.gatewayHttp }, 'quotes', order);
    // Until it leads, and the cloud has told its types.
    if (status === 503) return undefined;
    if (status !== 200) throw new Error(JSON.stringify(body));
    const { quote } = z.object({ quote: quoteView }).parse(body);
    // Before it has seen who fills the nodes.
    return quote.verdict === 'burst' ? quote : undefined;
  });
}

const saidOf = (d: Told): string => d.because.find((r) => r.rule === 'burst-when')?.measured ?? '';

describe('the start race', () => {
  it('a job that would wait for a day here bursts, and its receipt names the forecast', async () => {
    const full = await fill('1-00:00:00', 1_500);
    try {
      const quoted = await quoteFor('#!/bin/sh\n#SBATCH -p batch -t 5\ntrue\n');
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
      // Asked before there was such a job: the same rules, the same word.
      expect(quoted).toMatchObject({ user: 'alice', account: 'physics', verdict: 'burst', against: [] });
      expect(quoted.because.map(({ rule }) => rule)).toEqual(decision.because.map(({ rule }) => rule));
      expect(quoted.policy).toBe(decision.basis?.policy);
      expect(quoted.ready?.group).toBe('cpu');
      const here = quoted.forecast?.startsIn;
      expect(here === 'never' ? 0 : here?.p50Ms).toBeGreaterThan(60_000);
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
