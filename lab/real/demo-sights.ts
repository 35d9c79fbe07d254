/** What can be seen from outside while a job bursts: the queue, the cluster, the cloud. Nothing here asks the gateway. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { adminKubeconfig } from './control-plane.ts';
import { dirs, ports } from './paths.ts';
import { run } from './proc.ts';
import { loginEnvironment } from './slurm-conf.ts';
import type { Account } from './users.ts';

export type Sight = { readonly at: number } & (
  | {
      readonly kind: 'queue';
      readonly job: string;
      readonly partition: string;
      readonly state: string;
      readonly where: string;
    }
  | {
      readonly kind: 'instance';
      readonly id: string;
      readonly type: string;
      readonly zone: string;
      readonly state: string;
    }
  | {
      readonly kind: 'node';
      readonly name: string;
      readonly instance: string;
      readonly state: 'joined' | 'Ready' | 'not Ready' | 'gone';
    }
  | {
      readonly kind: 'pod';
      readonly name: string;
      readonly job: string;
      readonly state: 'made' | 'placed' | 'running' | 'ending' | 'ended' | 'gone';
      readonly node: string;
      readonly user: string;
    }
);

export interface Watching {
  stop(): void;
}

/** Tells each change once. What cannot be seen for a moment is not told: the next look sees it. */
export function watchAll(user: Account, see: (sight: Sight) => void): Watching {
  const before = new Map<string, string>();
  const changed = (sight: Sight): void => {
    const { at: _, ...rest } = sight;
    const key = `${sight.kind} ${sight.kind === 'queue' ? sight.job : sight.kind === 'instance' ? sight.id : sight.name}`;
    const now = JSON.stringify(rest);
    if (before.get(key) === now) return;
    before.set(key, now);
    see(sight);
  };
  let on = true;
  const often = async (everyMs: number, look: () => Promise<void>): Promise<void> => {
    while (on) {
      await look().catch(() => undefined);
      await sleep(everyMs, undefined, { ref: false });
    }
  };
  void often(200, () => queue(user, changed));
  void often(100, () => instances(changed));
  const kubectls = [
    kubectlWatch(['nodes'], (event) => node(event, changed)),
    kubectlWatch(['pods', '-A', '-l', 'spillway.dev/burst'], (event) => pod(event, changed)),
  ];
  return {
    stop: () => {
      on = false;
      for (const child of kubectls) child.stop();
    },
  };
}

type See = (sight: Sight) => void;

async function queue(user: Account, see: See): Promise<void> {
  const { code, stdout } = await as(user, ['squeue', '-h', '--me', '-t', 'all', '-o', '%i %P %T %R']);
  if (code !== 0) return;
  for (const line of stdout.split('\n')) {
    const [job, partition, state, ...where] = line.split(' ');
    if (job === undefined || partition === undefined || state === undefined) continue;
    see({ kind: 'queue', at: Date.now(), job, partition, state, where: where.join(' ') });
  }
}

const cloudState = z.object({
  machines: z.array(
    z.object({
      id: z.string(),
      type: z.string(),
      zone: z.string(),
      history: z.array(z.object({ at: z.number(), state: z.string() })),
    }),
  ),
});

export interface Machine {
  readonly id: string;
  readonly type: string;
  readonly zone: string;
  readonly state: string;
  readonly at: number;
}

/** The cloud's own list, terminated ones too. */
export async function machines(): Promise<readonly Machine[]> {
  const answer = await fetch(`http://127.0.0.1:${ports.ec2}/_lab/state`, {
    signal: AbortSignal.timeout(5_000),
  });
  return cloudState.parse(await answer.json()).machines.flatMap(({ history, ...machine }) => {
    const last = history.at(-1);
    return last === undefined ? [] : [{ ...machine, ...last }];
  });
}

async function instances(see: See): Promise<void> {
  for (const machine of await machines()) see({ kind: 'instance', ...machine });
}

const nodeEvent = z.object({
  type: z.string(),
  object: z.object({
    metadata: z.object({ name: z.string() }),
    spec: z.object({ providerID: z.string().default('') }).prefault({}),
    status: z
      .object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]) })
      .prefault({}),
  }),
});

function node(event: unknown, see: See): void {
  const { type, object } = nodeEvent.parse(event);
  const { providerID } = object.spec;
  if (!providerID.startsWith('aws:///')) return;
  const ready = object.status.conditions.find((condition) => condition.type === 'Ready')?.status;
  see({
    kind: 'node',
    at: Date.now(),
    name: object.metadata.name,
    instance: providerID.split('/').at(-1) ?? '',
    state:
      type === 'DELETED' ? 'gone' : ready === 'True' ? 'Ready' : ready === 'Unknown' ? 'not Ready' : 'joined',
  });
}

const containers = z
  .array(z.object({ name: z.string(), state: z.record(z.string(), z.unknown()).default({}) }))
  .default([]);
const podEvent = z.object({
  type: z.string(),
  object: z.object({
    metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()) }),
    spec: z.object({
      nodeName: z.string().default(''),
      securityContext: z.object({
        runAsUser: z.number(),
        runAsGroup: z.number(),
        supplementalGroups: z.array(z.number()).default([]),
      }),
    }),
    status: z.object({ containerStatuses: containers }).prefault({}),
  }),
});

function pod(event: unknown, see: See): void {
  const { type, object } = podEvent.parse(event);
  const { metadata, spec } = object;
  const { runAsUser, runAsGroup, supplementalGroups } = spec.securityContext;
  see({
    kind: 'pod',
    at: Date.now(),
    name: metadata.name,
    job: metadata.labels['spillway.dev/job'] ?? '',
    state: type === 'DELETED' ? 'gone' : stateOf(object),
    node: spec.nodeName,
    user: `uid ${runAsUser}, gid ${runAsGroup}, groups ${supplementalGroups.join(',') || 'none'}`,
  });
}

function stateOf({ spec, status }: z.output<typeof podEvent>['object']) {
  const among = status.containerStatuses;
  if (among.length > 0 && among.every(({ state }) => 'terminated' in state)) return 'ended';
  if (among.some(({ state }) => 'terminated' in state)) return 'ending';
  if (among.length > 0 && among.every(({ state }) => 'running' in state)) return 'running';
  return spec.nodeName === '' ? 'made' : 'placed';
}

/** One event a line, for as long as it is wanted; a watch that the API server ends is begun again. */
function kubectlWatch(what: readonly string[], tell: (event: unknown) => void): Watching {
  let on = true;
  let child: ChildProcess | undefined;
  const begin = (): void => {
    if (!on) return;
    const watching = spawn(
      `${dirs.bin}/kubectl`,
      [`--kubeconfig=${adminKubeconfig}`, 'get', ...what, '-w', '--output-watch-events', '-o', 'json'],
      { stdio: ['ignore', 'pipe', 'ignore'], detached: true },
    );
    child = watching;
    createInterface({ input: watching.stdout }).on('line', (line) => {
      try {
        tell(JSON.parse(line));
      } catch {
        // An event of another shape, such as a watch's end.
      }
    });
    watching.on('error', () => undefined);
    watching.on('close', () => setTimeout(begin, 200).unref());
  };
  begin();
  return {
    stop: () => {
      on = false;
      child?.kill();
    },
  };
}

/** A command as a user of the cluster, after a login. */
export function as(user: Account, argv: readonly string[], input?: string) {
  const identity = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--'];
  return run(['setpriv', ...identity, ...argv], {
    cwd: user.home,
    env: loginEnvironment(user.name, user.home),
    ...(input === undefined ? {} : { input }),
  });
}
