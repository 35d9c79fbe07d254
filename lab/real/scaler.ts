/**
 * Whoever scales a cluster besides the gateway, on the lab: boots a node for a place that kube-scheduler can put nowhere, and takes away one on which
 * no pod is left. Only in one pool, so that it meddles with nothing else.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { placesNamespace } from '../../src/domain/kube.ts';
import { kubectl } from './control-plane.ts';
import { bootNode, terminateNode } from './node.ts';
import { until } from './proc.ts';

const rights = fileURLToPath(new URL('../../deploy/kubernetes/external/rights.yaml', import.meta.url));
const lookEveryMs = 300;

const pod = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    deletionTimestamp: z.string().optional(),
    finalizers: z.array(z.string()).optional(),
  }),
  spec: z.object({
    nodeName: z.string().optional(),
    nodeSelector: z.record(z.string(), z.string()).optional(),
  }),
  status: z.object({
    phase: z.string().optional(),
    conditions: z.array(z.object({ type: z.string(), reason: z.string().optional() })).default([]),
  }),
});
type Pod = z.output<typeof pod>;
const pods = z.object({ items: z.array(pod) });

/** What an administrator sets up for node groups of provider external, in force when it resolves. */
export async function ensurePlaces(): Promise<void> {
  await kubectl(['apply', '-f', rights]);
  // Good in every way but who makes it: what refuses it is the policy and nothing else.
  const allowed = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  const probe = {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'spill-place-probe' } },
    spec: {
      ...{ restartPolicy: 'Never', priorityClassName: 'spillway-place', activeDeadlineSeconds: 60 },
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [{ name: 'place', image: 'lab/pause:1', securityContext: allowed }],
    },
  };
  await until(
    async () => {
      const args = ['create', '--dry-run=server', '-n', placesNamespace, '-f', '-'];
      const said = await kubectl(args, { input: JSON.stringify(probe) }).then(
        () => '',
        (error: unknown) => `${error}`,
      );
      return said.includes("only Spillway's gateway");
    },
    { what: 'the policy on places to be enforced', timeoutMs: 30_000, everyMs: 200 },
  );
}

/** With all that is still there: by now nobody waits for it. The policy first, which lets nobody else take a finalizer off. */
export async function removePlaces(): Promise<void> {
  await kubectl(['delete', 'validatingadmissionpolicybinding', placesNamespace, '--ignore-not-found']);
  await until(
    async () => {
      const left = await podsIn(['-n', placesNamespace]);
      for (const { metadata } of left) {
        await kubectl([
          ...['patch', 'pod', metadata.name, '-n', placesNamespace, '--type=merge'],
          ...['-p', '{"metadata":{"finalizers":null}}'],
        ]).catch(() => undefined);
        await kubectl([
          ...['delete', 'pod', metadata.name, '-n', placesNamespace, '--ignore-not-found'],
          ...['--force', '--grace-period=0', '--wait=false'],
        ]);
      }
      return left.length === 0;
    },
    { what: 'the pods that held places to go', timeoutMs: 30_000, everyMs: 300 },
  );
  await kubectl(['delete', '-f', rights, '--ignore-not-found']);
}

export interface Pool {
  /** The label `pool` of its nodes, and what their names begin with. */
  readonly name: string;
  readonly type: string;
  readonly milliCpu: number;
  readonly memoryBytes: number;
  /** A node without pods is taken away after. */
  readonly idleMs: number;
}

export class LabScaler {
  readonly #pool: Pool;
  readonly #up = new Set<string>();
  readonly #idle = new Map<string, number>();
  readonly #for = new Map<string, string>();
  #made = 0;
  #stopped = false;
  readonly #done: Promise<void>;
  /** Why a look went wrong; the next one tries again. */
  trouble: unknown;

  constructor(pool: Pool) {
    this.#pool = pool;
    this.#done = this.#run();
  }

  get nodes(): readonly string[] {
    return [...this.#up];
  }

  get made(): number {
    return this.#made;
  }

  /** And every node of its own goes. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
    for (const name of [...this.#up]) await this.take(name);
  }

  async take(name: string): Promise<void> {
    await terminateNode(name);
    await kubectl(['delete', 'node', name, '--ignore-not-found']);
    this.#up.delete(name);
    this.#idle.delete(name);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#look().catch((error: unknown) => {
        this.trouble = error;
      });
      await sleep(lookEveryMs);
    }
  }

  async #look(): Promise<void> {
    const all = await podsIn(['-A']);
    for (const one of all) {
      const { name } = one.metadata;
      if (!waits(one) || one.spec.nodeSelector?.pool !== this.#pool.name || this.#for.has(name)) continue;
      this.#for.set(name, await this.#boot());
    }
    const now = performance.now();
    for (const name of [...this.#up]) {
      const used = all.some(({ spec, status }) => spec.nodeName === name && !isOver(status.phase));
      // One that was booted for a place is awaited by it.
      const awaited = all.some((p) => waits(p) && this.#for.get(p.metadata.name) === name);
      if (used || awaited) this.#idle.delete(name);
      else if (now - (this.#idle.get(name) ?? now) >= this.#pool.idleMs) await this.take(name);
      else this.#idle.set(name, this.#idle.get(name) ?? now);
    }
  }

  async #boot(): Promise<string> {
    const { name: pool, type, milliCpu, memoryBytes } = this.#pool;
    this.#made += 1;
    const name = `${pool}-${this.#made}`;
    this.#up.add(name);
    await bootNode({
      ...{ name, providerID: `lab:///a/${name}`, milliCpu, memoryBytes },
      taints: [{ key: 'spillway.dev/burst', value: 'true', effect: 'NoSchedule' }],
      labels: {
        pool,
        'node.kubernetes.io/instance-type': type,
        'topology.kubernetes.io/zone': 'a',
      },
    });
    return name;
  }
}

const isOver = (phase: string | undefined): boolean => phase === 'Succeeded' || phase === 'Failed';

const waits = ({ metadata, spec, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined &&
  spec.nodeName === undefined &&
  status.conditions.some(({ type, reason }) => type === 'PodScheduled' && reason === 'Unschedulable');

async function podsIn(where: readonly string[]): Promise<readonly Pod[]> {
  return pods.parse(JSON.parse(await kubectl(['get', 'pods', ...where, '-o', 'json']))).items;
}
