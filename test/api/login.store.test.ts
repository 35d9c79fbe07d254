/** From a user's command line to what is his, without a token of his own: the real binary, TLS, gateway API and store. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { jobRef } from '../../src/domain/ids.ts';
import { Logins } from '../../src/engine/logins.ts';
import { clock, entropy } from '../../src/main/ground.ts';
import { loginsOf } from '../../src/main/login.ts';
import { type Listener, listenForRelays } from '../../src/stream/listen.ts';
import { detail } from '../burst/fixtures.ts';
import { install } from '../stream/real-job.ts';
import { until } from '../stream/wire.ts';
import { type Bed, cluster, makeBed } from './bed.ts';

const root = process.getuid?.() === 0;
/** Somebody whom this host has; who is not root can only be himself. */
const somebody = root ? someUser() : { name: userInfo().username, uid: userInfo().uid };
const known: Record<string, number> = { [somebody.name]: somebody.uid };

function someUser(): { readonly name: string; readonly uid: number } {
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [name = '', , uid = ''] = line.split(':');
    if (/^[a-z]{2,10}$/.test(name) && Number(uid) > 0 && Number(uid) < 60_000)
      return { name, uid: Number(uid) };
  }
  throw new Error('/etc/passwd has nobody but root');
}

let bed: Bed;
let dir: string;
let installed: string;
const path = (name: string): string => join(dir, name);
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'spillway-login-'));
  chmodSync(dir, 0o755);
  installed = install();
  certificates();
  const jobOf = (id: number, user: string) => detail({ ref: jobRef(String(id)), id, user });
  bed = await makeBed({ snapshot: { jobs: [jobOf(1, somebody.name), jobOf(2, 'alice')] } });
}, 300_000);
afterAll(async () => {
  await bed?.close();
  for (const d of [dir, installed]) rmSync(d, { recursive: true, force: true });
});

const running: ChildProcess[] = [];
let listener: Listener | undefined;
afterEach(async () => {
  for (const child of running.splice(0)) {
    const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    child.kill('SIGKILL');
    await ended;
  }
  await listener?.close();
  await bed.query('delete from spillway.tokens', bed.database);
});

function certificates(): void {
  const run = (...args: string[]): void => void execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  run('req', '-x509', ...key, '-keyout', 'ca.key', '-subj', '/CN=ca', '-days', '2', '-out', 'ca.pem');
  writeFileSync(path('ext'), 'subjectAltName=IP:127.0.0.1\n');
  const names = { gateway: '/CN=gateway', login: '/CN=login1/OU=login', relay: `/CN=${cluster}` };
  for (const [name, subject] of Object.entries(names)) {
    run('req', '-new', ...key, '-keyout', `${name}.key`, '-subj', subject, '-out', `${name}.csr`);
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'ext', '-days', '2'];
    run('x509', '-req', '-in', `${name}.csr`, ...by, '-out', `${name}.pem`);
  }
}

/** Where relays and login hosts call; the same port again is the gateway that came back. */
async function openGateway(port = 0): Promise<number> {
  const uid = async (user: string) => {
    const found = known[user];
    if (found === undefined) throw new PortError('not_found', 'users.uid', `no user ${user}`);
    return found;
  };
  const logins = new Logins({
    desk: bed.desk,
    clusters: [{ name: cluster, users: { uid } }],
    clock,
    entropy,
  });
  const api = { loginHosts: ['login1', cluster] } as unknown as Parameters<typeof loginsOf>[0];
  const quiet = { info: () => undefined, warn: () => undefined };
  const read = (name: string): string => readFileSync(path(name), 'utf8');
  listener = await listenForRelays({
    ...{
      host: '127.0.0.1',
      port,
      cert: read('gateway.pem'),
      key: read('gateway.key'),
      clientCa: read('ca.pem'),
    },
    knows: (name) => name === cluster,
    accept: (socket) => void socket.on('error', () => undefined).destroy(),
    logins: loginsOf(api, logins, quiet),
  });
  return listener.port;
}

/** The daemon of a login host, with this certificate; its socket. */
async function startHost(port: number, by = 'login'): Promise<string> {
  const socket = path(`${by}-${port}-${running.length}.sock`);
  const at = {
    gateway: `127.0.0.1:${port}`,
    cert: path(`${by}.pem`),
    key: path(`${by}.key`),
    ca: path('ca.pem'),
  };
  writeFileSync(path('login.json'), JSON.stringify({ login: { socket, ...at } }), { mode: 0o644 });
  const child = spawn(join(installed, 'bin', 'spill-login'), ['-config', path('login.json')], {
    stdio: 'pipe',
  });
  running.push(child);
  let said = '';
  child.stderr.on('data', (more: Buffer) => (said += more.toString()));
  await until('the socket', () => {
    if (child.exitCode !== null) throw new Error(said);
    return said.includes('listens on');
  });
  return socket;
}

/** `spillway WORDS` as this user. */
async function spillway(socket: string, uid: number, env: Record<string, string>, ...words: string[]) {
  const { SPILLWAY_TOKEN, SPILLWAY_TOKEN_FILE, ...rest } = process.env;
  const script = fileURLToPath(new URL('login.user.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, String(uid), ...words], {
    env: { ...rest, SPILLWAY_URL: bed.base, SPILLWAY_LOGIN_SOCKET: socket, ...env },
    stdio: 'pipe',
  });
  running.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (more: Buffer) => (said += more.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, said };
}
const made = () => bed.desk.tokens();

it('a user sees his jobs by who he is on the host, and asks twice by one token', async () => {
  const socket = await startHost(await openGateway());
  for (let i = 0; i < 2; i++) {
    const { code, said } = await spillway(socket, somebody.uid, {}, 'jobs');
    expect([code, said]).toEqual([0, expect.stringMatching(new RegExp(`\\n1 +${somebody.name} `))]);
    expect(said).not.toContain('alice');
  }
  const tokens = await made();
  expect(tokens).toMatchObject([{ user: somebody.name, role: 'user', by: 'login socket of login1' }]);
  const [row] = await bed.store.audit(tokens[0]?.id ?? '');
  const words = `by login socket of login1: for ${somebody.name} as user until `;
  expect(row?.why).toMatch(new RegExp(`^${words}.*: uid ${somebody.uid} there$`));
});

it('a token that was revoked is not told again: the very next command has another', async () => {
  const socket = await startHost(await openGateway());
  expect((await spillway(socket, somebody.uid, {}, 'jobs')).code).toBe(0);
  const [first] = await made();
  await bed.desk.revokeToken(first?.id ?? '', 'olga', 'left the group');
  const { code, said } = await spillway(socket, somebody.uid, {}, 'jobs');
  expect([code, said]).toEqual([0, expect.stringMatching(new RegExp(`\\n1 +${somebody.name} `))]);
  expect((await made()).map((t) => t.state).sort()).toEqual(['made', 'revoked']);
});

it('who has a token keeps using that', async () => {
  const socket = await startHost(await openGateway());
  const SPILLWAY_TOKEN = await bed.token('alice', 'user');
  const { said } = await spillway(socket, somebody.uid, { SPILLWAY_TOKEN }, 'jobs');
  expect(said).toMatch(/\n2 +alice /);
  expect(await made()).toHaveLength(1);
});

it("a relay's certificate signs nobody in, though a login host has its name", async () => {
  const socket = await startHost(await openGateway(), 'relay');
  const { code, said } = await spillway(socket, somebody.uid, {}, 'jobs');
  expect(code).toBe(1);
  expect(said).toMatch(/gateway_unreachable.*api\.loginHosts.*OU=login.*or set SPILLWAY_TOKEN/);
  expect(await made()).toEqual([]);
});

it('root, and a user whom the cluster has by another uid, are told so', async () => {
  const socket = await startHost(await openGateway());
  known[somebody.name] = 4711;
  try {
    const { code, said } = await spillway(socket, somebody.uid, {}, 'jobs');
    expect([code, said]).toEqual([
      1,
      expect.stringMatching(/not_allowed.*another on the login node of hpc1/),
    ]);
  } finally {
    known[somebody.name] = somebody.uid;
  }
  if (root) expect((await spillway(socket, 0, {}, 'jobs')).said).toMatch(/the gateway asks who you are/);
  expect(await made()).toEqual([]);
});

it('a gateway that is away is told, and its return too', async () => {
  const port = await openGateway();
  const socket = await startHost(port);
  await listener?.close();
  const { code, said } = await spillway(socket, somebody.uid, {}, 'jobs');
  expect([code, said]).toEqual([
    1,
    expect.stringMatching(/gateway_unreachable.*refused.*or set SPILLWAY_TOKEN/),
  ]);
  await openGateway(port);
  await expect
    .poll(async () => (await spillway(socket, somebody.uid, {}, 'jobs')).code, { timeout: 30_000 })
    .toBe(0);
});
