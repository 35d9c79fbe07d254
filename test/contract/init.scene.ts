/** Slurms that nobody here has met, behind an SSH server, and `spillway init` let loose on them. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SlurmServer, serveSlurm } from '../../lab/servers/slurm.ts';
import { newKeys } from '../../lab/servers/slurm-keys.ts';
import { type InitOrder, initOrder } from '../../src/cli/init/order.ts';
import { instant } from '../../src/domain/ids.ts';
import { init } from '../../src/main/init.ts';
import type { Terminal } from '../../src/main/init-terminal.ts';
import type { Clock, Scheduler } from '../../src/ports.ts';
import { Chance } from '../../src/sim/chance.ts';
import { SlurmModel } from '../../src/sim/models/slurm.ts';
import type { SlurmConfig } from '../../src/sim/models/slurm-types.ts';

const realTime: Clock & Scheduler = {
  now: () => instant(Date.now()),
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

const nodes = ['r1a', 'r1b', 'r2a', 'vip1'].map((name) => ({ name, cpus: 4, memoryMib: 16_000 }));

/** Odd names, one of ours taken, a hidden partition, no slurmdbd, an old version, an account without any right. */
export const strange: Partial<SlurmConfig> = {
  version: '20.11.9',
  nodes,
  partitions: [
    { name: 'Genoa.384', nodes: ['r1a', 'r1b'], up: true, default: true, maxTimeMs: 7 * 86_400_000 },
    { name: 'burst', nodes: ['r2a'], up: true, defaultTimeMs: 600_000, maxTimeMs: 3_600_000 },
    { name: 'vip', nodes: ['vip1'], up: true, hidden: true, maxTimeMs: 'unlimited' },
    { name: 'retired', nodes: ['r2a'], up: false, maxTimeMs: 'unlimited' },
  ],
  users: [
    { name: 'alice', uid: 2001, gid: 2001, groups: [2001], account: 'physics', home: '/home/alice' },
    { name: 'watcher', uid: 901, gid: 901, groups: [901], account: 'services', home: '/home/watcher' },
  ],
  noAccounting: true,
  settings: {
    ...{
      ClusterName: 'Old Iron',
      EnforcePartLimits: 'ALL',
      JobSubmitPlugins: 'lua',
      SelectType: 'select/cons_res',
    },
    ...{ TopologyPlugin: 'topology/tree', SlurmdParameters: '(null)', MULTIPLE_SLURMD: 'No' },
  },
};

export interface Scene {
  readonly model: SlurmModel;
  readonly server: SlurmServer;
  /** Somewhere of the test's own that does not exist yet. */
  readonly dir: string;
  readonly home: string;
  readonly key: string;
  /** What the login node was asked for. */
  readonly asked: readonly string[];
  order(over?: Partial<Parameters<typeof initOrder>[0]>): InitOrder;
  /** `init`, and what it said. */
  run(order: InitOrder, person?: Terminal): Promise<{ readonly code: number; readonly said: string }>;
  /** Lets a key in. */
  admit(publicKey: string): void;
  close(): Promise<void>;
}

export async function scene(config: Partial<SlurmConfig> = strange): Promise<Scene> {
  const home = await mkdtemp(join(tmpdir(), 'spillway-init-'));
  // As root, Postgres runs as another account.
  await chmod(home, 0o711);
  const keys = newKeys();
  const model = new SlurmModel(config, { clock: realTime, scheduler: realTime, entropy: new Chance(7) });
  const asked: string[] = [];
  const logins = [{ user: 'watcher', publicKey: keys.public }];
  const server = await serveSlurm(model, { port: 0, logins, log: (line) => asked.push(line) });
  const key = join(home, 'key');
  await writeFile(key, keys.private, { mode: 0o600 });
  const dir = join(home, 'etc');
  return {
    ...{ model, server, dir, home, key, asked },
    order: (over = {}) =>
      initOrder(
        {
          ...{
            via: 'ssh',
            host: '127.0.0.1',
            port: `${server.port}`,
            user: 'watcher',
            key,
            hostKey: server.hostKey,
          },
          ...{ env: [], dir, http: '127.0.0.1:0', burstHost: 'burst1', history: '7d' },
          ...over,
        },
        join(dir, 'spillway.yaml'),
      ),
    run: async (order, person) => {
      const lines: string[] = [];
      const code = await init({ ...order, yes: person === undefined }, person, (line) => lines.push(line));
      return { code, said: lines.join('\n') };
    },
    admit: (publicKey) => void logins.push({ user: 'watcher', publicKey }),
    close: async () => {
      await server.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}
