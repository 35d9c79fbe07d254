import { describe, expect, it } from 'vitest';
import { clusterName } from '../../src/domain/ids.ts';
import { GiB } from '../../src/domain/resources.ts';
import { examine } from '../../src/engine/propose.ts';
import { at, detail } from './fixtures.ts';

const group = {
  name: 'cpu',
  launchTemplate: 't',
  types: ['big'],
  zones: ['a'],
  vcpuPerCpu: 2,
  overhead: { cpuMillis: 0, memoryBytes: 0, extended: {} },
  capacityType: 'on-demand',
  max: 1,
  idleMs: 1,
  joinTimeoutMs: 1,
  lostAfterMs: 1,
  taint: { key: 'k', value: 'v', effect: 'NoSchedule' },
} as const;
const offered = { group, types: [{ name: 'big', vcpus: 20, memoryBytes: 16 * GiB, gpus: 0 }] };
const tenant = { namespace: 'spillway-alice', uid: 2001, gids: [2001, 3001], claims: ['home'] };
const node = {
  name: 'n1',
  state: 'IDLE',
  partitions: ['batch'],
  cpus: 8,
  allocatedCpus: 0,
  memoryMib: 8000,
  features: '',
  gres: '',
};
const snapshot = {
  cluster: clusterName('hpc1'),
  at,
  tookMs: 1,
  jobs: [],
  partitions: [],
  nodes: [node],
  partial: [],
};
const yes = { verdict: 'burst', because: [], group: 'cpu' } as const;
const mounts = [{ path: '/home', claim: 'home' }];
const well = detail({ workDir: '/home/alice', memory: { per: 'cpu', mib: 500 } });
const failing = (...args: Parameters<typeof examine>) => {
  const { decision } = examine(...args);
  return [decision.verdict, ...decision.because.filter((r) => !r.pass).map((r) => r.rule)];
};

describe('the job in full', () => {
  it('bursts with what its pod needs', () => {
    const { decision, needs } = examine(yes, well, tenant, offered, snapshot, mounts);
    expect(decision.verdict).toBe('burst');
    expect(needs).toEqual({ cpuMillis: 2000, memoryBytes: 500 * 1024 * 1024, extended: {} });
  });
  it('never without a tenant namespace, with a foreign group, or without the claims of the mounts', () => {
    expect(failing(yes, well, undefined, offered, snapshot, mounts)).toEqual(['never', 'tenant']);
    expect(failing(yes, { ...well, gid: 9 }, tenant, offered, snapshot, mounts)).toEqual(['never', 'tenant']);
    expect(failing(yes, well, { ...tenant, claims: [] }, offered, snapshot, mounts)).toEqual([
      'never',
      'tenant',
    ]);
  });
  it('never from a directory that the pod does not have; a name that only begins alike is another', () => {
    expect(failing(yes, { ...well, workDir: '/scratch/x' }, tenant, offered, snapshot, mounts)).toEqual([
      'never',
      'directory',
    ]);
    expect(failing(yes, { ...well, workDir: '/homestead' }, tenant, offered, snapshot, mounts)).toEqual([
      'never',
      'directory',
    ]);
    expect(failing(yes, { ...well, workDir: '/tmp' }, tenant, offered, snapshot, mounts)).toEqual(['burst']);
  });
  it('never with an input file', () => {
    expect(
      failing(yes, { ...well, raw: { JobId: '7', StdIn: '/in.txt' } }, tenant, offered, snapshot, mounts),
    ).toEqual(['never', 'translation']);
    expect(
      failing(yes, { ...well, raw: { JobId: '7', StdIn: '/dev/null' } }, tenant, offered, snapshot, mounts),
    ).toEqual(['burst']);
  });
  it('never with --tmp on a group of which nobody says what disk its machines have, and says that', () => {
    const asks = { ...well, raw: { JobId: '7', MinTmpDiskNode: '20M' } };
    const { decision } = examine(yes, asks, tenant, offered, snapshot, mounts);
    expect(decision.verdict).toBe('never');
    expect(decision.because.find((r) => r.rule === 'memory')).toEqual({
      rule: 'memory',
      pass: false,
      measured: '2000 m vCPU, 500 MiB, 20 MiB of disk',
      limit: 'fits a type of node group cpu, which has no nodeGroups[].disk for --tmp',
    });
    const disky = { ...offered, group: { ...group, diskBytes: GiB } };
    expect(failing(yes, asks, tenant, disky, snapshot, mounts)).toEqual(['burst']);
    const more = { ...asks, raw: { JobId: '7', MinTmpDiskNode: '2G' } };
    expect(failing(yes, more, tenant, disky, snapshot, mounts)).toEqual(['never', 'memory']);
  });
  it('never with what does not translate, under the threshold of the site, and says what to write instead', () => {
    const asks = { ...well, raw: { JobId: '7', BurstBuffer: '#BB x', Prefer: 'fast' } };
    const { decision } = examine(yes, asks, tenant, offered, snapshot, mounts);
    expect(decision.verdict).toBe('never');
    expect(decision.because.find((r) => r.rule === 'translation')).toMatchObject({
      pass: false,
      measured:
        '--bb=#BB x is unsupported: the burst buffer is on-prem; stage in the script, to a mounted directory',
    });
    const wishes = { ...well, raw: { JobId: '7', Prefer: 'fast' } };
    expect(failing(yes, wishes, tenant, offered, snapshot, mounts)).toEqual(['burst']);
    expect(failing(yes, wishes, tenant, offered, snapshot, mounts, 'exact')).toEqual([
      'never',
      'translation',
    ]);
  });
  it('never without an image that it may use, and waits where its script could not be read', () => {
    const image = (sought: Parameters<typeof examine>[7]) =>
      failing(yes, well, tenant, offered, snapshot, mounts, 'emulated', sought);
    expect(image({ kind: 'image', image: 'a:1', from: 'x' })).toEqual(['burst']);
    expect(image({ kind: 'none', why: 'not allowed' })).toEqual(['never', 'image']);
    expect(image({ kind: 'unknown', why: 'not read' })).toEqual(['wait', 'image']);
  });

  it('never without its data', () => {
    const chosen = { kind: 'image', image: 'a:1', from: 'x' } as const;
    const said = (against: string | undefined) => {
      const data = {
        seen: [{ way: 'in', path: '/home/a', bytes: undefined, line: 2 }] as const,
        carried: [],
        against,
      };
      return examine(yes, well, tenant, offered, snapshot, mounts, 'emulated', { ...chosen, data }).decision;
    };
    expect(said(undefined)).toMatchObject({ verdict: 'burst' });
    expect(said(undefined).because).toContainEqual(
      expect.objectContaining({
        rule: 'staging',
        pass: true,
        measured: '/home/a: under mounts, nothing is carried',
      }),
    );
    expect(said('line 2: /data is elsewhere')).toMatchObject({ verdict: 'never' });
    const none = examine(yes, well, tenant, offered, snapshot, mounts, 'emulated', chosen).decision;
    expect(none.because.map(({ rule }) => rule)).not.toContain('staging');
  });
  it('waits where its record could not be read in full', () => {
    expect(failing(yes, { ...well, raw: {} }, tenant, offered, snapshot, mounts)).toEqual([
      'wait',
      'translation',
    ]);
  });
  it('never what no type holds; an exclusive job means the whole node', () => {
    expect(
      failing(yes, { ...well, memory: { per: 'node', mib: 20_000 } }, tenant, offered, snapshot, mounts),
    ).toEqual(['never', 'memory']);
    expect(
      examine(yes, { ...well, exclusive: true }, tenant, offered, snapshot, mounts).needs?.cpuMillis,
    ).toBe(16_000);
  });
  it('waits where the node that it asks for whole could not be seen', () => {
    expect(
      failing(yes, { ...well, exclusive: true }, tenant, offered, { ...snapshot, nodes: [] }, mounts),
    ).toEqual(['wait', 'shape']);
  });
});
