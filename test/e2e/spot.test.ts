/** Spot on the real cluster: a job goes there because it is expected to cost less, is told of the end, runs again on demand, and ends well. */
import { appendFileSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  as,
  ended,
  endGateway,
  home,
  instances,
  killGateways,
  labEnv,
  pods,
  type RunningGateway,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

let gateway: RunningGateway;
beforeAll(async () => {
  const spot = { capacity: { max: 4, idle: '5s', spot: 'allowed' }, prices: { 'lab.large': 0.1 } };
  gateway = await startGateway({ groups: [spot] });
});
afterAll(async () => {
  await endGateway(gateway).finally(killGateways);
});

async function reclaim(id: string): Promise<void> {
  const { SPILLWAY_LAB_EC2_ENDPOINT } = await labEnv();
  const body = JSON.stringify({ id });
  const answer = await fetch(`${SPILLWAY_LAB_EC2_ENDPOINT}/_lab/reclaim`, { method: 'POST', body });
  if (!answer.ok) throw new Error(await answer.text());
}

async function capacityTypes(): Promise<Readonly<Record<string, string>>> {
  const { SPILLWAY_LAB_EC2_ENDPOINT } = await labEnv();
  const state = (await (await fetch(`${SPILLWAY_LAB_EC2_ENDPOINT}/_lab/state`)).json()) as {
    machines: { id: string; capacityType: string }[];
  };
  return Object.fromEntries(state.machines.map((m) => [m.id, m.capacityType]));
}

describe('spot', { retry: 0 }, () => {
  it('a job whose instance is taken back is told by its own signal, runs again on demand, and ends well', async () => {
    const log = `${home('alice')}/spot-${process.pid}-${Date.now()}`;
    appendFileSync(log, '');
    await as('root', ['chown', 'alice:alice', log]);
    const script = [
      '#!/bin/bash',
      '#SBATCH --signal=B:USR1@60',
      'me=${SLURM_RESTART_COUNT:-0}',
      `trap 'echo "$me saved" >> ${log}' USR1`,
      `echo "$me begins" >> ${log}`,
      '[ "$me" -gt 0 ] && exit 0',
      'while :; do sleep 0.3; done',
    ].join('\n');
    const id = await sbatch('alice', ['-p', 'cloud', '--requeue', '-t', '20'], script);
    const first = await gateway.reaches(id, ['running']);
    await until('the first run to begin', async () => readFileSync(log, 'utf8').includes('0 begins'), 30_000);
    const [machine] = await instances();
    if (machine === undefined) throw new Error('no instance');
    expect((await capacityTypes())[machine.id]).toBe('spot');
    const why = await gateway.spillway('why', id);
    expect(why.stdout).toMatch(/offer: lab\.large spot in lab-1a/);
    expect(why.stdout).toMatch(/not taken: cpu on-demand \(lab\.large\): expected to cost/);

    await reclaim(machine.id);
    await until('its signal', async () => readFileSync(log, 'utf8').includes('0 saved'), 20_000);
    const again = await until(
      'the second run',
      async () =>
        (await gateway.bursts()).find(
          (b) => b.jobId === Number(id) && b.restarts === 1 && b.state === 'settled',
        ),
      180_000,
    );
    expect(again.id).not.toBe(first.id);
    expect(await ended(id)).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
    expect(readFileSync(log, 'utf8').trim().split('\n')).toEqual(['0 begins', '0 saved', '1 begins']);
    expect((await gateway.bursts()).find((b) => b.id === first.id)?.state).toBe('requeued');
    // The only pool there is was taken back a moment ago.
    const bought = await capacityTypes();
    expect(Object.values(bought).filter((t) => t === 'on-demand').length).toBeGreaterThan(0);
    expect(gateway.log()).toContain('as spot it came to');
    await until('no instance to be left', async () => (await instances()).length === 0, 90_000);
    expect((await pods()).some((p) => p.burst === first.id || p.burst === again.id)).toBe(false);
  });

  it('a job that may not be requeued goes on demand', async () => {
    const id = await sbatch('alice', ['-p', 'cloud', '--no-requeue', '-t', '5', '--wrap', 'sleep 4']);
    await gateway.reaches(id, ['running']);
    const live = await instances();
    const bought = await capacityTypes();
    expect(live.map((m) => bought[m.id])).toEqual(['on-demand']);
    expect((await gateway.spillway('why', id)).stdout).toContain('it may not be requeued (--no-requeue)');
    expect(await ended(id)).toMatchObject({ state: 'COMPLETED' });
  });
});
