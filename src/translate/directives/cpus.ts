/** Tasks, CPUs and memory. */
import { type Directive, emulated, exact, key, part, unsupported } from './directive.ts';

const tasks = 'src/translate/environment.ts';
const ourSrun =
  'the script runs once and sees it in its environment; srun in the pod is ours, and starts its tasks by it';
const own = "Slurm counts the CPUs by it, and the pod gets as many; sockets and cores are the instance's own";
const limit =
  "the pod's memory limit, 0 that of the whole node; a job that uses more is killed as on-prem (signal 9, with a line that says so), but ends as FAILED, as nothing from outside makes Slurm write OUT_OF_MEMORY";
const unbound =
  'binding is for steps of srun, which passes it over in the pod: the kernel places what the script starts';

export const cpus: readonly Directive[] = [
  emulated('-n, --ntasks=<number>', `CPUs for all of them; ${ourSrun}`, tasks, {
    shown: ({ tasks: n }) => (n !== undefined && n > 1 ? `${n}` : undefined),
    cases: [{ of: '1', holds: (v) => v === '1', mark: 'exact', why: 'one task is the script', by: tasks }],
  }),
  emulated('--ntasks-per-node=<n>', ourSrun, tasks, { same: ['tasks-per-node'], shown: perNode }),
  emulated('--ntasks-per-socket=<n>', ourSrun, tasks, { shown: part('NtasksPerN:B:S:C', 2) }),
  emulated('--ntasks-per-core=<n>', ourSrun, tasks, { shown: part('NtasksPerN:B:S:C', 3) }),
  exact(
    '-c, --cpus-per-task=<ncpus>',
    'the pod asks for as many, in vCPU by nodeGroups[].vcpuPerCpu',
    'test/translate/resources.test.ts',
  ),
  unsupported(
    '--mincpus=<n>',
    'the pod would have fewer CPUs than the node must have',
    'write --cpus-per-task',
    {
      shown: ({ raw, cpus: all }) => (Number(raw.MinCPUsNode ?? 0) > all ? raw.MinCPUsNode : undefined),
    },
  ),
  exact('-O, --overcommit', 'the pod asks for the CPUs that Slurm counts', 'src/translate/resources.ts'),
  emulated('--mem=<size>', limit, 'test/translate/resources.test.ts'),
  emulated('--mem-per-cpu=<size>', 'as --mem, for each CPU', 'test/translate/resources.test.ts'),
  emulated('--mem-bind=<type>', unbound, tasks),
  emulated('-B, --extra-node-info=<sockets>[:cores[:threads]]', own, tasks, { shownBy: 'sockets-per-node' }),
  emulated('--sockets-per-node=<sockets>', own, tasks, { shown: key('Socks/Node') }),
  emulated('--cores-per-socket=<cores>', own, tasks, { shown: part('ReqB:S:C:T', 2) }),
  emulated('--threads-per-core=<threads>', own, tasks, { shown: part('ReqB:S:C:T', 3) }),
  emulated('--hint=<type>', own, tasks),
  emulated('-m, --distribution=<how>', unbound, tasks),
  unsupported(
    '-S, --core-spec=<num>',
    'cores are kept free on the virtual node, not on the machine in the cloud',
    'leave it out',
    {
      shown: key('CoreSpec'),
    },
  ),
  unsupported(
    '--thread-spec=<num>',
    'threads are kept free on the virtual node, not on the machine in the cloud',
    'leave it out',
    {
      shown: key('ThreadSpec'),
    },
  ),
  unsupported(
    '--cpu-freq=<p1>[-p2][:p3]',
    "nobody sets the frequency of an instance's CPUs",
    'leave it out',
    {
      shown: (job) => key('CPU_max_freq')(job) ?? key('CPU_min_freq')(job) ?? key('Governor')(job),
    },
  ),
  unsupported(
    '--tres-per-task=<list>',
    'resources by task are counted by steps of srun',
    'write --cpus-per-task',
    {
      since: '23.02',
    },
  ),
  emulated(
    '--propagate[=limits]',
    'limits are taken from the virtual node, where Slurm set them; one that the pod may not have is lowered, and the log says which; below 0.9 GB of address space the stand-in may not start, and the job fails before its script',
    'agent/limits.go',
  ),
];

/** Slurm fills it in by itself where the job has one task. */
function perNode(job: Parameters<NonNullable<Directive['shown']>>[0]): string | undefined {
  const n = part('NtasksPerN:B:S:C', 0)(job);
  return n === '1' ? undefined : n;
}
