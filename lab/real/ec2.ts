/** The lab's EC2: an API on loopback whose instances are real nodes. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type CloudFault, cloudFaults, machineFaults } from '../../src/sim/models/cloud-types.ts';
import { kubectl } from './control-plane.ts';
import { isInstance } from './ec2-machines.ts';
import { ec2Daemon, forget, launchTemplate, region } from './ec2-model.ts';
import { listNodes, terminateNode } from './node.ts';
import type { Ctx, PartStatus } from './parts.ts';
import { dirs, logFile, ports } from './paths.ts';
import { daemonPid, LabError, residentBytes, startDaemon, stopDaemon, until } from './proc.ts';

/** There from `up` to `down`, also while a fault keeps the API down. */
const isUp = `${dirs.ec2}/up`;
const endpoint = `http://127.0.0.1:${ports.ec2}`;

export async function up(_ctx: Ctx): Promise<void> {
  await start();
}

export async function down(_ctx: Ctx): Promise<void> {
  await stopDaemon(ec2Daemon);
  const nodes = listNodes().filter(isInstance);
  await Promise.all(nodes.map(({ name }) => terminateNode(name)));
  // What no cloud speaks for any more would stand in the cluster as NotReady.
  await forgetNodes(() => true).catch(() => undefined);
  forget();
  rmSync(isUp, { force: true });
}

export async function status(_ctx: Ctx): Promise<PartStatus> {
  const pid = daemonPid(ec2Daemon);
  if (pid === undefined) return { healthy: false, summary: 'down', processes: [] };
  const processes = [{ name: ec2Daemon, pid, residentBytes: residentBytes(pid) }];
  try {
    const { machines, faults, limits } = state.parse(await ask('GET', 'state'));
    const live = machines.filter(({ history }) => history.at(-1)?.state !== 'terminated');
    const trouble = [...faults, ...limits.map((limit) => JSON.stringify(limit))];
    const wrong = trouble.length === 0 ? '' : `; faults on: ${trouble.join(' ')}`;
    return { healthy: true, summary: `${endpoint}, ${live.length} instances${wrong}`, processes };
  } catch (error) {
    const summary = `${error instanceof Error ? error.message : error}; read ${logFile(ec2Daemon)}`;
    return { healthy: false, summary, processes };
  }
}

export async function env(_ctx: Ctx): Promise<Readonly<Record<string, string>>> {
  if (!existsSync(isUp)) return {};
  return {
    SPILLWAY_LAB_EC2_ENDPOINT: endpoint,
    SPILLWAY_LAB_EC2_REGION: region,
    SPILLWAY_LAB_EC2_TEMPLATE: launchTemplate,
    AWS_ACCESS_KEY_ID: 'lab',
    AWS_SECRET_ACCESS_KEY: 'lab',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}

/** Deletes the Node objects of instances, by their instance ids; a gateway does this for its own. */
export async function forgetNodes(which: (id: string) => boolean): Promise<void> {
  const columns = '-o=custom-columns=NAME:.metadata.name,ID:.spec.providerID';
  const lines = (await kubectl(['get', 'nodes', '--no-headers', columns])).split('\n');
  const gone = lines.flatMap((line) => {
    const [name = '', providerID] = line.split(/\s+/);
    return isInstance({ providerID }) && which(providerID?.split('/').at(-1) ?? '') ? [name] : [];
  });
  if (gone.length > 0) await kubectl(['delete', 'node', '--ignore-not-found', '--wait=false', ...gone]);
}

type Fault = (on: boolean, ctx: Ctx, target?: string) => Promise<void>;

const switched = (name: CloudFault): Fault => {
  return async (on) => {
    await ask('POST', 'fault', { name, on });
  };
};

/** TARGET: how many of the next machines it strikes; all of them until it is off, if left out. */
const struck = (name: CloudFault): Fault => {
  return async (on, _ctx, target) => {
    const times = target === undefined ? undefined : Number(target);
    if (times !== undefined && !(Number.isInteger(times) && times > 0))
      throw new LabError(`fault ec2 ${name} ${target}: how many machines it strikes, such as 1`);
    await ask('POST', 'fault', { name, on, ...(on && times !== undefined ? { times } : {}) });
  };
};

export const faults: Readonly<Record<string, Fault>> = {
  ...Object.fromEntries(cloudFaults.map((name) => [name, switched(name)])),
  ...Object.fromEntries(machineFaults.map((name) => [name, struck(name)])),
  /** TARGET, a spot instance, gets its notice, and its end after it. */
  reclaim: async (on, _ctx, target) => {
    if (!on) throw new LabError('what was taken back stays so');
    if (target === undefined) throw new LabError('fault ec2 reclaim INSTANCE on');
    await ask('POST', 'reclaim', { id: target });
  },
  /** Spot costs more than anybody pays: all of it gets its notice. */
  'spot-dear': async (on) => {
    await ask('POST', 'price', { microUsd: on ? 1_000_000 : 30_000 });
  },
  /** Nothing listens; instances and nodes live on, and are known again afterwards. */
  'api-down': async (on) => (on ? stopDaemon(ec2Daemon) : start()),
  /** Of everything, or of TARGET: a zone, a type, spot or on-demand. */
  'no-capacity': async (on, ctx, target) => {
    if (target === undefined) return switched('no-capacity')(on, ctx);
    await ask('POST', 'limit', { ...offersOf(target), ...(on ? { atMost: 0 } : {}) });
  },
};

function offersOf(target: string): Record<string, string> {
  if (target === 'spot' || target === 'on-demand') return { capacityType: target };
  return target.startsWith(region) ? { zone: target } : { type: target };
}

async function start(): Promise<void> {
  mkdirSync(dirs.ec2, { recursive: true });
  writeFileSync(isUp, '');
  startDaemon({
    name: ec2Daemon,
    argv: [
      ...[process.execPath, '--import', import.meta.resolve('tsx')],
      fileURLToPath(new URL('./ec2-daemon.ts', import.meta.url)),
    ],
  });
  await until(async () => (await ask('GET', 'state')) !== undefined, {
    what: 'the EC2 API to answer',
    timeoutMs: 30_000,
    daemon: ec2Daemon,
  });
}

const state = z.object({
  machines: z.array(z.object({ history: z.array(z.object({ state: z.string() })) })),
  faults: z.array(z.string()),
  limits: z.array(z.unknown()),
});

async function ask(method: string, what: string, body?: unknown): Promise<unknown> {
  const answer = await fetch(`${endpoint}/_lab/${what}`, {
    method,
    signal: AbortSignal.timeout(5_000),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((error: unknown) => {
    throw new LabError(`the EC2 API does not answer (${error}); is api-down on?`, logFile(ec2Daemon));
  });
  const said: unknown = await answer.json();
  if (!answer.ok) throw new LabError(`${method} ${what}: ${JSON.stringify(said)}`);
  return said;
}
