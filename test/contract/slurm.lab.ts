/** The lab's Slurm for the contract: jobs as its people submit them, and a way to its sshd that can be cut. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { sshSlurm } from '../../adapters/slurm/index.ts';
import { env } from '../../lab/real/slurm.ts';
import { loginEnvironment } from '../../lab/real/slurm-conf.ts';
import { account } from '../../lab/real/users.ts';
import { clusterName, instant, type JobRef, jobRef } from '../../src/domain/ids.ts';
import type { Ask, Change, SlurmHarness } from './slurm.harness.ts';
import { cuttableWay } from './slurm.way.ts';

const partitions = { home: 'batch', explicit: 'cloud', wait: 'burst_wait', burst: 'burst' } as const;

export async function labSlurm(): Promise<SlurmHarness> {
  const lab = await env({ say: () => undefined });
  const need = (name: string): string => {
    const value = lab[name];
    if (value === undefined) throw new Error(`no ${name}: npm run lab -- up slurm`);
    return value;
  };
  const way = await cuttableWay(Number(need('SPILLWAY_LAB_SSH_PORT')));
  const port = sshSlurm({
    cluster: clusterName('lab'),
    host: '127.0.0.1',
    port: way.port,
    user: need('SPILLWAY_LAB_SSH_USER'),
    hostKey: need('SPILLWAY_LAB_SSH_HOST_KEY'),
    privateKey: readFileSync(need('SPILLWAY_LAB_SSH_KEY')),
    env: { SLURM_CONF: need('SLURM_CONF') },
    clock: { now: () => instant(Date.now()) },
    log: { info: () => undefined, warn: () => undefined },
  });
  const owners = new Map<JobRef, string>();
  const ownerOf = (ref: JobRef): string => owners.get(ref) ?? 'alice';

  return {
    port,
    partitions,
    now: () => instant(Date.now()),
    async submit(ask) {
      const user = ask.user ?? 'alice';
      const id = await as(user, ['sbatch', '--parsable', ...sbatchArgs(ask)], script(ask));
      const ref = jobRef(id.split(';')[0] ?? '');
      owners.set(ref, user);
      return ref;
    },
    async alter(who, ref, change) {
      const user = who === 'owner' ? ownerOf(ref) : 'root';
      const keys = updateKeys(change);
      if (keys.length > 0) await as(user, ['scontrol', 'update', `jobid=${ref}`, ...keys]);
      if (change.requeue) await as(user, ['scontrol', 'requeue', ref]);
    },
    cancel: async (ref) => void (await as('root', ['scancel', ref])),
    reach: async (on) => way.open(on),
    async eventually(what, condition) {
      const end = Date.now() + 120_000;
      for (let last: unknown; ; ) {
        try {
          const met = await condition();
          if (met !== undefined && met !== false) return met;
        } catch (error) {
          last = error;
        }
        if (Date.now() > end) throw new Error(`waited in vain for ${what}`, { cause: last });
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
    },
    async close() {
      if (owners.size > 0) await as('root', ['scancel', '-Q', ...owners.keys()]).catch(() => undefined);
      await port.close();
      await way.close();
    },
  };
}

function sbatchArgs(ask: Ask): string[] {
  const { memory } = ask;
  const args = [
    ['-p', ask.partition ?? partitions.explicit],
    ['-o', '/dev/null'],
    ask.name !== undefined && ['-J', ask.name],
    ask.comment !== undefined && [`--comment=${ask.comment}`],
    ask.timeMin !== undefined && ['-t', `${ask.timeMin}`],
    memory !== undefined && [`${memory.per === 'cpu' ? '--mem-per-cpu' : '--mem'}=${memory.mib}`],
    ask.nodes !== undefined && ['-N', ask.nodes],
    ask.tasks !== undefined && ['-n', `${ask.tasks}`],
    ask.cpusPerTask !== undefined && ['-c', `${ask.cpusPerTask}`],
    ask.array !== undefined && ['-a', ask.array],
    ask.held === true && ['--hold'],
    ask.nice !== undefined && [`--nice=${ask.nice}`],
    ask.after !== undefined && ['-d', `afterany:${ask.after}`],
    ask.beginMin !== undefined && [`--begin=now+${ask.beginMin}minutes`],
    ask.deadlineMin !== undefined && [`--deadline=now+${ask.deadlineMin}minutes`],
    ask.exclusive === true && ['--exclusive'],
    ask.requeue === false && ['--no-requeue'],
    ask.het === true && [':', '-p', ask.partition ?? partitions.explicit, '-n1'],
  ];
  return args.flatMap((arg) => (arg === false ? [] : arg));
}

function script({ work = {} }: Ask): string {
  const { seconds = 0, exit = 0, kill } = work;
  const end = kill === undefined ? `exit ${exit}` : `kill -${kill} $$`;
  return `#!/bin/sh\n${seconds > 0 ? `sleep ${seconds}\n` : ''}${end}\n`;
}

function updateKeys(change: Change): string[] {
  const { partition, timeMin, priority, comment } = change;
  return [
    ...(partition === undefined ? [] : [`partition=${partition}`]),
    ...(timeMin === undefined ? [] : [`timelimit=${timeMin}`]),
    ...(priority === undefined ? [] : [`priority=${priority}`]),
    ...(comment === undefined ? [] : [`comment=${comment}`]),
  ];
}

/** A command as a user of the cluster after a login. */
async function as(user: string, argv: readonly string[], input = ''): Promise<string> {
  const { uid, gid, home } = account(user);
  const child = spawn('setpriv', [`--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--', ...argv], {
    cwd: home,
    env: loginEnvironment(user, home),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A command that reads nothing may be over before its input is.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const output = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    output.out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output.err += chunk.toString();
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${argv.join(' ')} as ${user}: ${output.err.trim() || `exit ${code}`}`);
  return output.out.trim();
}
