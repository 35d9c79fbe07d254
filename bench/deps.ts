import { randomBytes, randomUUID } from 'node:crypto';
import { instant, uuid } from '../src/domain/ids.ts';
import type { Clock, Entropy, Scheduler } from '../src/ports.ts';

export const clock: Clock = { now: () => instant(Date.now()) };
export const entropy: Entropy = {
  uuid: () => uuid(randomUUID()),
  bytes: (n) => randomBytes(n),
  random: () => Math.random(),
};
export const scheduler: Scheduler = {
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};
export const deps = { clock, entropy, scheduler };
