/** The EC2 model in process: the port's contract, and what only a model can be asked. */
import { describe, expect, test } from 'vitest';
import { launchToken } from '../../src/domain/ids.ts';
import { stateOf } from '../../src/sim/models/cloud-types.ts';
import { expectFault } from './cloud.cases.ts';
import { cloudContract } from './cloud.contract.ts';
import { model, others, own, spec, types, VirtualTime } from './cloud.harness.ts';

const minute = 60_000;

cloudContract('the model in process', async () => {
  const time = new VirtualTime();
  const cloud = model(time);
  return {
    port: cloud.asPort(own),
    other: cloud.asPort(others),
    spec,
    types,
    fault: async (name, on) => cloud.switch(name, on),
    limit: async (match, rule) => cloud.limit(match, rule),
    price: async (match, microUsd) => {
      time.advance(1_000);
      cloud.setSpotPrice(match, microUsd);
    },
    reclaim: async (id) => cloud.reclaim(id),
    heal: async () => cloud.heal(),
    eventually: async (condition) => {
      for (let waited = 0; !(await condition()); waited += 500) {
        if (waited > 5 * minute) throw new Error('not within five minutes');
        time.advance(500);
      }
    },
    close: async () => undefined,
  };
});

describe('the EC2 model', () => {
  const start = (config: Parameters<typeof model>[1] = {}) => {
    const time = new VirtualTime();
    const cloud = model(time, { consistencyMs: 0, ...config });
    return { time, cloud, port: cloud.asPort(own) };
  };

  test('keeps the terminated in sight for ten minutes, and their names for ever', async () => {
    const { time, cloud, port } = start();
    const { id } = await port.launch(spec, launchToken('a'));
    const name = cloud.truth()[0]?.dnsName;
    await port.terminate(id);
    time.advance(10 * minute);
    expect((await port.list()).map(({ state }) => state)).toEqual(['terminated']);
    time.advance(minute);
    expect(await port.list()).toEqual([]);
    await port.launch(spec, launchToken('b'));
    expect(cloud.truth()[0]?.dnsName).not.toBe(name);
  });

  test('answers an empty fleet again under the same token: it is spent', async () => {
    const { cloud, port } = start();
    cloud.switch('no-capacity', true);
    await expectFault(port.launch(spec, launchToken('a')), 'no_capacity');
    cloud.switch('no-capacity', false);
    await expectFault(port.launch(spec, launchToken('a')), 'no_capacity');
    await port.launch(spec, launchToken('b'));
  });

  test('forgets a token after a day, but not while its instance lives', async () => {
    const { time, cloud, port } = start();
    const day = 24 * 60 * minute;
    const { id } = await port.launch(spec, launchToken('a'));
    time.advance(2 * day);
    expect((await port.launch(spec, launchToken('a'))).id).toBe(id);
    await port.terminate(id);
    time.advance(minute);
    expect((await port.launch(spec, launchToken('a'))).id).not.toBe(id);
    expect(cloud.truth()).toHaveLength(2);
  });

  test('gives a spot instance two minutes of notice, and frees what it held', async () => {
    const { time, cloud, port } = start();
    const { id } = await port.launch({ ...spec, capacityType: 'spot' }, launchToken('a'));
    time.advance(minute);
    cloud.reclaim(id);
    time.advance(2 * minute - 1);
    expect(cloud.truth().map(stateOf)).toEqual(['running']);
    time.advance(minute);
    expect(cloud.truth()[0]).toMatchObject({ reason: 'Server.SpotInstanceTermination' });
    expect(cloud.truth().map(stateOf)).toEqual(['terminated']);
  });

  test('refills its buckets: calls by account, launches by instance', async () => {
    const { time, port } = start({
      requests: { burst: 5, perSecond: 1 },
      launches: { burst: 2, perSecond: 0.1 },
    });
    await port.launch(spec, launchToken('a'));
    await port.launch(spec, launchToken('b'));
    await expectFault(port.launch(spec, launchToken('c')), 'throttled');
    await port.list();
    await port.list();
    await expectFault(port.list(), 'throttled');
    time.advance(10_000);
    await port.launch(spec, launchToken('d'));
  });

  test('uses what is reserved first where it is told to, and then what is cheapest', async () => {
    const [type = ''] = spec.types.slice(-1);
    const { port } = start({ reserved: [{ type, zone: 'eu-sim-1b', count: 1 }] });
    const first = { ...spec, reservedFirst: true as const };
    expect((await port.launch(spec, launchToken('a'))).type).toBe(spec.types[0]);
    expect(await port.launch(first, launchToken('b'))).toMatchObject({ type, zone: 'eu-sim-1b' });
    // All that is reserved is in use.
    expect((await port.launch(first, launchToken('c'))).type).toBe(spec.types[0]);
  });

  test('refuses beyond vCPUs, spot count and addresses, each with its own code', async () => {
    const { port } = start({ vcpuLimit: 2, spotLimit: 1, addressesPerZone: 2 });
    const one = { ...spec, zones: ['eu-sim-1a'] };
    const spot = { ...one, capacityType: 'spot' } as const;
    await port.launch(one, launchToken('a'));
    expect((await expectFault(port.launch(one, launchToken('b')), 'no_capacity')).message).toContain('Vcpu');
    await port.launch(spot, launchToken('c'));
    expect((await expectFault(port.launch(spot, launchToken('d')), 'no_capacity')).message).toContain(
      'MaxSpot',
    );
    const roomy = start({ addressesPerZone: 1 }).port;
    await roomy.launch(one, launchToken('a'));
    expect((await expectFault(roomy.launch(one, launchToken('b')), 'no_capacity')).message).toContain(
      'Addresses',
    );
  });

  test('launches all of a gang or none of it', () => {
    const { cloud } = start();
    cloud.limit({}, { atMost: 0 });
    cloud.limit({ zone: 'eu-sim-1a', type: 'sim.small' }, { atMost: 2 });
    const overrides = [{ type: 'sim.small', zone: 'eu-sim-1a' }];
    const gang = {
      template: 'spillway-cpu',
      overrides,
      capacityType: 'on-demand',
      instanceTags: {},
      fleetTags: {},
    } as const;
    const none = cloud.createFleet({ ...gang, clientToken: 'a', target: 3, minTarget: 3 });
    expect(none.instances).toEqual([]);
    expect(none.errors.map(({ code }) => code)).toContain('UnfulfillableCapacity');
    expect(cloud.truth()).toEqual([]);
    expect(cloud.createFleet({ ...gang, clientToken: 'b', target: 2, minTarget: 2 }).instances).toHaveLength(
      2,
    );
  });

  test('takes down the next so many before they run, and is well again by itself', async () => {
    const { time, cloud, port } = start();
    cloud.switch('fails-boot', true, 2);
    cloud.switch('never-joins', true, 1);
    for (const t of ['a', 'b', 'c']) await port.launch(spec, launchToken(t));
    expect(cloud.faults()).toEqual([]);
    time.advance(minute);
    const ends = cloud.truth().map((m) => [stateOf(m), m.reason, m.neverJoins]);
    expect(ends).toEqual([
      ['terminated', 'Server.InternalError', true],
      ['terminated', 'Server.InternalError', false],
      ['running', '', false],
    ]);
    expect(cloud.truth()[0]?.history.map((h) => h.state)).toEqual(['pending', 'terminated']);
  });

  test('is the same after it was saved and restored, tokens and faults included', async () => {
    const { cloud, port } = start();
    const made = await port.launch(spec, launchToken('a'));
    cloud.switch('slow-consistency', true);
    const copy = start().cloud;
    copy.restore(JSON.parse(JSON.stringify(cloud.save())));
    expect(copy.truth()).toEqual(JSON.parse(JSON.stringify(cloud.truth())));
    expect(copy.faults()).toEqual(['slow-consistency']);
    expect((await copy.asPort(own).launch(spec, launchToken('a'))).id).toBe(made.id);
  });
});
