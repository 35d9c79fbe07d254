/** `npm run demo` as a stranger runs it: it holds what it promises, in time, and leaves nothing, whenever it is stopped. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../../lab/demo/told.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** On a calm machine it takes 65 s; here others test beside it. */
const longestMs = 150_000;

let tmp: string;
let running: Run | undefined;
beforeEach(() => {
  tmp = mkdtempSync(join(tmpdir(), 'demo-test-'));
  // As root its Postgres runs as another account, and must pass through.
  chmodSync(tmp, 0o711);
});
afterEach(() => {
  if (running?.over === undefined) running?.signal('SIGKILL');
  rmSync(tmp, { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  output: string;
  /** Once it has ended: its exit code, or the signal that ended it. */
  over: number | string | undefined;
  /** As a terminal does it: to all that it started. */
  signal(name: NodeJS.Signals): void;
}

function demo(...options: readonly string[]): Run {
  const child = spawn('npm', ['run', '--silent', 'demo', '--', ...options], {
    cwd: root,
    env: { ...process.env, TMPDIR: tmp },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const run: Run = {
    child,
    output: '',
    over: undefined,
    signal: (name) => void (child.pid !== undefined && process.kill(-child.pid, name)),
  };
  const hear = (chunk: Buffer): void => {
    run.output += chunk;
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  child.on('close', (code, signal) => {
    run.over = code ?? signal ?? 'nothing';
  });
  running = run;
  return run;
}

const ended = (run: Run, withinMs = longestMs) => until(() => run.over !== undefined, withinMs);

/** What is left of it in the directory for temporary things; the caches of Node and tsx are nobody's. */
const files = (): readonly string[] =>
  readdirSync(tmp).filter((name) => !name.startsWith('tsx-') && name !== 'node-compile-cache');

/** Every process that was started with, or works in, that directory. */
function processes(): readonly string[] {
  if (!existsSync('/proc')) return [];
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const about = [
        readFileSync(`/proc/${pid}/cmdline`, 'utf8'),
        readFileSync(`/proc/${pid}/environ`, 'utf8'),
        readlinkSync(`/proc/${pid}/cwd`),
      ];
      return about.some((text) => text.includes(tmp)) ? [`${pid} ${about[0]?.replaceAll('\0', ' ')}`] : [];
    } catch {
      // It ended meanwhile, or is somebody else's.
      return [];
    }
  });
}

/** The ports that were listened on, by the files that name them. */
function portsOf(): readonly number[] {
  const [dir = ''] = files();
  const config = readFileSync(join(tmp, dir, 'spillway.yaml'), 'utf8');
  const kubeconfig = readFileSync(join(tmp, dir, 'kubeconfig'), 'utf8');
  const log = readFileSync(join(tmp, dir, 'gateway.log'), 'utf8');
  const found = [...`${config} ${kubeconfig} ${log}`.matchAll(/(?:127\.0\.0\.1:|"port": )(\d{2,5})/g)];
  return [...new Set(found.map(([, port]) => Number(port)))];
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
  });

it('plays a morning, finds all as it should be, and is gone', { timeout: longestMs + 30_000 }, async () => {
  const run = demo('--check', '--verbose');
  expect(await ended(run), run.output).toBe(true);
  expect(run.over, run.output).toBe(0);
  expect(run.output).toContain('All as it should be');
  expect(run.output).not.toContain('✗');
  expect(run.output).not.toContain('\u001b');
  // Every job has its line.
  expect(run.output.match(/^ {2}\d+(_\d+)? .*(COMPLETED|FAILED) \d+:\d+/gm)?.length).toBeGreaterThan(100);
  expect(files()).toEqual([]);
  expect(processes()).toEqual([]);
});

it('in the middle, Ctrl-C leaves no process, no port and no file', { timeout: longestMs }, async () => {
  const run = demo();
  expect(await until(() => run.output.includes('running') || run.over !== undefined, 120_000)).toBe(true);
  const ports = portsOf();
  expect(ports.length, `${ports}`).toBeGreaterThanOrEqual(5);
  expect(processes().some((one) => one.includes('postgres'))).toBe(true);
  run.signal('SIGINT');
  expect(await ended(run, 30_000), run.output).toBe(true);
  expect(run.over).not.toBe(0);
  expect(files()).toEqual([]);
  expect(processes()).toEqual([]);
  for (const port of ports) expect(await answers(port), `port ${port}`).toBe(false);
});

it.each(['SIGTERM', 'SIGHUP'] as const)(
  'before the gateway is up, %s leaves as little',
  { timeout: longestMs },
  async (name) => {
    const run = demo();
    const early = () => files().some((dir) => existsSync(join(tmp, dir, 'data', 'postgres')));
    expect(await until(early, 60_000), run.output).toBe(true);
    run.signal(name);
    expect(await ended(run, 30_000), run.output).toBe(true);
    expect(files()).toEqual([]);
    expect(processes()).toEqual([]);
  },
);

it('killed outright, its gateway and database end by themselves', { timeout: longestMs }, async () => {
  const run = demo();
  expect(await until(() => run.output.includes('the centre opens') || run.over !== undefined, 120_000)).toBe(
    true,
  );
  run.signal('SIGKILL');
  expect(await until(() => processes().length === 0, 30_000), processes().join('\n')).toBe(true);
});

it('options that it does not know are refused before anything is started', { timeout: 60_000 }, async () => {
  const run = demo('--sped', '7');
  expect(await ended(run, 50_000)).toBe(true);
  expect(run.over).toBe(2);
  expect(run.output).toMatch(/--sped.*\n.*usage: npm run demo/);
  expect(files()).toEqual([]);
});
