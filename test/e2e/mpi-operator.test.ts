/** What `spillway explain --as mpijob` prints, given to Kubeflow's own MPI operator. No image of the lab has an sshd, so its workers never become ready. */
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { ensureTools } from '../../lab/real/build.ts';
import { adminKubeconfig, kubectl } from '../../lab/real/control-plane.ts';
import { labNetns } from '../../lab/real/kube-network.ts';
import { env } from '../../lab/real/kubernetes.ts';
import { dirs } from '../../lab/real/paths.ts';
import { must, startDaemon, stopDaemon, until } from '../../lab/real/proc.ts';
import { type Definition, establish, remove, schemas } from '../../lab/real/schemas.ts';
import { explain } from '../../src/cli/explain.ts';
import { bareSite, type Site } from '../../src/cli/explain-site.ts';

const ns = `mpi-operator-${process.pid}`;
const daemon = `mpi-operator-${process.pid}`;
const bare = bareSite({ name: 'alice', uid: 2001, gid: 2001 });
const site: Site = { ...bare, images: { ...bare.images, default: 'lab/base:1' }, imagePullPolicy: 'Never' };
const scratch = mkdtempSync(join(tmpdir(), 'spillway-mpi-operator-'));
let definitions: readonly Definition[] = [];

beforeAll(async () => {
  const lab = await env({ say: () => undefined });
  if (lab.SPILLWAY_LAB_KUBECTL === undefined) throw new Error('no cluster: npm run lab -- up kubernetes');
  await ensureTools((line) => console.log(line), ['mpi-operator']);
  definitions = (await schemas((line) => console.log(line))).filter(
    ({ metadata }) => metadata.name === 'mpijobs.kubeflow.org',
  );
  await establish(definitions);
  await kubectl(['create', 'namespace', ns]);
  const argv = [`${dirs.bin}/mpi-operator`, '--kubeConfig', adminKubeconfig];
  argv.push('--namespace', ns, '--lock-namespace', ns, '--monitoring-port', '0');
  startDaemon({ name: daemon, argv, netns: labNetns });
}, 30 * 60_000);

afterAll(async () => {
  rmSync(scratch, { recursive: true });
  await kubectl(['delete', 'mpijobs', '--all', '-n', ns, '--timeout=30s', '--ignore-not-found']).catch(
    () => {},
  );
  await stopDaemon(daemon);
  await kubectl(['delete', 'namespace', ns, '--wait=false', '--ignore-not-found']);
  await remove(definitions);
}, 120_000);

async function apply(name: string, scheduling?: Site['scheduling']): Promise<void> {
  const file = join(scratch, 'job.sh');
  writeFileSync(file, `#!/bin/bash\n#SBATCH -J ${name} -t 5 -N 2 -n 4 --mem=64M\nmpirun ./x\n`);
  const { lines } = await explain(file, { as: 'mpijob' }, { ...site, scheduling }, []);
  await kubectl(['create', '-n', ns, '--validate=strict', '-f', '-'], { input: lines.join('\n') });
}

interface Condition {
  readonly type: string;
  readonly status: string;
}

async function condition(name: string, type: string): Promise<void> {
  await until(
    async () => {
      const text = await kubectl(['get', 'mpijob', name, '-n', ns, '-o', 'json']);
      const { status } = JSON.parse(text) as { status?: { conditions?: readonly Condition[] } };
      return status?.conditions?.some((c) => c.type === type && c.status === 'True') === true;
    },
    { what: `${name} to be ${type}`, timeoutMs: 60_000, everyMs: 300, daemon },
  );
}

async function names(kind: string, job: string): Promise<readonly string[]> {
  const label = `training.kubeflow.org/job-name=${job}`;
  const text = await kubectl(['get', kind, '-n', ns, '-l', label, '-o', 'name']);
  return text.split('\n').filter((line) => line !== '');
}

describe('Kubeflow’s MPI operator', () => {
  it('makes a worker for each node, as printed, and no launcher before they are ready', async () => {
    await apply('real');
    await condition('real', 'Created');
    await until(async () => (await names('pods', 'real')).length === 2, {
      what: 'the workers',
      timeoutMs: 60_000,
      everyMs: 300,
      daemon,
    });
    expect([...(await names('pods', 'real'))].sort()).toEqual(['pod/real-worker-0', 'pod/real-worker-1']);
    const worker = JSON.parse(await kubectl(['get', 'pod', 'real-worker-0', '-n', ns, '-o', 'json']));
    expect(worker.spec).toMatchObject({
      restartPolicy: 'Never',
      securityContext: { runAsUser: 2001 },
      containers: [{ name: 'main', command: expect.arrayContaining(['/usr/sbin/sshd', '-De']) }],
    });
    const hosts = await kubectl([
      'get',
      'configmap',
      'real-config',
      '-n',
      ns,
      '-o',
      'jsonpath={.data.hostfile}',
    ]);
    expect(hosts.trim().split('\n')).toEqual([
      expect.stringMatching(/^real-worker-0\S* slots=2$/),
      expect.stringMatching(/^real-worker-1\S* slots=2$/),
    ]);
    expect(await names('jobs', 'real')).toEqual([]);
  });

  it('makes no pod of one that waits for Kueue', async () => {
    await apply('queued', { printed: { kueueQueue: 'team-a' } });
    await condition('queued', 'Suspended');
    expect(await names('pods', 'queued')).toEqual([]);
  });

  it('has workers whose sshd takes the launcher’s ssh, as the user, from keys that anybody may read', async () => {
    const file = join(scratch, 'job.sh');
    writeFileSync(file, '#!/bin/bash\n#SBATCH -J ssh -t 5 -N 2 -n 4 --mem=64M\nmpirun ./x\n');
    const { lines } = await explain(file, { as: 'mpijob' }, site, []);
    const [, job] = parseAllDocuments(lines.join('\n')).map((d) => d.toJS());
    const { Launcher, Worker } = job.spec.mpiReplicaSpecs;
    // What the operator mounts there, and a port that nobody has.
    const keys = mkdtempSync(join(tmpdir(), 'spillway-ssh-'));
    const here = (text: string) =>
      text.replaceAll(job.spec.sshAuthMountPath, keys).replaceAll('2222', '18222');
    await must(['ssh-keygen', '-q', '-t', 'rsa', '-N', '', '-f', `${keys}/id_rsa`]);
    copyFileSync(`${keys}/id_rsa.pub`, `${keys}/authorized_keys`);
    for (const name of ['', 'id_rsa', 'authorized_keys'])
      chmodSync(join(keys, name), name === '' ? 0o755 : 0o644);
    const user = ['setpriv', '--reuid=2001', '--regid=2001', '--clear-groups'];
    const sshd = `sshd-${daemon}`;
    const command: string[] = Worker.template.spec.containers[0].command.map(here);
    startDaemon({ name: sshd, argv: [...user, ...command, '-o', 'ListenAddress=127.0.0.1'] });
    try {
      const env: { name: string; value: string }[] = Launcher.template.spec.containers[0].env;
      const agent = here(env.find(({ name }) => name === 'OMPI_MCA_plm_rsh_agent')?.value ?? '');
      const ssh = [...user, ...agent.split(' '), '127.0.0.1', 'id', '-u'];
      await until(async () => (await must(ssh, { timeoutMs: 10_000 })) === '2001', {
        what: 'ssh',
        timeoutMs: 30_000,
        everyMs: 300,
        daemon: sshd,
      });
    } finally {
      await stopDaemon(sshd);
      rmSync(keys, { recursive: true });
    }
  });
});
