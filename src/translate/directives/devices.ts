/** Devices, licences and whatever else a site counts. */
import { type Directive, flag, type JobShown, key, unsupported } from './directive.ts';

const noGpu = 'no GPU or other GRES is mapped to instances yet';
const without = 'leave it out where the program runs without';
const gres = ({ gres: all }: JobShown): string | undefined => all || undefined;

export const devices: readonly Directive[] = [
  unsupported('--gres=<list>', noGpu, without, { shown: gres }),
  unsupported('-G, --gpus=[type:]<number>', noGpu, without, { shownBy: 'gres' }),
  unsupported('--gpus-per-node=[type:]<number>', noGpu, without, { shownBy: 'gres' }),
  unsupported('--gpus-per-socket=[type:]<number>', noGpu, without, { shownBy: 'gres' }),
  unsupported('--gpus-per-task=[type:]<number>', noGpu, without, { shownBy: 'gres' }),
  unsupported('--gpu-bind=<type>', noGpu, without, { shownBy: 'tres-bind' }),
  unsupported('--tres-bind=<tres>:<type>', noGpu, without, { since: '23.11', shown: key('TresBind') }),
  unsupported('--gpu-freq=<value>', noGpu, without, { shown: key('TresFreq') }),
  unsupported('--gres-flags=<type>', noGpu, without, {
    shown: (job) =>
      flag('GresEnforceBind')(job) ?? flag('GresAllowTaskSharing')(job) ?? flag('GresOneTaskPerSharing')(job),
  }),
  unsupported('--cpus-per-gpu=<ncpus>', noGpu, 'write --cpus-per-task', { shown: key('CpusPerTres') }),
  unsupported('--mem-per-gpu=<size>', noGpu, 'write --mem', { shown: key('MemPerTres') }),
  unsupported('--ntasks-per-gpu=<ntasks>', noGpu, 'write --ntasks', {
    same: ['ntasks-per-tres'],
    shown: key('NtasksPerTRES'),
  }),
  unsupported(
    '-L, --licenses=<license>',
    'licences are counted on-prem, and the program may not reach their server from the cloud',
    without,
    {
      shown: ({ licenses }) => licenses || undefined,
    },
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
