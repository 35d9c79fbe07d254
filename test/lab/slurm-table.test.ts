/** What the Slurm model's login node prints to people who type `squeue`. */
import { expect, it } from 'vitest';
import { coordinatorsIn } from '../../adapters/slurm/sacctmgr.ts';
import { commands } from '../../lab/servers/slurm-commands.ts';
import { instant } from '../../src/domain/ids.ts';
import { Chance } from '../../src/sim/chance.ts';
import { SlurmModel } from '../../src/sim/models/slurm.ts';
import { VirtualTime } from '../../src/sim/time.ts';

it('is Slurm’s own table: running jobs with their time and node, waiting ones with their reason', async () => {
  const start = instant(Date.UTC(2026, 0, 5, 8));
  const time = new VirtualTime(start, () => Promise.resolve());
  const model = new SlurmModel(
    {
      nodes: [{ name: 'n1', cpus: 4, memoryMib: 8_000 }],
      partitions: [
        {
          name: 'batch',
          nodes: ['n1'],
          up: true,
          default: true,
          maxTimeMs: 3_600_000,
          defMemory: { per: 'cpu', mib: 100 },
        },
      ],
      users: [{ name: 'alice', uid: 1, gid: 1, groups: [1], account: 'a', home: '/home/alice' }],
    },
    { clock: time, scheduler: time, entropy: new Chance(1) },
  );
  model.submit('alice', { name: 'a-long-name', cpusPerTask: 3, timeMs: 600_000, work: 'forever' });
  model.submit('alice', { name: 'sweep', array: '1-3', cpusPerTask: 2, timeMs: 600_000, work: 'forever' });
  await time.run(instant(start + 66_000));
  const squeue = (...args: string[]) =>
    commands.squeue?.run({ model, user: 'alice', args, stdin: '', deadline: undefined });
  expect(squeue()).toBe(
    [
      '             JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)',
      '           2_[1-3]     batch    sweep    alice PD       0:00      1 (Resources)',
      '                 1     batch a-long-n    alice  R       1:05      1 n1',
      '',
    ].join('\n'),
  );
  expect(squeue('-t', 'R')).not.toContain('sweep');
});

it('names coordinators as sacctmgr does, a line for each user', () => {
  const time = new VirtualTime(instant(0), () => Promise.resolve());
  const user = { gid: 1, groups: [1], account: 'a', home: '/home' };
  const users = [
    { ...user, name: 'alice', uid: 1 },
    { ...user, name: 'prof', uid: 2, coordinates: ['physics', 'theory'] },
  ];
  const model = new SlurmModel(
    { nodes: [], partitions: [], users },
    { clock: time, scheduler: time, entropy: new Chance(1) },
  );
  const args = ['-nP', 'show', 'user', 'withcoord', 'format=user,coord'];
  const shown = commands.sacctmgr?.run({ model, user: 'alice', args, stdin: '', deadline: undefined }) ?? '';
  expect(shown).toContain('alice|\n');
  expect(coordinatorsIn(shown)).toEqual(new Map([['prof', new Set(['physics', 'theory'])]]));
});
