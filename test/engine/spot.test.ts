/** What a gateway knows of spot, on the model of EC2: prices, notices, pools that rest. */
import { expect, it } from 'vitest';
import { reclaimedMs, refusedMs, standOf } from '../../src/decide/spot.ts';
import { PortError } from '../../src/domain/fault.ts';
import {
  type CloudId,
  cloudId,
  clusterName,
  instanceId,
  instant,
  launchToken,
} from '../../src/domain/ids.ts';
import type { CloudNotice } from '../../src/domain/instance.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import { GiB, nothing } from '../../src/domain/resources.ts';
import { Shortage } from '../../src/engine/shortage.ts';
import { Spot } from '../../src/engine/spot.ts';
import { model, spec, VirtualTime } from '../contract/cloud.harness.ts';
import { cluster } from './chaos/centre.ts';
import { breaches } from './chaos/check.ts';
import { Run } from './chaos/run.ts';
import type { Scenario } from './chaos/scenario.ts';

const minute = 60_000;
const group: NodeGroup = {
  ...{ name: 'cpu', launchTemplate: 't', types: ['sim.small'], zones: ['eu-sim-1a', 'eu-sim-1b'] },
  ...{ vcpuPerCpu: 1, overhead: nothing, capacityType: 'on-demand', max: 4, idleMs: 1 },
  ...{ joinTimeoutMs: 1, lostAfterMs: 1, prices: { 'sim.small': 80_000 }, spot: { capPercent: 100 } },
  taint: { key: 'k', value: 'v', effect: 'NoSchedule' },
};
const types = [{ name: 'sim.small', vcpus: 2, memoryBytes: 4 * GiB, gpus: 0 }];
const scene = (of: NodeGroup = group) => {
  const time = new VirtualTime();
  const cloud = model(time, { consistencyMs: 0 });
  let asked = 0;
  const port = cloud.asPort(clusterName('hpc1'));
  const counted = {
    ...port,
    spotPrices: (...args: Parameters<typeof port.spotPrices>) => {
      asked += 1;
      return port.spotPrices(...args);
    },
  };
  const shortage = new Shortage(time);
  const spot = new Spot([of], counted, time, shortage);
  const stand = () => standOf(of, types, spot.seen, spot.avoided(), time.now());
  return { time, cloud, port, spot, shortage, stand, asked: () => asked };
};

it('prices are read every five minutes, and not at all where nothing is bought so', async () => {
  const s = scene();
  await s.spot.read();
  await s.spot.read();
  expect(s.asked()).toBe(1);
  expect(s.stand()).toMatchObject({ prices: { 'sim.small': { microUsd: 30_000 } } });
  s.cloud.setSpotPrice({}, 40_000);
  s.time.advance(5 * minute);
  await s.spot.read();
  expect(s.stand()).toMatchObject({ prices: { 'sim.small': { microUsd: 40_000 } } });
  const none = scene({ ...group, spot: undefined });
  await none.spot.read();
  expect([none.spot.used, none.asked()]).toEqual([false, 0]);
});

it('prices that cannot be read hold for a quarter of an hour, and then nothing is bought on them', async () => {
  const s = scene();
  await s.spot.read();
  s.cloud.switch('throttle', true);
  for (let i = 0; i < 15; i++) {
    s.time.advance(minute);
    await s.spot.read().catch(() => undefined);
    expect(s.stand().kind).toBe('offered');
  }
  s.time.advance(minute);
  expect(s.stand()).toMatchObject({ kind: 'none', why: expect.stringContaining('read 16 min ago') });
  s.cloud.switch('throttle', false);
  await s.spot.read();
  expect(s.stand().kind).toBe('offered');
});

it('a notice of several tells all that can be told, and the others with the next one or without', async () => {
  const { spot } = scene();
  const [a, b, c, d] = ['i-a', 'i-b', 'i-c', 'i-d'].map(cloudId) as [CloudId, CloudId, CloudId, CloudId];
  const ours = new Map([a, b, c].map((id) => [id, instanceId(`row-${id}`)]));
  const told: string[] = [];
  const broken = new Set(['row-i-a']);
  const wake = async (id: string) => {
    if (broken.has(id)) throw new PortError('transient', 'wake.wake', 'the queue is away');
    told.push(id);
  };
  await expect(spot.tell([a, b, d], ours, wake)).rejects.toThrow('the queue is away');
  expect(told).toEqual(['row-i-b']);
  await expect(spot.tell([], ours, wake)).rejects.toThrow('the queue is away');
  broken.clear();
  await spot.tell([c], ours, wake);
  expect(told).toEqual(['row-i-b', 'row-i-a', 'row-i-c']);
  await spot.tell([], ours, wake);
  expect(told).toHaveLength(3);
});

it('who could not be told and is not ours any more is told of no more', async () => {
  const { spot } = scene();
  const id = cloudId('i-a');
  const fails = () => Promise.reject(new PortError('transient', 'wake.wake', 'the queue is away'));
  await expect(spot.tell([id], new Map([[id, instanceId('row')]]), fails)).rejects.toThrow();
  await spot.tell([], new Map(), fails);
  await spot.tell([], new Map([[id, instanceId('row')]]), fails);
});

it('prices that were never read are a fault with its words', async () => {
  const s = scene();
  s.cloud.switch('unauthorized', true);
  await expect(s.spot.read()).rejects.toThrow();
  expect(s.stand()).toMatchObject({ why: expect.stringContaining('not known: UnauthorizedOperation') });
});

it('a notice is news once, and of our instances alone', async () => {
  const s = scene();
  const made = await Promise.all(
    ['a', 'b'].map((t) => s.port.launch({ ...spec, capacityType: 'spot' }, launchToken(t))),
  );
  const [mine, other] = made.map(({ id }) => id);
  if (mine === undefined || other === undefined) throw new Error('two were launched');
  s.cloud.reclaim(mine);
  s.cloud.reclaim(other);
  expect(await s.spot.look(new Set([mine]))).toEqual([mine]);
  expect(await s.spot.look(new Set([mine]))).toEqual([]);
  expect(s.spot.interrupted(mine)).toBe(s.time.now());
  expect(s.spot.interrupted(other)).toBeUndefined();
});

it('a pool rests for a while: longer where it took something back', () => {
  const s = scene();
  const [a, b] = group.zones.map((zone) => ({ type: 'sim.small', zone }));
  if (a === undefined || b === undefined) throw new Error('two zones');
  s.spot.avoid(a);
  s.shortage.note(
    'spot',
    [a, b].map((pool) => ({ ...pool, why: 'none' })),
  );
  expect(s.spot.avoided()).toEqual([a, b]);
  s.time.advance(refusedMs);
  expect(s.spot.avoided()).toEqual([a]);
  s.time.advance(reclaimedMs - refusedMs);
  expect(s.spot.avoided()).toEqual([]);
});

const calm: Scenario = {
  ...{
    seed: 2,
    onLost: 'fail',
    mode: 'auto',
    lowered: undefined,
    ramp: undefined,
    idleMs: minute,
    spot: true,
  },
  ...{ budget: 100_000_000, fullMs: 0, people: [], world: [], faults: [], kills: [] },
  ...{ pauses: [], secondAtMs: undefined, slowness: 0 },
  jobs: [],
};

/** The cloud takes back every spot instance once it is launched, or once the pod of its burst is made. */
async function takenBack(from: 'launched' | 'pod made', faults: Scenario['faults'] = []) {
  const run = new Run({ ...calm, faults }, () => new Promise((resolve) => setImmediate(resolve)), true);
  const taken = new Set<string>();
  const look = async (): Promise<void> => {
    const made = (await run.store.liveBursts(cluster)).filter((b) => b.pod?.uid !== undefined);
    for (const { id, cloudId, spec: of, state } of await run.store.liveInstances(cluster)) {
      const now = from === 'launched' ? state === from : made.some((b) => b.instance === id);
      if (cloudId === undefined || of.capacityType !== 'spot' || taken.has(id) || !now) continue;
      taken.add(id);
      run.cloud.reclaim(cloudId);
    }
    run.time.after(20, () => void look());
  };
  void look();
  const begun = run.time.now();
  run.startGateway();
  const work = { ms: 10 * minute, exit: 0 };
  const ref = run.slurm.submit('alice', { partition: 'cloud', cpusPerTask: 3, timeMs: 20 * minute, work });
  await run.time.run(instant(begun + 40 * minute));
  run.stop();
  expect(await breaches(run)).toEqual([]);
  const bursts = [...(await run.store.burstsOfJob(cluster, ref))].reverse();
  return {
    taken,
    bursts,
    job: run.slurm.truth().find((j) => j.ref === ref),
    bought: await run.store.instances(99),
  };
}

it('a job whose spot is taken back before its machine is there goes on demand at once, and runs', async () => {
  const { taken, bursts, job, bought } = await takenBack('launched');
  expect(job).toMatchObject({ state: 'COMPLETED', restarts: 0 });
  expect(bursts.map((b) => [b.state, b.capacityType, b.spotRefused])).toEqual([
    ['settled', undefined, undefined],
  ]);
  expect([taken.size, bought.length]).toEqual([1, 2]);
});

it('one whose spot is taken back each time while its pod waits goes on demand after two', async () => {
  // The notice comes while Slurm answers no claim.
  const busy = Array.from({ length: 8 }, (_, i) => ({
    call: 'slurm.move',
    nth: i + 1,
    kind: 'transient' as const,
  }));
  const { taken, bursts, job } = await takenBack('pod made', busy);
  expect(taken.size).toBe(2);
  expect(bursts.map((b) => [b.state, b.capacityType, b.cause?.kind, b.reclaims])).toEqual([
    ['returned', 'spot', 'no_capacity', undefined],
    ['returned', 'spot', 'no_capacity', 1],
    ['settled', undefined, undefined, 2],
  ]);
  expect(job).toMatchObject({ state: 'COMPLETED', restarts: 0 });
});

it('a notice by a queue is taken at once, of ours alone; the queue is read only while it may be of use, and its fault is told', async () => {
  const run = new Run({ ...calm }, () => new Promise((resolve) => setImmediate(resolve)), true);
  const real = run.cloud.asPort.bind(run.cloud);
  const asked = { times: 0, before: 0 };
  const said = { fails: false, told: false };
  const stopped: boolean[] = [];
  run.cloud.asPort = (of) => ({
    ...real(of),
    // The poll sees nothing: what comes, comes by the queue.
    interruptions: async () => [],
    notices: (stop) => {
      asked.times += 1;
      if (run.cloud.truth().length === 0) asked.before += 1;
      if (!said.fails) {
        said.fails = true;
        return Promise.reject(new PortError('unreachable', 'cloud.notices', 'no queue'));
      }
      const [machine] = run.cloud.truth();
      if (!said.told && machine !== undefined) {
        said.told = true;
        const notices = ['at-risk', 'taken-back'].flatMap((what) =>
          [machine.id, 'i-0fedcba9876543210'].map((id) => ({
            id: cloudId(id),
            what: what as CloudNotice['what'],
          })),
        );
        return Promise.resolve(notices);
      }
      return new Promise((resolve) =>
        stop.addEventListener('abort', () => {
          stopped.push(true);
          resolve([]);
        }),
      );
    },
  });
  const begun = run.time.now();
  run.startGateway();
  const work = { ms: 10 * minute, exit: 0 };
  run.slurm.submit('alice', { partition: 'cloud', cpusPerTask: 3, timeMs: 20 * minute, work });
  await run.time.run(instant(begun + 8 * minute));
  run.stop();
  expect(run.errors).toEqual([]);
  const lines = run.history.join('\n');
  expect(lines).toContain('spot notices by queue: no queue');
  expect(lines.match(/recommends to leave it/g)).toHaveLength(1);
  expect(lines.match(/WARN the cloud takes i-\w+ back/g)).toHaveLength(1);
  expect(lines).not.toContain('i-0fedcba9876543210');
  expect([asked.before, asked.times > 2]).toEqual([0, true]);
});
