/** The machines behind the lab's EC2: each instance is a real node, booted and terminated by its orders. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { MiB } from '../../src/domain/resources.ts';
import type { CloudModel } from '../../src/sim/models/cloud.ts';
import { bootFault, type Machine, type Machines, stateOf } from '../../src/sim/models/cloud-types.ts';
import { bootNode, listNodes, type NodeSpec, terminateNode } from './node.ts';
import { parseNodeOptions } from './node-options.ts';

/** More at once only make each other slow. */
const bootsAtOnce = 3;

const providerIdOf = ({ zone, id }: Pick<Machine, 'zone' | 'id'>): string => `aws:///${zone}/${id}`;
/** Ours by its provider id, whatever the model knows of it. */
export const isInstance = ({ providerID }: { readonly providerID: string | undefined }): boolean =>
  providerID?.startsWith('aws:///') === true;

export class RealMachines implements Machines {
  readonly #model: CloudModel;
  readonly #say: (line: string) => void;
  /** What is being done to a machine: one thing after another. */
  readonly #busy = new Map<string, Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  #booting = 0;

  constructor(model: CloudModel, say: (line: string) => void) {
    this.#model = model;
    this.#say = say;
  }

  start(machine: Machine): void {
    this.#then(machine.id, () => this.#boot(machine));
  }

  stop({ id, dnsName }: Machine): void {
    this.#then(id, () => this.#end(id, dnsName));
  }

  /** After a restart: goes on with what was begun, and ends nodes that no instance stands for. */
  async adopt(): Promise<void> {
    const known = this.#model.truth();
    for (const machine of known) {
      const state = stateOf(machine);
      if (state === 'shutting-down') this.stop(machine);
      // How far its boot had come is not known.
      else if (state === 'pending') {
        this.#then(machine.id, () => terminateNode(machine.dnsName));
        this.start(machine);
      }
    }
    const live = new Set(known.filter((m) => stateOf(m) !== 'terminated').map(providerIdOf));
    for (const node of listNodes().filter(isInstance))
      if (!live.has(node.providerID ?? '')) {
        this.#say(`${node.name}: no instance stands for this node`);
        await terminateNode(node.name);
      }
  }

  /** A machine whose processes died is over, though nobody asked for it. */
  look(): void {
    const nodes = listNodes();
    const running = new Set(nodes.flatMap((node) => (node.running ? node.name : [])));
    const off = new Set(nodes.flatMap((node) => (node.poweredOff ? node.name : [])));
    for (const machine of this.#model.truth()) {
      const { id, dnsName } = machine;
      if (stateOf(machine) !== 'running' || machine.neverJoins) continue;
      if (running.has(dnsName) || this.#busy.has(id)) continue;
      if (off.has(dnsName)) {
        this.#say(`${id}: ${dnsName} powered itself off`);
        this.#then(id, () => this.#poweredOff(id, dnsName));
        continue;
      }
      this.#say(`${id}: ${dnsName} is dead`);
      this.#then(id, () => this.#end(id, dnsName, 'Server.InternalError'));
    }
  }

  /** Resolves when nothing is being booted or ended. */
  async settled(): Promise<void> {
    while (this.#busy.size > 0) await Promise.all(this.#busy.values());
  }

  async #boot(machine: Machine): Promise<void> {
    const { id, dnsName } = machine;
    // It was terminated while it waited.
    const wanted = () => this.#model.truth().some((m) => m.id === id && stateOf(m) === 'pending');
    await this.#turn();
    try {
      if (!wanted()) return;
      if (machine.failsBoot === true) {
        this.#say(`${id}: is taken down before it runs`);
        await this.#end(id, dnsName, bootFault);
        return;
      }
      const began = performance.now();
      if (machine.neverJoins) await sleep(500);
      else await bootNode(nodeOf(machine, this.#model));
      this.#model.running(id);
      const took = `${((performance.now() - began) / 1000).toFixed(1)} s`;
      this.#say(
        `${id}: ${machine.neverJoins ? 'runs, without a node' : `is node ${dnsName}, after ${took}`}`,
      );
    } catch (error) {
      this.#say(`${id}: does not boot: ${error instanceof Error ? error.stack : error}`);
      await this.#end(id, dnsName, bootFault);
    } finally {
      this.#booting--;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    while (this.#booting >= bootsAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#booting++;
  }

  async #end(id: string, node: string, reason?: string): Promise<void> {
    for (let failed = true; failed; ) {
      failed = false;
      await terminateNode(node).catch(async (error: unknown) => {
        this.#say(`${id}: ${node} does not end: ${error instanceof Error ? error.message : error}`);
        failed = true;
        await sleep(1_000);
      });
    }
    this.#model.ended(id, reason);
    this.#say(`${id}: ${node} is gone`);
  }

  /** Terminated, or stopped, as its launch template says. */
  async #poweredOff(id: string, node: string): Promise<void> {
    await terminateNode(node);
    this.#model.poweredOff(id);
    this.#say(`${id}: ${node} is off`);
  }

  #then(id: string, work: () => Promise<void>): void {
    const before = this.#busy.get(id) ?? Promise.resolve();
    const now = before.then(work).catch((error: unknown) => this.#say(`${id}: ${error}`));
    this.#busy.set(id, now);
    void now.then(() => {
      if (this.#busy.get(id) === now) this.#busy.delete(id);
    });
  }
}

const userData = z.object({
  labels: z.record(z.string(), z.string()).default({}),
  taints: z.array(z.string()).default([]),
  /** Its environment file, as deploy/node/user-data writes one; EVERY_SECONDS is what its timer says there. */
  'spillway-switch': z
    .string()
    .transform((text) => Object.fromEntries(text.split('\n').map((line) => line.split('=', 2))))
    .pipe(
      z.strictObject({
        LEASE_SECONDS: z.coerce.number().positive().default(1800),
        MAX_AGE_SECONDS: z.coerce.number().positive().default(1_209_600),
        EVERY_SECONDS: z.coerce.number().positive().default(60),
      }),
    )
    .optional(),
});

/** What the boot hook makes of an instance: labels and taints of its group, and what a cloud's kubelet says of itself. */
function nodeOf(machine: Machine, model: CloudModel): NodeSpec {
  const { labels, taints, 'spillway-switch': own } = userData.parse(JSON.parse(machine.userData));
  const type = model.config.types.find(({ name }) => name === machine.type);
  const all = {
    ...labels,
    'node.kubernetes.io/instance-type': machine.type,
    'topology.kubernetes.io/region': model.config.region,
    'topology.kubernetes.io/zone': machine.zone,
  };
  const options = [
    ...Object.entries(all).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
    ...taints.flatMap((taint) => ['--taint', taint]),
  ];
  return {
    ...parseNodeOptions(machine.dnsName, options),
    providerID: providerIdOf(machine),
    ...(own === undefined
      ? {}
      : {
          switch: {
            leaseSeconds: own.LEASE_SECONDS,
            maxAgeSeconds: own.MAX_AGE_SECONDS,
            everySeconds: own.EVERY_SECONDS,
          },
        }),
    ...(type === undefined ? {} : { milliCpu: type.vcpus * 1000, memoryBytes: type.memoryMib * MiB }),
  };
}
