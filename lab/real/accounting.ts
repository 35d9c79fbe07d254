/** Accounting: MariaDB and slurmdbd of the lab's own, and who may charge to what. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { clusterName, dirs, logFile, ports } from './paths.ts';
import { LabError, must, run, startDaemon, until } from './proc.ts';
import { daemonEnv, slurmdbdConf, slurmdbdConfText } from './slurm-conf.ts';
import { gatewayUser, people, teams } from './users.ts';

const socket = `${dirs.mariadb}/mariadb.sock`;
const data = `${dirs.mariadb}/data`;
const passwordFile = `${dirs.mariadb}/slurm.password`;

/** A QOS that lets one job of a user run at a time: for jobs that pend by a limit, where a burst cannot help. */
export const tinyQos = 'tiny';

export async function startDatabase(): Promise<void> {
  mkdirSync(dirs.mariadb, { recursive: true, mode: 0o755 });
  await must(['chown', 'mysql:mysql', dirs.mariadb]);
  if (!existsSync(`${data}/mysql`)) await installDatabase();
  startDaemon({
    name: 'mariadb',
    env: daemonEnv(),
    argv: [
      ...['/usr/sbin/mariadbd', '--no-defaults', '--user=mysql', `--datadir=${data}`, `--socket=${socket}`],
      ...['--bind-address=127.0.0.1', `--port=${ports.mariadb}`, `--pid-file=${dirs.mariadb}/mariadb.pid`],
      // slurmdbd asks for these; a lab may lose its last second in a crash.
      ...['--innodb-buffer-pool-size=256M', '--innodb-lock-wait-timeout=900', '--skip-name-resolve'],
      ...['--innodb-flush-log-at-trx-commit=0', '--skip-log-bin', '--performance-schema=off'],
    ],
  });
  const ready = async () => (await sql('select 1')).code === 0;
  await until(ready, { what: 'MariaDB to answer', timeoutMs: 60_000, daemon: 'mariadb', everyMs: 100 });
  const account = `'slurm'@'127.0.0.1'`;
  const made = await sql(
    `create database if not exists slurm_acct;
     create user if not exists ${account}; set password for ${account} = password('${password()}');
     grant all on slurm_acct.* to ${account};`,
  );
  if (made.code !== 0) throw new LabError(`MariaDB: ${made.stderr.trim()}`, logFile('mariadb'));
}

/** slurmdbd, and in it the cluster, accounts, users and QOS. */
export async function startSlurmdbd(): Promise<void> {
  rmSync(slurmdbdConf, { force: true });
  writeFileSync(slurmdbdConf, slurmdbdConfText(password()), { mode: 0o600 });
  await must(['chown', 'slurm:slurm', slurmdbdConf]);
  startDaemon({
    name: 'slurmdbd',
    argv: ['/usr/sbin/slurmdbd', '-D'],
    env: daemonEnv(),
  });
  const ready = async () => (await sacctmgr(['-n', 'list', 'cluster'])).code === 0;
  await until(ready, { what: 'slurmdbd to answer', timeoutMs: 60_000, daemon: 'slurmdbd', everyMs: 200 });
  await ensureAssociations();
}

async function installDatabase(): Promise<void> {
  rmSync(data, { recursive: true, force: true });
  mkdirSync(dirs.log, { recursive: true });
  const argv = ['mariadb-install-db', '--no-defaults', '--user=mysql', `--datadir=${data}`];
  const short = ['--auth-root-authentication-method=socket', '--skip-test-db'];
  await must([...argv, ...short], { log: logFile('mariadb-install-db') });
}

async function ensureAssociations(): Promise<void> {
  const list = async (what: string, fields: string) =>
    (await must(['sacctmgr', '-nP', 'show', what, `format=${fields}`], { env: daemonEnv() })).split('\n');
  const clusters = await list('cluster', 'Cluster');
  if (!clusters.includes(clusterName)) await change(['add', 'cluster', clusterName]);

  const qos = await list('qos', 'Name');
  if (!qos.includes(tinyQos)) await change(['add', 'qos', tinyQos, 'set', 'MaxJobsPerUser=1']);

  const known = await list('association', 'Account,User');
  for (const team of [...Object.keys(teams), 'services'])
    if (!known.includes(`${team}|`)) {
      await change(['add', 'account', team, `Description=${team}`, 'Organization=lab']);
      // The gateway's own account: it looks and moves, and submits nothing.
      const limit =
        team === 'services' ? ['MaxSubmitJobs=0'] : [`QOS=normal,${tinyQos}`, 'DefaultQOS=normal'];
      await change(['modify', 'account', team, 'set', ...limit]);
    }
  for (const { name, team } of people)
    if (!known.includes(`${team}|${name}`)) await change(['add', 'user', name, `Account=${team}`]);
  if (!known.includes(`services|${gatewayUser}`))
    await change(['add', 'user', gatewayUser, 'Account=services', 'AdminLevel=Operator']);
}

function change(args: readonly string[]): Promise<string> {
  return must(['sacctmgr', '-i', ...args], { env: daemonEnv() });
}

function sacctmgr(args: readonly string[]) {
  return run(['sacctmgr', ...args], { env: daemonEnv(), timeoutMs: 10_000 });
}

function sql(statement: string) {
  return run(['mariadb', '--no-defaults', `--socket=${socket}`, '--batch'], { input: statement });
}

function password(): string {
  if (!existsSync(passwordFile))
    writeFileSync(passwordFile, randomBytes(24).toString('hex'), { mode: 0o600 });
  return readFileSync(passwordFile, 'utf8');
}
