import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { keeping } from './postgres.copy.ts';
import { postgresServer } from './server.ts';
import { storeContract } from './store.contract.ts';
import { recoveryContract } from './store.recovery.contract.ts';
import type { StoreUnderTest } from './store.under-test.ts';

async function open(): Promise<StoreUnderTest> {
  const server = await postgresServer();
  const url = await server.database();
  const store = await openPostgresStore({ url, onError: () => undefined });
  return {
    store,
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    keep: keeping(url),
    close: async () => {
      await store.close();
      await server.stop();
    },
  };
}

storeContract('a Postgres server', open);
recoveryContract('a Postgres server', open);
