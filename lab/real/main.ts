/** `npm run lab -- …`: the real lab's command line. Progress goes to stderr, what was asked for to stdout. */
import { readFileSync, rmSync } from 'node:fs';
import { exec } from './exec.ts';
import { builtParts, type Ctx, isPartName, loadPart, type PartName, parts } from './parts.ts';
import { cacheDir, stateDir } from './paths.ts';
import { daemonPid, daemons, LabError, withLock } from './proc.ts';

const usage = `usage: npm run lab -- <verb>
  up [slurm|kubernetes|ec2]…     start these parts, or all; what is missing is installed and built
  down [slurm|kubernetes|ec2]…   stop these parts, or all; the lab's users, logs and accounting stay
  down --wipe                    stop all, and forget all but the users and what was built
  status [PART…]                 processes, pids, memory; exit 0 only if all asked parts are well
  env [--json]                   variables for tests and for a gateway
  exec USER CMD…                 run a command as a user of the cluster; stdin and exit code pass through
  node boot NAME [OPTION…]       boot a Kubernetes node: --label K=V --taint K=V:EFFECT --provider-id ID …
  node kill NAME [--kubelet]     end it with all its processes, or kill its kubelet alone
  fault SERVER NAME [TARGET] on|off   ssh-down, slurmctld-down, …; "fault SERVER" lists them
`;

const began = performance.now();
const ctx: Ctx = {
  say: (line) => process.stderr.write(`${((performance.now() - began) / 1000).toFixed(1)} s  ${line}\n`),
};

const verbs: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  up: (args) => withLock(() => up(asked(args)), ctx.say),
  down: (args) => withLock(() => (args[0] === '--wipe' ? wipe() : down(asked(args))), ctx.say),
  status: (args) => status(asked(args)),
  env,
  exec,
  node: (args) => withLock(() => node(args), ctx.say),
  fault: (args) => withLock(() => fault(args), ctx.say),
};

function asked(args: readonly string[]): PartName[] {
  const unknown = args.find((arg) => !isPartName(arg));
  if (unknown !== undefined) throw new LabError(`no part ${unknown}; there are ${builtParts().join(', ')}`);
  const names = builtParts();
  return args.length === 0 ? names : [...new Set(args.filter(isPartName))];
}

/** All at once, each after the parts it needs. */
async function up(names: readonly PartName[]): Promise<number> {
  const started = new Map<PartName, Promise<void>>();
  const start = (name: PartName): Promise<void> => {
    const known = started.get(name);
    if (known !== undefined) return known;
    const starting = (async () => {
      await Promise.all(parts[name].needs.map(start));
      await (await loadPart(name)).up(ctx);
      ctx.say(`${name} is up`);
    })();
    started.set(name, starting);
    return starting;
  };
  const ends = await Promise.allSettled(names.map(start));
  // A part that waited in vain for another fails for the other's reason: told once.
  const reasons = new Map<unknown, PartName>();
  for (const [index, end] of ends.entries()) {
    const name = names[index];
    if (end.status === 'rejected' && name !== undefined && !reasons.has(end.reason))
      reasons.set(end.reason, name);
  }
  for (const [reason, name] of reasons) ctx.say(`${name}: ${told(reason)}`);
  return reasons.size === 0 ? 0 : 1;
}

async function down(names: readonly PartName[]): Promise<number> {
  let code = 0;
  for (const name of [...names].reverse())
    try {
      await (await loadPart(name)).down(ctx);
      ctx.say(`${name} is down`);
    } catch (error) {
      ctx.say(`${name}: ${told(error)}`);
      code = 1;
    }
  return code;
}

async function wipe(): Promise<number> {
  const code = await down(asked([]));
  const mounted = readFileSync('/proc/self/mounts', 'utf8').includes(` ${stateDir}/`);
  const living = daemons().filter((name) => daemonPid(name) !== undefined);
  if (code !== 0 || mounted || living.length > 0)
    throw new LabError(
      `${stateDir} stays: ${living.join(' ')} ${mounted ? 'something is mounted in it' : ''}`,
    );
  rmSync(stateDir, { recursive: true, force: true });
  return 0;
}

async function status(names: readonly PartName[]): Promise<number> {
  let code = 0;
  for (const name of names) {
    const { healthy, summary, processes } = await (await loadPart(name)).status(ctx);
    process.stdout.write(`${name}: ${healthy ? 'well' : 'NOT WELL'}: ${summary}\n`);
    for (const { name: process_, pid, residentBytes } of processes) {
      const memory = pid === undefined ? 'not running' : `${Math.round(residentBytes / 2 ** 20)} MB`;
      process.stdout.write(`  ${process_.padEnd(24)} ${String(pid ?? '-').padStart(8)}  ${memory}\n`);
    }
    if (!healthy) code = 1;
  }
  return code;
}

async function env(args: readonly string[]): Promise<number> {
  const all: Record<string, string> = { SPILLWAY_LAB_STATE: stateDir, SPILLWAY_LAB_CACHE: cacheDir };
  for (const name of builtParts()) Object.assign(all, await (await loadPart(name)).env(ctx));
  if (args.includes('--json')) process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
  else
    for (const [name, value] of Object.entries(all))
      process.stdout.write(`export ${name}='${value.replaceAll("'", "'\\''")}'\n`);
  return 0;
}

async function node([verb, name, ...options]: readonly string[]): Promise<number> {
  const { nodes } = await loadPart('kubernetes');
  if (nodes === undefined) throw new LabError('the part kubernetes has no nodes to boot');
  if ((verb !== 'boot' && verb !== 'kill') || name === undefined) throw new LabError('node boot|kill NAME');
  await nodes[verb](name, ctx, options);
  return 0;
}

async function fault([server = '', name, ...rest]: readonly string[]): Promise<number> {
  if (!isPartName(server)) throw new LabError(`no server ${server}; there are ${builtParts().join(', ')}`);
  const { faults = {} } = await loadPart(server);
  if (name === undefined) {
    process.stdout.write(`${Object.keys(faults).join('\n')}\n`);
    return 0;
  }
  const make = faults[name];
  if (make === undefined)
    throw new LabError(`${server} has no fault ${name}; it has ${Object.keys(faults).join(', ')}`);
  const turn = rest.at(-1);
  if (turn !== 'on' && turn !== 'off') throw new LabError(`fault ${server} ${name} [TARGET] on|off`);
  await make(turn === 'on', ctx, rest.length > 1 ? rest[0] : undefined);
  return 0;
}

function told(reason: unknown): string {
  return reason instanceof LabError
    ? reason.message
    : reason instanceof Error
      ? `${reason.stack}`
      : `${reason}`;
}

// `lab status | head` closes the pipe early: no fault.
process.stdout.on('error', () => process.exit());

const [verb = '', ...args] = process.argv.slice(2);
const act = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
if (act === undefined) {
  process.stderr.write(usage);
  process.exitCode = 2;
} else if (process.getuid?.() !== 0) {
  process.stderr.write('the real lab needs root\n');
  process.exitCode = 2;
} else {
  process.exitCode = await act(args).catch((error: unknown) => {
    ctx.say(told(error));
    return 1;
  });
}
