/** The two files that Slurm gets when a site goes on from observing, as deploy/slurm has them, with this site's own shapes, names and defaults. */
import type { Survey, SurveyedPartition } from '../../domain/survey.ts';
import { settingOf } from '../../domain/survey.ts';
import type { Plan, Virtual } from './choose.ts';

/** As slurm.conf takes it: whole minutes are as good as what was asked. */
function timeOf(ms: number | 'unlimited'): string {
  if (ms === 'unlimited') return 'UNLIMITED';
  const minutes = Math.max(1, Math.ceil(ms / 60_000));
  const two = (n: number): string => String(n).padStart(2, '0');
  const [days, hours] = [Math.floor(minutes / 1_440), Math.floor((minutes % 1_440) / 60)];
  return `${days === 0 ? '' : `${days}-`}${two(hours)}:${two(minutes % 60)}:00`;
}

const mark = (standing: boolean): string =>
  standing
    ? '# These partitions are in this Slurm already: compare, and do not include this file beside them.\n'
    : '';

export function partitionsConf(plan: Plan, survey: Survey, burstHost: string): string {
  const { home, names, standing, virtual } = plan;
  const all = virtual.map((v) => v.names).join(',');
  const defaults = defaultsOf(home);
  const free = 'TRESBillingWeights="CPU=0.0,Mem=0.0"';
  const overrides = settingOf(survey, 'SlurmdParameters').includes('config_overrides');
  return `# Spillway's part of slurm.conf, proposed by spillway init. Nothing here is needed to observe.
${mark(standing)}# Put it beside slurm.conf, add "Include partitions.conf" with its full path at the end of that file, and restart slurmctld and the
# slurmds (new nodes need a restart, not a reconfigure).${overrides ? '' : ' slurm.conf also needs SlurmdParameters=config_overrides.'}
# Adapt: NodeHostname and NodeAddr, the host on which the virtual nodes stand.

# Virtual nodes: as many as may burst at once, each of exactly the shape of the nodes that jobs come from.
${virtual.map((v) => nodeLine(v, burstHost)).join('\n')}

# All three copy DefaultTime, MaxTime, DefMem* and PriorityJobFactor from ${home.name}: a moved job takes its new partition's defaults without
# a word. None of them is hidden, or a job would leave its owner's squeue.

# Asked for by name (sbatch -p ${names.explicit}), never started: its jobs wait for Spillway.
PartitionName=${names.explicit} Nodes=${all} State=DOWN ${defaults}

# Where a requeued attempt waits for its capacity.
PartitionName=${names.wait} Nodes=${all} State=DOWN ${defaults} ${free}

# Where a job is once its pod waits for it.
PartitionName=${names.burst} Nodes=${all} State=UP ${defaults} ${free}
`;
}

function nodeLine({ names, ports, shape }: Virtual, host: string): string {
  const { boards, sockets, cores, threads, cpus, memoryMib, tmpMib, features, gres } = shape;
  const more = [
    ...(tmpMib > 0 ? [`TmpDisk=${tmpMib}`] : []),
    ...(features === '' ? [] : [`Feature=${features}`]),
    ...(gres === '' ? [] : [`Gres=${gres}`]),
  ];
  const gresNote =
    gres === ''
      ? ''
      : `# Gres needs lines in gres.conf on ${host} with a File= for each device: any character device will do, mknod makes them.\n`;
  return `${gresNote}NodeName=${names} NodeHostname=${host} NodeAddr=${host} Port=${ports} CPUs=${cpus} Boards=${boards} SocketsPerBoard=${sockets} CoresPerSocket=${cores} ThreadsPerCore=${threads} RealMemory=${memoryMib}${more.map((m) => ` ${m}`).join('')} State=UNKNOWN`;
}

function defaultsOf(p: SurveyedPartition): string {
  return [
    ...(p.defaultTimeMs === undefined ? [] : [`DefaultTime=${timeOf(p.defaultTimeMs)}`]),
    `MaxTime=${timeOf(p.maxTimeMs)}`,
    ...(p.defMemory === undefined
      ? []
      : [`DefMemPer${p.defMemory.per === 'cpu' ? 'CPU' : 'Node'}=${p.defMemory.mib}`]),
    `PriorityJobFactor=${p.priorityJobFactor}`,
    'OverSubscribe=NO',
  ].join(' ');
}

export function burstHostConf(plan: Plan, survey: Survey, burstHost: string): string {
  const conf = settingOf(survey, 'SLURM_CONF') || '/etc/slurm/slurm.conf';
  const chained = settingOf(survey, 'TaskProlog');
  const [first] = plan.virtual;
  const name = first?.names.replace(/\[(\d+)-\d+\]$/, '$1') ?? 'c1';
  return `# slurm.conf of the slurmds of ${burstHost}, and of no other, proposed by spillway init. Nothing here is needed to observe.
# As /etc/slurm/burst/slurm.conf there: slurmd -D -N ${name} -f /etc/slurm/burst/slurm.conf, one for each virtual node.
# slurmctld notes in its log that these nodes' file differs from its own. It is meant to.
Include ${conf}

# Several slurmds on one host: a spool, a pid file and a log each. Where slurm.conf has these keys too, Slurm says "specified more than
# once" and takes the later one, which is right here.
SlurmdSpoolDir=/var/spool/slurmd/%n
SlurmdPidFile=/run/slurmd-%n.pid
SlurmdLogFile=/var/log/slurm/slurmd-%n.log

# Every step on these nodes begins here. A batch script is taken over by the stand-in; all else ends here.
${chained === '' ? '# A TaskProlog of your own goes into spill.json as chainTaskProlog.' : `# Your own goes into spill.json: "chainTaskProlog": ${JSON.stringify(chained)}`}
TaskProlog=/opt/spillway/bin/spill-taskprolog
`;
}
