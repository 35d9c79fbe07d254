import { randomBytes, randomUUID } from 'node:crypto';
import { instant, uuid } from '../../src/domain/ids.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { storeContract } from './store.contract.ts';

storeContract('MemStore', async () => {
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
    close: () => store.close(),
  };
});
