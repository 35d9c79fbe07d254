/**
 * Where the lab keeps its things, and the ports it listens on. All of it in one room, so that two parts never
 * pick the same port and `down` knows what to look at.
 */

/** Everything that one lab's life makes: pids, logs, configurations, sockets, homes, spools. */
export const stateDir = '/var/lib/spillway-lab';

/** What is dear to make and does not depend on a run: built binaries, images. Survives `down`. */
export const cacheDir = '/var/cache/spillway-lab';

export const dirs = {
  /** One `<name>.pid` for each daemon. */
  run: `${stateDir}/run`,
  /** One `<name>.log` for each daemon. */
  log: `${stateDir}/log`,
  /** The users' homes, and the gateway user's. */
  home: `${stateDir}/home`,
  slurm: `${stateDir}/slurm`,
  munge: `${stateDir}/munge`,
  mariadb: `${stateDir}/mariadb`,
  ssh: `${stateDir}/ssh`,
  /** Certificates between relay and gateway. */
  pki: `${stateDir}/pki`,
  /** The burst host's side: spill's binary, its configuration, the relay's socket. */
  spill: `${stateDir}/spill`,
  kubernetes: `${stateDir}/kubernetes`,
  ec2: `${stateDir}/ec2`,
  /** Built executables. */
  bin: `${cacheDir}/bin`,
  images: `${cacheDir}/images`,
} as const;

/** The lab's cluster: ClusterName in slurm.conf and the CN of its relay's certificate. */
export const clusterName = 'lab';

/** Every port of the lab, all on 127.0.0.1 and none a default one. */
export const ports = {
  mariadb: 13306,
  slurmctld: 16817,
  slurmdbd: 16819,
  slurmrestd: 16820,
  /** n1 is 16821, n2 is 16822. */
  slurmdOnPrem: 16820,
  /** c1 is 16831, c2 is 16832, and so on. */
  slurmdBurst: 16830,
  sshd: 12022,
  /** Where a gateway of the lab listens. */
  gatewayHttp: 18080,
  gatewayRelay: 18443,
  apiserver: 16443,
  etcdClient: 12379,
  etcdPeer: 12380,
  controllerManager: 20257,
  scheduler: 20259,
  ec2: 18090,
} as const;

export const logFile = (daemon: string): string => `${dirs.log}/${daemon}.log`;
export const pidFile = (daemon: string): string => `${dirs.run}/${daemon}.pid`;
