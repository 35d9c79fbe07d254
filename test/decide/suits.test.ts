import { describe, expect, it } from 'vitest';
import { plan } from '../../src/decide/plan.ts';
import { groupFor } from '../../src/decide/rules/size.ts';
import { type Asking, lacks, lacksVirtual } from '../../src/decide/suits.ts';
import type { DeviceOffer } from '../../src/domain/devices.ts';
import { burstId } from '../../src/domain/ids.ts';
import type { SlurmNode } from '../../src/domain/job.ts';
import type { NodeGroup } from '../../src/domain/policy.ts';
import { GiB } from '../../src/domain/resources.ts';

const offer: DeviceOffer = { kind: 'resource', name: 'x', perNode: undefined, perGpu: 1, always: 0 };
const group = (name: string, over: Partial<NodeGroup> = {}): NodeGroup => ({
  ...{ name, launchTemplate: 't', types: ['m'], zones: ['a'], vcpuPerCpu: 1, max: 2, idleMs: 1 },
  ...{ overhead: { cpuMillis: 0, memoryBytes: 0, extended: {} }, capacityType: 'on-demand' },
  ...{ joinTimeoutMs: 1, lostAfterMs: 1, taint: { key: 'k', value: 'v', effect: 'NoSchedule' } },
  ...over,
});
const type = (gpus: number) => ({ name: 'm', vcpus: 16, memoryBytes: 64 * GiB, gpus });
const cpu = { group: group('cpu', { licenses: ['matlab', 'ansys@srv'] }), types: [type(0)] };
const a100 = {
  group: group('a100', {
    devices: { 'gpu:a100': { ...offer, name: 'nvidia.com/gpu' } },
    features: { ib: undefined, fast: 'k=v' },
  }),
  types: [type(2)],
};
const v100 = {
  group: group('v100', { devices: { 'gpu:v100': { ...offer, name: 'nvidia.com/gpu', perNode: 1 } } }),
  types: [type(0)],
};
const groups = [cpu, a100, v100];
const chosen = (job: Omit<Asking, 'cpus'>) => groupFor({ cpus: 1, ...job }, groups)?.group.name;

describe('the node group of a job', () => {
  it.each<[Omit<Asking, 'cpus'>, string | undefined]>([
    [{}, 'cpu'],
    [{ gres: 'gres:gpu:1' }, 'a100'],
    [{ gres: 'gres:gpu:v100:1' }, 'v100'],
    // More than any type of its group has.
    [{ gres: 'gres:gpu:v100:2' }, undefined],
    [{ gres: 'per-job/gres:gpu:4', minNodes: 2 }, 'a100'],
    [{ gres: 'gres:gpu:3' }, undefined],
    [{ gres: 'gres:fpga:1' }, undefined],
    [{ features: 'ib&fast' }, 'a100'],
    [{ features: 'ib|other' }, 'a100'],
    [{ features: 'ib&other' }, undefined],
    [{ licenses: 'matlab:4,ansys@srv:1' }, 'cpu'],
    [{ licenses: 'matlab:1,star:1' }, undefined],
    [{ licenses: 'matlab', gres: 'gres:gpu:1' }, undefined],
  ])('%o: %s', (job, name) => {
    expect(chosen(job)).toBe(name);
  });

  it('is told by what it lacks', () => {
    expect(lacks({ cpus: 1, gres: 'gres:gpu:h100:1' }, a100.group)).toBe(
      'GRES gpu:h100 (nodeGroups[].devices)',
    );
    expect(lacks({ cpus: 1, features: '[ib*2]' }, a100.group)).toMatch(/features \[ib\*2\]: a count/);
    expect(lacks({ cpus: 1, licenses: 'star:1' }, cpu.group)).toBe('licences star:1 (nodeGroups[].licenses)');
  });

  it('is of no use where no virtual node has the same: Slurm would never start the job there', () => {
    const node = (features: string, gres: string): SlurmNode => ({
      ...{ name: 'c1', state: 'idle', partitions: ['burst'], cpus: 8, allocatedCpus: 0, memoryMib: 1 },
      ...{ features, gres },
    });
    const job = { cpus: 1, gres: 'gres:gpu:a100:2', features: 'ib' };
    expect(lacksVirtual(job, [node('', ''), node('ib,x', 'gpu:a100:2')])).toBeUndefined();
    expect(lacksVirtual(job, [node('ib', ''), node('', 'gpu:a100:2')])).toMatch(/Gres= and Features=/);
    expect(lacksVirtual(job, [])).toBeUndefined();
    expect(lacksVirtual({ cpus: 1 }, [node('', '')])).toBeUndefined();
  });
});

describe('a plan', () => {
  it('counts devices as it counts CPUs: what is taken of an instance is not given twice', () => {
    const bursts = ['1', '2', '3'].map((id) => ({
      ...{ id: burstId(id), group: 'a100' },
      needs: { cpuMillis: 1, memoryBytes: 1, extended: { 'nvidia.com/gpu': 1 } },
    }));
    const made = plan(bursts, [], [], [a100]);
    expect(made.launch.map((l) => l.bursts)).toEqual([['1', '2'], ['3']]);
    expect(made.launch[0]?.capacity.extended).toEqual({ 'nvidia.com/gpu': 2 });
    const many = { ...bursts[0], needs: { ...bursts[0]?.needs, extended: { 'nvidia.com/gpu': 3 } } };
    expect(plan([many as (typeof bursts)[0]], [], [], [a100]).noRoom).toMatchObject([
      { forGood: true, why: 'no type of node group a100 holds 1 m vCPU, 1 MiB, 3 nvidia.com/gpu' },
    ]);
  });
});
