import { afterAll, beforeAll, describe, it } from 'vitest';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import type { StorePort } from '../../src/ports.ts';
import { type TestServer, testServer } from './embedded.ts';
import { type RedisServer, redisServer } from './redis.ts';
import { aCluster } from './samples.ts';
import { throughRestarts } from './wake.switch.ts';

describe('queues are interchangeable while the gateway is stopped', () => {
  let server: TestServer;
  let redis: RedisServer;
  let store: StorePort;
  beforeAll(async () => {
    server = await testServer();
    redis = await redisServer();
    store = await openPostgresStore({ url: server.postgres.url, onError: () => undefined });
  });
  afterAll(async () => {
    await store?.close();
    await redis?.stop();
    await server?.stop();
  });

  const nothing = async () => undefined;

  it('from Postgres to Redis and back, each time leaving behind what waited', async () => {
    const postgres = { url: server.postgres.url, wipe: nothing };
    await throughRestarts(store, aCluster(), [postgres, { url: redis.url, wipe: nothing }, postgres]);
  });

  it('and with every queue emptied in between', async () => {
    const postgres = {
      url: server.postgres.url,
      wipe: async () => {
        await server.query('truncate spillway_wake.job cascade');
      },
    };
    await throughRestarts(store, aCluster(), [{ url: redis.url, wipe: () => redis.crash() }, postgres]);
  });
});
