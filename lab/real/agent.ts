/** The burst host: spill's binary as its daemons and TaskProlog see it, and the root relay. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dirs, logFile, ports } from './paths.ts';
import { gatewayServerName, pki } from './pki.ts';
import { daemonPid, must, startDaemon, stopDaemon, until } from './proc.ts';
import { burstNodes, spoolDir } from './slurm-conf.ts';

const source = fileURLToPath(new URL('../../agent', import.meta.url));

/** Built once for the burst host and for the image that pods take it from. */
export const builtSpill = `${dirs.bin}/spill`;

const installDir = `${dirs.spill}/bin`;
const names = ['spill-taskprolog', 'spill-standin', 'spill-relay'] as const;

export const taskProlog = `${installDir}/spill-taskprolog`;
export const relaySocket = `${dirs.spill}/relay.sock`;

/** False while the project has no agent yet: then burst nodes run scripts like any other node. */
export const hasAgent = (): boolean => existsSync(`${source}/main.go`);

let building: Promise<void> | undefined;

/** Go's own cache makes a second build a matter of a fraction of a second, so it is always asked. */
export function buildAgent(): Promise<void> {
  building ??= (async () => {
    mkdirSync(dirs.bin, { recursive: true });
    mkdirSync(dirs.log, { recursive: true });
    const flags = ['-trimpath', '-ldflags', '-s -w'];
    await must(['go', 'build', ...flags, '-o', builtSpill, '.'], {
      cwd: source,
      env: { CGO_ENABLED: '0' },
      timeoutMs: 600_000,
      log: logFile('agent-build'),
    });
  })();
  return building;
}

/** Root's alone: a user who could write here would run as every other user. True when something changed. */
export async function installAgent(): Promise<boolean> {
  mkdirSync(installDir, { recursive: true, mode: 0o755 });
  const configured = writeIfNew(`${installDir}/spill.json`, hostConfig());
  const target = `${installDir}/spill`;
  if (existsSync(target) && readFileSync(target).equals(readFileSync(builtSpill))) return configured;
  for (const name of ['spill', ...names]) rmSync(`${installDir}/${name}`, { force: true });
  copyFileSync(builtSpill, `${target}.new`);
  chmodSync(`${target}.new`, 0o755);
  renameSync(`${target}.new`, target);
  for (const name of names) linkSync(target, `${installDir}/${name}`);
  return true;
}

export async function startRelay(changed: boolean): Promise<void> {
  if (changed) await stopDaemon('spill-relay');
  if (daemonPid('spill-relay') === undefined) rmSync(relaySocket, { force: true });
  startDaemon({ name: 'spill-relay', argv: [`${installDir}/spill-relay`], env: { PATH: '/usr/bin:/bin' } });
  await until(() => existsSync(relaySocket), {
    what: 'the relay to listen',
    timeoutMs: 10_000,
    daemon: 'spill-relay',
  });
}

function hostConfig(): string {
  const relay = {
    gateway: `127.0.0.1:${ports.gatewayRelay}`,
    cert: pki.relayCert,
    key: pki.relayKey,
    ca: pki.ca,
    serverName: gatewayServerName,
  };
  // Only the burst nodes' spools: an on-prem script is none of the stand-in's business.
  const spoolDirs = burstNodes.map(spoolDir);
  return `${JSON.stringify({ relaySocket, spoolDirs, relay }, null, 2)}\n`;
}

function writeIfNew(file: string, text: string): boolean {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return false;
  writeFileSync(file, text, { mode: 0o644 });
  return true;
}
