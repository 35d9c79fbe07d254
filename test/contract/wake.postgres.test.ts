import { it } from 'vitest';
import { openBullWake } from '../../adapters/queue/bull.ts';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { testServer } from './embedded.ts';
import { aCluster } from './samples.ts';
import { bullContract } from './wake.bull.contract.ts';
import { wakeContract } from './wake.contract.ts';
import { throughRestarts } from './wake.switch.ts';

wakeContract('BullMQ on Postgres', async () => {
  const server = await testServer();
  let made = 0;
  return {
    open: async (errors) =>
      openBullWake({
        url: server.postgres.url,
        queue: `q${++made}`,
        onError: (what, e) => errors.push(`${what}: ${String(e)}`),
      }),
    close: () => server.stop(),
  };
});

bullContract('BullMQ on Postgres', async () => {
  const server = await testServer();
  return {
    url: server.postgres.url,
    empty: async () => {
      await server.query('truncate spillway_wake.job cascade');
    },
    // A backend that dies of SIGKILL takes all connections with it: the server recovers from its log.
    crash: async () => {
      const [victim] = await server.query(
        `select pid from pg_stat_activity where application_name like '%wake%' and pid <> pg_backend_pid() limit 1`,
      );
      process.kill(Number(victim?.pid), 'SIGKILL');
    },
    stop: () => server.stop(),
  };
});

it('an emptied queue costs nothing: a sweep brings every unfinished burst back', async () => {
  const server = await testServer();
  const store = await openPostgresStore({ url: server.postgres.url, onError: () => undefined });
  const gateway = {
    url: server.postgres.url,
    wipe: async () => {
      await server.query('truncate spillway_wake.job cascade');
    },
  };
  try {
    await throughRestarts(store, aCluster(), [gateway, gateway, gateway]);
  } finally {
    await store.close();
    await server.stop();
  }
});
