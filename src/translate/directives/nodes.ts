/** Which nodes, how many, and what must be on them. */
import { type Directive, emulated, exact, flag, key, slurms, unsupported } from './directive.ts';

const oneNode = 'a burst of one node is so anyhow';
const range = /^(\d+)(?:-(\d+))?$/;
const least = 'the fewest nodes that it asks for are what it gets';

/** Of a job of several nodes, which the cloud places as it likes. */
const apart = (name: string) => ({
  shown: key(name),
  cases: [
    {
      of: 'for several nodes',
      holds: (_: string, n: number) => n > 1,
      mark: 'emulated' as const,
      why: 'Slurm takes the virtual nodes so; how near the machines in the cloud are to each other it does not say',
      by: slurms,
    },
  ],
});

export const nodes: readonly Directive[] = [
  emulated(
    '-N, --nodes=<min>[-max]|<sizes>',
    "each node is a pod on a machine of its own; all are alike, with the job's CPUs and memory per CPU divided evenly, whatever Slurm gives each",
    'src/translate/resources.ts',
    {
      shown: ({ minNodes, maxNodes = minNodes }) =>
        maxNodes > minNodes ? `${minNodes}-${maxNodes}` : minNodes > 1 ? `${minNodes}` : undefined,
      cases: [
        {
          of: '1',
          holds: (v) => v === '1' || v === '1-1',
          mark: 'exact',
          why: 'one node is one pod',
          by: 'src/translate/pod.ts',
        },
        {
          of: 'from some to more',
          holds: (v) => {
            const [, min, max] = range.exec(v) ?? [];
            return max !== undefined && Number(max) > Number(min);
          },
          mark: 'emulated',
          why: 'it runs on as many as it asks for at least, and a give-back restores the range',
          by: 'src/burst/claim.ts',
        },
        {
          of: 'several sizes',
          holds: (v) => !range.test(v),
          unseen: true,
          mark: 'unsupported',
          why: 'the claim pins one number of nodes, and a give-back would not bring the others back',
          instead: 'write one number, or a range',
        },
      ],
    },
  ),
  exact('--use-min-nodes', least, 'src/burst/claim.ts'),
  exact('--contiguous', oneNode, 'src/burst/claim.ts', apart('Contiguous')),
  exact('--switches=<count>[@max-time]', oneNode, 'src/burst/claim.ts', apart('Switches')),
  emulated(
    '--segment=<size>',
    'how near the machines in the cloud are to each other it does not say',
    slurms,
    {
      since: '24.05',
    },
  ),
  exact('--wait-all-nodes=<value>', 'a job begins when all its nodes wait for it', 'src/burst/claim.ts'),
  unsupported('--spread-job', 'it asks for as many nodes as there are', 'leave it out', {
    shown: flag('SpreadJob'),
  }),
  unsupported('-w, --nodelist=<names>', 'these very nodes are not in the cloud', 'leave it out', {
    shown: ({ requiredNodes }) => requiredNodes || undefined,
  }),
  unsupported('-F, --nodefile=<file>', 'these very nodes are not in the cloud', 'leave it out', {
    shownBy: 'nodelist',
  }),
  exact(
    '-x, --exclude=<names>',
    'nodes of the site are none of the cloud; of the virtual nodes, Slurm leaves out those named',
    slurms,
    {
      shown: key('ExcNodeList'),
    },
  ),
  exact(
    '-C, --constraint=<list>',
    'it runs in a node group whose features (nodeGroups[].features) meet it; where none does, it stays',
    'src/decide/suits.ts',
    {
      shown: ({ features }) => features || undefined,
      cases: [
        {
          of: 'with a count (*)',
          holds: (v) => v.includes('*'),
          mark: 'unsupported',
          why: 'it asks for nodes of different kinds in one job, and those of a burst are alike',
          instead: 'ask for one kind of node',
        },
      ],
    },
  ),
  emulated('--prefer=<list>', 'a wish only: which node group it runs in is not chosen by it', slurms, {
    shown: key('Prefer'),
  }),
  unsupported('--batch=<list>', 'features of nodes are not told of instances', 'leave it out', {
    shown: key('BatchFeatures'),
  }),
  emulated(
    '--exclusive[={user|mcs|topo}]',
    "the pod asks for every CPU of a node of the job's partition; other pods may run on the same machine beside it",
    'src/translate/resources.ts',
    {
      shown: ({ raw }) => {
        const { OverSubscribe = '' } = raw;
        return OverSubscribe === 'NO'
          ? ''
          : ['USER', 'MCS', 'TOPO'].includes(OverSubscribe)
            ? OverSubscribe.toLowerCase()
            : undefined;
      },
      cases: [
        {
          of: 'user, mcs, topo',
          holds: (v) => v !== '',
          mark: 'unsupported',
          why: 'pods of others may run on the same machine',
          instead: 'write --exclusive alone, or leave it out',
        },
      ],
    },
  ),
  emulated('-s, --oversubscribe', 'the pod has its CPUs for itself', 'src/translate/pod.ts', {
    same: ['share'],
    shown: ({ raw }) => (raw.OverSubscribe === 'YES' ? '' : undefined),
  }),
  unsupported('--reservation=<names>', 'what is reserved is on-prem', 'leave it out', {
    shown: ({ reservation }) => reservation || undefined,
  }),
  unsupported(
    '--reboot',
    'Slurm would reboot the virtual node, not the machine in the cloud',
    'leave it out: the machine is new, or as good as',
    {
      shown: key('Reboot'),
    },
  ),
  emulated('--delay-boot=<minutes>', 'no node is booted for its features', slurms, {
    shown: key('DelayBoot'),
  }),
  exact(
    '--tmp=<size>',
    "the pod asks for as much of its machine's disk (ephemeral-storage); where nodeGroups[].disk does not hold it, it stays",
    'src/translate/asks.ts',
    { shown: key('MinTmpDiskNode') },
  ),
  unsupported('--network=<type>', "it names the site's interconnect", 'leave it out', {
    shown: key('Network'),
  }),
  unsupported(
    '--resv-ports[=count]',
    'ports are reserved on the virtual node, not where the script runs',
    'leave it out',
    {
      since: '24.05',
      shown: key('ResvPorts'),
    },
  ),
  unsupported(
    '--stepmgr',
    "steps would be managed by the virtual node's daemon, which the pod does not reach",
    'leave it out',
    {
      since: '24.05',
      shown: key('StepMgrEnabled'),
    },
  ),
  unsupported('--power=<flags>', "it sets the power of the site's nodes", 'leave it out', {
    until: '23.11',
    shown: key('Power'),
  }),
];
