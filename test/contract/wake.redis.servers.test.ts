import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBullWake } from '../../adapters/queue/bull.ts';
import { faultOf } from '../../src/domain/fault.ts';
import { type RedisServer, redisServer } from './redis.ts';
import { bullContract } from './wake.bull.contract.ts';
import { sleep, until, wakeContract, wakeId } from './wake.contract.ts';

wakeContract('BullMQ on Redis', async () => {
  const server = await redisServer();
  let made = 0;
  return {
    open: async (errors) =>
      openBullWake({
        url: server.url,
        queue: `q${++made}`,
        onError: (what, e) => errors.push(`${what}: ${String(e)}`),
      }),
    close: () => server.stop(),
  };
});

bullContract('BullMQ on Redis', redisServer);

describe('BullMQ on a Redis that goes away', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await redisServer();
  });
  afterAll(() => server?.stop());

  it('answers unreachable at once to what is asked meanwhile, and goes on when it is back', async () => {
    const wakes = await openBullWake({ url: server.url, onError: () => undefined });
    const seen: string[] = [];
    await wakes.start(async (id) => void seen.push(id));
    await server.kill();
    const asked = performance.now();
    expect(faultOf(await wakes.wake(wakeId('b-1')).catch((e: unknown) => e))).toBe('unreachable');
    expect(faultOf(await wakes.ping().catch((e: unknown) => e))).toBe('unreachable');
    expect(performance.now() - asked).toBeLessThan(5_000);
    await server.crash();
    for (let up = false; !up; await sleep(5))
      up = await wakes.ping().then(
        () => true,
        () => false,
      );
    await wakes.wake(wakeId('b-1'));
    await until(() => seen.length === 1);
    await wakes.close();
  });

  it('remembers a wake that is due again after a failure until Redis is back', async () => {
    const wakes = await openBullWake({ url: server.url, queue: 'failing', onError: () => undefined });
    let runs = 0;
    await wakes.start(async () => {
      runs++;
      if (runs > 1) return;
      await server.kill();
      throw new Error('not yet');
    });
    await wakes.wake(wakeId('b-1'));
    await until(() => runs === 1);
    await server.crash();
    await until(() => runs === 2, 15_000);
    await wakes.close();
  });

  it('ends, and leaves no connection, though Redis is away', async () => {
    const wakes = await openBullWake({ url: server.url, onError: () => undefined });
    await wakes.start(async () => undefined);
    await server.kill();
    const asked = performance.now();
    await wakes.close();
    expect(performance.now() - asked).toBeLessThan(10_000);
    await server.crash();
  });

  it('keeps installations on one Redis apart by their prefix', async () => {
    const open = (prefix: string) => openBullWake({ url: server.url, prefix, onError: () => undefined });
    const [one, two] = [await open('one'), await open('two')];
    const seen: string[] = [];
    await one.start(async (id) => void seen.push(`one ${id}`));
    await two.start(async (id) => void seen.push(`two ${id}`));
    await one.wake(wakeId('b-1'));
    await two.wake(wakeId('b-2'));
    await until(() => seen.length === 2);
    expect(seen.sort()).toEqual(['one b-1', 'two b-2']);
    await one.close();
    await two.close();
  });
});
