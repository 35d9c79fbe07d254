/** c, d: scancel at every stage, the time limit, and signals that the owner asked for. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  as,
  ended,
  endGateway,
  home,
  inState,
  instances,
  jobFields,
  killGateways,
  lab,
  outputOf,
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

/** KillWait in the lab. */
const killWaitMs = 10_000;
/** When the script last wrote that it lives, in ms, cut to the second: its own word on when its container ended. */
const lastBreath = (id: string): number =>
  Number(readFileSync(`${home('alice')}/alive.${id}`, 'utf8')) * 1000;

const noPodOf = async (burst: string): Promise<boolean> => !(await pods()).some((p) => p.burst === burst);

describe('scancel', () => {
  it('c: while the job runs: CANCELLED, its trap was heard, pod and instance are given up', async () => {
    const script = '#!/bin/bash\ntrap "echo heard TERM; exit 143" TERM\necho started\nsleep 600 & wait';
    const id = await sbatch('alice', ['-p', 'cloud'], script);
    await until('its first line', async () => outputOf('alice', id).includes('started'), 60_000);
    const burst = await gateway.reaches(id, ['running']);
    await as('alice', ['scancel', id]);
    expect((await ended(id)).state).toMatch(/^CANCELLED/);
    await until('what the trap said', async () => outputOf('alice', id).includes('heard TERM'), 20_000);
    await gateway.reaches(id, ['settled']);
    expect(await noPodOf(burst.id)).toBe(true);
    await until('the instance to go', async () => (await instances()).length === 0, 60_000);
  });

  it('c: a script that ignores TERM is gone within KillWait all the same', async () => {
    const id = await sbatch(
      'alice',
      ['-p', 'cloud'],
      '#!/bin/bash\ntrap "" TERM\necho started\nwhile :; do sleep 0.5; date +%s > alive.$SLURM_JOB_ID; done',
    );
    await until('its first line', async () => outputOf('alice', id).includes('started'), 60_000);
    const burst = await gateway.reaches(id, ['running']);
    await as('alice', ['scancel', id]);
    const asked = Date.now();
    await gateway.reaches(id, ['settled'], 60_000);
    expect((await ended(id)).state).toMatch(/^CANCELLED/);
    expect(await noPodOf(burst.id)).toBe(true);
    expect(lastBreath(id) - asked).toBeLessThanOrEqual(killWaitMs);
  });

  it('c: while its capacity is provisioned: nothing of it is left, and nothing is held', async () => {
    await lab('fault', 'ec2', 'never-joins', 'on');
    try {
      const id = await sbatch('alice', ['-p', 'cloud', '--wrap', 'echo never']);
      await gateway.reaches(id, ['provisioning']);
      await as('alice', ['scancel', id]);
      expect((await ended(id)).state).toMatch(/^CANCELLED/);
      const burst = await gateway.reaches(id, ['withdrawn']);
      expect(burst.cause?.kind).toBe('job_ended');
    } finally {
      await lab('fault', 'ec2', 'never-joins', 'off').catch(() => undefined);
    }
    await until('every instance to go', async () => (await instances()).length === 0, 150_000);
    expect(await pods()).toEqual([]);
  });

  it('c: while it is claimed and has not started: CANCELLED, and its pod is gone', async () => {
    // With every virtual node drained the claimed job waits in burst.
    await as('root', ['scontrol', 'update', 'nodename=c[1-12]', 'state=drain', 'reason=test']);
    try {
      const id = await sbatch('alice', ['-p', 'cloud', '--wrap', 'echo never']);
      await gateway.reaches(id, ['placed']);
      expect((await jobFields(id))?.Partition).toBe('burst');
      await as('alice', ['scancel', id]);
      const burst = await gateway.reaches(id, ['withdrawn']);
      expect((await ended(id)).state).toMatch(/^CANCELLED/);
      expect(await noPodOf(burst.id)).toBe(true);
    } finally {
      await as('root', ['scontrol', 'update', 'nodename=c[1-12]', 'state=resume']);
    }
  });
});

// Side by side, as most of it is waiting for a time limit.
describe.concurrent('limits and signals', () => {
  it('what --full and --signal without B: are for hears it, and nothing else does', async () => {
    const heard = (who: string): string =>
      `trap "echo ${who} heard" USR1; echo ${who} up; while :; do sleep 0.2; done`;
    const script = [
      '#!/bin/bash',
      'trap "echo script heard" USR1',
      'trap "kill $(jobs -p); exit 0" USR2',
      `bash -c '${heard('child')}' &`,
      `srun bash -c '${heard('task')}' &`,
      'while :; do sleep 0.2; done',
    ].join('\n');
    const full = await sbatch('alice', ['-p', 'cloud', '-t', '10'], script);
    const line = ['-p', 'cloud', '-t', '2'];
    const warned = [
      await sbatch('alice', line, script.replace('\n', '\n#SBATCH --signal=USR1@75\n')),
      // In no record of slurmctld, and in none of the script's lines.
      await sbatch('alice', [...line, '--signal=USR1@75'], script),
    ];
    const said = (id: string, line: string): boolean => outputOf('alice', id).split('\n').includes(line);
    const up = (id: string) => async (): Promise<boolean> => said(id, 'child up') && said(id, 'task up');
    await until('all to be up', up(full), 90_000);
    await as('alice', ['scancel', '-b', '-s', 'USR1', full]);
    await until('the script to hear', async () => said(full, 'script heard'), 20_000);
    expect(outputOf('alice', full)).not.toMatch(/child heard|task heard/);
    await as('alice', ['scancel', '--full', '-s', 'USR1', full]);
    await until(
      'child and task to hear',
      async () => said(full, 'child heard') && said(full, 'task heard'),
      20_000,
    );
    await as('alice', ['scancel', full]);
    for (const id of warned) {
      await until('the task to be warned', async () => said(id, 'task heard'), 120_000);
      expect(outputOf('alice', id)).not.toMatch(/script heard|child heard/);
      await as('alice', ['scancel', id]);
    }
    for (const id of [full, ...warned]) expect((await ended(id)).state).toMatch(/^CANCELLED/);
  });

  it('d: the time limit ends it as TIMEOUT, with its containers gone within KillWait; signals reach the script', async () => {
    const slow =
      "#!/bin/bash\ntrap 'echo heard TERM at $(date +%s)' TERM\necho started\nwhile :; do sleep 0.5; date +%s > alive.$SLURM_JOB_ID; done";
    const trapped = '#!/bin/bash\ntrap "echo heard USR1; exit 5" USR1\necho started\nsleep 600 & wait';
    const limited = await sbatch('alice', ['-p', 'cloud', '-t', '1'], slow);
    const warned = await sbatch('alice', ['-p', 'cloud', '-t', '1', '--signal=B:USR1@30'], trapped);
    const asked = await sbatch('alice', ['-p', 'cloud'], trapped);
    await inState(asked, 'RUNNING');
    await until('its first line', async () => outputOf('alice', asked).includes('started'), 60_000);
    await as('alice', ['scancel', '-b', '-s', 'USR1', asked]);
    expect(await ended(asked)).toMatchObject({ state: 'FAILED', exit: '5:0' });
    expect(outputOf('alice', asked)).toContain('heard USR1');
    expect(await ended(warned, 150_000)).toMatchObject({ state: 'FAILED', exit: '5:0' });
    expect(outputOf('alice', warned)).toContain('heard USR1');
    const end = await ended(limited, 180_000);
    expect(end.state).toBe('TIMEOUT');
    const burst = await gateway.reaches(limited, ['settled']);
    const heard = /heard TERM at (\d+)/.exec(readFileSync(`${home('alice')}/slurm-${limited}.out`, 'utf8'));
    expect(heard).not.toBeNull();
    // Both in whole seconds of one clock: a second more is lost between them at most.
    expect(lastBreath(limited) - Number(heard?.[1]) * 1000).toBeLessThanOrEqual(killWaitMs + 1_000);
    expect(await noPodOf(burst.id)).toBe(true);
  });
});
