/** Auto scaling groups on the EC2 model over the wire, through the real adapter and the real SDK: the cloud's contract, and what only they do. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { type AsgGroup, withScalingGroups } from '../../adapters/cloud/asg/index.ts';
import { type Ec2Config, ec2Cloud } from '../../adapters/cloud/ec2/index.ts';
import { serveEc2 } from '../../lab/servers/ec2.ts';
import type { ClusterName } from '../../src/domain/ids.ts';
import { type CloudId, cloudId, instant, launchToken } from '../../src/domain/ids.ts';
import type { Clock } from '../../src/ports.ts';
import type { CloudModel } from '../../src/sim/models/cloud.ts';
import { type ScalingGroup, ScalingGroups } from '../../src/sim/models/cloud-groups.ts';
import { Ec2Error, NoAnswer, stateOf } from '../../src/sim/models/cloud-types.ts';
import { expectFault } from './cloud.cases.ts';
import { cloudContract } from './cloud.contract.ts';
import { model, others, own, realTime, spec, types } from './cloud.harness.ts';

const quick = {
  consistencyMs: 30,
  bootMs: [10, 40],
  stopMs: [10, 40],
  spotNoticeMs: 500,
  requests: { burst: 10_000, perSecond: 10_000 },
} as const;
const [small = spec.types[0] ?? ''] = spec.types;
const asked = { ...spec, launchTemplate: 'workers', types: [small] };

const shape = (cluster: ClusterName, over: Partial<ScalingGroup> = {}): ScalingGroup => ({
  ...{ name: `workers-${cluster}`, template: 'spillway-cpu', types: [small], zones: spec.zones },
  ...{ min: 0, max: 100, protectsNew: true, suspended: ['AZRebalance', 'ReplaceUnhealthy'] },
  tags: { 'spillway.dev/cluster': cluster, 'spillway.dev/group': 'cpu' },
  ...over,
});

const connected = (
  endpoint: string,
  cluster: ClusterName,
  {
    clock = realTime,
    before = [],
    ...more
  }: Partial<Ec2Config & { max: number; clock: Clock; before: readonly AsgGroup[] }> = {},
) => {
  const config = {
    ...{ cluster, region: 'eu-sim-1', endpoint },
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    ...{
      connectTimeoutMs: 500,
      requestTimeoutMs: 1_000,
      maxAttempts: 2,
      pageSize: 5,
      markEveryMs: 10,
      ...more,
    },
  };
  const cpu: AsgGroup = { name: 'cpu', scalingGroup: `workers-${cluster}`, max: more.max ?? 100 };
  const groups = [...before, cpu];
  return withScalingGroups(ec2Cloud(config, { clock }), { ...config, groups }, { clock });
};

cloudContract(
  'auto scaling groups over the wire',
  async () => {
    const cloud = model(realTime, quick);
    const groups = new ScalingGroups(cloud);
    for (const cluster of [own, others]) {
      // What waits in a warm pool has a group's tags, and is nobody's.
      groups.put(shape(cluster, { pool: {} }));
      for (const zone of spec.zones) groups.warm(`workers-${cluster}`, zone);
    }
    let server = await serveEc2(cloud, { port: 0, groups });
    const { port: at, endpoint } = server;
    const [port, other] = [connected(endpoint, own), connected(endpoint, others)];
    let listening = true;
    const listen = async (on: boolean) => {
      if (on && !listening) server = await serveEc2(cloud, { port: at, groups });
      else if (!on && listening) await server.close();
      listening = on;
    };
    const none = async (): Promise<never> => {
      throw new Error('the group chooses');
    };
    return {
      ...{ port, other, spec: asked, types: types.slice(0, 1) },
      fault: async (name, on) => (name === 'api-down' ? listen(!on) : cloud.switch(name, on)),
      ...{ limit: none, price: none, reclaim: none },
      heal: async () => {
        await listen(true);
        cloud.heal();
      },
      eventually: async (condition) => {
        const deadline = performance.now() + 5_000;
        while (!(await condition())) {
          if (performance.now() > deadline) throw new Error('not within five seconds');
          await sleep(10);
        }
      },
      close: async () => {
        await port.close();
        await other.close();
        await server.close();
      },
    };
  },
  'grouped',
);

const ofEks = { 'eks:nodegroup-name': 'burst', 'spillway.dev/cluster': own, 'spillway.dev/group': 'cpu' };

describe('an auto scaling group', () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  async function start(over: Partial<ScalingGroup> = {}, more: Parameters<typeof connected>[2] = {}) {
    const cloud: CloudModel = model(realTime, { ...quick, consistencyMs: 0 });
    const groups = new ScalingGroups(cloud);
    groups.put(shape(own, over));
    const lines: string[] = [];
    const server = await serveEc2(cloud, { port: 0, groups, log: (line) => lines.push(line) });
    const port = connected(server.endpoint, own, more);
    open.push(port, server);
    const desired = () => groups.describe([])[0]?.desired;
    const live = () => cloud.truth().filter((m) => !['terminated', 'shutting-down'].includes(stateOf(m)));
    return { cloud, groups, port, lines, desired, live, endpoint: server.endpoint };
  }

  test('wants as many as were launched: one more each time, and one less for each that is given up', async () => {
    const { port, desired, live } = await start();
    const one = await port.launch(asked, launchToken('a'));
    await port.launch(asked, launchToken('a'));
    await port.launch(asked, launchToken('b'));
    expect([desired(), live().length]).toEqual([2, 2]);
    await port.terminate(one.id);
    expect([desired(), live().length]).toEqual([1, 1]);
    // It is in no group any more: EC2 is asked.
    await port.terminate(one.id);
    expect(desired()).toBe(1);
  });

  test('that has nothing in one zone is asked in the next, and the repeat finds what came of it', async () => {
    const { cloud, port, desired } = await start();
    cloud.limit({ zone: spec.zones[0] ?? '' }, { atMost: 0 });
    let met = 0;
    for (const name of ['a', 'b', 'c', 'd']) {
      const made = await port.launch(asked, launchToken(name));
      expect(made.zone).toBe(spec.zones[1]);
      for (const { zone, why } of made.missed ?? []) expect([zone, why]).toEqual([spec.zones[0], 'none']);
      met += made.missed?.length ?? 0;
      expect((await port.launch(asked, launchToken(name))).id).toBe(made.id);
    }
    expect(desired()).toBe(4);
    // Where the first zone was asked first, the next launch is to know.
    expect(met).toBeGreaterThan(0);
  });

  test('is not asked in a zone that is to be left alone', async () => {
    const { port, lines } = await start();
    const [a = ''] = spec.zones;
    for (const name of ['a', 'b', 'c', 'd']) {
      const made = await port.launch({ ...asked, without: [{ type: small, zone: a }] }, launchToken(name));
      expect(made.zone).toBe(spec.zones[1]);
    }
    expect(lines.filter((line) => line.startsWith('LaunchInstances'))).toHaveLength(4);
  });

  test('under a used token answers with what that made, whatever else is asked, and makes nothing', async () => {
    const { port, live } = await start();
    const { id } = await port.launch(asked, launchToken('a'));
    expect((await port.launch({ ...asked, tags: { other: 'yes' } }, launchToken('a'))).id).toBe(id);
    expect(live()).toHaveLength(1);
  });

  test('whose zones take turns, by the token', async () => {
    const { port } = await start();
    const zones = new Set<string>();
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
      zones.add((await port.launch(asked, launchToken(name))).zone);
    expect(zones.size).toBe(2);
  });

  test('launched, and its tags’ answer lost: unknown, and one instance once it is asked again', async () => {
    const { cloud, port, live } = await start({}, { maxAttempts: 1 });
    const call = cloud.call.bind(cloud);
    let calls = 0;
    cloud.call = <T>(work: () => T): T => {
      calls += 1;
      if (calls === 2) throw new NoAnswer();
      return call(work);
    };
    await expectFault(port.launch(asked, launchToken('a')), 'unknown');
    const made = await port.launch(asked, launchToken('a'));
    expect(live().map(({ id, tags }) => [id, tags['spillway.dev/token']])).toEqual([[made.id, 'a']]);
  });

  test('that launched without an answer, and then will not take the repeat, is unknown', async () => {
    const { cloud, groups, port, live } = await start();
    const launch = groups.launch.bind(groups);
    let calls = 0;
    groups.launch = (of) => {
      calls += 1;
      if (calls > 1) throw new Ec2Error('ValidationError', 'AutoScalingGroup name not found');
      launch(of);
      throw new NoAnswer();
    };
    await expectFault(port.launch(asked, launchToken('a')), 'unknown');
    expect([calls, live().length, cloud.truth().length]).toEqual([2, 1, 1]);
  });

  test('says nothing of what a policy lets through: a dry run of a fleet is another call', async () => {
    const { port } = await start();
    expect(await port.launchesFor?.(others, asked)).toBeUndefined();
    expect(await port.launchesFor?.(others, { ...spec, group: 'other' })).toBe(true);
  });

  test('throttled in one zone while the others have nothing is throttled', async () => {
    const { cloud, port } = await start();
    cloud.limit({}, { atMost: 0 });
    cloud.limit({ zone: spec.zones[1] ?? '' }, { code: 'RequestLimitExceeded' });
    await expectFault(port.launch(asked, launchToken('a')), 'throttled');
  });

  test('that is not there is refused, by check and by launch', async () => {
    const { port, groups } = await start({ name: 'another' });
    expect(groups.describe(['workers-hpc1'])).toEqual([]);
    expect((await expectFault(port.check(asked), 'refused')).message).toContain('no auto scaling group');
    await expectFault(port.launch(asked, launchToken('a')), 'refused');
  });

  test.each<[string, Partial<ScalingGroup>, number, string]>([
    ['keeps a minimum', { min: 1 }, 1, 'set MinSize to 0'],
    ['holds less than is planned', { max: 5 }, 6, 'write max: 5'],
    ['scales in', { protectsNew: false }, 1, 'NewInstancesProtectedFromScaleIn'],
    ['replaces by itself', { suspended: ['AZRebalance'] }, 1, 'suspend its process ReplaceUnhealthy'],
    ['takes back what was terminated', { pool: { reuse: true } }, 1, 'set ReuseOnScaleIn to false'],
    ['replaces what is old', { lifetime: 86_400 }, 1, 'set MaxInstanceLifetime to 0'],
    [
      'is of EKS and keeps a minimum',
      { min: 1, tags: ofEks },
      1,
      '--nodegroup-name burst --scaling-config minSize=0',
    ],
    [
      'is of EKS and holds less',
      { max: 5, tags: ofEks },
      6,
      '--scaling-config maxSize=6, and no desiredSize',
    ],
    [
      'is of EKS and has not our tags',
      { tags: { 'eks:nodegroup-name': 'burst' } },
      1,
      'tags of an EKS node group do not reach its instances',
    ],
    ['has not our tags', { tags: { 'spillway.dev/cluster': own } }, 1, 'spillway.dev/group=cpu'],
    ['has not our zones', { zones: ['eu-sim-1a'] }, 1, 'no zone eu-sim-1b'],
  ])('that %s is refused by check, with what to do', async (_what, over, max, words) => {
    const { port } = await start(over, { max });
    expect((await expectFault(port.check(asked), 'refused')).message).toContain(words);
  });

  test('of types that are not of one size is refused: which of them comes cannot be said', async () => {
    const { port } = await start();
    const error = await expectFault(port.check({ ...asked, types: spec.types }), 'refused');
    expect(error.message).toContain('a group for each size');
  });

  test('is known by its launch template where that is asked for', async () => {
    const { port } = await start();
    expect(await port.template('workers-hpc1')).toEqual(await port.template('spillway-cpu'));
    await expectFault(port.template('none'), 'refused');
  });

  test('leaves node groups that are none to EC2', async () => {
    const { port, lines, desired } = await start();
    const made = await port.launch({ ...spec, group: 'other' }, launchToken('a'));
    expect(lines).toEqual(['CreateFleet: ok']);
    await port.terminate(made.id);
    expect(desired()).toBe(0);
  });

  test('that internal trouble meets is unknown', async () => {
    const { cloud, port } = await start({}, { maxAttempts: 1 });
    cloud.call = () => {
      throw new Ec2Error('InternalFailure', 'An internal error has occurred', 500);
    };
    await expectFault(port.launch(asked, launchToken('a')), 'unknown');
  });

  describe('with a warm pool', () => {
    const [zone = ''] = spec.zones;
    const minute = 60_000;

    /** A clock that can go ahead: what is new is then settled. */
    async function warmed(pool: ScalingGroup['pool'], zones = [zone]) {
      const clock = { ahead: 0, now: () => instant(realTime.now() + clock.ahead) };
      const s = await start({ pool, zones }, { clock });
      const asking = { ...asked, zones };
      const ids = async () =>
        (await s.port.list()).filter((i) => i.state !== 'terminated').map(({ id }) => id);
      const find = async (id: CloudId) => (await s.port.list()).find((i) => i.id === id);
      const settle = () => {
        clock.ahead += minute;
      };
      return { ...s, clock, asking, ids, find, settle, warm: () => s.groups.warm('workers-hpc1', zone) };
    }

    test('lists what it launched and not what waits there', async () => {
      const s = await warmed({});
      s.warm();
      s.settle();
      expect(await s.ids()).toEqual([]);
      const { id } = await s.port.launch(s.asking, launchToken('a'));
      expect([await s.ids(), s.live().length, s.desired()]).toEqual([[id], 2, 1]);
      await s.port.check(s.asking);
    });

    test('knows what a launch takes out of it by the answer alone, however old that is', async () => {
      const s = await warmed({ draws: true });
      const waits = [s.warm(), s.warm()];
      s.settle();
      const { id } = await s.port.launch(s.asking, launchToken('a'));
      expect(waits).toContain(id);
      expect((await s.port.launch(s.asking, launchToken('a'))).id).toBe(id);
      expect([await s.ids(), (await s.find(id))?.token, s.live().length]).toEqual([[id], 'a', 2]);
    });

    test('says nothing for a minute of what is in service without a token: it may be a launch’s; after it that is a stray', async () => {
      const s = await warmed({ draws: true });
      const old = s.warm();
      s.settle();
      // As the answer of a launch that nobody heard.
      s.groups.launch({ group: 'workers-hpc1', token: 'lost', zone, count: 1 });
      const again = connected(s.endpoint, own, { clock: s.clock });
      open.push(again);
      expect((await again.list()).map(({ id }) => id)).not.toContain(old);
      s.settle();
      expect((await again.list()).map(({ id }) => id)).toContain(old);
    });

    test('that takes back what is terminated ends it for us, also where it is asked again', async () => {
      const s = await warmed({ reuse: true, draws: true });
      const { id } = await s.port.launch(s.asking, launchToken('a'));
      await s.port.terminate(id);
      expect([(await s.find(id))?.state, s.live().length, s.desired()]).toEqual(['terminated', 1, 0]);
      await s.port.terminate(id);
      expect((await s.find(id))?.state).toBe('terminated');
      // A gateway that knows nothing of it finds the same once it asks.
      const later = connected(s.endpoint, own);
      open.push(later);
      await later.terminate(id);
      expect((await later.list()).find((i) => i.id === id)?.state).toBe('terminated');
      const next = await s.port.launch(s.asking, launchToken('b'));
      expect([next.id, (await s.find(id))?.token]).toEqual([id, 'b']);
      expect(await s.ids()).toEqual([id]);
    });

    test('is found behind more groups than one question may name', async () => {
      const s = await warmed({});
      s.warm();
      s.settle();
      const many = Array.from({ length: 60 }, (_, n) => ({
        name: `g${n}`,
        scalingGroup: `none-${n}`,
        max: 1,
      }));
      const port = connected(s.endpoint, own, { clock: s.clock, before: many });
      open.push(port);
      s.clock.ahead += minute;
      expect(await port.list()).toEqual([]);
    });

    test('that cannot be asked leaves what is in doubt in the list, with the reason, and all else as it is; check refuses it', async () => {
      const s = await warmed({});
      const { id } = await s.port.launch(s.asking, launchToken('a'));
      const waits = s.warm();
      s.groups.lifecycles = () => {
        throw new Ec2Error('AccessDenied', 'not allowed to DescribeAutoScalingInstances', 403);
      };
      expect((await s.find(cloudId(waits)))?.unsure).toContain('IAM policy');
      expect((await s.find(id))?.unsure).toBeUndefined();
      await expectFault(s.port.check(s.asking), 'refused');
    });
  });

  test('without a warm pool is asked of none, but where an instance has no token', async () => {
    const { port, lines, cloud } = await start();
    const { id } = await port.launch(asked, launchToken('a'));
    await port.list();
    expect(lines.filter((line) => line.startsWith('DescribeAutoScaling'))).toEqual([]);
    cloud.createFleet({
      ...{ clientToken: 'x', template: 'spillway-cpu', capacityType: 'on-demand', target: 1, minTarget: 0 },
      overrides: [{ type: small, zone: spec.zones[0] ?? '' }],
      ...{ instanceTags: shape(own).tags, fleetTags: {} },
    });
    expect((await port.list()).map((i) => i.id === id || i.token === undefined)).toEqual([true, true]);
    expect(lines.filter((line) => line.startsWith('DescribeAutoScaling'))).toEqual([
      'DescribeAutoScalingGroups: ok',
    ]);
  });
});
