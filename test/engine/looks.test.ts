/** A gateway looks at the queue of a slow Slurm more seldom, at one that does not answer too. */
import { expect, it } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { clusterName, instant } from '../../src/domain/ids.ts';
import type { Snapshot } from '../../src/domain/job.ts';
import type { ClusterSettings, Ports } from '../../src/engine/context.ts';
import { Gateway } from '../../src/engine/gateway.ts';
import { MemStore } from '../../src/sim/models/store.ts';
import { MemWake } from '../../src/sim/models/wake.ts';
import { VirtualTime } from '../../src/sim/time.ts';
import { newId } from '../contract/samples.ts';
import { drain } from '../sim/drain.ts';

const second = 1_000;
const begin = instant(1_000_000);
const cluster = clusterName('hpc1');

/** When its looks began, over half an hour; `answers`: how long each takes, and how it ends. */
async function looksOf(pollMs: number, answers: (ms: number) => { tookMs: number; fails: boolean }) {
  const time = new VirtualTime(begin, drain);
  const looks: number[] = [];
  const snapshot = async (): Promise<Snapshot> => {
    const at = time.now();
    looks.push(at - begin);
    const { tookMs, fails } = answers(at - begin);
    await new Promise<void>((resolve) => void time.after(tookMs, resolve));
    if (fails) throw new PortError('unreachable', 'slurm.snapshot', 'no answer');
    return { cluster, at, tookMs, jobs: [], partitions: [], nodes: [], partial: [] };
  };
  const settings = {
    setup: { name: cluster, mode: 'observe', watch: [], pollMs },
    ...{ policy: { budgets: [], burstWhen: [], never: [] }, forecaster: { draws: 1, exact: 1 } },
    ...{ historyMs: 1, groups: [], hands: false, pods: {}, cloud: {} },
    streams: { close: async () => undefined, drop: () => undefined },
    slurm: { snapshot, history: async () => ({ runs: [], partial: [] }) },
  } as unknown as ClusterSettings;
  const entropy = { uuid: newId, bytes: (n: number) => new Uint8Array(n), random: () => 0 };
  const deps = { clock: time, scheduler: time };
  const ports = {
    ...{ ...deps, entropy, store: new MemStore({ clock: time, entropy }), kubernetes: {} },
    wake: new MemWake({ ...deps, onError: () => undefined }),
    log: () => undefined,
  } as unknown as Ports;
  const times = {
    ...{ holder: 'a', leaseMs: 24 * 3_600 * second, monotonic: () => time.now() },
    ...{ sweepMs: 60 * second, cloudPollMs: 60 * second },
  };
  const fine = { check: (name: string) => ({ name, ok: true, text: '', at: undefined }), asked: () => false };
  const gateway = await Gateway.create([settings], ports, times, fine);
  await gateway.start();
  await time.run(instant(begin + 1_800 * second));
  await gateway.stop();
  return looks.map((at, i) => at - (looks[i - 1] ?? 0)).slice(2);
}

it('in its beat where that is quick, ten times as long apart where it is slow, and in its beat again', async () => {
  const busyUntil = 600 * second;
  const gaps = await looksOf(30 * second, (ms) => ({
    tookMs: (ms < busyUntil ? 9 : 1) * second,
    fails: false,
  }));
  expect(gaps.filter((gap) => gap === 99 * second).length).toBeGreaterThanOrEqual(4);
  expect(gaps.slice(-5)).toEqual(Array(5).fill(31 * second));
});

it('as seldom where it fails, five minutes apart at most', async () => {
  const gaps = await looksOf(30 * second, () => ({ tookMs: 60 * second, fails: true }));
  expect(gaps.length).toBeGreaterThan(2);
  expect(new Set(gaps)).toEqual(new Set([360 * second]));
});

it('in a short beat that the site asked for, whatever it takes', async () => {
  const gaps = await looksOf(5 * second, () => ({ tookMs: 9 * second, fails: false }));
  expect(new Set(gaps)).toEqual(new Set([14 * second]));
});
