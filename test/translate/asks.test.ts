import { describe, expect, it } from 'vitest';
import type { DeviceOffer } from '../../src/domain/devices.ts';
import { GiB, MiB } from '../../src/domain/resources.ts';
import { asksOf, needsOf, podFor } from '../../src/translate/index.ts';
import { askerIn } from '../../src/translate/script/gres.ts';
import { readScript } from '../../src/translate/script/script.ts';
import { burst, input } from './samples.ts';

const offer: DeviceOffer = { kind: 'resource', name: 'x', perNode: undefined, perGpu: 1, always: 0 };
const group = {
  devices: {
    'gpu:a100': { ...offer, name: 'nvidia.com/gpu' },
    'gpu:h100': { ...offer, kind: 'claim', name: 'gpu-h100' },
  },
} as const;
const asks = (gres: string, raw: Record<string, string> = {}, tasks = 1, pages = {}) =>
  asksOf({ gres, tasks, raw }, 1, group, pages);

describe('what a job asks of one node besides', () => {
  it.each<[string, Record<string, string>, number, Record<string, number>]>([
    ['', {}, 1, {}],
    ['gres:gpu:a100:2', {}, 1, { 'nvidia.com/gpu': 2 }],
    ['per-job/gres:gpu:a100:2', {}, 1, { 'nvidia.com/gpu': 2 }],
    ['per-task/gres:gpu:a100:1', {}, 3, { 'nvidia.com/gpu': 3 }],
    ['per-socket/gres:gpu:a100:1', { 'Socks/Node': '2' }, 1, { 'nvidia.com/gpu': 2 }],
    ['gres:gpu:h100:1', {}, 1, { 'claim:gpu-h100': 1 }],
    ['', { MinTmpDiskNode: '2G' }, 1, { 'ephemeral-storage': 2 * GiB }],
    ['', { MinTmpDiskNode: '0' }, 1, {}],
  ])('%s %o of %i tasks', (gres, raw, tasks, extended) => {
    expect(asks(gres, raw, tasks)).toMatchObject({ kind: 'told', value: { extended } });
  });

  it('is not told where its group does not map it, or nobody knows how many', () => {
    expect(asks('gres:gpu:v100:1')).toEqual({
      kind: 'untold',
      why: 'GRES gpu:v100, which nodeGroups[].devices does not map',
    });
    expect(asks('per-socket/gres:gpu:a100:1', { 'Socks/Node': '*' })).toMatchObject({ kind: 'untold' });
  });

  it.each([
    ['22.05', 'gres:gpu:300', 'gres:gpu:2'],
    ['newer', 'gres/gpu:300', 'gres/gpu:2'],
  ])('counts memory and CPUs by the GPU as Slurm will when it starts it (%s)', (_version, memory, cpus) => {
    const told = asks('per-job/gres:gpu:a100:2', { MemPerTres: memory, CpusPerTres: cpus });
    if (told.kind === 'untold') throw new Error(told.why);
    // As measured on 22.05: such a job that waits shows 1 CPU and its partition's memory.
    const job = { cpus: 1, memory: { per: 'cpu', mib: 500 }, exclusive: false } as const;
    const node = { cpus: 8, memoryMib: 8_000 };
    expect(needsOf({ job, nodes: 1, node, vcpuPerCpu: 1, ...told.value })).toEqual({
      cpuMillis: 4_000,
      memoryBytes: 600 * MiB,
      extended: { 'nvidia.com/gpu': 2 },
    });
  });

  it('is read from a script as Slurm would show it', () => {
    const script = readScript(
      '#!/bin/sh\n#SBATCH --gres=gpu:a100:1,hca:2 -G 4 --mem-per-gpu=2G\n#SBATCH --tmp=1G --gpus-per-task=h100:1\n',
    );
    expect(askerIn(script, 2)).toEqual({
      gres: 'gres:gpu:a100:1,gres:hca:2,per-job/gres:gpu:4,per-task/gres:gpu:h100:1',
      tasks: 2,
      raw: { MinTmpDiskNode: '1G', MemPerTres: 'gres:gpu:2048' },
    });
  });
});

describe('its pod', () => {
  const extended = {
    ...{ 'nvidia.com/mig-1g.5gb': 2, 'claim:gpu-h100': 2, 'hugepages-2Mi': GiB },
    'ephemeral-storage': 5 * GiB,
  };
  const needs = { cpuMillis: 1_000, memoryBytes: GiB, extended };
  const { metadata, spec } = podFor(input({ burst: burst({ needs }), networks: ['ib', 'other/sriov'] }));
  const [main, keeper] = spec.containers as { resources: unknown; volumeMounts: unknown[] }[];

  it('requests and limits devices and huge pages alike, disk by request alone, and claims each device', () => {
    expect(main?.resources).toEqual({
      requests: {
        ...{ cpu: '1000m', memory: `${GiB}`, 'nvidia.com/mig-1g.5gb': '2', 'hugepages-2Mi': `${GiB}` },
        'ephemeral-storage': `${5 * GiB}`,
      },
      limits: { memory: `${GiB}`, 'nvidia.com/mig-1g.5gb': '2', 'hugepages-2Mi': `${GiB}` },
      claims: [{ name: 'gpu-h100-0' }, { name: 'gpu-h100-1' }],
    });
    expect(spec.resourceClaims).toEqual([
      { name: 'gpu-h100-0', resourceClaimTemplateName: 'gpu-h100' },
      { name: 'gpu-h100-1', resourceClaimTemplateName: 'gpu-h100' },
    ]);
    expect(JSON.stringify(keeper?.resources)).not.toMatch(/nvidia|claims|hugepages|ephemeral/);
  });

  it('has huge pages as a file system, and the networks of its group', () => {
    expect(spec.volumes).toContainEqual({
      name: 'spill-hugepages-2mi',
      emptyDir: { medium: 'HugePages-2Mi' },
    });
    expect(main?.volumeMounts).toContainEqual({ name: 'spill-hugepages-2mi', mountPath: '/dev/hugepages' });
    expect(metadata.annotations['k8s.v1.cni.cncf.io/networks']).toBe('ib,other/sriov');
  });

  it('of a job that asks for none of it has none of it', () => {
    const plain = podFor(input());
    expect(plain.spec.resourceClaims).toBeUndefined();
    expect(plain.metadata.annotations['k8s.v1.cni.cncf.io/networks']).toBeUndefined();
  });
});
