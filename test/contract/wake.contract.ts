import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { faultOf } from '../../src/domain/fault.ts';
import { burstId } from '../../src/domain/ids.ts';
import type { WakeId, WakePort } from '../../src/ports.ts';

export interface WakesUnderTest {
  /** A wake port on an empty queue; what it logs goes to `errors`. */
  open(errors: string[]): Promise<WakePort>;
  close(): Promise<void>;
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export async function until(what: () => boolean, withinMs = 10_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!what()) {
    if (performance.now() > end) throw new Error(`did not come within ${withinMs} ms: ${what}`);
    await sleep(2);
  }
}

export const wakeId = (name: string): WakeId => burstId(name);

export function wakeContract(name: string, start: () => Promise<WakesUnderTest>): void {
  describe(`${name}: the contract of wakes`, () => {
    let under: WakesUnderTest;
    beforeAll(async () => {
      under = await start();
    }, 60_000);
    afterAll(() => under?.close());

    /** Runs a test on a queue of its own, with a record of what was handled and when. */
    const withWakes =
      (
        work: (t: { wakes: WakePort; seen: { id: string; at: number }[]; errors: string[] }) => Promise<void>,
      ) =>
      async () => {
        const errors: string[] = [];
        const wakes = await under.open(errors);
        try {
          await work({ wakes, seen: [], errors });
        } finally {
          await wakes.close();
        }
      };
    const [a, b] = [wakeId('b-a'), wakeId('b-b')];

    it(
      'brings a wake to the handler, soon',
      withWakes(async ({ wakes, seen }) => {
        await wakes.start(async (id) => void seen.push({ id, at: performance.now() }));
        const asked = performance.now();
        await wakes.wake(a);
        await until(() => seen.length === 1);
        expect(seen[0]?.id).toBe(a);
        // A machine that is busy is no fault; a wake that waits for the next sweep is.
        expect((seen[0]?.at ?? 0) - asked).toBeLessThan(5_000);
        await sleep(50);
        expect(seen).toHaveLength(1);
      }),
    );

    it(
      'brings a delayed wake at its time, not before',
      withWakes(async ({ wakes, seen }) => {
        await wakes.start(async (id) => void seen.push({ id, at: performance.now() }));
        const asked = performance.now();
        await wakes.wake(a, 300);
        await until(() => seen.length === 1);
        const late = (seen[0]?.at ?? 0) - asked - 300;
        expect(late).toBeGreaterThan(-5);
        expect(late).toBeLessThan(5_000);
      }),
    );

    it(
      'keeps what was woken before there was a handler',
      withWakes(async ({ wakes, seen }) => {
        await wakes.wake(a);
        await wakes.wake(b, 50);
        await sleep(100);
        await wakes.start(async (id) => void seen.push({ id, at: performance.now() }));
        await until(() => new Set(seen.map((s) => s.id)).size === 2);
      }),
    );

    it(
      'merges wakes of one id that wait',
      withWakes(async ({ wakes, seen }) => {
        await Promise.all(Array.from({ length: 50 }, () => wakes.wake(a)));
        for (let i = 0; i < 20; i++) await wakes.wake(a, 200);
        await wakes.start(async (id) => void seen.push({ id, at: performance.now() }));
        await until(() => seen.length > 0);
        await sleep(400);
        expect(seen.length).toBeLessThanOrEqual(3);
      }),
    );

    it(
      'does not let a sooner wake wait for a later one',
      withWakes(async ({ wakes, seen }) => {
        await wakes.start(async (id) => void seen.push({ id, at: performance.now() }));
        await wakes.wake(a, 60_000);
        await wakes.wake(b, 60_000);
        await wakes.wake(a);
        await wakes.wake(b, 100);
        await until(() => seen.length === 2);
        expect(seen.map((s) => s.id)).toEqual([a, b]);
      }),
    );

    it(
      'runs once more for a wake that comes while its handler runs, however often it comes',
      withWakes(async ({ wakes }) => {
        let runs = 0;
        let letGo = () => {};
        const held = new Promise<void>((resolve) => {
          letGo = resolve;
        });
        await wakes.start(async () => {
          if (++runs === 1) await held;
        });
        await wakes.wake(a);
        await until(() => runs === 1);
        for (let i = 0; i < 5; i++) await wakes.wake(a);
        await sleep(100);
        expect(runs).toBe(1);
        letGo();
        await until(() => runs === 2);
        await sleep(100);
        expect(runs).toBe(2);
      }),
    );

    it(
      'runs once more for a delayed wake that comes due while its handler runs',
      withWakes(async ({ wakes }) => {
        let runs = 0;
        await wakes.start(async () => {
          if (++runs === 1) await sleep(300);
        });
        await wakes.wake(a);
        await until(() => runs === 1);
        await wakes.wake(a, 50);
        await until(() => runs === 2);
      }),
    );

    it(
      'never runs one id twice at once, and loses none of what was asked',
      withWakes(async ({ wakes }) => {
        const running = new Set<string>();
        const asked = new Map<string, number>();
        const served = new Map<string, number>();
        let twice = 0;
        await wakes.start(async (id) => {
          if (running.has(id)) twice++;
          running.add(id);
          const upTo = asked.get(id) ?? 0;
          await sleep(1 + (upTo % 7));
          served.set(id, upTo);
          running.delete(id);
        });
        for (let i = 1; i <= 300; i++) {
          const id = wakeId(`b-${i % 5}`);
          asked.set(id, i);
          await wakes.wake(id);
          if (i % 20 === 0) await sleep(3);
        }
        await until(() => [...asked].every(([id, n]) => served.get(id) === n));
        expect(twice).toBe(0);
      }),
    );

    it(
      'does not let a slow handler hold up other ids',
      withWakes(async ({ wakes, seen }) => {
        await wakes.start(async (id) => {
          if (id === a) await sleep(500);
          seen.push({ id, at: performance.now() });
        });
        await wakes.wake(a);
        await sleep(20);
        await wakes.wake(b);
        await until(() => seen.length === 2);
        expect(seen[0]?.id).toBe(b);
      }),
    );

    it(
      'lets a handler wake its own id, now and later',
      withWakes(async ({ wakes }) => {
        let runs = 0;
        await wakes.start(async (id) => {
          runs++;
          if (runs < 3) await wakes.wake(id);
          else if (runs < 5) await wakes.wake(id, 50);
        });
        await wakes.wake(a);
        await until(() => runs === 5);
        await sleep(100);
        expect(runs).toBe(5);
      }),
    );

    it(
      'logs what a handler throws, and wakes it again later',
      withWakes(async ({ wakes, seen, errors }) => {
        await wakes.start(async (id) => {
          seen.push({ id, at: performance.now() });
          if (seen.length === 1) throw new Error('not yet');
        });
        await wakes.wake(a);
        await until(() => seen.length === 2);
        expect((seen[1]?.at ?? 0) - (seen[0]?.at ?? 0)).toBeGreaterThan(500);
        expect(errors.join()).toContain('not yet');
      }),
    );

    it(
      'brings five hundred ids',
      withWakes(async ({ wakes, seen }) => {
        await wakes.start(async (id) => void seen.push({ id, at: performance.now() }));
        // A hundred at once: whoever waits for one of the few connections is told after 5 s that there is none.
        for (let from = 0; from < 500; from += 100)
          await Promise.all(
            Array.from({ length: 100 }, (_, i) => wakes.wake(wakeId(`b-${from + i}`), (from + i) % 3)),
          );
        await until(() => new Set(seen.map((s) => s.id)).size === 500, 20_000);
      }),
    );

    it(
      'waits at close for what runs, and runs nothing after',
      withWakes(async ({ wakes, seen }) => {
        await wakes.start(async (id) => {
          await sleep(200);
          seen.push({ id, at: performance.now() });
        });
        await wakes.wake(a);
        await sleep(100);
        await wakes.wake(b, 400);
        await wakes.close();
        expect(seen).toHaveLength(1);
        await wakes.wake(b);
        await sleep(500);
        expect(seen).toHaveLength(1);
      }),
    );

    it(
      'takes a time that has passed for now',
      withWakes(async ({ wakes, seen }) => {
        await wakes.start(async (id) => void seen.push({ id, at: performance.now() }));
        await wakes.wake(a, -5_000);
        await until(() => seen.length === 1);
      }),
    );

    it(
      'brings delayed wakes in the order of their times, whatever the order in which they were asked for',
      withWakes(async ({ wakes, seen }) => {
        await wakes.start(async (id) => void seen.push({ id, at: performance.now() }));
        for (const ms of [450, 150, 300]) await wakes.wake(wakeId(`b-${ms}`), ms);
        await until(() => seen.length === 3);
        expect(seen.map((s) => s.id)).toEqual(['b-150', 'b-300', 'b-450']);
      }),
    );

    it(
      'does not hold a new wake back until the one after a failure is due',
      withWakes(async ({ wakes, seen }) => {
        await wakes.start(async (id) => {
          seen.push({ id, at: performance.now() });
          if (seen.length === 1) throw new Error('not yet');
        });
        await wakes.wake(a);
        await until(() => seen.length === 1);
        for (; seen.length < 2; await sleep(5)) await wakes.wake(a);
        expect((seen[1]?.at ?? 0) - (seen[0]?.at ?? 0)).toBeLessThan(800);
      }),
    );

    it(
      'has one handler: a second start is refused, and the first goes on',
      withWakes(async ({ wakes, seen }) => {
        await wakes.start(async (id) => void seen.push({ id, at: performance.now() }));
        expect(faultOf(await wakes.start(async () => undefined).catch((e: unknown) => e))).toBe('invalid');
        await wakes.wake(a);
        await until(() => seen.length === 1);
      }),
    );

    it(
      'closes without ever having been started, and twice',
      withWakes(async ({ wakes }) => {
        await wakes.wake(a, 60_000);
        await Promise.all([wakes.close(), wakes.close()]);
        await wakes.close();
      }),
    );

    it(
      'answers a ping',
      withWakes(({ wakes }) => wakes.ping()),
    );
  });
}
