import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { testServer } from './embedded.ts';
import { storeContract } from './store.contract.ts';

storeContract('Postgres', async () => {
  const server = await testServer();
  const store = await openPostgresStore({ url: await server.database(), onError: () => undefined });
  return {
    store,
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    close: async () => {
      await store.close();
      await server.stop();
    },
  };
});
