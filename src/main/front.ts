/** What portals ask of the clusters themselves. */
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { slurmOver } from '../../adapters/slurm/index.ts';
import { ssh } from '../../adapters/slurm/ssh.ts';
import { usersOver } from '../../adapters/slurm/users.ts';
import type { Log } from '../../adapters/wrap.ts';
import type { ClusterConfig, Config } from '../../config/schema.ts';
import type { OwnFacade } from '../api/app.ts';
import type { LogLine } from '../burst/context.ts';
import type { ClusterName } from '../domain/ids.ts';
import { Estimates } from '../engine/estimates.ts';
import { Front } from '../engine/front.ts';
import type { Gateway } from '../engine/gateway.ts';
import { orderOfJob } from '../engine/orders.ts';
import { Outputs } from '../engine/outputs.ts';
import type { DeskPort, SlurmPort, StorePort, UsersPort } from '../ports.ts';
import type { Tails } from '../stream/tails.ts';
import { clock, entropy } from './ground.ts';

interface FrontOf {
  readonly config: Config;
  readonly gateway: Gateway;
  readonly desk: DeskPort;
  readonly store: StorePort;
  readonly tails: Tails;
}

interface Fronts {
  readonly front: Front;
  readonly own: OwnFacade;
  /** Whom each cluster's login node and slurmdbd know. */
  readonly clusters: readonly { readonly name: ClusterName; readonly users: UsersPort }[];
  close(): Promise<void>;
}

/** Connections of its own, made once somebody asks: what users want of a login node keeps no burst waiting. */
export async function openFront(
  { config, gateway, desk: orders, store, tails }: FrontOf,
  told: Log,
  log: (line: LogLine) => void,
): Promise<Fronts> {
  const ports: UsersPort[] = [];
  const clusters = await Promise.all(
    config.clusters.map(async (c) => {
      const engine = gateway.clusters.find(({ name }) => name === c.name);
      if (engine === undefined) throw new Error(`no cluster ${c.name}`);
      const { slurm, users } = await doorOf(c, engine.name, told);
      ports.push(users);
      return {
        ...{ name: engine.name, slurm, users, submits: c.submit === 'sudo' },
        facts: () => engine.facts(),
        // What it saw last, not what it had seen when this was made.
        get snapshot() {
          return engine.snapshot;
        },
      };
    }),
  );
  const wait = async (ms: number): Promise<void> => void (await pause(ms));
  const estimates = new Estimates({
    ...{ clusters: gateway.clusters, clock, pause: wait },
    users: (name) => clusters.find((c) => c.name === name)?.users,
  });
  const front = new Front({ clusters, clock, entropy, orders, pause: wait, log });
  const outputs = new Outputs({
    ...{ clusters: gateway.clusters, store, tails, orders, clock, entropy, log },
    admins: config.api?.adminsReadOutput === true,
  });
  return {
    ...{ front, clusters },
    own: {
      estimate: (order) => estimates.estimate(order),
      order: (asked) => orderOfJob(front, asked),
      output: (asked) => outputs.read(asked),
    },
    close: async () => void (await Promise.all(ports.map((p) => p.close()))),
  };
}

async function doorOf(
  { slurm: { host, port, user, hostKey, keyFile, env } }: ClusterConfig,
  cluster: ClusterName,
  log: Log,
): Promise<{ readonly slurm: SlurmPort; readonly users: UsersPort }> {
  const privateKey = await readFile(keyFile);
  const transport = ssh({ host, port, user, hostKey, privateKey, clock, log });
  const slurm = slurmOver(transport, { cluster, user, env, clock });
  return { slurm, users: usersOver(transport, { env, script: (id) => slurm.script(id) }) };
}
