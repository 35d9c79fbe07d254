/** e2, f: shapes of jobs side by side, and a backlog that overflows. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  as,
  ended,
  endGateway,
  fillOnPrem,
  jobFields,
  killGateways,
  outputOf,
  type RunningGateway,
  sacct,
  sbatch,
  startGateway,
  until,
} from './harness.ts';
import { decisionOn } from './why.ts';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({ idle: '15s', policy: { or: [{ pendingJobs: 6 }] } });
});
afterAll(async () => {
  await endGateway(gateway).finally(killGateways);
});

describe('shapes', () => {
  it('e2: exclusive, no --mem, no -t, -N1-4: time limit, memory and AllocTRES as on-prem', async () => {
    const shapes: Readonly<Record<string, readonly string[]>> = {
      plain: ['-n', '2', '-t', '7', '--mem', '300'],
      exclusive: ['--exclusive', '-t', '3'],
      noMemory: ['-n', '3', '-t', '3'],
      noTime: ['--mem-per-cpu', '200'],
      range: ['-N', '1-4', '-t', '3'],
    };
    const pairs = new Map<string, [string, string]>();
    for (const [name, args] of Object.entries(shapes))
      pairs.set(name, [
        await sbatch('alice', ['-p', 'cloud', ...args, '--wrap', 'true']),
        await sbatch('alice', [
          '-p',
          'batch',
          ...args,
          ...(name === 'range' ? ['-N', '1'] : []),
          '--wrap',
          'true',
        ]),
      ]);
    for (const [name, [cloud, prem]] of pairs) {
      const [here, there] = [await ended(cloud), await ended(prem)];
      expect({ name, state: here.state, limit: here.limit, tres: here.tres }).toEqual({
        name,
        state: 'COMPLETED',
        limit: there.limit,
        tres: there.tres,
      });
    }
  });

  it('e2: more nodes than its node group may have never burst, with the reason', async () => {
    // The group of the lab has four instances at most.
    const id = await sbatch('alice', ['-p', 'cloud', '-N', '5', '-t', '3', '--wrap', 'true']);
    try {
      const { verdict, because } = await decisionOn(id);
      expect(verdict).toBe('never');
      expect(because.filter(({ pass }) => !pass).map(({ rule }) => rule)).toEqual(['nodes']);
      expect(because.find(({ rule }) => rule === 'nodes')?.measured).toBe('5 nodes');
      expect(await gateway.burstOf(id)).toBeUndefined();
      expect((await jobFields(id))?.JobState).toBe('PENDING');
    } finally {
      await as('alice', ['scancel', id]);
    }
  });

  it('e2: the tasks of an array burst one by one, never more than its throttle leaves', async () => {
    const id = await sbatch('alice', [
      '-p',
      'cloud',
      '--array=0-4%2',
      '-t',
      '5',
      '--wrap',
      'echo task $SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_JOB_ID; sleep 3',
    ]);
    let most = 0;
    await until(
      'every task to end',
      async () => {
        const lines = (
          await as('root', ['squeue', '-h', '-r', '-j', id, '-t', 'R', '-o', '%i'])
        ).stdout.trim();
        most = Math.max(most, lines === '' ? 0 : lines.split('\n').length);
        const done = await Promise.all([0, 1, 2, 3, 4].map((t) => sacct(`${id}_${t}`)));
        return done.every((d) => d?.state === 'COMPLETED');
      },
      150_000,
      300,
    );
    expect(most).toBeLessThanOrEqual(2);
    for (const t of [0, 1, 2, 3, 4]) expect(outputOf('alice', `${id}_${t}`)).toBe(`task ${t} of ${id}\n`);
  });

  it('e2: forty at once burst side by side', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 40; i++)
      ids.push(
        await sbatch(i % 2 === 0 ? 'alice' : 'bob', [
          '-p',
          'cloud',
          '-n',
          '1',
          '-t',
          '10',
          '--wrap',
          `echo ${i}; sleep 5`,
        ]),
      );
    const ends = await Promise.all(ids.map((id) => ended(id, 230_000)));
    expect(ends.map((e) => `${e.state} ${e.exit}`)).toEqual(ids.map(() => 'COMPLETED 0:0'));
    ids.forEach((id, i) => {
      expect(outputOf(i % 2 === 0 ? 'alice' : 'bob', id)).toBe(`${i}\n`);
    });
  });
});

describe('backlog', () => {
  it('f: on-prem full and six pending: they overflow; a dependent, a held and a QOS-limited job do not', async () => {
    const full = await fillOnPrem();
    try {
      const first = await sbatch('alice', ['-p', 'batch', '-w', 'n1', '-t', '30', '--wrap', 'sleep 1']);
      const dependent = await sbatch('alice', ['-p', 'batch', '-d', `afterok:${first}`, '--wrap', 'true']);
      const held = await sbatch('alice', ['-p', 'batch', '-H', '--wrap', 'true']);
      // `tiny` lets one of a user's jobs run: the second one waits for the first, wherever that runs.
      const tiny = await sbatch('bob', ['-p', 'cloud', '--qos', 'tiny', '--wrap', 'sleep 40']);
      await until(
        'the first tiny job to run',
        async () => (await jobFields(tiny))?.JobState === 'RUNNING',
        60_000,
      );
      const limited = await sbatch('bob', ['-p', 'batch', '--qos', 'tiny', '--wrap', 'true']);
      await until(
        'the QOS limit to be its reason',
        async () => (await jobFields(limited))?.Reason?.startsWith('QOS'),
        30_000,
      );
      const six: string[] = [];
      for (let i = 0; i < 6; i++)
        six.push(await sbatch('alice', ['-p', 'batch', '-t', '5', '--wrap', `echo ${i}`]));
      for (const id of six)
        expect(await ended(id)).toMatchObject({ state: 'COMPLETED', exit: '0:0', partition: 'burst' });
      for (const id of [dependent, held, limited, first]) {
        expect(await gateway.burstOf(id), id).toBeUndefined();
        expect((await sacct(id))?.state ?? 'PENDING', id).toBe('PENDING');
      }
      await as('root', ['scancel', dependent, held, limited, first]);
    } finally {
      await full.release();
    }
  });
});
