/** The clock, chance and timers that everything else is given. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { instant, uuid } from '../domain/ids.ts';
import type { Clock, Entropy, Scheduler } from '../ports.ts';

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

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
