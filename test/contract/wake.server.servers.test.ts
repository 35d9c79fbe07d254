import { openBullWake } from '../../adapters/queue/bull.ts';
import { postgresServer } from './server.ts';
import { bullContract } from './wake.bull.contract.ts';
import { wakeContract } from './wake.contract.ts';

wakeContract('BullMQ on a Postgres server', async () => {
  const server = await postgresServer();
  const url = await server.database();
  let made = 0;
  return {
    open: async (errors) =>
      openBullWake({
        url,
        queue: `q${++made}`,
        onError: (what, e) => errors.push(`${what}: ${String(e)}`),
      }),
    close: () => server.stop(),
  };
});

bullContract('BullMQ on a Postgres server', async () => {
  const server = await postgresServer();
  const url = await server.database();
  return {
    url,
    empty: async () => {
      await server.query('truncate spillway_wake.job cascade', url);
    },
    crash: async () => {
      await server.kill();
      await server.start();
    },
    stop: () => server.stop(),
  };
});
