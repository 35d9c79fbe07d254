/** The gateway, as a process of its own, as an administrator would run it: `spillway serve` with a database in a directory of ours. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { until } from './told.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const leash = new URL('./leash.ts', import.meta.url).href;
/** A cold start: Postgres makes its database, on a machine that may be busy. */
const startMs = 90_000;
const stopMs = 15_000;

/** Its API, as far as the demo reads it. */
const burst = z.object({
  job: z.string(),
  restarts: z.number(),
  user: z.string(),
  account: z.string(),
  state: z.string(),
  instance: z.string().optional(),
  cause: z.object({ kind: z.string(), text: z.string() }).optional(),
});
export type SeenBurst = z.output<typeof burst>;
const decision = z.object({
  id: z.string(),
  job: z.string(),
  user: z.string(),
  at: z.iso.datetime().transform((text) => Date.parse(text)),
  kind: z.enum(['decision', 'outcome']),
  verdict: z.enum(['burst', 'wait', 'never']),
  text: z.string(),
  because: z.array(z.object({ rule: z.string(), pass: z.boolean(), measured: z.string() })),
});
export type SeenDecision = z.output<typeof decision>;
const budget = z.object({
  account: z.string(),
  limitMicroUsd: z.number(),
  heldMicroUsd: z.number(),
  spentMicroUsd: z.number(),
});
export type SeenBudget = z.output<typeof budget>;
const instance = z.object({
  id: z.string(),
  state: z.string(),
  cloudId: z.string().optional(),
  type: z.string().optional(),
  zone: z.string().optional(),
  why: z.string().optional(),
});
export type SeenInstance = z.output<typeof instance>;
const readiness = z.object({
  ready: z.boolean(),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), text: z.string() })),
});
const logLine = z.object({
  level: z.number(),
  msg: z.string().default(''),
  http: z.string().optional(),
  relay: z.string().optional(),
});

/** All that the API tells at one moment. */
export interface Sight {
  readonly bursts: readonly SeenBurst[];
  readonly decisions: readonly SeenDecision[];
  readonly budgets: readonly SeenBudget[];
  readonly instances: readonly SeenInstance[];
}

export interface Gateway {
  /** Such as `http://127.0.0.1:40123`. */
  readonly http: string;
  readonly relayPort: number;
  readonly logFile: string;
  /** Resolves once Slurm, Kubernetes, the cloud and its own database have all answered it, or once nobody waits for that any more. */
  readonly ready: Promise<void>;
  /** What it said of itself that no gateway should have to say. */
  readonly errors: readonly string[];
  /** With so many of the newest decisions. */
  look(decisions: number): Promise<Sight>;
  /** Undefined while it runs. */
  ended(): string | undefined;
  stop(): Promise<void>;
}

export class GatewayError extends Error {}

export function startGateway(dir: string, config: string, stop: AbortSignal): Gateway {
  const logFile = join(dir, 'gateway.log');
  const log = createWriteStream(logFile);
  const child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), '--import', leash, main, 'serve', '--config', config],
    {
      // Of its own process group: Ctrl-C is the demo's to answer.
      detached: true,
      // Without the environment of whoever runs the demo: no credentials, no proxies, no node options.
      env: {
        ...Object.fromEntries(['PATH', 'HOME', 'TMPDIR', 'LANG'].map((name) => [name, process.env[name]])),
        AWS_ACCESS_KEY_ID: 'demo',
        AWS_SECRET_ACCESS_KEY: 'demo',
        AWS_EC2_METADATA_DISABLED: 'true',
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  const said = { http: '', relayPort: 0 };
  const errors: string[] = [];
  child.on('error', (error) => errors.push(`it could not be started: ${error.message}`));
  child.stdin.on('error', () => undefined);
  child.stderr.on('data', (chunk: Buffer) => void log.write(chunk));
  createInterface({ input: child.stdout }).on('line', (line) => {
    log.write(`${line}\n`);
    const read = readLine(line);
    // Pino's 50 is an error.
    if (read !== undefined && read.level >= 50) errors.push(read.msg);
    if (read?.http === undefined || read.relay === undefined) return;
    said.http = `http://${read.http}`;
    said.relayPort = Number(read.relay.split(':').at(-1));
  });
  const ended = (): string | undefined => {
    if (child.exitCode === null && child.signalCode === null) return undefined;
    return `the gateway ended (${child.signalCode ?? child.exitCode}): ${tail(logFile)}`;
  };
  const becomeReady = async (): Promise<void> => {
    let why = '';
    const answered = async (): Promise<boolean> => {
      if (ended() !== undefined) return true;
      if (said.http === '') return false;
      const missing = await missingFrom(said.http).catch((error: unknown) => `${error}`);
      why = missing ?? '';
      return missing === undefined;
    };
    const up = await until(answered, startMs, stop);
    const over = ended();
    if (stop.aborted || (up && over === undefined)) return;
    throw new GatewayError(
      over ?? `the gateway is not ready after ${startMs / 1000} s: ${why} ${tail(logFile)}`,
    );
  };
  const ready = becomeReady();
  // Whoever awaits it hears of it.
  ready.catch(() => undefined);
  return {
    get http() {
      return said.http;
    },
    get relayPort() {
      return said.relayPort;
    },
    ...{ logFile, errors, ready, ended },
    look: (decisions) => look(said.http, decisions),
    stop: async () => {
      await end(child, dir);
      await new Promise<void>((resolve) => log.end(resolve));
    },
  };
}

/** What is missing, if anything. */
async function missingFrom(http: string): Promise<string | undefined> {
  const said = readiness.parse(await (await fetch(`${http}/readyz`)).json());
  const missing = said.checks.filter(({ ok }) => !ok);
  if (missing.length > 0) return missing.map(({ name, text }) => `${name}: ${text}`).join('; ');
  // Of a port that nobody has asked yet nothing is said.
  const all = said.checks.map(({ name }) => name);
  const lacks = ['store', 'slurm/', 'cloud/', 'kubernetes'].filter((p) => !all.some((n) => n.startsWith(p)));
  if (lacks.length > 0) return `nothing is known yet of ${lacks.join(', ')}`;
  return said.ready ? undefined : 'not ready';
}

async function look(http: string, newest: number): Promise<Sight> {
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(`${http}/api/v1/${path}`, { signal: AbortSignal.timeout(5_000) });
    if (!response.ok) throw new GatewayError(`GET /api/v1/${path}: ${response.status}`);
    return response.json();
  };
  const [bursts, decisions, budgets, instances] = await Promise.all([
    get('bursts?limit=1000'),
    get(`decisions?limit=${newest}`),
    get('budgets'),
    get('instances?limit=1000'),
  ]);
  return {
    ...z.object({ bursts: z.array(burst) }).parse(bursts),
    ...z.object({ decisions: z.array(decision) }).parse(decisions),
    ...z.object({ budgets: z.array(budget) }).parse(budgets),
    ...z.object({ instances: z.array(instance) }).parse(instances),
  };
}

/** By its own orderly way; and if it does not go, it and its database are ended all the same. */
async function end(child: ChildProcess, dir: string): Promise<void> {
  if (child.pid === undefined) return;
  const over = (): boolean => child.exitCode !== null || child.signalCode !== null;
  if (!over()) {
    child.kill('SIGTERM');
    if (!(await until(over, stopMs))) child.kill('SIGKILL');
    await until(over, 5_000);
  }
  const postgres = postmaster(join(dir, 'data', 'postgres', 'data'));
  if (postgres === undefined) return;
  // Immediate shutdown: nothing in it is wanted any more.
  process.kill(postgres, 'SIGQUIT');
  await until(() => !alive(postgres), 5_000);
}

/** The database server that was left alone, by its own word in its directory; by where it works it is known to be that one. */
function postmaster(data: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    if (!Number.isInteger(pid) || pid <= 1 || !alive(pid)) return undefined;
    if (process.platform === 'linux' && readlinkSync(`/proc/${pid}/cwd`) !== realpathSync(data))
      return undefined;
    return pid;
  } catch {
    return undefined;
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whatever is no line of its log (a stack) is in the file. */
function readLine(line: string): z.output<typeof logLine> | undefined {
  try {
    const read = logLine.safeParse(JSON.parse(line));
    return read.success ? read.data : undefined;
  } catch {
    return undefined;
  }
}

function tail(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim().split('\n').slice(-5).join('\n');
  } catch {
    return '';
  }
}
