import { describe, expect, it } from 'vitest';
import { MiB } from '../../src/domain/resources.ts';
import { type NeedsInput, needsOf } from '../../src/translate/index.ts';

const needs = (job: Partial<NeedsInput['job']>, more: Partial<NeedsInput> = {}) =>
  needsOf({
    job: { cpus: 4, memory: { per: 'node', mib: 1000 }, exclusive: false, ...job },
    nodes: 1,
    node: { cpus: 8, memoryMib: 16_000 },
    vcpuPerCpu: 2,
    ...more,
  });

describe('what a pod requests', () => {
  it('is the job’s CPUs in the cloud’s vCPU and its memory as it is', () => {
    expect(needs({})).toEqual({ cpuMillis: 8000, memoryBytes: 1000 * MiB, extended: {} });
    expect(needs({}, { vcpuPerCpu: 0.05 }).cpuMillis).toBe(200);
    expect(needs({ cpus: 1 }, { vcpuPerCpu: 0.00001 }).cpuMillis).toBe(1);
  });

  it('is one node’s share of the CPUs, rounded up', () => {
    expect(needs({ cpus: 9 }, { nodes: 2, vcpuPerCpu: 1 }).cpuMillis).toBe(5000);
  });

  it('counts memory per CPU for each CPU of the node', () => {
    expect(needs({ memory: { per: 'cpu', mib: 300 } }).memoryBytes).toBe(1200 * MiB);
    expect(needs({ cpus: 9, memory: { per: 'cpu', mib: 300 } }, { nodes: 2 }).memoryBytes).toBe(1500 * MiB);
  });

  it('is all of the node’s memory for --mem=0, per node or per CPU', () => {
    for (const per of ['node', 'cpu'] as const)
      expect(needs({ memory: { per, mib: 0 } }).memoryBytes).toBe(16_000 * MiB);
  });

  it('is all of the node’s CPUs for --exclusive, which memory per CPU follows', () => {
    expect(needs({ exclusive: true }, { vcpuPerCpu: 1 })).toMatchObject({
      cpuMillis: 8000,
      memoryBytes: 1000 * MiB,
    });
    expect(needs({ exclusive: true, memory: { per: 'cpu', mib: 300 } }).memoryBytes).toBe(2400 * MiB);
  });

  it('may be scaled down where a test machine is to hold many', () => {
    expect(needs({}, { memoryFactor: 0.1 }).memoryBytes).toBe(100 * MiB);
    expect(needs({}, { extended: { 'nvidia.com/gpu': 1 } }).extended).toEqual({ 'nvidia.com/gpu': 1 });
  });
});
