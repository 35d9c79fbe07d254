import { expect, it } from 'vitest';
import { type Instant, instant } from '../../src/domain/ids.ts';
import type { Scheduler } from '../../src/ports.ts';
import { MemWake } from '../../src/sim/models/wake.ts';
import { wakeContract, wakeId } from './wake.contract.ts';

const timers: Scheduler = {
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

wakeContract('MemWake', async () => ({
  open: async (errors) =>
    new MemWake({
      clock: { now: () => instant(Date.now()) },
      scheduler: timers,
      onError: (what, e) => errors.push(`${what}: ${String(e)}`),
    }),
  close: async () => undefined,
}));

it('MemWake runs on virtual time alone', async () => {
  let now = 0;
  const due: { at: number; work: () => void }[] = [];
  const scheduler: Scheduler = {
    after: (ms, work) => {
      const entry = { at: now + ms, work };
      due.push(entry);
      return { cancel: () => void due.splice(due.indexOf(entry), 1) };
    },
  };
  const wakes = new MemWake({
    clock: { now: (): Instant => instant(now) },
    scheduler,
    onError: () => undefined,
  });
  const seen: [string, number][] = [];
  await wakes.start(async (id) => void seen.push([id, now]));
  await wakes.wake(wakeId('b-1'), 3_600_000);
  await wakes.wake(wakeId('b-2'), 60_000);
  while (due.length > 0) {
    due.sort((x, y) => x.at - y.at);
    const next = due.shift();
    now = next?.at ?? now;
    next?.work();
    await Promise.resolve();
  }
  expect(seen).toEqual([
    ['b-2', 60_000],
    ['b-1', 3_600_000],
  ]);
});
