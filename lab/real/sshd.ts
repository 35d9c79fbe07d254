/** The cluster's front door: an sshd of the lab's own, through which the gateway reaches Slurm. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { clusterName, dirs, ports } from './paths.ts';
import { daemonPid, must, startDaemon, stopDaemon, until } from './proc.ts';
import { daemonEnv, slurmConf } from './slurm-conf.ts';
import { descendants, endAll, listensOn } from './tree.ts';
import { gatewayUser, people } from './users.ts';

export const sshKey = `${dirs.ssh}/id_ed25519`;
const hostKey = `${dirs.ssh}/host_ed25519`;
const config = `${dirs.ssh}/sshd_config`;
const sudoers = '/etc/sudoers.d/spillway-lab';

export async function startSshd(): Promise<void> {
  // 0755: sshd reads authorized keys as the user; the private keys are 0600 on their own.
  mkdirSync(dirs.ssh, { recursive: true, mode: 0o755 });
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  for (const [file, comment] of [
    [hostKey, `host@${clusterName}`],
    [sshKey, `${gatewayUser}@${clusterName}`],
  ] as const)
    if (!existsSync(file))
      await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file]);
  writeFileSync(`${dirs.ssh}/authorized_keys.${gatewayUser}`, readFileSync(`${sshKey}.pub`), { mode: 0o644 });
  writeFileSync(sudoers, sudoRule(), { mode: 0o440 });
  writeFileSync(config, sshdConfig());
  chmodSync(config, 0o644);
  const pid = startDaemon({
    name: 'sshd',
    argv: ['/usr/sbin/sshd', '-D', '-e', '-f', config],
    env: daemonEnv(),
  });
  await until(() => listensOn(pid, ports.sshd), {
    what: 'sshd to listen',
    timeoutMs: 10_000,
    daemon: 'sshd',
  });
}

/** Ends the listener and every live session of it, as a network that went away would. */
export async function stopSshd(): Promise<void> {
  const pid = daemonPid('sshd');
  const sessions = pid === undefined ? [] : descendants(pid);
  await stopDaemon('sshd');
  await endAll(sessions, 1_000);
  rmSync(sudoers, { force: true });
}

/** SHA256:…, as a gateway pins it. */
export async function hostKeyFingerprint(): Promise<string> {
  const line = await must(['ssh-keygen', '-l', '-E', 'sha256', '-f', `${hostKey}.pub`]);
  return line.split(' ')[1] ?? '';
}

/** As docs/admin.md has it: for whom users submit, cancel, hold and release through the gateway, and nothing else. */
const sudoRule = (): string => `Defaults:${gatewayUser} env_keep += "SLURM_CONF"
${gatewayUser} ALL=(${people.map(({ name }) => name).join(',')}) TIMEOUT=8s NOPASSWD: /usr/bin/sbatch, /usr/bin/scancel, /usr/bin/scontrol hold [0-9]*, /usr/bin/scontrol release [0-9]*
`;

function sshdConfig(): string {
  return `# The Spillway lab's front door. Written anew at each start.
ListenAddress 127.0.0.1:${ports.sshd}
HostKey ${hostKey}
PidFile none
AuthorizedKeysFile ${dirs.ssh}/authorized_keys.%u
AllowUsers ${gatewayUser}
AuthenticationMethods publickey
UsePAM no
UseDNS no
X11Forwarding no
AllowTcpForwarding no
PrintMotd no
MaxSessions 10
MaxStartups 50:30:100
LogLevel VERBOSE
SetEnv SLURM_CONF=${slurmConf} PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
`;
}
