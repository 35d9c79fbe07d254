/** j: nobody takes another's job over, and nothing of a user's ever runs on the burst host. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { kubectl } from '../../lab/real/control-plane.ts';
import { env } from '../../lab/real/kubernetes.ts';
import {
  as,
  dirs,
  ended,
  endGateway,
  home,
  inState,
  jobFields,
  killGateways,
  outputOf,
  type RunningGateway,
  ran,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

/** Outside every mount of a pod: a file here was made on this host. */
const canaryDir = '/var/tmp/spillway-canary';
const canary = `${canaryDir}/ran`;
let gateway: RunningGateway;
beforeAll(async () => {
  mkdirSync(canaryDir, { recursive: true, mode: 0o777 });
  await ran('chmod', ['1777', canaryDir]);
  gateway = await startGateway({ idle: '5s' });
});
beforeEach(() => rmSync(canary, { force: true }));
afterAll(async () => {
  rmSync(canaryDir, { recursive: true, force: true });
  await endGateway(gateway).finally(killGateways);
});

const plant = `touch ${canary}`;
const standin = `${dirs.spill}/bin/spill-standin`;

describe('on the burst host', { retry: 0 }, () => {
  it('j: a job put into burst by hand fails closed, with a line that its owner can read', async () => {
    const id = await sbatch('bob', ['-p', 'burst', '-t', '2'], `#!/bin/bash\n${plant}`);
    expect((await ended(id)).state).toBe('FAILED');
    expect(outputOf('bob', id)).toMatch(/spillway: nothing was run/);
    expect(existsSync(canary)).toBe(false);
  });

  it('j: srun -p burst, and sbatch from inside an srun step', async () => {
    const direct = await as('bob', ['timeout', '60', 'srun', '-p', 'burst', '-t', '1', 'bash', '-c', plant]);
    expect(direct.code).not.toBe(0);
    const nested = await as('bob', [
      'timeout',
      '60',
      'srun',
      '-p',
      'batch',
      '-t',
      '2',
      'sbatch',
      '--parsable',
      '-p',
      'burst',
      '-t',
      '1',
      '--wrap',
      plant,
    ]);
    expect(nested.code, nested.stderr).toBe(0);
    expect((await ended(nested.stdout.trim())).state).toBe('FAILED');
    expect(existsSync(canary)).toBe(false);
  });

  it('j: srun --jobid --overlap into a running burst, and a hostile PATH, LD_PRELOAD and BASH_ENV', async () => {
    const evil = home('alice');
    writeFileSync(`${evil}/evil.sh`, `#!/bin/sh\n${plant}\n`, { mode: 0o755 });
    mkdirSync(`${evil}/evilbin`, { recursive: true });
    for (const name of ['sh', 'bash', 'env', 'cat', 'getent', 'spill', 'spill-standin', 'python3'])
      writeFileSync(`${evil}/evilbin/${name}`, `#!/bin/sh\n${plant}\n`, { mode: 0o755 });
    const source = `${evil}/evil.c`;
    writeFileSync(
      source,
      `#include <fcntl.h>\n__attribute__((constructor)) static void go(void) { open("${canary}", O_CREAT|O_WRONLY, 0644); }\n`,
    );
    expect((await ran('gcc', ['-shared', '-fPIC', '-o', `${evil}/evil.so`, source])).code).toBe(0);
    await ran('chmod', ['755', `${evil}/evil.so`]);
    const env = {
      PATH: `${evil}/evilbin:/usr/bin:/bin`,
      LD_PRELOAD: `${evil}/evil.so`,
      BASH_ENV: `${evil}/evil.sh`,
      ENV: `${evil}/evil.sh`,
      SLURM_STEP_ID: '0',
      GODEBUG: 'http2debug=2',
    };
    rmSync(canary, { force: true });
    // sbatch itself must not load the library on the submit side: the environment is given by --export.
    const exported = Object.entries(env)
      .map(([k, v]) => `${k}=${v}`)
      .join(',');
    const id = await sbatch(
      'alice',
      ['-p', 'cloud', '-t', '5', `--export=${exported}`],
      '#!/bin/sh\n/usr/bin/sleep 20',
    );
    await inState(id, 'RUNNING');
    await gateway.reaches(id, ['running']);
    const overlap = await as('alice', [
      'timeout',
      '30',
      'srun',
      `--jobid=${id}`,
      '--overlap',
      'bash',
      '-c',
      plant,
    ]);
    expect(overlap.code).not.toBe(0);
    await as('alice', ['scancel', id]);
    await ended(id);
    expect(existsSync(canary)).toBe(false);
  });
});

describe("another's job", { retry: 0 }, () => {
  it("j: bob cannot take over alice's job: as himself, with a forged id, past the relay, or at the relay", async () => {
    const id = await sbatch('alice', ['-p', 'cloud'], '#!/bin/bash\necho started\nsleep 30\nexit 0');
    await until('its first line', async () => outputOf('alice', id).includes('started'), 60_000);
    // The stand-in itself, run by hand under a forged name and environment: the relay looks at its parent, not at its words.
    const forged = await as(
      'bob',
      ['bash', '-c', `exec -a "slurmstepd: [${id}.batch]" bash -c 'timeout 10 ${standin} /etc/hostname'`],
      { env: { SLURM_JOB_ID: id, SLURM_RESTART_COUNT: '0' } },
    );
    expect(forged.code).not.toBe(0);
    expect(forged.stdout).not.toContain('started');
    // Straight to the gateway: no client certificate, no word.
    const { connect } = await import('node:tls');
    const answer = await new Promise<string>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: 18443, rejectUnauthorized: false });
      let heard = '';
      socket.on('data', (d) => {
        heard += d.toString('hex');
      });
      socket.on('error', (e) => resolve(`error ${e.message}`));
      socket.on('close', () => resolve(heard));
      socket.on('secureConnect', () => socket.write(Buffer.from('0000000304' + '7b7d', 'hex')));
    });
    expect(answer).not.toMatch(/^[0-9a-f]{10,}/);
    // Garbage at the relay's socket ends that connection and nothing else.
    await new Promise<void>((resolve) => {
      const socket = createConnection(`${dirs.spill}/relay.sock`);
      socket.on('error', () => resolve());
      socket.on('close', () => resolve());
      socket.on('connect', () => socket.end(Buffer.alloc(100_000, 0xff)));
      // What it answers must be read, or its end is never seen.
      socket.resume();
    });
    // The owner's files are the owner's: the relay's key and the gateway's are not readable by users.
    for (const file of [`${dirs.pki}/relay.key`, `${dirs.pki}/gateway.key`])
      expect((await as('bob', ['cat', file])).code).not.toBe(0);
    expect(await ended(id)).toMatchObject({ state: 'COMPLETED', exit: '0:0' });
    expect(outputOf('alice', id)).toBe('started\n');
    expect((await jobFields(id))?.UserId).toContain('alice');
  });
});

/** Each line is tried by the job itself; `open` at its end would be a way out. */
const attempts: Readonly<Record<string, string>> = {
  'a setuid binary': 'cp /bin/busybox $HOME/su 2>/dev/null; chmod 4755 $HOME/su; $HOME/su id -u | grep -qx 0',
  capabilities: 'grep -E "^Cap(Eff|Prm|Bnd|Amb)" /proc/self/status | grep -qv 0000000000000000',
  'new privileges': 'grep -q "^NoNewPrivs:.*0" /proc/self/status',
  'no seccomp': 'grep -q "^Seccomp:.*0" /proc/self/status',
  'a file of bob': `cat ${home('bob')}/private`,
  'a file of bob, written': `echo x >> ${home('bob')}/private`,
  'the key of the keeper': 'cat /spill-key/key',
  'the spool of the keeper': 'ls /spill-spool/*',
  'the key through /proc': 'for p in /proc/[0-9]*; do cat $p/root/spill-key/key; done',
  'the environment of the keeper': 'cat /proc/[0-9]*/environ | tr "\\0" "\\n" | grep -q SPILL_KEY_FILE',
  'the agent, written': 'echo x >> /spill-bin/spill || echo x > /spill-bin/more',
  'a mount': 'mount -t tmpfs none /mnt || mount -o remount,rw /spill-bin',
  'a user namespace with a mount in it': 'unshare -Urm mount --bind /tmp /spill-bin',
  'a device': 'mknod /tmp/disk b 8 0',
  'a service account token': 'cat /var/run/secrets/kubernetes.io/serviceaccount/token',
  'the disk of the node': 'ls /var/lib/kubelet/pods || ls /var/lib/containerd/*',
  'the processes of the node': 'cat /proc/[0-9]*/comm | grep -qE "kubelet|containerd"',
  'the time': 'date -s 2020-01-01',
  'another host name': 'hostname mine',
};

/** By their addresses, which the job is told: what answers without a word of proof is a way out. */
const doors = (apiServer: string, keeper: string): string => `
import http.client, os, socket, ssl, urllib.parse
def tried(name, work):
    try: print(name, 'open' if work() else 'shut')
    except Exception as e: print(name, 'shut', type(e).__name__)
def asks(host, port, path):
    def ask():
        c = http.client.HTTPSConnection(host, port, timeout=5, context=ssl._create_unverified_context())
        c.request('GET', path); return c.getresponse().status == 200
    return ask
api = urllib.parse.urlparse('${apiServer}')
for path in ['/api/v1/namespaces', '/api/v1/namespaces/spillway-alice/secrets', '/api/v1/namespaces/spillway-bob/pods']:
    tried('api' + path, asks(api.hostname, api.port, path))
for path in ['/pods', '/runningpods/', '/configz', '/metrics', '/exec/spillway-bob/x/main']:
    tried('kubelet' + path, asks(os.environ['GATE'], 10250, path))
def keeper(host):
    def ask():
        s = socket.create_connection((host, 7701), 5); s.settimeout(5)
        s.sendall(b'\\x00\\x00\\x00\\x03\\x04{}'); return b'key' in s.recv(4096)
    return ask
tried('own keeper', keeper('127.0.0.1'))
tried('keeper of another', keeper('${keeper}'))
`;

describe('from inside a job', { retry: 0 }, () => {
  it('there is no way out: root, other files, the node, the keeper, the kubelet and the API server', async () => {
    writeFileSync(`${home('bob')}/private`, 'of bob\n', { mode: 0o600 });
    await ran('chown', ['bob:', `${home('bob')}/private`]);
    const other = await sbatch('bob', ['-p', 'cloud', '-t', '5'], '#!/bin/sh\nsleep 120');
    await gateway.reaches(other, ['running']);
    const pods = [
      'get',
      'pods',
      '-n',
      'spillway-bob',
      '-o',
      'jsonpath={.items[*].status.podIP} {.items[*].status.hostIP}',
    ];
    const [keeper = '', nodeIp = ''] = (await kubectl(pods)).split(' ');
    const lab = await env({ say: () => undefined });
    const lines = Object.entries(attempts).map(
      ([name, what]) =>
        `if (${what}) >/dev/null 2>&1; then echo "${name}: open"; else echo "${name}: shut"; fi`,
    );
    const python = doors(lab.SPILLWAY_LAB_API_SERVER ?? '', keeper);
    const script = [
      '#!/bin/sh',
      'id -u',
      ...lines,
      `export GATE=${nodeIp}`,
      `python3 - <<'END'`,
      python,
      'END',
      'echo done',
    ];
    const id = await sbatch('alice', ['-p', 'cloud', '-t', '5'], script.join('\n'));
    expect(await ended(id)).toMatchObject({ state: 'COMPLETED' });
    const told = outputOf('alice', id).trim().split('\n');
    expect(told.filter((line) => line.includes('open'))).toEqual([]);
    expect(told[0]).toBe('2001');
    expect(told.at(-1)).toBe('done');
    expect(told.filter((line) => line.includes('shut'))).toHaveLength(Object.keys(attempts).length + 10);
    expect(readFileSync(`${home('bob')}/private`, 'utf8')).toBe('of bob\n');
    await as('bob', ['scancel', other]);
    await ended(other);
    rmSync(`${home('bob')}/private`);
    rmSync(`${home('alice')}/su`, { force: true });
  }, 240_000);
});
