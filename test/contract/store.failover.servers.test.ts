import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgresStore } from '../../adapters/store/postgres.ts';
import { faultOf } from '../../src/domain/fault.ts';
import type { StorePort } from '../../src/ports.ts';
import { proxyTo, type Way } from './proxy.ts';
import { aBurst, aCluster, newId, putBurst } from './samples.ts';
import { type PostgresServer, postgresServer } from './server.ts';

/** A second server that begins with what the first has now, and goes on by itself: on a timeline of its own, as after a failover. */
const copyOf = (server: PostgresServer): Promise<PostgresServer> =>
  postgresServer({
    fill: async (copy) => {
      const from = `postgres://admin:secret@127.0.0.1:${server.port}/postgres`;
      await copy.program('pg_basebackup', ['-D', copy.dataDir, '-d', from, '-X', 'fetch', '-c', 'fast']);
      // Recovery to the end of what there is; the archive holds nothing.
      await writeFile(join(copy.dataDir, 'recovery.signal'), '');
      await writeFile(join(copy.dataDir, 'postgresql.auto.conf'), "restore_command = 'false'\n");
    },
  });

describe('a store whose Postgres fails over to a server that lacks the last commits', () => {
  let first: PostgresServer;
  let second: PostgresServer | undefined;
  let way: Way;
  let store: StorePort;
  beforeAll(async () => {
    first = await postgresServer();
    const url = await first.database();
    way = await proxyTo(
      first.port,
      (port) => `postgres://joe:secret@127.0.0.1:${port}${new URL(url).pathname}`,
    );
    store = await openPostgresStore({ url: way.url, onError: () => undefined });
  });
  afterAll(async () => {
    await store?.close();
    await way?.close();
    await second?.stop();
    await first?.stop();
  });

  it('recovers under the gateway that runs: what it still writes in its old epoch is refused', async () => {
    const cluster = aCluster();
    const lease = await store.lease(cluster, 'a', 60_000);
    const [kept, lost] = [aBurst({ cluster }), aBurst({ cluster })];
    await store.commit(newId(), cluster, lease?.epoch ?? 0, [putBurst(kept)]);
    const generation = await store.generation();
    second = await copyOf(first);
    await store.commit(newId(), cluster, lease?.epoch ?? 0, [putBurst(lost)]);
    await first.kill();
    way.turn(second.port);

    const write = () => store.commit(newId(), cluster, lease?.epoch ?? 0, [putBurst(aBurst({ cluster }))]);
    let answer: unknown;
    // Until it has taken over, the server refuses every write.
    for (answer = 'refused'; answer === 'refused' || answer === 'unreachable'; )
      answer = await write().catch(faultOf);
    expect(answer).toBe('stale');
    expect(await store.burst(kept.id)).toBeDefined();
    expect(await store.burst(lost.id)).toBeUndefined();
    expect((await store.recovering(cluster))?.why).toBe(
      'Postgres is on timeline 2 and was on 1: it was restored or failed over',
    );
    expect(await store.generation()).not.toBe(generation);
    const next = await store.lease(cluster, 'a', 60_000);
    expect(next?.epoch ?? 0).toBeGreaterThan(lease?.epoch ?? 0);
    await store.recovered(cluster);
    expect(await store.recovering(cluster)).toBeUndefined();
  });

  it('does not recover because its server was killed and came back as it was', async () => {
    const generation = await store.generation();
    await second?.kill();
    await second?.start();
    await store.ping().catch(() => undefined);
    expect(await store.generation()).toBe(generation);
  });
});
