/** i: Slurm, Kubernetes or EC2 out of reach, and a cloud without capacity. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  as,
  ended,
  endGateway,
  instances,
  jobFields,
  killGateways,
  lab,
  outputOf,
  type RunningGateway,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    ...{ idle: '5s', backOff: '1h' },
    capacity: { waitForRoom: '15s', soldOutFor: '5s' },
  });
});
afterAll(async () => {
  for (const [part, fault] of outages) await lab('fault', part, fault, 'off').catch(() => undefined);
  await lab('fault', 'ec2', 'no-capacity', 'off').catch(() => undefined);
  await endGateway(gateway).finally(killGateways);
});

const outages = [
  ['slurm', 'ssh-down', 'slurm/lab'],
  ['kubernetes', 'api-down', 'kubernetes'],
  ['ec2', 'api-down', 'cloud/lab'],
] as const;

let turn: Promise<void> = Promise.resolve();
/** One outage at a time; how what ran in it ends is waited for beside the next. */
function inTurn(work: () => Promise<void>): Promise<void> {
  const mine = turn.then(work);
  turn = mine.catch(() => undefined);
  return mine;
}

describe.concurrent('out of reach', () => {
  it.each(outages)(
    'i: %s %s: readyz and log say so, the running job goes on, and what was submitted meanwhile runs afterwards',
    async (part, fault, check) => {
      let [running, queued] = ['', ''];
      await inTurn(async () => {
        running = await sbatch(
          'alice',
          ['-p', 'cloud'],
          '#!/bin/bash\nfor i in $(seq 1 30); do echo line-$i; sleep 1; done\nexit 6',
        );
        await until('its first line', async () => outputOf('alice', running).includes('line-1'), 60_000);
        await lab('fault', part, fault, 'on');
        try {
          const said = await until(
            'readyz to say so',
            async () => {
              const { status, body } = await gateway.readyz();
              return status === 503 && body.checks.some((c) => !c.ok && c.name.startsWith(check))
                ? body
                : undefined;
            },
            90_000,
          );
          expect(said.ready).toBe(false);
          queued = await sbatch('alice', ['-p', 'cloud', '--wrap', 'echo afterwards']);
        } finally {
          await lab('fault', part, fault, 'off');
        }
        await until('readyz to be well again', async () => (await gateway.readyz()).status === 200, 90_000);
      });
      expect(await ended(running)).toMatchObject({ state: 'FAILED', exit: '6:0' });
      expect(outputOf('alice', running)).toBe(
        Array.from({ length: 30 }, (_, i) => `line-${i + 1}\n`).join(''),
      );
      expect(await ended(queued)).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
      expect(gateway.log()).toMatch(/unreachable|unknown|aborted|ECONN/);
    },
  );
});

describe('no capacity', () => {
  it('i: the job goes back to its partition, with the reason on its burst; its comment is untouched', async () => {
    await until('every instance to go', async () => (await instances()).length === 0, 60_000);
    await lab('fault', 'ec2', 'no-capacity', 'on');
    try {
      const id = await sbatch('alice', ['-p', 'cloud', '--comment', 'mine', '--wrap', 'true']);
      const burst = await gateway.reaches(id, ['returned']);
      expect(burst.cause).toMatchObject({ kind: 'no_capacity' });
      expect(burst.cause?.text).toContain('InsufficientInstanceCapacity');
      const job = await jobFields(id);
      expect(job).toMatchObject({ JobState: 'PENDING', Partition: 'cloud', Comment: 'mine' });
      // Within the back-off it is left alone.
      await until('a later look at the queue', async () => (await gateway.bursts()).length > 0, 10_000);
      expect((await gateway.bursts()).filter((b) => b.job === id)).toHaveLength(1);
      await as('root', ['scancel', id]);
    } finally {
      await lab('fault', 'ec2', 'no-capacity', 'off');
    }
  });
});
