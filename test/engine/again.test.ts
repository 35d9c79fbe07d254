/** What a gateway that leads again takes for granted of its earlier lead: nothing that another may have changed meanwhile. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { burstId, cloudId, instant } from '../../src/domain/ids.ts';
import type { CloudInstance } from '../../src/domain/instance.ts';
import type { Budget } from '../../src/domain/money.ts';
import { GiB } from '../../src/domain/resources.ts';
import type { ClusterEngine } from '../../src/engine/cluster.ts';
import { anInstance, newId, putInstance } from '../contract/samples.ts';
import { cluster, minute, second } from './chaos/centre.ts';
import { Run } from './chaos/run.ts';
import { calm } from './chaos/scenario.ts';

let run: Run;
afterEach(() => run.stop());

async function scene() {
  run = new Run(calm, () => new Promise((resolve) => setImmediate(resolve)), true);
  run.startGateway();
  const pass = (ms: number) => run.time.run(instant(run.time.now() + ms));
  await pass(minute);
  const [engine] = run.gateway?.clusters ?? [];
  if (engine === undefined) throw new Error('no gateway runs');
  return {
    ...{ engine, pass },
    /** Another leads for a while, and then this one. */
    async again(meanwhile: (epoch: number) => Promise<void> | void) {
      const mine = run.store.holderOf(cluster)?.name ?? '';
      await run.store.releaseLease(cluster, mine);
      await run.store.lease(cluster, 'another', 40 * second);
      await pass(35 * second);
      expect(engine.leads).toBe(false);
      await meanwhile(await run.store.newestEpoch(cluster));
      await pass(minute);
      expect(engine.acts).toBe(true);
    },
  };
}

describe('a gateway that leads again', () => {
  it('ends nobody’s job by what it found spent before', async () => {
    const { engine, again } = await scene();
    const found: number[] = [];
    const { log } = engine.ports;
    vi.spyOn(engine.ports, 'log').mockImplementation((line) => {
      if (line.text.startsWith('leads cluster')) found.push(engine.spent.size);
      log(line);
    });
    await again(() => {
      engine.spent = new Map([[burstId('b-1'), {} as Budget]]);
    });
    expect(found).toEqual([0]);
  });

  it('plans by what nodes another one found to leave to jobs', async () => {
    const { engine, again } = await scene();
    const measured = { cpuMillis: 6_900, memoryBytes: 15 * GiB, pods: 20 };
    const known = ({ offered }: ClusterEngine) => offered[0]?.group.measured;
    expect(known(engine)).toBeUndefined();
    await again(async (epoch) => {
      const row = anInstance({
        ...{ cluster, group: 'cpu', type: 'm.small', state: 'gone', readyAt: run.time.now(), measured },
      });
      expect(await run.store.commit(newId(), cluster, epoch, [putInstance(row)])).toBe('ok');
    });
    expect(known(engine)).toEqual({ 'm.small': measured });
  });
});

it('instances that nobody can tell of are left alone, and said once for as long as they are the same', async () => {
  const { engine, pass } = await scene();
  const unsure = (id: string): CloudInstance => ({
    ...{ id: cloudId(id), type: 'm.small', zone: 'eu-sim-1a', state: 'running', capacityType: 'on-demand' },
    ...{ privateDnsName: '', launchedAt: instant(0), token: undefined, tags: {} },
    unsure: 'its tags cannot be read',
  });
  let listed = [unsure('i-1')];
  vi.spyOn(engine, 'list').mockImplementation(async () => listed);
  const said = () => run.history.filter((line) => line.includes('left alone'));
  await pass(5 * minute);
  expect(said()).toEqual([expect.stringMatching(/1 instances are left alone, i-1 .*tags cannot be read/)]);
  listed = [unsure('i-1'), unsure('i-2')];
  await pass(5 * minute);
  expect(said()).toHaveLength(2);
  expect(await run.store.instances(9)).toEqual([]);
});
