/** What a script asks for besides CPUs and memory, as Slurm would show it of its job. */
import type { Asker } from '../asks.ts';
import { type Script, written } from './script.ts';
import { mebibytes } from './values.ts';

const units = [
  ['gres', 'gres:'],
  ['gpus-per-node', 'gres:gpu:'],
  ['gpus', 'per-job/gres:gpu:'],
  ['gpus-per-socket', 'per-socket/gres:gpu:'],
  ['gpus-per-task', 'per-task/gres:gpu:'],
] as const;

/** `Job.gres`. */
export function gresIn(script: Script): string {
  return units
    .flatMap(([option, as]) =>
      (written(script, option) ?? '').split(',').flatMap((one) => (one === '' ? [] : `${as}${one}`)),
    )
    .join(',');
}

export function askerIn(script: Script, tasks: number): Asker {
  const memory = written(script, 'mem-per-gpu');
  const cpus = written(script, 'cpus-per-gpu');
  const shown = {
    'Socks/Node': written(script, 'sockets-per-node'),
    MinTmpDiskNode: written(script, 'tmp'),
    MemPerTres: memory === undefined ? undefined : `gres:gpu:${mebibytes(memory) ?? memory}`,
    CpusPerTres: cpus === undefined ? undefined : `gres:gpu:${cpus}`,
  };
  const raw = Object.entries(shown).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]));
  return { gres: gresIn(script), tasks, raw: Object.fromEntries(raw) };
}
