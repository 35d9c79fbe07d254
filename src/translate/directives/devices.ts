/** Devices, licences and whatever else a site counts. */
import { type Directive, emulated, exact, flag, type JobShown, key, unsupported } from './directive.ts';

const mapped =
  'the pod has as many of what nodeGroups[].devices maps it to and sees those alone, from 0 on; one that is not mapped stays';
const perTask =
  "the pod has as many as for all its tasks on the node; srun in the pod gives each task all of them, where Slurm's gives each its own";
const asks = 'src/translate/asks.ts';
const bound = 'binding is for steps of srun; the script sees all devices of its pod';
const without = 'leave it out where the program runs without';
const gres = ({ gres: all }: JobShown): string | undefined => all || undefined;

export const devices: readonly Directive[] = [
  exact('--gres=<list>', mapped, asks, {
    shown: gres,
    cases: [
      {
        of: 'for each task (--gpus-per-task)',
        holds: (v) => v.includes('per-task/'),
        mark: 'emulated',
        why: perTask,
        by: asks,
      },
    ],
  }),
  exact('-G, --gpus=[type:]<number>', mapped, asks, { shownBy: 'gres' }),
  exact('--gpus-per-node=[type:]<number>', mapped, asks, { shownBy: 'gres' }),
  exact('--gpus-per-socket=[type:]<number>', `as many as for all its sockets; ${mapped}`, asks, {
    shownBy: 'gres',
  }),
  emulated('--gpus-per-task=[type:]<number>', perTask, asks, { shownBy: 'gres' }),
  emulated('--gpu-bind=<type>', bound, asks, { shownBy: 'tres-bind' }),
  emulated('--tres-bind=<tres>:<type>', bound, asks, { since: '23.11', shown: key('TresBind') }),
  unsupported('--gpu-freq=<value>', "nobody sets the frequency of an instance's GPUs", 'leave it out', {
    shown: key('TresFreq'),
  }),
  unsupported('--gres-flags=<type>', "which CPUs are next to a device is the instance's own", without, {
    shown: (job) =>
      flag('GresEnforceBind')(job) ?? flag('GresAllowTaskSharing')(job) ?? flag('GresOneTaskPerSharing')(job),
  }),
  exact('--cpus-per-gpu=<ncpus>', 'the pod asks for as many for each of its GPUs', asks, {
    shown: key('CpusPerTres'),
  }),
  emulated('--mem-per-gpu=<size>', 'as --mem, for each GPU', asks, { shown: key('MemPerTres') }),
  emulated(
    '--ntasks-per-gpu=<ntasks>',
    'CPUs for all of them; the script runs once and sees it in its environment',
    'src/translate/environment.ts',
    { same: ['ntasks-per-tres'], shown: key('NtasksPerTRES') },
  ),
  exact(
    '-L, --licenses=<license>',
    'Slurm counts them while the job runs in the cloud as here; one whose server is not reached from there (nodeGroups[].licenses) stays',
    'src/decide/suits.ts',
    { shown: ({ licenses }) => licenses || undefined },
  ),
  unsupported('--bb=<spec>', 'the burst buffer is on-prem', 'stage in the script, to a mounted directory', {
    shown: key('BurstBuffer'),
  }),
  unsupported(
    '--bbf=<file_name>',
    'the burst buffer is on-prem',
    'stage in the script, to a mounted directory',
    {
      shownBy: 'bb',
    },
  ),
];
