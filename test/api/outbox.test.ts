/** What a hook does to the gateway when its receiver, or the store, is not well. What it sends is shown in test/api/webhooks.store.test.ts. */
import { expect, it } from 'vitest';
import { toldOf } from '../../src/api/webhook.ts';
import { PortError } from '../../src/domain/fault.ts';
import { clusterName, instant, uuid } from '../../src/domain/ids.ts';
import type { Delivery } from '../../src/domain/webhook.ts';
import { type Hook, Outbox, type OutboxGiven } from '../../src/engine/outbox.ts';
import type { OutboxPort } from '../../src/ports.ts';

const generation = uuid('0f8fad5b-d9cb-469f-a165-70867728950e');
const delivery = (n: number): Delivery => ({
  ...{ id: uuid(`d${n}`), hook: 'portal', event: `g.1.${n}`, body: '{}', tries: 0, firstAt: instant(0) },
  why: undefined,
});

function scene(over: { port: Hook['port']; claim: OutboxPort['claim']; giveUpMs?: number }) {
  const timers = new Set<{ readonly ms: number; readonly work: () => void }>();
  const log: string[] = [];
  const failed: string[] = [];
  const hook: Hook = {
    ...{ name: 'portal', url: 'https://portal.example.org/', timeoutMs: 60_000, port: over.port },
    ...{ giveUpMs: over.giveUpMs ?? 1e9, kinds: undefined, states: undefined },
  };
  const given = {
    hooks: [hook],
    outbox: {
      place: async () => ({ generation, mark: [1, 1] }),
      waiting: async () => 0,
      claim: over.claim,
      delivered: async () => undefined,
      failed: async (_id: string, why: string) => void failed.push(why),
    },
    desk: {
      generation: async () => generation,
      events: async () => ({ rows: [], next: [1, 1] }),
      now: async () => instant(1),
    },
    scheduler: {
      after: (ms: number, work: () => void) => {
        const timer = { ms, work };
        timers.add(timer);
        return { cancel: () => void timers.delete(timer) };
      },
    },
    told: () => expect.unreachable(),
    reset: () => expect.unreachable(),
    log: ({ text }: { text: string }) => void log.push(text),
  } as unknown as OutboxGiven;
  /** Lets the timer of so many milliseconds go off. */
  const fire = (ms: number): void => {
    for (const timer of timers)
      if (timer.ms === ms) {
        timers.delete(timer);
        timer.work();
        return;
      }
    throw new Error(`no timer of ${ms} ms`);
  };
  const waits = (ms: number): boolean => [...timers].some((timer) => timer.ms === ms);
  return { outbox: new Outbox(given), hook, log, failed, fire, waits, timers };
}

it('a stop does not wait for a receiver that takes its time', async () => {
  let asked = false;
  const { outbox, fire, waits, timers } = scene({
    port: {
      send: () => {
        asked = true;
        return new Promise(() => undefined);
      },
    },
    claim: async () => [delivery(1)],
  });
  outbox.start();
  fire(0);
  await expect.poll(() => asked).toBe(true);
  const stopped = outbox.stop();
  expect(waits(5_000)).toBe(true);
  fire(5_000);
  await stopped;
  expect(timers.size).toBe(0);
});

it('a store that is away is told of once, until a round comes to its end', async () => {
  let away = true;
  const { outbox, fire, waits, log } = scene({
    port: { send: async () => ({ kind: 'taken' }) },
    claim: async () => {
      if (away) throw new PortError('unreachable', 'outbox.claim', 'the database is away');
      return [];
    },
  });
  outbox.start();
  fire(0);
  const again = async () => {
    await expect.poll(() => waits(1_000)).toBe(true);
    fire(1_000);
  };
  for (let round = 0; round < 5; round++) await again();
  away = false;
  await again();
  await expect.poll(() => waits(1_000)).toBe(true);
  away = true;
  await again();
  await expect.poll(() => waits(1_000)).toBe(true);
  expect(log).toEqual(['webhook portal: the database is away', 'webhook portal: the database is away']);
  await outbox.stop();
});

it('events that are given up one after another are one line, and what a receiver’s certificate says is no line of its own', async () => {
  let n = 0;
  const { outbox, hook, log, failed } = scene({
    port: {
      send: async () => {
        throw new PortError('unreachable', 'webhook.send', `a\0b\n${'x'.repeat(9_999)}`);
      },
    },
    claim: async () => [delivery(++n), delivery(++n)],
    giveUpMs: 0,
  });
  for (let round = 0; round < 3; round++) await outbox.round(hook);
  expect(log.filter((line) => line.includes('given up'))).toHaveLength(1);
  expect(failed).toHaveLength(6);
  for (const why of failed) expect(why).toMatch(/^a b x{496}$/);
});

it('one delivery that cannot be written down keeps the round until the others have ended', async () => {
  let ended = false;
  const { outbox, hook } = scene({
    port: {
      send: async (event) => {
        if (event === 'g.1.1') throw new Error('a bug');
        await new Promise((resolve) => setImmediate(resolve));
        ended = true;
        return { kind: 'taken' };
      },
    },
    claim: async () => [delivery(1), delivery(2)],
  });
  await expect(outbox.round(hook)).rejects.toThrow('a bug');
  expect(ended).toBe(true);
});

it('each switch is a kind of its own, and no instance', () => {
  for (const kind of ['stop', 'ramp', 'drain', 'breaker'] as const) {
    const nobodys = { job: undefined, user: undefined, account: undefined };
    const of = { subject: `${kind}/hpc1/cpu`, cluster: clusterName('hpc1'), ...nobodys };
    const row = {
      seq: 1,
      at: instant(0),
      from: undefined,
      to: 'turned',
      why: 'by alice',
      prev: '',
      hash: '',
    };
    expect(toldOf({ ...of, ...row, mark: [1, 1] }, generation).kind).toBe(kind);
  }
});
