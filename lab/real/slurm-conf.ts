/** What the lab's Slurm is: its nodes, partitions and daemons, as the text of its configuration files. */
import { clusterName, dirs, ports } from './paths.ts';

export const slurmConf = `${dirs.slurm}/slurm.conf`;
export const slurmdbdConf = `${dirs.slurm}/slurmdbd.conf`;
/** The burst slurmds' own: the same, and TaskProlog. */
export const burstConf = `${dirs.slurm}/burst/slurm.conf`;
export const jwtKey = `${dirs.slurm}/jwt.key`;
export const mungeSocket = `${dirs.munge}/munge.socket`;
export const mungeKey = `${dirs.munge}/munge.key`;

/** The steps' log of each node; slurmd itself says the same on its stderr. */
export const stepLog = (node: string): string => `${dirs.log}/slurmd-${node}.steps.log`;

export const spoolDir = (node: string): string => `${dirs.slurm}/spool/${node}`;

export const onPremNodes = ['n1', 'n2'] as const;
export const burstNodes = Array.from({ length: 12 }, (_, index) => `c${index + 1}`);

/** Files that stand for GPUs: with none a slurmd drops the GRES. Of each type so many on a node that has GPUs. */
export const gpus = { a100: 2, v100: 1 } as const;
const gpuNodes = 'n2,c[11-12]';
const gpuFile = (type: string, at: number): string => `${dirs.slurm}/devices/${type}-${at}`;
export const gpuFiles: readonly string[] = Object.entries(gpus).flatMap(([type, count]) =>
  Array.from({ length: count }, (_, at) => gpuFile(type, at)),
);

/** Both kinds of node: a job must mean the same on either. Memory is what forty small jobs fit in, not RAM. */
const shape =
  'CPUs=8 Boards=1 SocketsPerBoard=1 CoresPerSocket=8 ThreadsPerCore=1 RealMemory=8000 TmpDisk=10000';

/** Moving a job takes its new partition's defaults, so all partitions share them. */
const partitionDefaults =
  'DefaultTime=00:10:00 MaxTime=1-00:00:00 DefMemPerCPU=500 PriorityJobFactor=1 OverSubscribe=NO';

const gpuShape = `Gres=${Object.entries(gpus)
  .map(([type, count]) => `gpu:${type}:${count}`)
  .join(',')} Feature=gpu,fast`;

/** Read from beside slurm.conf, so it stands beside each of them. */
export function gresConfText(): string {
  const lines = Object.entries(gpus).map(
    ([type, count]) =>
      `NodeName=${gpuNodes} Name=gpu Type=${type} File=${dirs.slurm}/devices/${type}-[0-${count - 1}]`,
  );
  return `AutoDetect=off\n${lines.join('\n')}\n`;
}

export function slurmConfText(): string {
  const lastOnPrem = ports.slurmdOnPrem + onPremNodes.length;
  const lastBurst = ports.slurmdBurst + burstNodes.length;
  return `# The Spillway lab's cluster. Written anew at each start.
ClusterName=${clusterName}
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=${ports.slurmctld}
SlurmUser=slurm
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny

# So that a job's number is not by chance another number in what it prints. [test/parity/own.ts]
FirstJobId=10001

AuthType=auth/munge
# A requeued job may not start again before a credential expires: 2 minutes, if left alone.
AuthInfo=socket=${mungeSocket},cred_expire=20
CredType=cred/munge
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=${jwtKey}

StateSaveLocation=${dirs.slurm}/state
SlurmctldPidFile=${dirs.slurm}/run/slurmctld.pid
SlurmdPidFile=${dirs.slurm}/run/slurmd-%n.pid
SlurmdSpoolDir=${spoolDir('%n')}
SlurmdLogFile=${stepLog('%n')}
SlurmctldDebug=info
SlurmdDebug=info

# No cgroups, no core binding: fourteen nodes are one machine.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=5
MpiDefault=none

SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=5,bf_continue,sched_interval=5,batch_sched_delay=1
PriorityType=priority/multifactor
PriorityWeightAge=100000
PriorityWeightPartition=1000
PriorityMaxAge=1-0
PriorityCalcPeriod=1

AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=${ports.slurmdbd}
# For munge, the "password" is the socket: AuthInfo does not reach slurmdbd's clients.
AccountingStoragePass=${mungeSocket}
AccountingStorageEnforce=associations,limits,qos
AccountingStoreFlags=job_comment

JobRequeue=1
ReturnToService=2
KillWait=10
MinJobAge=300
InactiveLimit=0
SlurmctldTimeout=60
SlurmdTimeout=60
MessageTimeout=20

GresTypes=gpu
Licenses=matlab:2

NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port=${ports.slurmdOnPrem + 1} ${shape}
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port=${lastOnPrem} ${shape} ${gpuShape}
NodeName=c[1-10] NodeHostname=localhost NodeAddr=127.0.0.1 \
Port=[${ports.slurmdBurst + 1}-${lastBurst - 2}] ${shape}
NodeName=c[11-12] NodeHostname=localhost NodeAddr=127.0.0.1 \
Port=[${lastBurst - 1}-${lastBurst}] ${shape} ${gpuShape}

PartitionName=batch Nodes=n[1-${onPremNodes.length}] Default=YES State=UP ${partitionDefaults}
# Asked for by name, never started: its jobs wait for Spillway. What is asked for so may be larger than the site.
PartitionName=cloud Nodes=c[1-${burstNodes.length}] State=DOWN ${partitionDefaults}
PartitionName=burst_wait Nodes=c[1-${burstNodes.length}] State=DOWN ${partitionDefaults}
PartitionName=burst Nodes=c[1-${burstNodes.length}] State=UP ${partitionDefaults}
`;
}

/** `taskProlog` is undefined until the binary is built: then burst nodes run scripts like any other node. */
export function burstConfText(taskProlog: string | undefined): string {
  return slurmConfText() + (taskProlog === undefined ? '' : `\nTaskProlog=${taskProlog}\n`);
}

export function slurmdbdConfText(password: string): string {
  return `# The Spillway lab's accounting. Written anew at each start.
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=${ports.slurmdbd}
CommunicationParameters=NoInAddrAny
SlurmUser=slurm
PidFile=${dirs.slurm}/run/slurmdbd.pid
DebugLevel=info
AuthType=auth/munge
AuthInfo=socket=${mungeSocket}
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=${jwtKey}
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=${ports.mariadb}
StorageUser=slurm
StoragePass=${password}
StorageLoc=slurm_acct
`;
}

const loginPath = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin';
/** What a daemon of the cluster, or a command for it, gets: nothing of whoever started the lab. */
export const daemonEnv = (file: string = slurmConf): Record<string, string> => ({
  PATH: loginPath,
  LANG: 'C.UTF-8',
  SLURM_CONF: file,
});

/** A clean login on the cluster, whatever shell the lab command came from. */
export const loginEnvironment = (user: string, home: string): Record<string, string> => ({
  HOME: home,
  USER: user,
  LOGNAME: user,
  SHELL: '/bin/bash',
  PATH: loginPath,
  LANG: 'C.UTF-8',
  SLURM_CONF: slurmConf,
});
