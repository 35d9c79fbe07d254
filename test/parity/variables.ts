/**
 * What a documented variable may be in the pod. Pure: values come without what is a run's own, as `own.ts` leaves them. Of a
 * variable that is not here any value is taken.
 */
import { dropped } from '../../src/translate/environment.ts';
import { absent } from './compare.ts';
import { fits } from './glob.ts';

type Rule = (burst: string, onprem: string) => boolean;

const like =
  (pattern: RegExp): Rule =>
  (burst) =>
    pattern.test(burst);
const number = like(/^\d+$/);
const nodes = (list: string): number =>
  Number(/^<nodes:(\d+)>$/.exec(list)?.[1] ?? (list === '<node>' ? 1 : 0));
const base = (path: string): string => path.split('/').at(-1) ?? '';

/** The first whose glob fits holds. */
const rules: readonly (readonly [names: readonly string[], rule: Rule])[] = [
  [['PATH'], (burst, onprem) => burst === `/spill-bin:${onprem}`],
  [['_'], (burst, onprem) => burst.startsWith('/') && base(burst) === base(onprem)],
  [
    ['SLURM_JOB_NODELIST', 'SLURM_NODELIST'],
    (burst, onprem) => nodes(burst) > 0 && nodes(burst) === nodes(onprem),
  ],
  [['SLURMD_NODENAME', 'SLURM_TOPOLOGY_ADDR', 'HOSTNAME'], like(/^<node>$/)],
  [['SLURM_TOPOLOGY_ADDR_PATTERN'], like(/^node$/)],
  [['SLURM_NODEID', 'SLURM_TASK_PID', 'PMI_RANK', 'PMI_SIZE'], number],
  [['PMI_JOBID'], like(/^kvs_<job>_\d+$/)],
  [['PMI_FD'], like(/^\d+$|^\(absent\)$/)],
  [['SLURM_JOB_PARTITION'], like(/^<partition>$/)],
  [['SPILLWAY'], like(/^1$/)],
  [['SPILLWAY_BURST'], like(/^\S+$/)],
  [['SPILL_TEAM'], like(/^\/\S+\/team\.json$/)],
  [['TMPDIR', 'SLURM_TMPDIR'], like(/^\/./)],
  [['SLURM_LAUNCH_NODE_IPADDR'], like(/^[\d.:a-f]+$/)],
  [
    ['CUDA_*', 'GPU_*', 'ROCR_*', 'HIP_*', 'ZE_*', 'SLURM_JOB_GPUS', 'SLURM_STEP_GPUS'],
    like(/^0?(,\d+)*$|^\(absent\)$/),
  ],
  [dropped.flatMap(({ names }) => names), (burst) => burst === absent],
];

export function mayBe(name: string, burst: string, onprem: string): boolean {
  const rule = rules.find(([names]) => names.some((n) => fits(n, name)))?.[1];
  return rule === undefined || rule(burst, onprem);
}
