import { describe, expect, it } from 'vitest';
import { compile } from '../../config/expression.ts';
import { rules } from '../../src/decide/decide.ts';
import { clusterName, instant } from '../../src/domain/ids.ts';
import type { Job } from '../../src/domain/job.ts';
import { GiB } from '../../src/domain/resources.ts';
import { Chance } from '../../src/sim/chance.ts';
import { detail } from '../burst/fixtures.ts';

const turn = {
  now: instant(1_790_000_000_000),
  snapshot: {
    ...{
      cluster: clusterName('c'),
      at: instant(1_790_000_000_000),
      tookMs: 1,
      jobs: [],
      partitions: [],
      partial: [],
    },
    nodes: [
      {
        ...{ name: 'c1', state: 'idle', partitions: ['burst'], cpus: 16, allocatedCpus: 0, memoryMib: 1 },
        ...{ features: '', gres: '' },
      },
    ],
  },
  setup: {
    ...{ name: clusterName('c'), watch: ['batch'], explicit: 'cloud', waitPartition: 'burst_wait' },
    ...{ burstPartition: 'burst', mode: 'auto' as const, onLost: 'fail' as const, pollMs: 1_000 },
  },
  policy: {
    burstWhen: [],
    never: [
      { kind: 'account' as const, account: 'secret' },
      { kind: 'nodesAbove' as const, nodes: 2 },
      { kind: 'partition' as const, partition: 'debug' },
      ...[
        "job.user == 'bob' && job.priority > 5",
        'job.waitedMinutes > 30 || job.timeLimitMinutes > 90',
        '8 / (job.cpus - 3) == 2 && has(job.deadlineMinutes)',
      ].map((expr) => ({ kind: 'cel' as const, expr })),
    ],
    expressions: compile,
    ...{ maxBursts: 10, maxTimeMs: 3_600_000, backOffMs: 1, returns: 3, budgets: [] },
  },
  groups: [
    {
      group: {
        ...{ name: 'cpu', launchTemplate: 't', types: ['big'], zones: ['a'], vcpuPerCpu: 2 },
        overhead: { cpuMillis: 0, memoryBytes: 0, extended: {} },
        ...{ capacityType: 'on-demand' as const, max: 4, idleMs: 1, joinTimeoutMs: 1, lostAfterMs: 1 },
        taint: { key: 'k', value: 'v', effect: 'NoSchedule' as const },
      },
      types: [{ name: 'big', vcpus: 16, memoryBytes: 64 * GiB, gpus: 0 }],
    },
  ],
  stop: undefined,
  drained: new Map([['cpu', 'node group cpu is drained by alice']]),
};

/** Of each field a few values, so that many jobs share some and differ in others. */
function anyJob(chance: Chance): Job {
  const text = (...of: readonly string[]) => (chance.hit(0.6) ? '' : chance.pick(of));
  return detail({
    name: chance.pick(['job', 'a/b', 'sys/dashboard', 'x/dev/y']),
    partition: chance.pick(['batch', 'cloud', 'debug', 'batch,debug', 'other']),
    reason: chance.pick(['Resources', 'Priority', 'PartitionDown', 'Dependency', '']),
    account: chance.pick(['physics', 'secret']),
    timeLimitMs: chance.pick([60_000, 3_600_000, 7_200_000, 'unlimited', 'partition'] as const),
    minNodes: chance.whole(1, 3),
    maxNodes: chance.hit(0.3) ? undefined : chance.whole(1, 3),
    cpus: chance.whole(1, 20),
    batch: chance.hit(0.8),
    hetJob: chance.hit(0.2),
    features: text('gpu', 'skylake'),
    licenses: text('matlab:1', 'ansys:2'),
    reservation: text('maint', 'school'),
    requiredNodes: text('n1', 'n[1-2]'),
    gres: text('gres:gpu:1', 'gres:gpu:2'),
    priority: chance.whole(1, 9),
    qos: chance.pick(['a', 'b']),
    user: chance.pick(['ann', 'bob']),
    eligibleAt: chance.hit(0.3) ? undefined : instant(turn.now + 3_600_000 * chance.whole(-1, 1)),
    deadlineAt: chance.hit(0.7) ? undefined : instant(turn.now + 60_000),
    submitAt: instant(turn.now - chance.pick([60_000, 7_200_000])),
  });
}

describe('a rule that is asked once for jobs that are alike', () => {
  const shapes = rules.flatMap((rule) => (rule.of === 'shape' ? [rule] : []));

  it.each(shapes.map((rule) => [rule.name, rule] as const))(
    '%s says the same where its key is the same',
    (_, rule) => {
      const chance = new Chance(3);
      const said = new Map<string | number, string>();
      const words = new Set<string>();
      for (let i = 0; i < 5_000; i++) {
        const job = anyJob(chance);
        const word = JSON.stringify(rule.judge({ ...turn, job }));
        const key = rule.key(job, turn);
        expect(said.get(key) ?? word).toBe(word);
        said.set(key, word);
        words.add(word);
      }
      // Else the test could not fail.
      expect(words.size).toBeGreaterThan(1);
    },
  );
});
