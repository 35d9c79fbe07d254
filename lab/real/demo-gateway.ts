/** The demo's gateway: `spillway serve` as a process of its own, as an administrator would run it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { gatewayConfig } from './gateway-config.ts';
import { ports } from './paths.ts';
import { LabError, until } from './proc.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const base = `http://127.0.0.1:${ports.gatewayHttp}`;

/** A line of its log: what it did, and, for a step of a burst or instance, from which state to which. */
const logLine = z.object({
  time: z.string().transform((text) => Date.parse(text)),
  msg: z.string().default(''),
  job: z.string().optional(),
  burst: z.string().optional(),
  instance: z.string().optional(),
  from: z.string().optional(),
  to: z.string().optional(),
});
export type LogLine = z.output<typeof logLine>;

/** GET /api/v1/bursts, as far as the demo reads it. */
const burst = z.object({
  id: z.string(),
  job: z.string(),
  jobId: z.number(),
  state: z.string(),
  user: z.string(),
  cause: z.object({ kind: z.string(), text: z.string() }).optional(),
  trouble: z.object({ text: z.string() }).optional(),
});
export type SeenBurst = z.output<typeof burst>;

const readiness = z.object({
  ready: z.boolean(),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), text: z.string() })),
});

export interface DemoGateway {
  readonly logFile: string;
  bursts(): Promise<readonly SeenBurst[]>;
  /** Ends it and removes its data; `keep` leaves the directory with its log. */
  stop(keep: boolean): Promise<void>;
}

/** Resolves once it says that it is ready: Slurm, Kubernetes, EC2 and its store all answer. */
export async function startGateway(
  env: Readonly<Record<string, string>>,
  heard: (line: LogLine) => void,
): Promise<DemoGateway> {
  if (await answers())
    throw new LabError(`another gateway listens on 127.0.0.1:${ports.gatewayHttp}; stop it first`);
  const dir = mkdtempSync(join(tmpdir(), 'spillway-demo-'));
  const config = join(dir, 'spillway.yaml');
  const logFile = join(dir, 'gateway.log');
  // Its Postgres does not run as root, and must pass through.
  chmodSync(dir, 0o711);
  // Short, so that the end of the instance is part of the story.
  writeFileSync(config, gatewayConfig({ env, dataDir: join(dir, 'data'), idle: '5s', max: 1 }));
  writeFileSync(logFile, '');
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, 'serve'], {
    // Of its own process group: Ctrl-C is the demo's to answer.
    detached: true,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      AWS_ACCESS_KEY_ID: env.AWS_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY: env.AWS_SECRET_ACCESS_KEY,
      AWS_EC2_METADATA_DISABLED: 'true',
      SPILLWAY_CONFIG: config,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stderr.on('data', (chunk: Buffer) => appendFileSync(logFile, chunk));
  createInterface({ input: child.stdout }).on('line', (line) => {
    appendFileSync(logFile, `${line}\n`);
    const read = readLine(line);
    if (read !== undefined) heard(read);
  });
  const gateway: DemoGateway = {
    logFile,
    bursts: async () =>
      z
        .object({ bursts: z.array(burst) })
        .parse(await (await fetch(`${base}/api/v1/bursts?limit=500`)).json()).bursts,
    stop: async (keep) => {
      await end(child);
      if (!keep) rmSync(dir, { recursive: true, force: true });
    },
  };
  try {
    // One that has ended will not become ready.
    await until(async () => over(child) || (await ready()), {
      what: 'the gateway to be ready',
      timeoutMs: 60_000,
      log: logFile,
    });
    if (over(child))
      throw new LabError(`the gateway ended: ${readFileSync(logFile, 'utf8').trim().slice(-1_000)}`, logFile);
  } catch (error) {
    await gateway.stop(true);
    throw error;
  }
  return gateway;
}

async function ready(): Promise<boolean> {
  const said = readiness.parse(await (await fetch(`${base}/readyz`)).json());
  const missing = said.checks.filter(({ ok }) => !ok);
  if (missing.length > 0) throw new Error(missing.map(({ name, text }) => `${name}: ${text}`).join('; '));
  return said.ready;
}

async function answers(): Promise<boolean> {
  return fetch(`${base}/healthz`).then(
    () => true,
    () => false,
  );
}

const over = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

async function end(child: ChildProcess): Promise<void> {
  if (over(child)) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 30_000);
  await gone;
  clearTimeout(late);
}

/** Whatever is no line of its log (a stack) is in the file. */
function readLine(line: string): LogLine | undefined {
  try {
    const read = logLine.safeParse(JSON.parse(line));
    return read.success ? read.data : undefined;
  } catch {
    return undefined;
  }
}
