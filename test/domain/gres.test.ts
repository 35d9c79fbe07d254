import { describe, expect, it } from 'vitest';
import { devicesFor, offeredOn } from '../../src/domain/devices.ts';
import { gresOfNode, type Layout, nodeHas, readGres } from '../../src/domain/gres.ts';

const one: Layout = { nodes: 1, tasks: 1, sockets: undefined };
const ofNode = (text: string, layout: Partial<Layout> = {}): Record<string, number> | string => {
  const asks = readGres(text);
  if (asks.kind === 'untold') return asks.why;
  const told = gresOfNode(asks.value, { ...one, ...layout });
  return told.kind === 'untold' ? told.why : Object.fromEntries(told.value);
};

describe('the GRES that one node must have', () => {
  it.each<[string, string, Partial<Layout>, Record<string, number> | string]>([
    ['nothing', '', {}, {}],
    ['a name alone', 'gres:gpu', {}, { gpu: 1 }],
    ['a count', 'gres:gpu:2', {}, { gpu: 2 }],
    ['a type', 'gres:gpu:a100', {}, { 'gpu:a100': 1 }],
    ['type and count', 'gres:gpu:a100:2', {}, { 'gpu:a100': 2 }],
    ['as newer Slurms write it', 'gres/gpu:a100=2', {}, { 'gpu:a100': 2 }],
    ['a slice', 'gres:gpu:a100_1g.5gb:3', {}, { 'gpu:a100_1g.5gb': 3 }],
    ['a count with a unit', 'gres:bandwidth:2G', {}, { bandwidth: 2 * 2 ** 30 }],
    ['none', 'gres:none', {}, {}],
    ['two kinds', 'gres:gpu:1,gres:hca:2', {}, { gpu: 1, hca: 2 }],
    ['for the job', 'per-job/gres:gpu:4', { nodes: 2 }, { gpu: 2 }],
    ['for the job, unevenly', 'per-job/gres:gpu:3', { nodes: 2 }, '3 gpu do not divide among 2 nodes'],
    ['for each task', 'per-task/gres:gpu:1', { tasks: 3 }, { gpu: 3 }],
    ['for each task of several nodes', 'per-task/gres:gpu:2', { tasks: 3, nodes: 2 }, { gpu: 4 }],
    ['for each socket', 'per-socket/gres:gpu:1', { sockets: 2 }, { gpu: 2 }],
    [
      'for each socket of who knows how many',
      'per-socket/gres:gpu:1',
      {},
      'gpu per socket, and how many sockets is not said (--sockets-per-node)',
    ],
    ['asked for in two ways', 'gres:gpu:2,per-job/gres:gpu:2', {}, { gpu: 2 }],
    ['what is not read', 'gres:gpu:a:b:2', {}, 'gres:gpu:a:b:2 cannot be read'],
    ['another TRES', 'per-task/license/x:1', {}, 'per-task/license/x:1 cannot be read'],
  ])('%s', (_what, text, layout, wanted) => {
    expect(ofNode(text, layout)).toEqual(wanted);
  });

  it('is held against what sinfo shows of a node', () => {
    const asks = (key: string, n: number) => new Map([[key, n]]);
    const node = 'gpu:a100:2(S:0-1),gpu:v100:1(S:0),hca:4';
    expect(nodeHas(node, asks('gpu:a100', 2))).toBe(true);
    expect(nodeHas(node, asks('gpu:v100', 2))).toBe(false);
    // Any type will do: there are three.
    expect(nodeHas(node, asks('gpu', 3))).toBe(true);
    expect(nodeHas(node, asks('gpu', 4))).toBe(false);
    expect(nodeHas('', asks('gpu', 1))).toBe(false);
    expect(nodeHas('', new Map())).toBe(true);
  });
});

const resource = { kind: 'resource', perNode: undefined, perGpu: 1, always: 0 } as const;
const devices = {
  'gpu:a100': { ...resource, name: 'nvidia.com/gpu' },
  'gpu:a100_1g.5gb': { ...resource, name: 'nvidia.com/mig-1g.5gb', perGpu: 7 },
  'gpu:h100': { ...resource, kind: 'claim', name: 'gpu-h100' },
  hca: { ...resource, name: 'rdma/hca', perNode: 8, always: 1 },
} as const;

describe('what a node group gives for it', () => {
  const given = (asked: Record<string, number>) => devicesFor(new Map(Object.entries(asked)), { devices });

  it.each<[Record<string, number>, Record<string, number>]>([
    [{}, { 'rdma/hca': 1 }],
    [{ 'gpu:a100': 2 }, { 'nvidia.com/gpu': 2, 'rdma/hca': 1 }],
    [{ 'gpu:a100_1g.5gb': 3 }, { 'nvidia.com/mig-1g.5gb': 3, 'rdma/hca': 1 }],
    [{ 'gpu:h100': 1 }, { 'claim:gpu-h100': 1, 'rdma/hca': 1 }],
    // No type named: the first.
    [
      { gpu: 1, hca: 4 },
      { 'nvidia.com/gpu': 1, 'rdma/hca': 4 },
    ],
  ])('%o is %o', (asked, extended) => {
    expect(given(asked)).toEqual({ kind: 'told', value: extended });
  });

  it('is nothing for a type that it does not name, however alike', () => {
    expect(given({ 'gpu:v100': 1 })).toEqual({ kind: 'untold', why: 'gpu:v100' });
    expect(devicesFor(new Map([['gpu:a100', 1]]), { devices: { gpu: devices['gpu:a100'] } })).toEqual({
      kind: 'untold',
      why: 'gpu:a100',
    });
    expect(devicesFor(new Map([['constructor', 1]]), { devices })).toMatchObject({ kind: 'untold' });
  });

  it('is counted on an instance by its GPUs, or as it is said', () => {
    expect(offeredOn(4, { devices, hugepages: { '2Mi': 2 ** 30 }, diskBytes: 10 })).toEqual({
      'nvidia.com/gpu': 4,
      'nvidia.com/mig-1g.5gb': 28,
      'claim:gpu-h100': 4,
      'rdma/hca': 8,
      'hugepages-2Mi': 2 ** 30,
      'ephemeral-storage': 10,
    });
    expect(offeredOn(0, {})).toEqual({});
  });
});
