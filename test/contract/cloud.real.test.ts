/** The lab's EC2, whose instances are real nodes, through the real adapter. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ec2Cloud } from '../../adapters/cloud/ec2/index.ts';
import { env, faults, forgetNodes } from '../../lab/real/ec2.ts';
import { clusterName } from '../../src/domain/ids.ts';
import { GiB } from '../../src/domain/resources.ts';
import { cloudContract } from './cloud.contract.ts';
import { realTime } from './cloud.harness.ts';

const ctx = { say: () => undefined };

cloudContract('the lab', async () => {
  const lab = await env(ctx);
  const endpoint = lab.SPILLWAY_LAB_EC2_ENDPOINT;
  if (endpoint === undefined) throw new Error('no EC2: npm run lab -- up ec2');
  const region = lab.SPILLWAY_LAB_EC2_REGION ?? '';
  const connect = (cluster: string) =>
    ec2Cloud(
      {
        cluster: clusterName(cluster),
        region,
        endpoint,
        credentials: { accessKeyId: 'lab', secretAccessKey: 'lab' },
        maxAttempts: 2,
        pageSize: 20,
      },
      { clock: realTime },
    );
  const port = connect('contract');
  const other = connect('contract-2');
  const post = async (what: string, body: unknown) => {
    const answer = await fetch(`${endpoint}/_lab/${what}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
  };
  let down = false;
  const api = async (on: boolean) => {
    if (down !== on) await faults['api-down']?.(on, ctx);
    down = on;
  };
  return {
    port,
    other,
    spec: {
      group: 'cpu',
      launchTemplate: lab.SPILLWAY_LAB_EC2_TEMPLATE ?? '',
      types: ['lab.small', 'lab.large'],
      zones: [`${region}a`, `${region}b`],
      capacityType: 'on-demand',
      tags: {},
    },
    types: [
      { name: 'lab.small', vcpus: 2, memoryBytes: 4 * GiB },
      { name: 'lab.large', vcpus: 2, memoryBytes: 12 * GiB },
    ],
    fault: (name, on) => (name === 'api-down' ? api(on) : post('fault', { name, on })),
    limit: (match, rule) => post('limit', { ...match, ...rule }),
    price: async (match, microUsd) => {
      await sleep(5);
      await post('price', { ...match, microUsd });
    },
    reclaim: (id) => post('reclaim', { id }),
    heal: async () => {
      await api(false);
      await post('heal', {});
    },
    eventually: async (condition) => {
      const deadline = performance.now() + 60_000;
      while (!(await condition())) {
        if (performance.now() > deadline) throw new Error('not within a minute');
        await sleep(150);
      }
    },
    close: async () => {
      const ids = new Set([...(await port.list()), ...(await other.list())].map(({ id }) => `${id}`));
      await forgetNodes((id) => ids.has(id));
      await port.close();
      await other.close();
    },
  };
});
