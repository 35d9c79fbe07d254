import { describe, expect, test } from 'vitest';
import { readMinutesLimits } from '../../../adapters/slurm/sacctmgr.ts';
import { detailOf, readConfig, readHints, readPartitions } from '../../../adapters/slurm/scontrol.ts';
import { readNodes } from '../../../adapters/slurm/sinfo.ts';
import { fixture, valuesOf } from './fixtures.ts';

const detail = (name: string) => {
  const values = valuesOf(name);
  const hints = readHints(values, fixture(`scontrol-${name}`));
  if (hints === undefined) throw new Error(`no hints for ${name}`);
  return detailOf(values, hints);
};

describe('a job in full', () => {
  test('a node range and a bare job come back as they were asked for', () => {
    expect(detail('range')).toMatchObject({
      minNodes: 1,
      maxNodes: 4,
      exclusive: true,
      nice: 7,
      comment: 'be careful',
      timeLimitMs: 600_000,
      memory: { per: 'cpu', mib: 500 },
      uid: 2001,
      gid: 2001,
      requeue: true,
      tasks: 1,
      cpusPerTask: 1,
      accrueAt: 1795459697000,
    });
    expect(detail('two-nodes')).toMatchObject({
      minNodes: 2,
      maxNodes: 2,
      memory: { per: 'node', mib: 1500 },
    });
    expect(detail('wide')).toMatchObject({
      minNodes: 1,
      maxNodes: undefined,
      tasks: 16,
      requeue: false,
      memory: { per: 'node', mib: 0 },
    });
  });

  test('how it ended', () => {
    expect(detail('exit7')).toMatchObject({
      state: 'FAILED',
      exitCode: { code: 7, signal: 0 },
      batchHost: 'n2',
    });
    expect(detail('killed')).toMatchObject({ state: 'FAILED', exitCode: { code: 0, signal: 9 } });
  });

  test('arrays and components', () => {
    expect(detail('array')).toMatchObject({ ref: '3079', arrayTask: '3-9,12%2' });
    expect(detail('array').raw.ArrayTaskThrottle).toBe('2');
    expect(detail('array-task')).toMatchObject({ ref: '3079_4', id: 3079, memory: { per: 'cpu', mib: 500 } });
    expect(detail('het')).toMatchObject({ hetJob: true });
    expect(detail('interactive')).toMatchObject({ batch: false, name: 'interactive' });
  });

  test.each(['fake-keys', 'fake-lines', 'odd-bytes', 'fake-mark'])('%s: nobody is taken for root', (name) => {
    const values =
      name === 'fake-mark' ? { ...valuesOf('range'), JobID: '3075', Name: '\x1fmFIXTUREm' } : valuesOf(name);
    const hints = readHints(
      { ...values, NumNodes: '1', MaxNodes: '1', MinMemory: values.MinMemory },
      fixture(`scontrol-${name}`),
    );
    const job = detailOf(values, hints);
    expect(job).toMatchObject({
      uid: 2001,
      gid: 2001,
      user: 'alice',
      partition: 'cloud',
      account: 'physics',
    });
  });

  test('keys that a name and a comment spell are not read', () => {
    const job = detail('fake-keys');
    expect(job).toMatchObject({
      minNodes: 1,
      maxNodes: undefined,
      memory: { per: 'cpu', mib: 500 },
      nice: 0,
    });
    expect(job.raw).toMatchObject({
      UserId: 'alice(2001)',
      NumNodes: '1',
      MinMemoryCPU: '500M',
      QOS: 'normal',
    });
    expect(job.raw).not.toHaveProperty('MinMemoryNode');
    expect(job.comment).toContain('UserId=root(0)');
    expect(detail('fake-lines').comment).toBe('first\nJobId=1 JobName=x UserId=root(0)');
    expect(detail('fake-lines').raw.StdOut).toBe('/var/lib/spillway-lab/home/alice/slurm-3073.out');
  });

  test('a forged hint counts only where it says what squeue says', () => {
    const values = { ...valuesOf('range'), WCKey: '' };
    const shown = fixture('scontrol-range');
    const forged = shown.replace(' JobState=', ' MinMemoryNode=9999G NumNodes=77-99 JobState=');
    expect(readHints(values, forged)).toMatchObject({ memoryPer: 'cpu', bounded: true });
  });

  test('a job that changed between the two answers gives no hints', () => {
    const values = valuesOf('range');
    expect(readHints({ ...values, Name: 'another' }, fixture('scontrol-range'))).toBeUndefined();
    expect(readHints({ ...values, MinMemory: '501M' }, fixture('scontrol-range'))).toBeUndefined();
    expect(readHints({ ...values, MaxNodes: '5' }, fixture('scontrol-range'))).toBeUndefined();
    expect(readHints(values, '')).toBeUndefined();
  });

  test('without hints the memory’s unit follows from the total', () => {
    expect(detailOf(valuesOf('odd-bytes'), undefined).memory).toEqual({ per: 'cpu', mib: 300 });
    expect(detailOf(valuesOf('wide'), undefined)).toMatchObject({ memory: { per: 'node', mib: 0 } });
  });
});

test('partitions', () => {
  const partitions = readPartitions(fixture('partitions'));
  expect(partitions.map((p) => [p.name, p.up])).toEqual([
    ['batch', true],
    ['cloud', false],
    ['burst_wait', false],
    ['burst', true],
  ]);
  expect(partitions[0]).toEqual({
    name: 'batch',
    up: true,
    defaultTimeMs: 600_000,
    maxTimeMs: 86_400_000,
    defMemory: { per: 'cpu', mib: 500 },
    priorityJobFactor: 1,
    nodes: 'n[1-2]',
    totalNodes: 2,
    totalCpus: 16,
    overSubscribe: 'NO',
  });
});

test('a partition without defaults of its own', () => {
  const [open] = readPartitions(
    'PartitionName=open DefaultTime=NONE MaxTime=UNLIMITED Nodes=(null) PriorityJobFactor=1 OverSubscribe=FORCE:4 State=INACTIVE TotalCPUs=0 TotalNodes=0 DefMemPerNode=UNLIMITED',
  );
  expect(open).toMatchObject({
    up: false,
    defaultTimeMs: undefined,
    maxTimeMs: 'unlimited',
    defMemory: undefined,
    nodes: '',
    overSubscribe: 'FORCE:4',
  });
});

test('the QOS of a partition; N/A is none', () => {
  const of = (qos: string) => readPartitions(`PartitionName=b MaxTime=UNLIMITED State=UP${qos}`)[0]?.qos;
  expect([of(' QoS=cloud'), of(' QoS=N/A'), of('')]).toEqual(['cloud', undefined, undefined]);
});

test('what a partition bills, with units or without; none is not nothing', () => {
  const of = (weights: string) =>
    readPartitions(`PartitionName=b MaxTime=UNLIMITED State=UP${weights}`)[0]?.billingWeights;
  expect(of(' TRESBillingWeights=CPU=1.0,Mem=0.25G,GRES/gpu=2.0')).toEqual({
    CPU: 1,
    Mem: 0.25,
    'GRES/gpu': 2,
  });
  expect(of(' TRESBillingWeights=CPU=0.0,Mem=0.0')).toEqual({ CPU: 0, Mem: 0 });
  expect(of('')).toBeUndefined();
  expect(of(' TRESBillingWeights=(null)')).toBeUndefined();
});

test('the minutes of associations and QOS that have any', () => {
  const assoc = 'root||\nphysics||cpu=1000,gres/gpu=5\nphysics|alice|billing=7\nphysics|alice|billing=7\n';
  expect(readMinutesLimits(assoc, 'normal|\nlong|cpu=9\n')).toEqual([
    { of: 'account physics', tres: 'cpu=1000,gres/gpu=5' },
    { of: 'user alice in account physics', tres: 'billing=7' },
    { of: 'QOS long', tres: 'cpu=9' },
  ]);
});

test('nodes, each once, with all their partitions', () => {
  const { nodes, partial } = readNodes(fixture('sinfo'));
  expect(partial).toEqual([]);
  expect(nodes.map((n) => n.name)).toEqual(['c1', 'c2', 'c3', 'c4', 'n1', 'n2']);
  expect(nodes[5]).toMatchObject({
    name: 'n2',
    partitions: ['batch', 'cloud'],
    cpus: 8,
    allocatedCpus: 2,
    memoryMib: 8000,
  });
  expect(readNodes('what is this\n').partial).toHaveLength(1);
});

test('the configuration', () => {
  expect(readConfig(fixture('config'))).toEqual({
    version: '22.05.8',
    killWaitMs: 10_000,
    minJobAgeMs: 300_000,
    preemptMode: 'OFF',
    enforced: [],
  });
  const strict = `${fixture('config')}\nAccountingStorageEnforce = associations,limits,qos\n`;
  expect(readConfig(strict).enforced).toEqual(['associations', 'limits', 'qos']);
  expect(() => readConfig('nothing')).toThrow('KillWait in scontrol show config');
});
