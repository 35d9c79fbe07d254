import { randomBytes, randomUUID } from 'node:crypto';
import { instant, uuid } from '../../src/domain/ids.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { storeContract } from './store.contract.ts';
import { recoveryContract } from './store.recovery.contract.ts';
import type { StoreUnderTest } from './store.under-test.ts';

async function open(): Promise<StoreUnderTest> {
  let now = Date.UTC(2026, 0, 5);
  const store = new MemStore({
    clock: { now: () => instant(now) },
    entropy: { uuid: () => uuid(randomUUID()), bytes: (n) => randomBytes(n), random: () => 0.5 },
  });
  return {
    store,
    pass: async (ms) => {
      now += ms;
    },
    keep: async () => {
      const snapshot = store.snapshot();
      return async () => {
        // Setting a database back takes time.
        now += 10;
        store.restore(snapshot);
      };
    },
    close: () => store.close(),
  };
}

storeContract('MemStore', open);
recoveryContract('MemStore', open);
