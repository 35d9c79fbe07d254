import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBullWake } from '../../adapters/queue/bull.ts';
import { type TestServer, testServer } from './embedded.ts';
import { sleep, until, wakeContract, wakeId } from './wake.contract.ts';

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

describe('BullMQ on Postgres', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer();
  });
  afterAll(() => server?.stop());
  const open = (queue: string) => openBullWake({ url: server.postgres.url, queue, onError: () => undefined });

  it('brings a wake that was asked for before a restart', async () => {
    const before = await open('restart');
    await before.wake(wakeId('b-1'), 100);
    await before.wake(wakeId('b-2'));
    await before.close();
    const after = await open('restart');
    const seen = new Set<string>();
    await after.start(async (id) => void seen.add(id));
    await until(() => seen.size === 2);
    await after.close();
  });

  it('goes on after the queue was emptied under it: a lost wake is not taken for one that waits', async () => {
    const wakes = await open('emptied');
    await wakes.wake(wakeId('b-1'));
    await server.query('truncate spillway_wake.job cascade');
    const seen: string[] = [];
    await wakes.start(async (id) => void seen.push(id));
    await sleep(2_100);
    expect(seen).toEqual([]);
    await wakes.wake(wakeId('b-1'));
    await until(() => seen.length === 1);
    await wakes.close();
  });

  it('goes on after Postgres was killed and started again', async () => {
    const wakes = await open('killed');
    const seen: string[] = [];
    await wakes.start(async (id) => void seen.push(id));
    await wakes.wake(wakeId('b-1'));
    await until(() => seen.length === 1);
    const [row] = await server.query('select pg_backend_pid() as pid');
    // A backend that dies of SIGKILL takes all connections with it: the server recovers from its log.
    const [victim] = await server.query(
      `select pid from pg_stat_activity where application_name like '%wake%' limit 1`,
    );
    expect(victim?.pid).not.toBe(row?.pid);
    process.kill(Number(victim?.pid), 'SIGKILL');
    const asked = performance.now();
    for (let done = false; !done; ) {
      done = await wakes.wake(wakeId('b-2')).then(
        () => true,
        () => false,
      );
      await sleep(20);
    }
    await until(() => seen.includes('b-2'), 15_000);
    console.log(
      `after a crash of the server, the next wake came in ${Math.round(performance.now() - asked)} ms`,
    );
    await wakes.close();
  });

  it('brings a wake again whose gateway was killed while it was handled', async () => {
    const child = fileURLToPath(new URL('./wake-child.ts', import.meta.url));
    const killed = spawn(process.execPath, ['--import', 'tsx', child, server.postgres.url, 'killed-gateway']);
    try {
      let out = '';
      killed.stdout.on('data', (d) => {
        out += d;
      });
      const wakes = await open('killed-gateway');
      await wakes.wake(wakeId('b-1'));
      await until(() => out.includes('b-1'), 20_000);
      killed.kill('SIGKILL');
      const at = performance.now();
      const seen: string[] = [];
      await wakes.start(async (id) => void seen.push(id));
      await until(() => seen.length === 1, 50_000);
      console.log(
        `a wake whose gateway was killed came again after ${Math.round((performance.now() - at) / 1000)} s`,
      );
      await wakes.close();
    } finally {
      killed.kill('SIGKILL');
    }
  });

  it('wakes within milliseconds', async () => {
    const wakes = await open('latency');
    const arrived = new Map<string, number>();
    await wakes.start(async (id) => void arrived.set(id, performance.now()));
    const took: number[] = [];
    for (let i = 0; i < 100; i++) {
      const id = wakeId(`b-${i}`);
      const asked = performance.now();
      await wakes.wake(id);
      await until(() => arrived.has(id));
      took.push((arrived.get(id) ?? 0) - asked);
    }
    took.sort((x, y) => x - y);
    console.log(`wake to handler: median ${took[50]?.toFixed(1)} ms, p95 ${took[95]?.toFixed(1)} ms`);
    expect(took[50]).toBeLessThan(250);
    await wakes.close();
  });
});
