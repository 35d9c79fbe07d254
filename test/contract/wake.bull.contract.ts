import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBullWake } from '../../adapters/queue/bull.ts';
import { faultOf } from '../../src/domain/fault.ts';
import { sleep, until, wakeId } from './wake.contract.ts';

/** What BullMQ runs on, in the test's hand. */
export interface QueueServer {
  readonly url: string;
  /** Every wake in it is gone. */
  empty(): Promise<void>;
  /** It dies under its users and comes back; what it holds may be gone. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

/** What the contract of wakes leaves open and every backend of BullMQ must hold: restarts, losses, crashes. */
export function bullContract(name: string, start: () => Promise<QueueServer>): void {
  describe(`${name}: over restarts and losses`, () => {
    let server: QueueServer;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server?.stop());
    const open = (queue: string) => openBullWake({ url: server.url, queue, onError: () => undefined });

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
      await server.empty();
      const seen: string[] = [];
      await wakes.start(async (id) => void seen.push(id));
      await sleep(2_100);
      expect(seen).toEqual([]);
      await wakes.wake(wakeId('b-1'));
      await until(() => seen.length === 1);
      await wakes.close();
    });

    it('goes on after its server was killed and started again', async () => {
      const wakes = await open('killed');
      const seen: string[] = [];
      await wakes.start(async (id) => void seen.push(id));
      await wakes.wake(wakeId('b-1'));
      await until(() => seen.length === 1);
      await server.crash();
      const asked = performance.now();
      for (let done = false; !done; ) {
        done = await wakes.wake(wakeId('b-2')).then(
          () => true,
          () => false,
        );
        await sleep(20);
      }
      // What was taken just as the server died may be lost; a sweep asks again.
      const sweep = setInterval(() => void wakes.wake(wakeId('b-2')).catch(() => undefined), 500);
      try {
        await until(() => seen.includes('b-2'), 15_000);
      } finally {
        clearInterval(sweep);
      }
      console.log(
        `${name}: after a crash of the server, the next wake came in ${Math.round(performance.now() - asked)} ms`,
      );
      await wakes.close();
    });

    it('brings a wake again whose gateway was killed while it was handled', async () => {
      const child = fileURLToPath(new URL('./wake-child.ts', import.meta.url));
      const killed = spawn(process.execPath, [
        '--import',
        'tsx',
        child,
        server.url,
        'killed-gateway',
        '2000',
      ]);
      try {
        let out = '';
        killed.stdout.on('data', (d) => {
          out += d;
        });
        const wakes = await openBullWake({
          url: server.url,
          queue: 'killed-gateway',
          lockMs: 2_000,
          onError: () => undefined,
        });
        await wakes.wake(wakeId('b-1'));
        await until(() => out.includes('b-1'), 20_000);
        killed.kill('SIGKILL');
        const at = performance.now();
        const seen: string[] = [];
        await wakes.start(async (id) => void seen.push(id));
        await until(() => seen.length === 1, 20_000);
        console.log(
          `${name}: a wake whose gateway was killed came again after ${Math.round((performance.now() - at) / 1000)} s`,
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
      console.log(
        `${name}: wake to handler: median ${took[50]?.toFixed(1)} ms, p95 ${took[95]?.toFixed(1)} ms`,
      );
      expect(took[50]).toBeLessThan(250);
      await wakes.close();
    });

    it('says at once where nobody answers', async () => {
      const url = server.url.replace(/(127\.0\.0\.1|localhost):\d+/, '127.0.0.1:1').replace(/\?.*$/, '');
      const asked = performance.now();
      const away = openBullWake({ url, onError: () => undefined });
      expect(faultOf(await away.catch((e: unknown) => e))).toBe('unreachable');
      expect(performance.now() - asked).toBeLessThan(15_000);
    });
  });
}
