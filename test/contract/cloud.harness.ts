/** A model cloud for the contract, and time that goes by when it is told to. */
import { randomBytes, randomUUID } from 'node:crypto';
import { clusterName, type Instant, instant, uuid } from '../../src/domain/ids.ts';
import type { LaunchSpec } from '../../src/domain/instance.ts';
import { GiB } from '../../src/domain/resources.ts';
import type { Clock, Entropy, Scheduler } from '../../src/ports.ts';
import { CloudModel } from '../../src/sim/models/cloud.ts';
import type { CloudConfig } from '../../src/sim/models/cloud-types.ts';

export const own = clusterName('hpc1');
export const others = clusterName('hpc2');

export const spec: LaunchSpec = {
  group: 'cpu',
  launchTemplate: 'spillway-cpu',
  types: ['sim.small', 'sim.large'],
  zones: ['eu-sim-1a', 'eu-sim-1b'],
  capacityType: 'on-demand',
  tags: {},
};

export const types = [
  { name: 'sim.small', vcpus: 2, memoryBytes: 4 * GiB },
  { name: 'sim.large', vcpus: 8, memoryBytes: 32 * GiB },
];

export const setup: Partial<CloudConfig> = {
  types: [
    { name: 'sim.small', vcpus: 2, memoryMib: 4096, price: { 'on-demand': 80_000, spot: 30_000 } },
    { name: 'sim.large', vcpus: 8, memoryMib: 32_768, price: { 'on-demand': 320_000, spot: 90_000 } },
  ],
};

export class VirtualTime implements Clock, Scheduler {
  #now = 1_700_000_000_000;
  #timers: { at: number; work: () => void }[] = [];

  now(): Instant {
    return instant(this.#now);
  }

  after(ms: number, work: () => void): { cancel(): void } {
    const timer = { at: this.#now + ms, work };
    this.#timers.push(timer);
    return { cancel: () => (this.#timers = this.#timers.filter((one) => one !== timer)) };
  }

  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#now = Math.max(this.#now, next.at);
      next.work();
    }
    this.#now = until;
  }
}

export const realTime: Clock & Scheduler = {
  now: () => instant(Date.now()),
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

export const entropy: Entropy = {
  uuid: () => uuid(randomUUID()),
  bytes: (n) => randomBytes(n),
  random: Math.random,
};

export function model(time: Clock & Scheduler, config: Partial<CloudConfig> = {}): CloudModel {
  const made = new CloudModel({ ...setup, ...config }, { clock: time, scheduler: time, entropy });
  made.putTemplate('spillway-cpu', '{}', 'terminate');
  return made;
}
