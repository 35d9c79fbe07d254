import { expect } from 'vitest';
import type { StorePort, Write } from '../../src/ports.ts';
import { aBurst, newId } from './samples.ts';

/** One open store, its clock in the test's hand: `pass` lets time go by. */
export interface StoreUnderTest {
  readonly store: StorePort;
  pass(ms: number): Promise<void>;
  /** Keeps a copy of everything; what it gives sets the store back to that copy, as often as one likes. */
  keep(): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** Commits under a new id, for the cluster of what is written, in epoch 1. */
export function putting(store: () => StorePort) {
  return (...writes: Write[]): Promise<'ok' | 'conflict' | 'over_budget'> => {
    const owned = writes.map((w) =>
      w.kind === 'burst' ? w.burst : w.kind === 'instance' ? w.instance : undefined,
    );
    const cluster = owned.find((x) => x !== undefined)?.cluster ?? aBurst().cluster;
    return store().commit(newId(), cluster, 1, writes);
  };
}

export const faulting = (fault: string) => expect.objectContaining({ name: 'PortError', fault });
