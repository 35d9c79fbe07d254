/** k: Slurm requeues a burst when its node is set DOWN: the second attempt starts only after the first one's pods are gone. */
import { appendFileSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  as,
  ended,
  endGateway,
  home,
  jobFields,
  killGateways,
  pods,
  type RunningGateway,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({ idle: '5s' });
});
afterAll(async () => {
  await endGateway(gateway).finally(killGateways);
});

describe('requeue', { retry: 0 }, () => {
  it('k: a node set DOWN: attempt 2 starts after the pods of attempt 1 are gone, and runs once', async () => {
    const log = `${home('alice')}/attempts-${process.pid}-${Date.now()}`;
    appendFileSync(log, '');
    await as('root', ['chown', 'alice:alice', log]);
    const script = [
      '#!/bin/bash',
      `exec 9>>${log}`,
      'me=${SLURM_RESTART_COUNT:-0}',
      'for i in $(seq 1 20); do echo "$me $(date +%s%N)" >&9; sleep 0.5; [ "$me" -gt 0 ] && [ "$i" -ge 6 ] && exit 5; done',
      'sleep 600',
    ].join('\n');
    const id = await sbatch('alice', ['-p', 'cloud', '--requeue', '-t', '10'], script);
    const first = await gateway.reaches(id, ['running']);
    await until('attempt 1 to write', async () => readFileSync(log, 'utf8').includes('0 '), 30_000);
    const node = (await jobFields(id))?.BatchHost ?? '';
    expect(node).toMatch(/^c\d+$/);
    await as('root', ['scontrol', 'update', `nodename=${node}`, 'state=down', 'reason=test']);
    try {
      const gone = await gateway.reaches(
        id,
        [
          'requeued',
          'proposed',
          'approved',
          'reserved',
          'provisioning',
          'ready',
          'placed',
          'attached',
          'granted',
          'running',
        ],
        90_000,
      );
      expect(gone).toBeDefined();
      await until(
        'attempt 2 to have a burst of its own',
        async () => (await gateway.bursts()).some((b) => b.jobId === Number(id) && b.restarts === 1),
        90_000,
      );
      const second = await until(
        'attempt 2 to run',
        async () =>
          (await gateway.bursts()).find(
            (b) =>
              b.jobId === Number(id) &&
              b.restarts === 1 &&
              ['running', 'draining', 'reported', 'final', 'settled'].includes(b.state),
          ),
        150_000,
      );
      const before = (await gateway.bursts()).find((b) => b.id === first.id);
      expect(before?.state).toBe('requeued');
      expect((await pods()).some((p) => p.burst === first.id)).toBe(false);
      expect(await ended(id, 120_000)).toMatchObject({ state: 'FAILED', exit: '5:0' });
      const lines = readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .map((l) => l.split(' '));
      const last1 = Math.max(...lines.filter(([n]) => n === '0').map(([, t]) => Number(t)));
      const first2 = Math.min(...lines.filter(([n]) => n === '1').map(([, t]) => Number(t)));
      expect(first2).toBeGreaterThan(last1);
      expect(lines.filter(([n]) => n === '1')).toHaveLength(6);
      expect(second.restarts).toBe(1);
    } finally {
      await as('root', ['scontrol', 'update', `nodename=${node}`, 'state=resume']);
    }
  });
});
