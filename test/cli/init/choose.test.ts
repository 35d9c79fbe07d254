import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../config/load.ts';
import { clusterOf, type Plan, planOf } from '../../../src/cli/init/choose.ts';
import { burstHostConf, partitionsConf } from '../../../src/cli/init/snippets.ts';
import { type Way, yamlOf } from '../../../src/cli/init/yaml.ts';
import type { Survey } from '../../../src/domain/survey.ts';
import { expandHosts } from '../../../src/translate/hostlist.ts';
import { node, partition, surveyOf } from './scene.ts';

const way: Way = {
  ...{ host: 'login1', port: 22, user: 'spillway', keyFile: 'id_ed25519', env: {} },
  hostKey: `SHA256:${'A'.repeat(43)}`,
};
const places = { dataDir: 'data', http: '127.0.0.1:8080' };
const loaded = (plan: Plan, over: Partial<Way> = {}) =>
  parseConfig(yamlOf(plan, { ...way, ...over }, places), 'spillway.yaml');

describe('what init proposes', () => {
  it('watches what is UP, the default partition first, and takes its shape and defaults', () => {
    const survey = surveyOf({
      partitions: [
        partition('long', { totalCpus: 999 }),
        partition('std', { byDefault: true }),
        partition('hidden', { hidden: true }),
        partition('down', { up: false, state: 'DOWN' }),
        partition('root', { rootOnly: true }),
        partition('empty', { totalNodes: 0 }),
        partition('odd+name'),
      ],
      nodes: [1, 2, 3].map((n) => node(`n${n}`, { partitions: ['std', 'hidden'] })),
    });
    const plan = planOf(survey, {});
    expect(plan.watch).toEqual(['std', 'long']);
    expect(plan).toMatchObject({
      nodes: 3,
      vcpuPerCpu: 2,
      machine: { type: 'c7i.8xlarge' },
      pollSeconds: 30,
    });
    expect(loaded(plan).clusters[0]).toMatchObject({ name: 'hpc', watch: ['std', 'long'], mode: 'observe' });
    expect(planOf(survey, { watch: ['hidden'], nodes: 2 }).watch).toEqual(['hidden']);
  });

  it.each([
    [['down'], /--watch down: down is DOWN: nothing starts there/],
    [['nowhere'], /--watch nowhere: Slurm has no such partition; there are batch, down/],
  ])('refuses to watch %j', (watch, words) => {
    const survey = surveyOf({ partitions: [partition('batch'), partition('down', { state: 'DOWN' })] });
    expect(() => planOf(survey, { watch })).toThrow(words);
  });

  it('says why of each where there is none to watch', () => {
    const survey = surveyOf({
      partitions: [partition('a', { state: 'DOWN' }), partition('b', { hidden: true })],
    });
    expect(() => planOf(survey, {})).toThrow(/a is DOWN: nothing starts there; b is hidden.*--watch NAME/);
  });

  it('knows a hyper-thread from a core, and the smallest machine that holds a node', () => {
    const threads = node('n1', { cpus: 32, threads: 2, memoryMib: 250_000 });
    expect(planOf(surveyOf({ nodes: [threads] }), {})).toMatchObject({
      vcpuPerCpu: 1,
      machine: { type: 'r7i.8xlarge' },
    });
    // Threads that Slurm does not count.
    const cores = node('n1', { cpus: 16, threads: 2, memoryMib: 100_000 });
    expect(planOf(surveyOf({ nodes: [cores] }), {})).toMatchObject({
      vcpuPerCpu: 2,
      machine: { type: 'm7i.8xlarge' },
    });
    expect(() => planOf(surveyOf(), { type: 'x9.huge' })).toThrow(
      /--type x9\.huge: what it is is not known here/,
    );
  });

  it('takes partitions of Spillway that are there, and gives way to others of the same name', () => {
    const there = [
      partition('batch', { byDefault: true }),
      partition('burst', { nodes: 'c[1-2]' }),
      partition('burst_wait', { nodes: 'c[1-2]', up: false, state: 'DOWN' }),
      partition('cloud', { nodes: 'c[1-2]', up: false, state: 'DOWN' }),
    ];
    const standing = planOf(surveyOf({ partitions: there }), {});
    expect(standing).toMatchObject({ standing: true, asks: true, watch: ['batch'] });
    expect(loaded(standing).clusters[0]).toMatchObject({ explicit: 'cloud', burstPartition: 'burst' });
    // One that is UP for jobs of its own is nobody's waiting room.
    const foreign = planOf(surveyOf({ partitions: there.map((p) => ({ ...p, up: true, state: 'UP' })) }), {});
    expect(foreign).toMatchObject({
      standing: false,
      watch: ['batch', 'burst', 'burst_wait', 'cloud'],
      names: { burst: 'spillway_burst', wait: 'spillway_burst_wait', explicit: 'spillway_cloud' },
    });
    expect(loaded(foreign).clusters[0]).toMatchObject({ burstPartition: 'spillway_burst' });
  });

  it('asks no more often than ten times what a look takes', () => {
    const base = surveyOf();
    const slow = { ...base, snapshot: { ...base.snapshot, tookMs: 12_345 } };
    expect(planOf(slow, {}).pollSeconds).toBe(124);
    expect(loaded(planOf(slow, {})).clusters[0]?.pollMs).toBe(124_000);
  });

  it('makes a name of any ClusterName that the configuration takes', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80, unit: 'binary' }), (name) => {
        expect(clusterOf(name)).toMatch(/^[a-z0-9]([a-z0-9_-]{0,38}[a-z0-9])?$/);
      }),
    );
  });

  it('writes what loads, whatever Slurm and the way there are like', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_.-]{1,20}$/);
    const text = fc
      .string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' })
      .filter((t) => t.trim() !== '');
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.oneof(name, fc.constantFrom('no', '~', '1e3', 'null', '0x1', 'burst', 'cloud')), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.record({ cpus: fc.nat(2_000), memoryMib: fc.nat(9_000_000), threads: fc.constantFrom(1, 2, 4) }),
        fc.record({
          keyFile: text,
          value: text,
          usd: fc.option(fc.double({ min: 0.001, max: 99, noNaN: true })),
        }),
        (partitions, shape, { keyFile, value, usd }) => {
          const watchable = partitions.filter((p) => p !== '~');
          fc.pre(watchable.length > 0);
          const survey = surveyOf({
            partitions: partitions.map((p) => partition(p)),
            nodes: [node('n1', { ...shape, cpus: shape.cpus + 1, partitions })],
          });
          const config = loaded(planOf(survey, { usd: usd ?? undefined }), { keyFile, env: { X: value } });
          expect(config.clusters[0]?.watch.toSorted()).toEqual(watchable.toSorted());
          expect(config.clusters[0]?.slurm).toMatchObject({ keyFile, env: { X: value } });
        },
      ),
      { numRuns: 25 },
    );
  });
});

/** `Key=Value` of each line that begins with `word`. */
const linesOf = (text: string, word: string): Record<string, string>[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${word}=`))
    .map((line) =>
      Object.fromEntries([...line.matchAll(/(\w+)=(\S+)/g)].map(([, k = '', v = '']) => [k, v])),
    );

const deployed = (name: string): string =>
  readFileSync(new URL(`../../../deploy/slurm/${name}`, import.meta.url), 'utf8');

describe('the snippets', () => {
  const survey: Survey = surveyOf({
    config: { TaskProlog: '/opt/site/prolog', SLURM_CONF: '/opt/slurm/etc/slurm.conf' },
    nodes: [
      ...[1, 2, 3].map((n) => node(`c${n}`)),
      node('g1', { gres: 'gpu:a100:2', features: 'gpu', tmpMib: 100, boards: 2 }),
    ],
  });
  const plan = planOf(survey, { nodes: 8 });

  it('have the keys of those in deploy/slurm, so what was tried there is what is proposed here', () => {
    const keys = (text: string): string[][] =>
      linesOf(text, 'PartitionName').map((l) => Object.keys(l).sort());
    expect(keys(partitionsConf(plan, survey, 'burst1'))).toEqual(keys(deployed('partitions.conf')));
    const [ours] = linesOf(partitionsConf(plan, survey, 'burst1'), 'NodeName');
    expect(Object.keys(ours ?? {})).toEqual(
      Object.keys(linesOf(deployed('partitions.conf'), 'NodeName')[0] ?? {}),
    );
    const settings = (text: string): string[] =>
      text
        .split('\n')
        .filter((line) => /^[A-Z]\w+[= ]/.test(line))
        .map((line) => line.replace(/[= ].*/, ''));
    expect(settings(burstHostConf(plan, survey, 'burst1'))).toEqual(settings(deployed('burst-host.conf')));
  });

  it('give each shape its share, a port for each node, and names that no node has', () => {
    const nodes = linesOf(partitionsConf(plan, survey, 'burst7'), 'NodeName');
    expect(nodes.map((n) => expandHosts(n.NodeName ?? '').length)).toEqual([6, 2]);
    expect(nodes.map((n) => expandHosts(`p${n.Port}`).length)).toEqual([6, 2]);
    expect(nodes[0]).toMatchObject({
      NodeName: 'spill[1-6]',
      Port: '[17001-17006]',
      CPUs: '16',
      SocketsPerBoard: '2',
      NodeHostname: 'burst7',
    });
    expect(nodes[1]).toMatchObject({
      NodeName: 'spill[7-8]',
      Gres: 'gpu:a100:2',
      Feature: 'gpu',
      TmpDisk: '100',
      Boards: '2',
    });
    for (const p of linesOf(partitionsConf(plan, survey, 'b'), 'PartitionName')) {
      expect(p).toMatchObject({
        Nodes: 'spill[1-6],spill[7-8]',
        DefaultTime: '01:00:00',
        MaxTime: '1-00:00:00',
        DefMemPerCPU: '2000',
      });
      expect(p.Hidden).toBeUndefined();
    }
  });

  it('chain the TaskProlog of the site, and include the file that slurmctld has', () => {
    const text = burstHostConf(plan, survey, 'burst1');
    expect(text).toContain('Include /opt/slurm/etc/slurm.conf\n');
    expect(text).toContain('"chainTaskProlog": "/opt/site/prolog"');
    expect(text).toContain('slurmd -D -N spill1 -f');
  });
});
