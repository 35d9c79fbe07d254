/** What the end-to-end tests share: the lab's env, users, Slurm's words and a gateway process that can be killed. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ec2Cloud } from '../../adapters/cloud/ec2/index.ts';
import { type GatewayWishes, gatewayConfig } from '../../lab/real/gateway-config.ts';
import { clusterName, dirs, ports, stateDir } from '../../lab/real/paths.ts';
import type { BurstView } from '../../src/api/schemas.ts';
import { ignoring } from '../../src/domain/fault.ts';
import { cloudId, clusterName as cluster, instant } from '../../src/domain/ids.ts';

const exec = promisify(execFile);
export const root = new URL('../..', import.meta.url).pathname;
const tsx = import.meta.resolve('tsx');

export { clusterName, dirs, ports, stateDir };

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function ran(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string; readonly input?: string } = {},
): Promise<Ran> {
  const child = exec(command, args, {
    env: options.env ?? process.env,
    cwd: options.cwd,
    maxBuffer: 1 << 28,
    encoding: 'utf8',
  });
  // A command may be over before it has read its input.
  child.child.stdin?.on('error', () => undefined);
  if (options.input !== undefined) child.child.stdin?.end(options.input);
  try {
    const { stdout, stderr } = await child;
    return { code: 0, stdout, stderr };
  } catch (e) {
    const failed = e as { code?: number | string; stdout?: string; stderr?: string; message: string };
    return {
      code: typeof failed.code === 'number' ? failed.code : 255,
      stdout: failed.stdout ?? '',
      stderr: failed.stderr ?? failed.message,
    };
  }
}

export async function lab(...args: readonly string[]): Promise<string> {
  const done = await ran(process.execPath, ['--import', tsx, 'lab/real/main.ts', ...args], { cwd: root });
  if (done.code !== 0) throw new Error(`lab ${args.join(' ')}: ${done.stderr}`);
  return done.stdout;
}

let known: Readonly<Record<string, string>> | undefined;
/** Fails where the lab is down: a lane whose needs are missing does not skip. */
export async function labEnv(): Promise<Readonly<Record<string, string>>> {
  known ??= JSON.parse(await lab('env', '--json')) as Record<string, string>;
  for (const name of ['SLURM_CONF', 'SPILLWAY_LAB_KUBECONFIG', 'SPILLWAY_LAB_EC2_ENDPOINT'])
    if (known[name] === undefined)
      throw new Error(`the lab is not up (${name} is missing): npm run lab -- up`);
  return known;
}

/** Waiting is of no use any more. */
class Fatal extends Error {}

/** Waits for a condition, not for time; says what it waited for and what it saw last. */
export async function until<T>(
  what: string | (() => string),
  ask: () => Promise<T | undefined | false>,
  timeoutMs = 60_000,
  everyMs = 200,
): Promise<T> {
  const end = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      last = answer;
    } catch (e) {
      if (e instanceof Fatal) throw e;
      last = e;
    }
    if (Date.now() > end)
      throw new Error(
        `waited ${timeoutMs / 1000} s for ${typeof what === 'string' ? what : what()}; last: ${last instanceof Error ? last.message : JSON.stringify(last)}`,
      );
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

// --- Slurm -----------------------------------------------------------------------------------------------------------

export type User = 'alice' | 'bob' | 'root' | 'spillway';
const uids: Readonly<Record<'alice' | 'bob', number>> = { alice: 2001, bob: 2002 };
export const home = (user: 'alice' | 'bob'): string => `${dirs.home}/${user}`;

/** A command as a user, as after a login on a submit host. */
export async function as(
  user: User,
  args: readonly string[],
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly input?: string;
    readonly cwd?: string;
  } = {},
): Promise<Ran> {
  const conf = (await labEnv()).SLURM_CONF ?? '';
  const env = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', SLURM_CONF: conf, LC_ALL: 'C.UTF-8', ...options.env };
  if (user === 'root' || user === 'spillway') {
    const who =
      user === 'root' ? [] : ['setpriv', '--reuid=spillway', '--regid=spillway', '--init-groups', '--'];
    const [command = '', ...rest] = [...who, ...args];
    return ran(command, rest, { env, ...(options.input === undefined ? {} : { input: options.input }) });
  }
  const uid = uids[user];
  return ran('setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--init-groups', '--', ...args], {
    env: { ...env, HOME: home(user), USER: user, LOGNAME: user, SHELL: '/bin/bash' },
    cwd: options.cwd ?? home(user),
    ...(options.input === undefined ? {} : { input: options.input }),
  });
}

const submitted: { user: User; id: string }[] = [];

/** Submits a script and answers its job id. Files go to the user's home. */
export async function sbatch(
  user: 'alice' | 'bob',
  args: readonly string[],
  script?: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const done = await as(user, ['sbatch', '--parsable', ...args], {
    env,
    ...(script === undefined ? {} : { input: script }),
  });
  if (done.code !== 0) throw new Error(`sbatch ${args.join(' ')}: ${done.stderr}`);
  const id = done.stdout.trim().split(';')[0] ?? '';
  submitted.push({ user, id });
  return id;
}

/** At the end of a file: nothing of it is left in the queue. */
export async function cleanJobs(): Promise<void> {
  if (submitted.length > 0) await as('root', ['scancel', ...submitted.map((j) => j.id)]);
  for (const { id } of submitted.splice(0))
    await until(
      `job ${id} to leave the queue`,
      async () => {
        const seen = await jobFields(id);
        return (
          seen === undefined ||
          !['PENDING', 'RUNNING', 'COMPLETING', 'CONFIGURING'].includes(seen.JobState ?? '')
        );
      },
      90_000,
    );
}

/** `scontrol show job`, as a map; undefined once slurmctld forgot it. */
export async function jobFields(id: string): Promise<Record<string, string> | undefined> {
  const done = await as('root', ['scontrol', '-o', 'show', 'job', id]);
  if (done.code !== 0) return undefined;
  const fields: Record<string, string> = {};
  for (const m of (done.stdout.split('\n')[0] ?? '').matchAll(/(\S+?)=(\S*)/g))
    fields[m[1] ?? ''] ??= m[2] ?? '';
  return fields;
}

export interface Accounted {
  readonly state: string;
  readonly exit: string;
  readonly partition: string;
  readonly tres: string;
  readonly adminComment: string;
  readonly limit: string;
}

/** The newest run of the job, from slurmdbd. */
export async function sacct(id: string): Promise<Accounted | undefined> {
  const done = await as('root', [
    'sacct',
    '-X',
    '-n',
    '-P',
    '-j',
    id,
    '-o',
    'State,ExitCode,Partition,AllocTRES,TimelimitRaw,AdminComment',
  ]);
  const line = done.stdout.trim().split('\n').at(-1) ?? '';
  if (line === '') return undefined;
  const [state = '', exit = '', partition = '', tres = '', limit = '', ...comment] = line.split('|');
  return { state, exit, partition, tres, limit, adminComment: comment.join('|') };
}

export async function ended(id: string, timeoutMs = 120_000): Promise<Accounted> {
  return until(
    `job ${id} to end in sacct`,
    async () => {
      const seen = await sacct(id);
      // slurmdbd may hear of the end before the start: until it has heard of both, the partition is not known to it.
      return seen !== undefined &&
        seen.partition !== '' &&
        !/^(PENDING|RUNNING|COMPLETING|REQUEUED|RESIZING)/.test(seen.state)
        ? seen
        : undefined;
    },
    timeoutMs,
    500,
  );
}

export async function inState(
  id: string,
  state: string,
  timeoutMs = 120_000,
): Promise<Record<string, string>> {
  return until(
    `job ${id} to be ${state}`,
    async () => {
      const seen = await jobFields(id);
      return seen?.JobState === state ? seen : undefined;
    },
    timeoutMs,
  );
}

/** Keeps all 16 CPUs of n1 and n2 busy until `release`. */
export async function fillOnPrem(user: 'alice' | 'bob' = 'bob'): Promise<{ release(): Promise<void> }> {
  const ids: string[] = [];
  for (const node of ['n1', 'n2'])
    ids.push(
      await sbatch(user, [
        '-p',
        'batch',
        '-w',
        node,
        '--exclusive',
        '-t',
        '30',
        '-o',
        '/dev/null',
        '--wrap',
        'sleep 1500',
      ]),
    );
  for (const id of ids) await inState(id, 'RUNNING', 60_000);
  return { release: async () => void (await as('root', ['scancel', ...ids])) };
}

export function outputOf(user: 'alice' | 'bob', id: string): string {
  return readFileSync(`${home(user)}/slurm-${id}.out`, 'utf8');
}

// --- Kubernetes and EC2 ----------------------------------------------------------------------------------------------

export async function kubectl(args: readonly string[]): Promise<Ran> {
  const env = await labEnv();
  return ran(env.SPILLWAY_LAB_KUBECTL ?? 'kubectl', [
    '--kubeconfig',
    env.SPILLWAY_LAB_ADMIN_KUBECONFIG ?? '',
    ...args,
  ]);
}

export async function pods(): Promise<{ name: string; namespace: string; burst: string; phase: string }[]> {
  const list = await kubectl(['get', 'pods', '-A', '-l', 'spillway.dev/burst', '-o', 'json']);
  const { items } = JSON.parse(list.stdout) as {
    items: {
      metadata: { name: string; namespace: string; labels: Record<string, string> };
      status: { phase: string };
    }[];
  };
  return items.map((p) => ({
    name: p.metadata.name,
    namespace: p.metadata.namespace,
    burst: p.metadata.labels['spillway.dev/burst'] ?? '',
    phase: p.status.phase,
  }));
}

/** Instances that the cloud has and that are not terminated. */
export async function instances(): Promise<{ id: string; state: string; dnsName: string }[]> {
  const endpoint = (await labEnv()).SPILLWAY_LAB_EC2_ENDPOINT ?? '';
  const answer = (await (await fetch(`${endpoint}/_lab/state`)).json()) as {
    machines: { id: string; dnsName: string; history: { state: string }[] }[];
  };
  return answer.machines
    .map((m) => ({ id: m.id, dnsName: m.dnsName, state: m.history.at(-1)?.state ?? '' }))
    .filter((m) => m.state !== 'terminated');
}

// --- the gateway -----------------------------------------------------------------------------------------------------

export interface RunningGateway {
  readonly dataDir: string;
  bursts(): Promise<BurstView[]>;
  burstOf(job: string): Promise<BurstView | undefined>;
  /** Waits until the newest burst of the job is in one of these states. */
  reaches(job: string, states: readonly BurstView['state'][], timeoutMs?: number): Promise<BurstView>;
  readyz(): Promise<{
    status: number;
    body: {
      ready: boolean;
      checks: { name: string; ok: boolean; text: string }[];
      troubles: { job?: string; text: string }[];
    };
  }>;
  /** The process ended by itself (SPILLWAY_DIE_AT). */
  died(timeoutMs?: number): Promise<void>;
  kill9(): Promise<void>;
  stop(): Promise<void>;
  /** What it logged so far. */
  log(): string;
  /** The command line, on this gateway's configuration. */
  spillway(...args: readonly string[]): Promise<Ran>;
}

/** Of the gateway's account in Slurm. */
export async function adminLevel(level: 'Operator' | 'None'): Promise<void> {
  const set = ['sacctmgr', '-i', 'modify', 'user', 'where', 'name=spillway', 'set', `adminlevel=${level}`];
  const done = await as('root', set);
  // Where it is so already sacctmgr says that nothing was modified, and ends by 1.
  if (done.code !== 0 && !/Nothing modified/.test(done.stdout + done.stderr))
    throw new Error(`sacctmgr: ${done.stdout}${done.stderr}`);
}

/** What a test that failed half-way left behind is not the next one's to find. */
export async function tidyLab(): Promise<void> {
  const env = await labEnv();
  await as('root', ['scancel', '-u', 'alice']);
  await as('root', ['scancel', '-u', 'bob']);
  await adminLevel('Operator');
  const cloud = ec2Cloud(
    {
      cluster: cluster(clusterName),
      region: env.SPILLWAY_LAB_EC2_REGION ?? '',
      endpoint: env.SPILLWAY_LAB_EC2_ENDPOINT ?? '',
      credentials: { accessKeyId: 'lab', secretAccessKey: 'lab' },
    },
    { clock: { now: () => instant(Date.now()) } },
  );
  for (const i of await instances()) await ignoring('not_found', cloud.terminate(cloudId(i.id)));
  await cloud.close();
  await until(
    'no instance to be left of an earlier file',
    async () => (await instances()).length === 0,
    60_000,
  );
  // Admission lets nobody but the gateway touch its pods, so they go in its name.
  const gateway = ['--kubeconfig', env.SPILLWAY_LAB_KUBECONFIG ?? ''];
  for (const p of await pods()) {
    const kubectlAsGateway = (...args: string[]): Promise<Ran> =>
      ran(env.SPILLWAY_LAB_KUBECTL ?? 'kubectl', [...gateway, '-n', p.namespace, ...args]);
    await kubectlAsGateway('delete', 'pod', p.name, '--force', '--grace-period=0', '--wait=false');
    await kubectlAsGateway('patch', 'pod', p.name, '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
  }
  await until('no pod to be left of an earlier file', async () => (await pods()).length === 0, 60_000);
  await as('root', ['scontrol', 'update', 'nodename=n[1-2],c[1-12]', 'state=resume']);
}

const running = new Set<ChildProcess>();
const dataDirs = new Set<string>();

export async function startGateway(
  wishes: Partial<GatewayWishes> & {
    readonly dieAt?: string;
    readonly awaitReady?: boolean;
    /** A certificate that it trusts besides the usual ones. */
    readonly trusts?: string;
  } = {},
): Promise<RunningGateway> {
  const env = await labEnv();
  if (wishes.dataDir === undefined) await tidyLab();
  // What only looks needs no right; the next file's tidying gives it back.
  if (wishes.onlyLooks === true) await adminLevel('None');
  const dataDir = wishes.dataDir ?? mkdtempSync(join(tmpdir(), 'spillway-gateway-'));
  mkdirSync(dataDir, { recursive: true });
  // The embedded Postgres runs as an account of its own, which must get there.
  chmodSync(dataDir, 0o755);
  dataDirs.add(dataDir);
  const { dieAt, awaitReady, trusts, ...rest } = wishes;
  const config = join(dataDir, 'spillway.yaml');
  const logFile = join(dataDir, 'gateway.log');
  writeFileSync(config, gatewayConfig({ ...rest, dataDir: join(dataDir, 'data'), env }));
  const log = createWriteStream(logFile, { flags: 'a' });
  const child = spawn(process.execPath, ['--import', tsx, join(root, 'src/main.ts'), 'serve'], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      ...(wishes.onlyLooks !== true && {
        AWS_ACCESS_KEY_ID: env.AWS_ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY: env.AWS_SECRET_ACCESS_KEY,
      }),
      SPILLWAY_CONFIG: config,
      ...(dieAt === undefined ? {} : { SPILLWAY_DIE_AT: dieAt }),
      ...(trusts === undefined ? {} : { NODE_EXTRA_CA_CERTS: trusts }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.stdout?.pipe(log);
  child.stderr?.pipe(log);
  const exited = new Promise<void>((resolve) =>
    child.once('exit', () => {
      running.delete(child);
      resolve();
    }),
  );
  const base = `http://127.0.0.1:${ports.gatewayHttp}`;
  const gateway: RunningGateway = {
    dataDir,
    bursts: async () =>
      ((await (await fetch(`${base}/api/v1/bursts?limit=500`)).json()) as { bursts: BurstView[] }).bursts,
    burstOf: async (job) => (await gateway.bursts()).find((b) => b.job === job || `${b.jobId}` === job),
    reaches: (job, states, timeoutMs = 90_000) =>
      until(
        () =>
          `the burst of job ${job} to be ${states.join(' or ')}\n${gateway.log().split('\n').slice(-25).join('\n')}`,
        async () => {
          const burst = await gateway.burstOf(job);
          return burst !== undefined && states.includes(burst.state) ? burst : undefined;
        },
        timeoutMs,
      ),
    readyz: async () => {
      const answer = await fetch(`${base}/readyz`);
      return {
        status: answer.status,
        body: (await answer.json()) as Awaited<ReturnType<RunningGateway['readyz']>>['body'],
      };
    },
    died: async (timeoutMs = 90_000) => {
      await until(
        `the gateway to die at ${dieAt}`,
        async () => child.exitCode !== null || child.signalCode !== null,
        timeoutMs,
      );
      await exited;
    },
    kill9: async () => {
      child.kill('SIGKILL');
      await exited;
    },
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 30_000);
      await exited;
      clearTimeout(late);
    },
    log: () => readFileSync(logFile, 'utf8'),
    spillway: (...args) =>
      ran(process.execPath, ['--import', tsx, join(root, 'src/main.ts'), ...args], {
        env: { ...process.env, SPILLWAY_CONFIG: config },
      }),
  };
  await until(
    `the gateway to ${awaitReady === false ? 'answer' : 'be ready'} (log: ${logFile})`,
    async () => {
      if (child.exitCode !== null) throw new Fatal(`it ended: ${gateway.log().slice(-3_000)}`);
      return awaitReady === false
        ? (await fetch(`${base}/healthz`)).ok
        : (await gateway.readyz()).status === 200;
    },
    60_000,
  ).catch((e: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`${(e as Error).message}\n${gateway.log().slice(-4_000)}`);
  });
  return gateway;
}

/** Ends the gateway once nothing is alive any more, so that no pod, instance or claim is left for the next file. */
export async function endGateway(gateway: RunningGateway | undefined): Promise<void> {
  await cleanJobs();
  // It did not start: that failure is told, and there is nothing to wait for.
  if (gateway === undefined) return;
  await until(
    'no burst to be alive',
    async () => {
      const live = (await (
        await fetch(`http://127.0.0.1:${ports.gatewayHttp}/api/v1/bursts?limit=500&live=true`)
      ).json()) as { bursts: BurstView[] };
      if (live.bursts.length > 0)
        throw new Error(live.bursts.map((b) => `${b.job} ${b.state} ${b.trouble?.text ?? ''}`).join('; '));
      return true;
    },
    120_000,
  );
  await until('no instance to be left', async () => (await instances()).length === 0, 120_000);
  await gateway.stop();
  // The newest log is kept, for whoever wonders about a failure.
  copyFileSync(join(gateway.dataDir, 'gateway.log'), join(tmpdir(), 'spillway-e2e-gateway.log'));
  dataDirs.delete(gateway.dataDir);
  rmSync(gateway.dataDir, { recursive: true, force: true });
}

/** For a file that failed half-way: no process of it survives, its database neither. */
export function killGateways(): void {
  for (const child of running) child.kill('SIGKILL');
  for (const dir of dataDirs) {
    const pid = Number(readPidFile(`${dir}/data/postgres/data/postmaster.pid`));
    if (pid > 1) process.kill(pid, 'SIGQUIT');
  }
}

function readPidFile(file: string): string {
  try {
    return readFileSync(file, 'utf8').split('\n')[0] ?? '';
  } catch {
    // Stopped and tidied away.
    return '';
  }
}
