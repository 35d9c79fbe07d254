/** GPUs, features and licences: the job lands where they are, with as many as it asked for. Nodes advertise them as a device plugin would. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { podFor, secretNameFor } from '../../src/translate/index.ts';
import { burst, input } from '../translate/samples.ts';
import {
  as,
  ended,
  endGateway,
  killGateways,
  kubectl,
  labEnv,
  outputOf,
  pods,
  type RunningGateway,
  ran,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

const groupLabel = 'node-restriction.kubernetes.io/spillway-group';
const a100 = 'example.org/a100';
const v100 = 'example.org/v100';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    idle: '20s',
    groups: [
      { name: 'cpu', licenses: ['matlab'] },
      {
        name: 'gpu-a100',
        devices: { 'gpu:a100': { resource: a100, perNode: 2 } },
        features: { fast: 'example.org/speed=fast' },
        disk: '10GiB',
      },
      { name: 'gpu-v100', devices: { 'gpu:v100': { resource: v100, perNode: 1 } } },
    ],
  });
});
afterAll(async () => {
  await endGateway(gateway).finally(killGateways);
});

interface Node {
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly status: { readonly capacity: Readonly<Record<string, string>> };
}

async function nodesOf(group: string): Promise<readonly Node[]> {
  const list = await kubectl(['get', 'nodes', '-l', `${groupLabel}=${group}`, '-o', 'json']);
  return (JSON.parse(list.stdout) as { items: Node[] }).items;
}

/** What a device plugin and a feature discovery do on a node, some time after it is Ready. */
async function plugIn(group: string, resource: string, count: number, label?: string): Promise<string> {
  const node = await until(
    `a node of ${group} to join`,
    async () => (await nodesOf(group)).find(({ status }) => status.capacity[resource] === undefined),
    90_000,
  );
  const { name } = node.metadata;
  const path = `/status/capacity/${resource.replace('/', '~1')}`;
  const patch = JSON.stringify([{ op: 'add', path, value: `${count}` }]);
  const done = await kubectl(['patch', 'node', name, '--subresource=status', '--type=json', '-p', patch]);
  expect(done.stderr).toBe('');
  if (label !== undefined) await kubectl(['label', 'node', name, label]);
  return name;
}

const script = [
  '#!/bin/bash',
  'echo "gpus ${SLURM_GPUS_ON_NODE:-none} visible ${CUDA_VISIBLE_DEVICES-none} of ${SLURM_JOB_GPUS-none} shm $(df -B1 /dev/shm | tail -1 | tr -s " " | cut -d" " -f2)"',
  'sleep 3',
].join('\n');

interface Main {
  readonly requests: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
}
async function podOf(job: string): Promise<{ readonly node: string; readonly main: Main }> {
  const { id } = await gateway.reaches(job, ['running', 'draining', 'reported', 'final'], 150_000);
  const pod = (await pods()).find((p) => p.burst === id);
  const shown = await kubectl(['-n', pod?.namespace ?? '', 'get', 'pod', pod?.name ?? '', '-o', 'json']);
  const { spec } = JSON.parse(shown.stdout) as {
    spec: { nodeName: string; containers: { name: string; resources: Main }[] };
  };
  const main = spec.containers.find(({ name }) => name === 'main')?.resources;
  if (main === undefined) throw new Error(`no main in the pod of job ${job}`);
  return { node: spec.nodeName, main };
}

describe('jobs that ask for devices', { retry: 0 }, () => {
  it('of two types each land on a node that has theirs, with as many, once the node shows them', async () => {
    const two = await sbatch('alice', ['-p', 'cloud', '-t', '5', '--gres=gpu:a100:2', '-C', 'fast'], script);
    const one = await sbatch(
      'alice',
      ['-p', 'cloud', '-t', '5', '--gpus=v100:1', '--mem-per-gpu=700'],
      script,
    );
    const fast = await plugIn('gpu-a100', a100, 2, 'example.org/speed=fast');
    const slow = await plugIn('gpu-v100', v100, 1);
    const [ofTwo, ofOne] = await Promise.all([podOf(two), podOf(one)]);
    expect(ofTwo).toMatchObject({ node: fast, main: { requests: { [a100]: '2' }, limits: { [a100]: '2' } } });
    expect(ofOne).toMatchObject({
      node: slow,
      main: { requests: { [v100]: '1', memory: `${700 * 2 ** 20}` } },
    });
    expect(await ended(two)).toMatchObject({ state: 'COMPLETED', partition: 'burst' });
    expect(await ended(one)).toMatchObject({ state: 'COMPLETED', partition: 'burst' });
    // /dev/shm is as large as the memory of the pod, of which what is in it counts.
    expect(outputOf('alice', two)).toMatch(/^gpus 2 visible 0,1 of 0,1 shm \d+$/m);
    expect(outputOf('alice', one)).toMatch(/^gpus 1 visible 0 of 0 shm \d+$/m);
  }, 240_000);

  it('that no group has stay, and say what is not mapped', async () => {
    // Slurm takes it, n2 has the feature; no node group says that it has.
    const id = await sbatch('alice', ['-p', 'cloud', '-t', '5', '-C', 'gpu'], script);
    const why = await until('a receipt', async () => {
      const said = await gateway.spillway('why', id);
      return /never bursts/.test(said.stdout) ? said.stdout : undefined;
    });
    expect(why).toMatch(/features gpu \(nodeGroups\[\]\.features\)/);
    await as('root', ['scancel', id]);
  });

  it('holds its licences in Slurm for as long as its pod runs, and no longer', async () => {
    const used = async (): Promise<string> =>
      /Used=(\d+)/.exec((await as('root', ['scontrol', '-o', 'show', 'lic', 'matlab'])).stdout)?.[1] ?? '';
    const id = await sbatch('alice', ['-p', 'cloud', '-t', '5', '-L', 'matlab:2'], script);
    await gateway.reaches(id, ['running'], 120_000);
    expect(await used()).toBe('2');
    expect(await ended(id)).toMatchObject({ state: 'COMPLETED' });
    await until('the licences to be free', async () => (await used()) === '0', 30_000);
  }, 180_000);
});

describe('the API server', () => {
  it('takes a pod with claims for devices, huge pages and networks, under admission and pod security', async () => {
    const env = await labEnv();
    const list = await kubectl(['get', 'ns', '-l', 'spillway.dev/tenant=true', '-o', 'json']);
    const { items } = JSON.parse(list.stdout) as {
      items: { metadata: { name: string; annotations: Record<string, string> } }[];
    };
    const tenant = items.find((n) => n.metadata.annotations['spillway.dev/uid'] === '2001');
    if (tenant === undefined) throw new Error('no tenant of uid 2001');
    const { name, annotations } = tenant.metadata;
    const needs = {
      ...{ cpuMillis: 100, memoryBytes: 2 ** 26 },
      extended: {
        'claim:gpu-h100': 2,
        'nvidia.com/mig-1g.5gb': 1,
        'hugepages-2Mi': 2 ** 22,
        'ephemeral-storage': 2 ** 30,
      },
    };
    const gids = (annotations['spillway.dev/gids'] ?? '').split(',').map(Number);
    const pod = podFor(
      input({
        burst: burst({ needs }),
        secretName: secretNameFor(burst()),
        tenant: { namespace: name, uid: 2001, gids, claims: ['home'] },
        groups: [],
        networks: ['ib-sriov'],
      }),
    );
    const template = {
      apiVersion: 'resource.k8s.io/v1',
      kind: 'ResourceClaimTemplate',
      metadata: { name: 'gpu-h100', namespace: name },
      spec: {
        spec: {
          devices: { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpu.example.org', count: 1 } }] },
        },
      },
    };
    const dry = (kubeconfig: string | undefined, object: unknown) =>
      ran(
        env.SPILLWAY_LAB_KUBECTL ?? 'kubectl',
        ['--kubeconfig', kubeconfig ?? '', 'create', '--dry-run=server', '-o', 'json', '-f', '-'],
        { input: JSON.stringify(object) },
      );
    expect(await dry(env.SPILLWAY_LAB_ADMIN_KUBECONFIG, template)).toMatchObject({ code: 0, stderr: '' });
    const made = await dry(env.SPILLWAY_LAB_KUBECONFIG, pod);
    expect(made.stderr).toBe('');
    expect(JSON.parse(made.stdout)).toMatchObject({
      metadata: { annotations: { 'k8s.v1.cni.cncf.io/networks': 'ib-sriov' } },
      spec: {
        resourceClaims: [
          { name: 'gpu-h100-0', resourceClaimTemplateName: 'gpu-h100' },
          { name: 'gpu-h100-1', resourceClaimTemplateName: 'gpu-h100' },
        ],
      },
    });
  });
});
