/** Slurm 22.05 of Debian 12: a cluster of two on-prem nodes and twelve virtual ones, all on this machine. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { startDatabase, startSlurmdbd } from './accounting.ts';
import { buildAgent, hasAgent, installAgent, startRelay, taskProlog } from './agent.ts';
import { ensurePackages } from './apt.ts';
import type { Ctx, PartStatus } from './parts.ts';
import { dirs, ports, stateDir } from './paths.ts';
import { ensurePki, gatewayServerName, pki } from './pki.ts';
import {
  daemonPid,
  LabError,
  must,
  residentBytes,
  run,
  signal,
  startDaemon,
  stopDaemon,
  until,
} from './proc.ts';
import * as conf from './slurm-conf.ts';
import { hostKeyFingerprint, sshKey, startSshd, stopSshd } from './sshd.ts';
import { endAll, jobProcesses } from './tree.ts';
import { ensureUsers, gatewayUser } from './users.ts';

const packages = [
  ...['slurmctld', 'slurmd', 'slurmdbd', 'slurmrestd', 'slurm-client', 'munge', 'mariadb-server'],
  ...['slurm-wlm-jwt-plugin', 'slurm-wlm-mysql-plugin', 'openssh-server', 'openssl', 'sudo'],
];

const nodes = [...conf.onPremNodes, ...conf.burstNodes];
const slurmd = (node: string): string => `slurmd-${node}`;
const tokenFile = `${dirs.slurm}/gateway.jwt`;

/** In the order they start. */
const ours = (): string[] => [
  ...['mariadb', 'munged', 'slurmdbd', 'slurmctld', ...nodes.map(slurmd)],
  ...['slurmrestd', 'sshd', ...(hasAgent() ? ['spill-relay'] : [])],
];

export async function up(ctx: Ctx): Promise<void> {
  await ensurePackages(packages, ctx.say);
  await ensureUsers();
  await layOut();
  const building = hasAgent() ? buildAgent() : undefined;
  await Promise.all([startDatabase(), startMunged(), startSshd(), ensurePki(), building]);
  const agent = building !== undefined;
  const agentChanged = agent && (await installAgent());
  const [gres, burstGres] = [conf.slurmConf, conf.burstConf].map((file) =>
    writeConf(file.replace(/slurm\.conf$/, 'gres.conf'), conf.gresConfText()),
  );
  const burstChanged =
    writeConf(conf.burstConf, conf.burstConfText(agent ? taskProlog : undefined)) || burstGres === true;
  const confChanged = writeConf(conf.slurmConf, conf.slurmConfText()) || gres === true;

  await faults['slurmctld-hang'](false);
  await startSlurmdbd();
  if (confChanged) await stopDaemon('slurmctld');
  await startSlurmctld();
  // A slurmd reads its file at start only; its jobs live on over a restart.
  const stale = [...(confChanged ? conf.onPremNodes : []), ...(burstChanged ? conf.burstNodes : [])];
  await Promise.all(stale.map((node) => stopDaemon(slurmd(node))));
  for (const node of nodes) startSlurmd(node);
  startSlurmrestd();
  if (agent) await startRelay(agentChanged);
  await resumeDown();
  await until(async () => (await wellNodes()) === nodes.length, {
    what: `${nodes.length} nodes to register`,
    timeoutMs: 60_000,
    daemon: 'slurmctld',
    everyMs: 200,
  });
  await ensureToken();
  await until(restAnswers, {
    what: 'slurmrestd to answer',
    timeoutMs: 20_000,
    daemon: 'slurmrestd',
    everyMs: 100,
  });
}

export async function down(_ctx: Ctx): Promise<void> {
  await faults['slurmctld-hang'](false);
  if (daemonPid('slurmctld') !== undefined) await cancelAll();
  await stopSshd();
  await stopDaemon('spill-relay');
  await stopDaemon('slurmrestd');
  await Promise.all(nodes.map((node) => stopDaemon(slurmd(node))));
  // A slurmstepd outlives its slurmd.
  await endAll(jobProcesses(), 3_000);
  await stopDaemon('slurmctld', 20_000);
  await stopDaemon('slurmdbd', 20_000);
  await Promise.all([stopDaemon('munged'), stopDaemon('mariadb', 30_000)]);
}

export async function status(_ctx: Ctx): Promise<PartStatus> {
  const processes = ours().map((name) => {
    const pid = daemonPid(name);
    return { name, pid, residentBytes: pid === undefined ? 0 : residentBytes(pid) };
  });
  const gone = processes.filter(({ pid }) => pid === undefined).map(({ name }) => name);
  if (gone.length === processes.length) return { healthy: false, summary: 'down', processes: [] };
  if (gone.length > 0)
    return { healthy: false, summary: `not running: ${gone.join(' ')}; logs in ${dirs.log}`, processes };
  const well = await wellNodes().catch(() => 0);
  const summary = `${well} of ${nodes.length} nodes well, slurmctld on 127.0.0.1:${ports.slurmctld}`;
  return { healthy: well === nodes.length, summary, processes };
}

export async function env(_ctx: Ctx): Promise<Readonly<Record<string, string>>> {
  if (daemonPid('slurmctld') === undefined || !existsSync(tokenFile)) return {};
  return {
    SLURM_CONF: conf.slurmConf,
    SPILLWAY_LAB_SSH_HOST: '127.0.0.1',
    SPILLWAY_LAB_SSH_PORT: `${ports.sshd}`,
    SPILLWAY_LAB_SSH_USER: gatewayUser,
    SPILLWAY_LAB_SSH_KEY: sshKey,
    SPILLWAY_LAB_SSH_HOST_KEY: await hostKeyFingerprint(),
    SPILLWAY_LAB_SLURMRESTD: `http://127.0.0.1:${ports.slurmrestd}`,
    SPILLWAY_LAB_SLURM_JWT: readFileSync(tokenFile, 'utf8'),
    SPILLWAY_LAB_GATEWAY_HTTP: `127.0.0.1:${ports.gatewayHttp}`,
    SPILLWAY_LAB_GATEWAY_RELAY: `127.0.0.1:${ports.gatewayRelay}`,
    SPILLWAY_LAB_GATEWAY_NAME: gatewayServerName,
    SPILLWAY_LAB_GATEWAY_CERT: pki.gatewayCert,
    SPILLWAY_LAB_GATEWAY_KEY: pki.gatewayKey,
    SPILLWAY_LAB_RELAY_CA: pki.ca,
    SPILLWAY_LAB_RELAY_CERT: pki.relayCert,
    SPILLWAY_LAB_RELAY_KEY: pki.relayKey,
  };
}

/** What a gateway must live with. `off` heals; what was running before goes on. */
export const faults = {
  'ssh-down': async (on: boolean) => (on ? stopSshd() : startSshd()),
  'slurmctld-down': async (on: boolean) => (on ? stopDaemon('slurmctld', 20_000) : startSlurmctld()),
  // Connections are accepted and nothing answers: what a client's own time-outs are for.
  'slurmctld-hang': async (on: boolean) => {
    const pid = daemonPid('slurmctld');
    if (pid !== undefined) signal(pid, on ? 'SIGSTOP' : 'SIGCONT');
  },
  'slurmdbd-down': async (on: boolean) => (on ? stopDaemon('slurmdbd', 20_000) : startSlurmdbd()),
  'relay-down': async (on: boolean) => (on ? stopDaemon('spill-relay') : startRelay(false)),
};

async function layOut(): Promise<void> {
  // Users pass through on the way to their homes.
  const slurm = ['burst', 'spool', 'devices'].map((name) => `${dirs.slurm}/${name}`);
  for (const dir of [stateDir, dirs.run, dirs.log, dirs.slurm, ...slurm])
    mkdirSync(dir, { recursive: true, mode: 0o755 });
  const slurms = [`${dirs.slurm}/state`, `${dirs.slurm}/run`];
  for (const dir of slurms) mkdirSync(dir, { recursive: true, mode: 0o755 });
  if (!existsSync(conf.jwtKey)) writeFileSync(conf.jwtKey, randomBytes(32), { mode: 0o600 });
  await must(['chown', 'slurm:slurm', ...slurms, conf.jwtKey]);
  for (const file of conf.gpuFiles) if (!existsSync(file)) await must(['mknod', file, 'c', '1', '3']);
}

async function startMunged(): Promise<void> {
  mkdirSync(dirs.munge, { recursive: true, mode: 0o755 });
  if (!existsSync(conf.mungeKey)) writeFileSync(conf.mungeKey, randomBytes(1024), { mode: 0o400 });
  await must(['chown', '-R', 'munge:munge', dirs.munge]);
  if (daemonPid('munged') === undefined) rmSync(conf.mungeSocket, { force: true });
  startDaemon({
    name: 'munged',
    user: 'munge',
    env: conf.daemonEnv(),
    argv: [
      ...['/usr/sbin/munged', '--foreground', '--num-threads=4', `--key-file=${conf.mungeKey}`],
      ...[`--socket=${conf.mungeSocket}`, `--pid-file=${dirs.munge}/munged.pid`],
      ...[`--seed-file=${dirs.munge}/seed`, `--log-file=${dirs.munge}/munged.log`],
    ],
  });
  await until(() => existsSync(conf.mungeSocket), {
    what: 'munged to listen',
    timeoutMs: 10_000,
    daemon: 'munged',
  });
}

async function startSlurmctld(): Promise<void> {
  startDaemon({ name: 'slurmctld', argv: ['/usr/sbin/slurmctld', '-D'], env: conf.daemonEnv() });
  const ready = async () => (await run(['scontrol', 'ping'], { env: conf.daemonEnv() })).code === 0;
  await until(ready, { what: 'slurmctld to answer', timeoutMs: 60_000, daemon: 'slurmctld', everyMs: 100 });
}

function startSlurmd(node: string): void {
  const file = conf.burstNodes.includes(node) ? conf.burstConf : conf.slurmConf;
  startDaemon({
    name: slurmd(node),
    argv: ['/usr/sbin/slurmd', '-D', '-N', node, '-f', file],
    env: conf.daemonEnv(file),
  });
}

function startSlurmrestd(): void {
  startDaemon({
    name: 'slurmrestd',
    // It refuses to run as root or as SlurmUser, and answers only to a token.
    user: 'nobody',
    argv: ['/usr/sbin/slurmrestd', '-a', 'rest_auth/jwt', `127.0.0.1:${ports.slurmrestd}`],
    // Without this it takes munge for the authentication of its callers, and refuses every token.
    env: { ...conf.daemonEnv(), SLURM_JWT: 'daemon' },
  });
}

/** A week's token for the gateway's user, made anew at each start. */
async function ensureToken(): Promise<void> {
  const argv = ['scontrol', 'token', `username=${gatewayUser}`, `lifespan=${7 * 24 * 3600}`];
  const line = await must(argv, { env: conf.daemonEnv() });
  const token = /^SLURM_JWT=(\S+)/m.exec(line)?.[1];
  if (token === undefined) throw new LabError(`scontrol token: no token in its answer`);
  writeFileSync(tokenFile, token, { mode: 0o600 });
}

async function restAnswers(): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${ports.slurmrestd}/slurm/v0.0.38/ping`, {
    headers: { 'X-SLURM-USER-NAME': gatewayUser, 'X-SLURM-USER-TOKEN': readFileSync(tokenFile, 'utf8') },
  });
  return response.ok;
}

async function wellNodes(): Promise<number> {
  const out = await must(['sinfo', '-h', '-a', '-N', '-o', '%N %T'], { env: conf.daemonEnv() });
  const states = new Map(out.split('\n').map((line) => [line.split(' ')[0], line.split(' ')[1]] as const));
  const well = /^(idle|mixed|allocated|completing|drained|draining|planned)$/;
  return [...states.values()].filter((state) => state !== undefined && well.test(state)).length;
}

/** A node that someone, or a test, set DOWN would stay so; one that is only not there yet registers by itself. */
async function resumeDown(): Promise<void> {
  const options = { env: conf.daemonEnv() };
  const down = (await must(['sinfo', '-h', '-a', '-N', '-t', 'down', '-o', '%N'], options)).split('\n');
  for (const node of new Set(down.filter((name) => name !== '')))
    await run(['scontrol', 'update', `nodename=${node}`, 'state=resume'], options);
}

/** So that no step is left to hunt for: what does not end by itself is ended by `down` with its slurmd. */
async function cancelAll(): Promise<void> {
  const options = { env: conf.daemonEnv(), timeoutMs: 20_000 };
  const listed = await run(['squeue', '-h', '-a', '-o', '%A'], options);
  const jobs = [...new Set(listed.stdout.split('\n').filter((id) => /^\d+$/.test(id)))];
  if (jobs.length === 0) return;
  await run(['scancel', '-Q', ...jobs], options);
  const none = () => jobProcesses().length === 0;
  await until(none, { what: 'jobs to end', timeoutMs: 5_000, everyMs: 200 }).catch(() => undefined);
}

/** True when a running daemon's file has changed. */
function writeConf(file: string, text: string): boolean {
  const before = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  if (before !== text) writeFileSync(file, text, { mode: 0o644 });
  return before !== undefined && before !== text;
}
