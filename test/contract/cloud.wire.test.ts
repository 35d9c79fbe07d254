/** The EC2 model on the wire, through the real adapter and the real SDK. */
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { type Ec2Config, ec2Cloud } from '../../adapters/cloud/ec2/index.ts';
import type { InterruptionQueue } from '../../adapters/cloud/sqs/index.ts';
import { serveEc2 } from '../../lab/servers/ec2.ts';
import { type CloudId, cloudId, launchToken } from '../../src/domain/ids.ts';
import type { CloudPort } from '../../src/ports.ts';
import { type CloudConfig, Ec2Error, NoAnswer } from '../../src/sim/models/cloud-types.ts';
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

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
const config = (endpoint: string): Ec2Config => ({
  cluster: own,
  region: 'eu-sim-1',
  endpoint,
  credentials,
  connectTimeoutMs: 500,
  requestTimeoutMs: 1_000,
  maxAttempts: 2,
  pageSize: 5,
});

cloudContract('the model over the wire', async () => {
  const cloud = model(realTime, quick);
  let server = await serveEc2(cloud, { port: 0 });
  const { port: at, endpoint } = server;
  const port = ec2Cloud(config(endpoint), { clock: realTime });
  const other = ec2Cloud({ ...config(endpoint), cluster: others }, { clock: realTime });
  let listening = true;
  const listen = async (on: boolean) => {
    if (on && !listening) server = await serveEc2(cloud, { port: at });
    else if (!on && listening) await server.close();
    listening = on;
  };
  return {
    port,
    other,
    spec,
    types,
    fault: async (name, on) => (name === 'api-down' ? listen(!on) : cloud.switch(name, on)),
    limit: async (match, rule) => cloud.limit(match, rule),
    price: async (match, microUsd) => {
      await sleep(5);
      cloud.setSpotPrice(match, microUsd);
    },
    reclaim: async (id) => cloud.reclaim(id),
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
});

describe('the EC2 adapter', () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  async function start(more: Partial<Ec2Config> = {}, setup: Partial<CloudConfig> = {}) {
    const cloud = model(realTime, { ...quick, consistencyMs: 0, ...setup });
    const lines: string[] = [];
    const server = await serveEc2(cloud, { port: 0, log: (line) => lines.push(line) });
    const port: CloudPort = ec2Cloud({ ...config(server.endpoint), ...more }, { clock: realTime });
    open.push(port, server);
    /** The nth call from now on goes as told. */
    const script = (...steps: ('lost-answer' | 'throttle' | 'broken')[]) => {
      const call = cloud.call.bind(cloud);
      cloud.call = <T>(work: () => T): T => {
        const step = steps.shift();
        if (step === 'throttle') throw new Ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503);
        if (step === 'broken') throw new Ec2Error('InternalError', 'An internal error has occurred', 500);
        const answer = call(work);
        if (step === 'lost-answer') throw new NoAnswer();
        return answer;
      };
    };
    return { cloud, server, port, script, lines };
  }

  test('a launch that lost one answer and was repeated is one instance', async () => {
    const { cloud, port, script } = await start();
    script('lost-answer');
    const { id } = await port.launch(spec, launchToken('a'));
    expect(cloud.truth().map((one) => one.id)).toEqual([id]);
  });

  test('a launch that lost its answer and was then throttled is unknown, for it may have launched', async () => {
    const { cloud, port, script } = await start();
    script('lost-answer', 'throttle');
    await expectFault(port.launch(spec, launchToken('a')), 'unknown');
    expect(cloud.truth()).toHaveLength(1);
  });

  test('a launch that met an internal error is unknown, a list only transient', async () => {
    const { port, script } = await start({ maxAttempts: 1 });
    script('broken', 'broken');
    await expectFault(port.launch(spec, launchToken('a')), 'unknown');
    await expectFault(port.list(), 'transient');
  });

  test('an error tells what happened and holds nothing of the exchange', async () => {
    const { port } = await start();
    const error = await expectFault(port.terminate(cloudId('i-0123456789abcdef0')), 'not_found');
    const told = inspect(error, { depth: 20, showHidden: true });
    expect(told).toContain('InvalidInstanceID.NotFound');
    expect(told).not.toMatch(/Signature=|Socket|Credential/);
    expect(error.cause).toMatchObject({ status: 400, name: 'InvalidInstanceID.NotFound' });
  });

  test('one throttled call is repeated by itself', async () => {
    const { port, script, lines } = await start();
    script('throttle');
    await port.launch(spec, launchToken('a'));
    expect(lines).toEqual([expect.stringContaining('RequestLimitExceeded'), 'CreateFleet: ok']);
  });

  test('a server that takes the connection and says nothing is unknown', async () => {
    const { cloud, port } = await start({ requestTimeoutMs: 100, maxAttempts: 1 });
    cloud.call = () => {
      // Longer than the adapter waits.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
      throw new NoAnswer();
    };
    await expectFault(port.launch(spec, launchToken('a')), 'unknown');
  });

  test('sees whether a policy keeps it to its own tag, and launches nothing to see it', async () => {
    const open = await start();
    expect(await open.port.launchesFor?.(others, spec)).toBe(true);
    const locked = await start({}, { launchesOnlyFor: own });
    expect(await locked.port.launchesFor?.(others, spec)).toBe(false);
    await locked.port.launch(spec, launchToken('a'));
    expect([open.cloud.truth().length, locked.cloud.truth().length]).toEqual([0, 1]);
    locked.cloud.switch('throttle', true);
    await expectFault(locked.port.launchesFor?.(others, spec) ?? Promise.resolve(), 'throttled');
  });

  test('uses what is reserved first where it is told to, and then what is cheapest', async () => {
    const [type = ''] = spec.types.slice(-1);
    const { port } = await start({}, { reserved: [{ type, zone: 'eu-sim-1b', count: 1 }] });
    const first = { ...spec, reservedFirst: true as const };
    expect((await port.launch(spec, launchToken('a'))).type).toBe(spec.types[0]);
    expect(await port.launch(first, launchToken('b'))).toMatchObject({ type, zone: 'eu-sim-1b' });
    // All that is reserved is in use.
    expect((await port.launch(first, launchToken('c'))).type).toBe(spec.types[0]);
  });

  test('in an account without a default VPC launches where each zone has a subnet of its own, and nowhere else', async () => {
    const vpc = 'vpc-ours';
    const { cloud, port } = await start(
      {},
      {
        defaultVpc: false,
        subnets: { 'subnet-0a': { zone: 'eu-sim-1a', vpc }, 'subnet-0b': { zone: 'eu-sim-1b', vpc } },
      },
    );
    const error = await expectFault(port.launch(spec, launchToken('a')), 'refused');
    expect(error.message).toContain('VPCIdNotSpecified');
    const subnets = { 'eu-sim-1a': 'subnet-0a', 'eu-sim-1b': 'subnet-0b' };
    cloud.limit({ zone: 'eu-sim-1a' }, { atMost: 0 });
    expect((await port.launch({ ...spec, subnets }, launchToken('b'))).zone).toBe('eu-sim-1b');
    expect(cloud.truth().map(({ subnet }) => subnet)).toEqual(['subnet-0b']);
    expect(await port.subnets?.(['subnet-0b'])).toEqual([
      { id: 'subnet-0b', zone: 'eu-sim-1b', vpc, free: 3_999 },
    ]);
  });

  test('tells what a queue told beside the spot requests, until the list says that it is over', async () => {
    const { cloud, server } = await start();
    const taken = new Set<CloudId>();
    const asked: string[] = [];
    const queue: InterruptionQueue = {
      read: async () => [],
      takenBack: () => [...taken],
      forget: (ids) => {
        for (const id of ids) taken.delete(id);
      },
      check: async () => void asked.push('check'),
      close: async () => void asked.push('close'),
    };
    const port = ec2Cloud(config(server.endpoint), { clock: realTime, queue });
    const spot = { ...spec, capacityType: 'spot' } as const;
    const [a, b] = await Promise.all(['a', 'b'].map((t) => port.launch(spot, launchToken(t))));
    if (a === undefined || b === undefined) throw new Error('two were launched');
    cloud.switch('throttle', true);
    await expectFault(port.interruptions(), 'throttled');
    taken.add(a.id).add(b.id);
    expect(new Set(await port.interruptions())).toEqual(new Set([a.id, b.id]));
    cloud.switch('throttle', false);
    cloud.reclaim(b.id);
    expect(new Set(await port.interruptions())).toEqual(new Set([a.id, b.id]));
    expect(await port.interruptions()).toHaveLength(2);
    await port.list();
    expect(taken.size).toBe(2);
    await port.terminate(a.id);
    const deadline = performance.now() + 5_000;
    while ((await port.list()).find(({ id }) => id === a.id)?.state !== 'terminated') {
      expect(performance.now()).toBeLessThan(deadline);
      await sleep(10);
    }
    expect(await port.interruptions()).not.toContain(a.id);
    await port.check(spec);
    expect(asked).toEqual([]);
    await port.check(spot);
    await port.close();
    expect(asked).toEqual(['check', 'close']);
  });

  test('asks for a type only once', async () => {
    const { port, lines } = await start();
    await port.types(['sim.small']);
    await port.types(['sim.small', 'sim.large']);
    await port.types(['sim.large', 'sim.small']);
    expect(lines).toEqual(['DescribeInstanceTypes: ok', 'DescribeInstanceTypes: ok']);
  });

  test('takes a version of the template after a colon', async () => {
    const { port } = await start();
    await port.launch({ ...spec, launchTemplate: 'spillway-cpu:1' }, launchToken('a'));
  });

  test('without credentials is refused, and says what to do', async () => {
    const { server } = await start();
    const { credentials: _none, ...rest } = config(server.endpoint);
    const before = { ...process.env };
    for (const key of Object.keys(process.env)) if (key.startsWith('AWS_')) delete process.env[key];
    Object.assign(process.env, { AWS_EC2_METADATA_DISABLED: 'true', HOME: '/nonexistent' });
    const port = ec2Cloud(rest, { clock: realTime });
    open.push(port);
    try {
      const error = await expectFault(port.launch(spec, launchToken('a')), 'refused');
      expect(error.message).toContain('credentials');
    } finally {
      process.env = before;
    }
  });
});

describe('the EC2 server', () => {
  test('refuses what is not signed, and has its control door', async () => {
    const server = await serveEc2(model(realTime, quick), { port: 0 });
    try {
      const unsigned = await fetch(server.endpoint, { method: 'POST', body: 'Action=DescribeInstances' });
      expect(unsigned.status).toBe(403);
      expect(await unsigned.text()).toContain('<Code>MissingAuthenticationToken</Code>');
      const door = (name: string, on: unknown, times?: number) =>
        fetch(`${server.endpoint}/_lab/fault`, { method: 'POST', body: JSON.stringify({ name, on, times }) });
      expect(await (await door('throttle', true)).json()).toEqual({ faults: ['throttle'] });
      expect(await (await door('throttle', false)).json()).toEqual({ faults: [] });
      expect((await door('no-such', true)).status).toBe(400);
      expect((await door('throttle', 'yes')).status).toBe(400);
      expect((await door('throttle', true, 1)).status).toBe(400);
      expect(await (await door('fails-boot', true, 1)).json()).toEqual({ faults: ['fails-boot'] });
    } finally {
      await server.close();
    }
  });
});
