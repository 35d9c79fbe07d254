/**
 * `npm run demo:lab`: one real job from sbatch to sacct by way of a cloud, told line by line as it happens, and a second one that
 * ends by 7. Exits 0 only if all is as it should be.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type LogLine, startGateway } from './demo-gateway.ts';
import { as, machines, type Sight, watchAll } from './demo-sights.ts';
import { cold, idle, isOurs, living, type Story, wait, warm } from './demo-story.ts';
import { type Account, account } from './demo-times.ts';
import { loadPart, partNames } from './parts.ts';
import { LabError } from './proc.ts';
import { account as userAccount } from './users.ts';

const usage = `usage: npm run demo:lab [-- --down]
  --down   take the lab down at the end
`;
const labMain = fileURLToPath(new URL('./main.ts', import.meta.url));
const quiet = { say: () => undefined };

const began = performance.now();
function say(who: string, text: string): void {
  const at = ((performance.now() - began) / 1000).toFixed(2);
  process.stdout.write(`${at.padStart(7)} s  ${who.padEnd(14)}  ${text}\n`);
}

/** What keeps the demo from running here, with what to do; undefined: nothing. */
function hindrance(): string | undefined {
  const root = process.getuid?.() === 0;
  const debian = isDebian12();
  if (root && debian) return undefined;
  const lacks = [...(debian ? [] : ['Debian 12']), ...(root ? [] : ['root'])].join(' and ');
  return `the demo starts a real Slurm and a real Kubernetes on this machine, which needs ${lacks}: run it as root in a virtual machine of Debian 12`;
}

function isDebian12(): boolean {
  try {
    const release = readFileSync('/etc/os-release', 'utf8');
    return /^ID=debian$/m.test(release) && /^VERSION_ID="12"$/m.test(release);
  } catch {
    return false;
  }
}

async function labCommand(verb: 'up' | 'down'): Promise<void> {
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), labMain, verb], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const code = await new Promise<number>((resolve) => {
    child.on('error', () => resolve(127));
    child.on('close', (status) => resolve(status ?? 1));
  });
  if (code !== 0) throw new LabError(`npm run lab -- ${verb} failed`);
}

async function labIsUp(): Promise<boolean> {
  for (const name of partNames) if (!(await (await loadPart(name)).status(quiet)).healthy) return false;
  return true;
}

async function labEnv(): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const name of partNames) Object.assign(all, await (await loadPart(name)).env(quiet));
  return all;
}

/** Gives what is wrong, in words; an empty list is a demo that went well. */
async function tell(stop: AbortSignal, hurry: AbortSignal): Promise<readonly string[]> {
  const wrong: string[] = [];
  const log: LogLine[] = [];
  const sights: Sight[] = [];
  const known = new Set((await machines()).map(({ id }) => id));
  say('lab', 'starts a gateway of its own: spillway serve');
  const gateway = await startGateway(await labEnv(), (line) => {
    log.push(line);
    const text = inWords(line);
    if (text !== undefined) say('gateway', text);
  });
  say('gateway', 'is ready: Slurm, Kubernetes, EC2 and its own store answer');
  const check: Story['check'] = (what, holds, seen) => {
    say(holds ? '✓' : '✗ WRONG', holds ? what : `${what}; seen: ${seen === '' ? 'nothing' : seen}`);
    if (!holds) wrong.push(what);
  };
  const user = userAccount('alice');
  const story: Story = { user, gateway, sights, jobs: [], known, stop, say, check };
  const watching = watchAll(user, (sight) => {
    sights.push(sight);
    if (isOurs(story, sight)) say(...seen(sight));
  });
  try {
    const first = await cold(story);
    const second = await warm(story);
    await idle(story);
    report('cold node', account(first, log, sights));
    report('warm node', account(second, log, sights));
  } catch (error) {
    wrong.push(inShort(stop.aborted ? new LabError('stopped before its end') : error));
    await tidyUp(story, hurry);
  } finally {
    watching.stop();
    const keep = wrong.length > 0 && !stop.aborted;
    await gateway.stop(keep);
    say('gateway', keep ? `is stopped; its log: ${gateway.logFile}` : 'is stopped');
  }
  return wrong;
}

/** So that a demo that was cut short leaves no job and no instance to the next. */
async function tidyUp(story: Story, hurry: AbortSignal): Promise<void> {
  say('lab', 'tidies up: cancels its jobs, waits for its instances to be terminated');
  if (story.jobs.length > 0) await as(story.user, ['scancel', ...story.jobs.map(({ id }) => id)]);
  const none = () => living(story).length === 0;
  await wait(hurry, 'instances to be terminated', 60_000, none).catch(() => undefined);
  if (!none()) say('lab', 'instances are left; npm run lab -- down ec2 terminates them');
}

/** Steps of bursts and instances, and what led to them; the rest of its log is for an operator. */
function inWords({ msg, from, to, job, burst, instance }: LogLine): string | undefined {
  if (from !== undefined && to !== undefined)
    return `${job === undefined ? 'instance' : `job ${job}`}: ${from} → ${to}: ${msg}`;
  if (burst !== undefined && job !== undefined) return `job ${job}: ${msg}`;
  return instance === undefined ? undefined : msg;
}

function seen(sight: Sight): [string, string] {
  switch (sight.kind) {
    case 'queue':
      return ['squeue', `job ${sight.job}: ${sight.partition} ${sight.state} ${sight.where}`];
    case 'instance':
      return ['EC2', `${sight.id} (${sight.type} in ${sight.zone}): ${sight.state}`];
    case 'node':
      return ['kubectl', `node ${sight.name}: ${sight.state}`];
    case 'pod':
      return ['kubectl', `pod ${sight.name}: ${podInWords(sight)}`];
  }
}

function podInWords({ state, user, node }: Extract<Sight, { kind: 'pod' }>): string {
  if (state === 'made') return `made for ${user}`;
  return state === 'placed' ? `placed on ${node}` : state;
}

/** What a lab's fault says is for a person; anything else is a bug of the demo and keeps its stack. */
function inShort(error: unknown): string {
  if (error instanceof LabError) return error.message;
  return error instanceof Error ? `${error.stack}` : `${error}`;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2).padStart(6)} s`;

function report(where: string, of: Account | undefined): void {
  if (of === undefined) {
    say('measured', `${where}: a part of the way was not seen, so there is no figure`);
    return;
  }
  say('measured', `${where}: ${seconds(of.totalMs)}  sbatch to first line of output`);
  for (const { what, whose, ms } of of.legs) say('', `${seconds(ms)}  ${whose.padEnd(8)} ${what}`);
  say('', `${seconds(of.gatewayMs)}  the part that is the gateway’s own`);
}

async function main(args: readonly string[]): Promise<number> {
  if (args.some((arg) => arg !== '--down')) {
    process.stderr.write(usage);
    return 2;
  }
  const no = hindrance();
  if (no !== undefined) {
    process.stderr.write(`${no}\n`);
    return 2;
  }
  const stop = new AbortController();
  const hurry = new AbortController();
  // The first one tidies up, the second one does not wait for it.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => (stop.signal.aborted ? hurry : stop).abort());
  let wasUp = true;
  let wrong: readonly string[];
  try {
    wasUp = await labIsUp();
    if (!wasUp) {
      say('lab', 'is not up: starting it (minutes the first time, seconds later)');
      await labCommand('up');
    }
    wrong = await tell(stop.signal, hurry.signal);
  } catch (error) {
    wrong = [inShort(error)];
  }
  if (args.includes('--down'))
    await labCommand('down').catch((error: unknown) => {
      wrong = [...wrong, inShort(error)];
    });
  else if (!wasUp) say('lab', 'stays up; npm run lab -- down takes it down');
  for (const what of wrong) say(stop.signal.aborted ? 'demo' : '✗ WRONG', what);
  if (wrong.length === 0) say('✓', 'all is as it should be');
  return stop.signal.aborted ? 130 : wrong.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
