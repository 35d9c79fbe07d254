/** Data under no mount of the pod, carried through a real S3 server (versitygw, over TLS) that burst host and pods reach. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureTools } from '../../lab/real/build.ts';
import { addresses, labNetns } from '../../lab/real/kube-network.ts';
import {
  as,
  clusterName,
  dirs,
  ended,
  endGateway,
  jobFields,
  killGateways,
  outputOf,
  type RunningGateway,
  ran,
  sbatch,
  startGateway,
  stateDir,
  until,
} from './harness.ts';

/** No pod mounts it. */
const data = `${stateDir}/data`;
const port = 19_443;
const region = 'us-east-1';
const keys = { accessKeyId: 'spillway', secretAccessKey: 'a-secret-of-the-tests' };
const bucket = 'spillway-test';

let dir = '';
let server: ChildProcess | undefined;
let gateway: RunningGateway;

/** Where the lab's nodes and this host both reach it: inside the lab's own network. */
async function serve(): Promise<void> {
  await ensureTools(() => undefined, ['objects']);
  const [cert, key] = [join(dir, 'store.crt'), join(dir, 'store.key')];
  const made = await ran('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', '/CN=store', '-addext', `subjectAltName=IP:${addresses.controlPlane}`],
    ...['-keyout', key, '-out', cert],
  ]);
  if (made.code !== 0) throw new Error(made.stderr);
  mkdirSync(join(dir, 'root', bucket), { recursive: true });
  mkdirSync(join(dir, 'sidecar'));
  const listen = ['--port', `${addresses.controlPlane}:${port}`, '--cert', cert, '--key', key];
  const files = ['posix', '--sidecar', join(dir, 'sidecar'), join(dir, 'root')];
  server = spawn(
    'nsenter',
    [
      ...[`--net=/run/netns/${labNetns}`, `${dirs.bin}/versitygw`],
      ...[...listen, '--region', region, '--quiet', ...files],
    ],
    {
      env: { ...process.env, ROOT_ACCESS_KEY: keys.accessKeyId, ROOT_SECRET_KEY: keys.secretAccessKey },
      stdio: 'ignore',
    },
  );
  writeFileSync(join(dir, 'keys'), `${keys.accessKeyId}\n${keys.secretAccessKey}\n`, { mode: 0o600 });
}

const endpoint = `https://${addresses.controlPlane}:${port}`;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'spillway-data-'));
  await serve();
  mkdirSync(data, { recursive: true });
  chownSync(data, 2001, 2001);
  gateway = await startGateway({
    idle: '30s',
    trusts: join(dir, 'store.crt'),
    staging: {
      ...{ bucket, prefix: 'stage/', region, endpoint, keyFile: join(dir, 'keys') },
      ...{ paths: [data], egressUsdPerGiB: 0, partSize: '5MiB' },
    },
  });
}, 300_000);

afterAll(async () => {
  await endGateway(gateway).finally(killGateways);
  server?.kill('SIGKILL');
  rmSync(data, { recursive: true, force: true });
  rmSync(dir, { recursive: true, force: true });
}, 300_000);

const sha = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
/** What the store has under a prefix, as it keeps it: a file each. */
function stored(prefix: string): Map<string, number> {
  const found = new Map<string, number>();
  const walk = (at: string): void => {
    for (const name of lsOf(at)) {
      const path = join(at, name);
      if (statSync(path).isDirectory()) walk(path);
      else found.set(name, statSync(path).mtimeMs);
    }
  };
  walk(join(dir, 'root', bucket, 'stage', prefix));
  return found;
}
function lsOf(at: string): string[] {
  try {
    return readdirSync(at);
  } catch {
    return [];
  }
}

function own(path: string, content: string | Buffer, mode = 0o644): void {
  writeFileSync(path, content);
  chmodSync(path, mode);
  chownSync(path, 2001, 2001);
}

const script = [
  '#!/bin/bash',
  `#SPILLWAY stage-in=${data}/set size=20MiB stage-out=${data}/out`,
  `cd ${data}/set || exit 99`,
  'ls -1A | sort',
  './tool',
  'readlink link',
  `mkdir -p ${data}/out/deep`,
  `sha256sum big | cut -c1-64 > ${data}/out/deep/sum`,
  `cp big ${data}/out/copy && chmod 640 ${data}/out/copy`,
  `ln -s deep/sum ${data}/out/latest`,
  `echo newer > ${data}/out/mine`,
  'exit 7',
].join('\n');

describe('a job whose data no pod mounts', () => {
  it('has them where they are on the cluster; results come home as its own, and so does its exit code', async () => {
    mkdirSync(`${data}/set/none`, { recursive: true });
    for (const path of [`${data}/set`, `${data}/set/none`]) chownSync(path, 2001, 2001);
    own(`${data}/set/big`, randomBytes(20_000_000));
    own(`${data}/set/tool`, '#!/bin/sh\necho from the tool\n', 0o750);
    own(`${data}/set/.hidden`, '');
    symlinkSync('big', `${data}/set/link`);
    utimesSync(`${data}/set/big`, 1_700_000_000, 1_700_000_000);
    const id = await sbatch('alice', ['-p', 'cloud', '-t', '5'], script);
    const end = await ended(id, 180_000);
    expect(end).toMatchObject({ state: 'FAILED', exit: '7:0' });
    expect(outputOf('alice', id).trim().split('\n')).toEqual([
      ...['.hidden', 'big', 'link', 'none', 'tool'],
      ...['from the tool', 'big'],
    ]);
    expect(readFileSync(`${data}/out/deep/sum`, 'utf8').trim()).toBe(sha(`${data}/set/big`));
    expect(sha(`${data}/out/copy`)).toBe(sha(`${data}/set/big`));
    expect(statSync(`${data}/out/copy`)).toMatchObject({ uid: 2001, gid: 2001 });
    expect(statSync(`${data}/out/copy`).mode & 0o777).toBe(0o640);
    expect(lstatSync(`${data}/out/latest`).isSymbolicLink()).toBe(true);
    expect(readlinkSync(`${data}/out/latest`)).toBe('deep/sum');
    expect(readdirSync(`${data}/out`).sort()).toEqual(['copy', 'deep', 'latest', 'mine']);
    const burst = await gateway.reaches(id, ['settled']);
    expect(burst.exit).toMatchObject({ code: 7 });
    // What was fetched is not kept; what was staged in is, for the next.
    expect([...stored(`${clusterName}/2001/out`)]).toEqual([]);
    expect(stored(`${clusterName}/2001/blob`).has(sha(`${data}/set/big`))).toBe(true);
  }, 300_000);

  it('of which a second one sends nothing again, and overwrites nothing that is newer than it', async () => {
    const before = stored(`${clusterName}/2001/blob`);
    const id = await sbatch('alice', ['-p', 'cloud', '-t', '5'], script);
    await gateway.reaches(id, ['attached', 'granted', 'running', 'draining', 'reported', 'final', 'settled']);
    own(`${data}/out/mine`, 'somebody else wrote this while it ran\n');
    expect(await ended(id, 180_000)).toMatchObject({ state: 'FAILED', exit: '7:0' });
    expect(stored(`${clusterName}/2001/blob`)).toEqual(before);
    expect(readFileSync(`${data}/out/mine`, 'utf8')).toBe('somebody else wrote this while it ran\n');
    expect(readFileSync(`${data}/out/mine.spill-${id}`, 'utf8')).toBe('newer\n');
    expect(outputOf('alice', id)).toContain(
      `spillway: ${data}/out/mine is newer than the job: what the job has made is in mine.spill-${id} beside it`,
    );
    await gateway.reaches(id, ['settled']);
  }, 300_000);

  it('of several nodes has them on each; a file that two made with different contents is there twice', async () => {
    const several = [
      '#!/bin/bash',
      `#SPILLWAY stage-in=${data}/set size=20MiB stage-out=${data}/ranks`,
      `mkdir -p ${data}/ranks`,
      `srun --ntasks-per-node=1 sh -c 'mkdir -p ${data}/ranks; r=$SLURM_NODEID; wc -c < ${data}/set/big > ${data}/ranks/size-$r; echo of $r > ${data}/ranks/both'`,
    ].join('\n');
    const id = await sbatch('alice', ['-p', 'cloud', '-N', '2', '-n', '2', '-t', '5'], several);
    expect(await ended(id, 180_000)).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
    const made = (name: string): string => readFileSync(`${data}/ranks/${name}`, 'utf8').trim();
    expect([made('size-0'), made('size-1')]).toEqual(['20000000', '20000000']);
    expect([made('both'), made(`both.spill-${id}-rank1`)]).toEqual(['of 0', 'of 1']);
    expect(outputOf('alice', id)).toContain(
      `spillway: ${data}/ranks/both was made on rank 0 of the job and, with another content, on rank 1`,
    );
    await gateway.reaches(id, ['settled']);
    expect([...stored(`${clusterName}/2001/out`)]).toEqual([]);
  }, 300_000);

  it('that cannot be read goes home, and says why', async () => {
    const id = await sbatch(
      'alice',
      ['-p', 'cloud', '-t', '5'],
      `#!/bin/sh\n#SPILLWAY stage-in=${data}/missing\necho ran\n`,
    );
    const comment = await until(
      'the reason on the job',
      async () => {
        const seen = await commentOf(id);
        return seen === '' ? undefined : seen;
      },
      180_000,
    );
    expect(comment).toContain(
      `its data could not be brought to the store: ${data}/missing: no such file or directory`,
    );
    await until('it to wait where it was', async () => {
      const seen = await jobFields(id);
      return seen?.JobState === 'PENDING' && seen.Partition === 'cloud';
    });
  }, 300_000);
});

/** The whole of it: `jobFields` ends a value at its first blank. */
async function commentOf(id: string): Promise<string> {
  const { stdout } = await as('root', ['scontrol', 'show', 'job', id]);
  return /Comment=(.*)/.exec(stdout)?.[1] ?? '';
}
