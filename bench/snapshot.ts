/**
 * From the text of one `squeue` to every job's decision: `npm run bench -- snapshot [jobs] [expr]`,
 * with `expr` under a policy of expressions besides. The transfer over SSH, the forecast and the store are left out.
 * The text is made by one process and read by another, so that the memory is the reader's own; the first look is cold, the later ones are a gateway's.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepHeapSmall } from '../adapters/heap.ts';
import { readJobs } from '../adapters/slurm/squeue.ts';
import { separator } from '../adapters/slurm/table.ts';
import { compile } from '../config/expression.ts';
import { decideBacklog } from '../src/decide/backlog.ts';
import { assumed } from '../src/decide/ready.ts';
import { clusterName, instant, type JobRef } from '../src/domain/ids.ts';
import type { Snapshot } from '../src/domain/job.ts';
import type { ClusterSetup, NodeGroup, Policy } from '../src/domain/policy.ts';
import { GiB } from '../src/domain/resources.ts';
import { Chance } from '../src/sim/chance.ts';
import { heading, median } from './machine.ts';

const mark = `${separator}mbenchmark1234`;
const now = instant(1_795_000_000_000);
const day = { p10: 43_200_000, p50: 86_400_000, p90: 172_800_000 };
const startsInADay = { range: day, raw: day, by: 'bench' };
const [what = '100000', file = '', more = ''] = process.argv.slice(2);
if (what === 'read') {
  // As the gateway does.
  keepHeapSmall();
  read(file, more === 'expr');
} else {
  console.log(heading(`npm run bench -- snapshot ${what} ${file}`));
  const dir = mkdtempSync(join(tmpdir(), 'spillway-bench-'));
  try {
    const path = join(dir, 'squeue.txt');
    writeFileSync(path, queueOf(Number(what)));
    const { status } = spawnSync(
      process.execPath,
      ['--import', 'tsx', import.meta.filename, 'read', path, file],
      {
        stdio: 'inherit',
      },
    );
    process.exitCode = status ?? 1;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** A queue as a site has it, of so many pending jobs and array tasks: 300 users with up to six kinds of jobs each, one line in twenty runs, one in a hundred is an array that was not split. */
function queueOf(count: number): string {
  const chance = new Chance(11);
  const reasons = [
    'Resources',
    'Priority',
    'Priority',
    'Priority',
    'Dependency',
    'QOSMaxJobsPerUserLimit',
    'JobHeldUser',
  ];
  const seconds = now / 1_000;
  const kinds = Array.from({ length: 300 }, () =>
    Array.from({ length: chance.whole(1, 6) }, () => ({
      partition: chance.hit(0.1) ? 'long' : chance.hit(0.1) ? 'cloud' : 'batch',
      limit: chance.pick(['1:00:00', '12:00:00', '1-00:00:00', '30:00', '2-00:00:00']),
      cpus: 2 ** chance.whole(0, 7),
    })),
  );
  let out = '';
  for (let i = 0, tasks = 0; tasks < count; i++) {
    const runs = chance.hit(0.05);
    const user = chance.whole(1, 300);
    const age = chance.whole(60, 7 * 86_400);
    const { partition, limit, cpus } = chance.pick(kinds[user - 1] ?? []);
    const array = !runs && chance.hit(0.01);
    if (!runs) tasks += array ? 20 : 1;
    const fields = [
      `${1_000_000 + i}`,
      `${1_000_000 + i}`,
      array ? '1-20%5' : 'N/A',
      '0',
      '1',
      `user${user}`,
      'normal',
      partition,
      runs ? 'RUNNING' : 'PENDING',
      runs ? 'None' : chance.pick(reasons),
      `${seconds - age}`,
      `${seconds - age}`,
      'N/A',
      runs ? `${seconds - chance.whole(1, 3_600)}` : 'N/A',
      `${chance.whole(1_000, 50_000)}`,
      limit,
      '1',
      '1',
      `${cpus}`,
      `cpu=${cpus},mem=${cpus * 4_000}M,node=1,billing=${cpus}`,
      '(null)',
      '(null)',
      '(null)',
      '(null)',
      '',
      'N/A',
      'N/A',
      'N/A',
      'N/A',
      '0',
      runs ? `n${chance.whole(1, 900)}` : '',
    ];
    const texts = [
      `account${user % 40}`,
      chance.hit(0.001) ? 'two\nlines' : `run_${user}_${chance.whole(1, 50)}.sh`,
    ];
    out += `${fields.join(separator)}${mark}${texts.join(mark)}${mark}\n`;
  }
  return out;
}

function read(path: string, expressions: boolean): void {
  const setup: ClusterSetup = {
    ...{ name: clusterName('bench'), watch: ['batch'], explicit: 'cloud', waitPartition: 'burst_wait' },
    ...{ burstPartition: 'burst', mode: 'auto', onLost: 'fail', pollMs: 30_000 },
  };
  const policy: Policy = {
    burstWhen: [
      ...(expressions
        ? [
            'job.cpus <= 4 && forecast.p50Minutes > 120 && offer.worstUsd < 3.0',
            'job.waitedMinutes > 1440 && job.timeLimitMinutes <= 60',
          ].map((expr) => ({ kind: 'cel' as const, expr }))
        : []),
      { kind: 'backlog', pendingJobs: 10, forMs: 3_600_000 },
    ],
    never: [
      { kind: 'account', account: 'account7' },
      ...(expressions
        ? ["job.user.startsWith('course')", "job.name.endsWith('.tmp') && job.priority < 5000"].map(
            (expr) => ({
              kind: 'cel' as const,
              expr,
            }),
          )
        : []),
    ],
    expressions: compile,
    ...{ maxBursts: 500, maxTimeMs: 48 * 3_600_000, backOffMs: 1_800_000, returns: 3 },
    budgets: [{ account: 'account1', microUsd: 1_000_000_000, per: 'month', hard: true }],
  };
  const group: NodeGroup = {
    ...{
      name: 'cpu',
      launchTemplate: 't',
      types: ['big'],
      zones: ['a'],
      vcpuPerCpu: 2,
      capacityType: 'on-demand',
    },
    overhead: { cpuMillis: 100, memoryBytes: GiB / 2, extended: {} },
    ...{ max: 100, idleMs: 300_000, joinTimeoutMs: 900_000, lostAfterMs: 600_000 },
    prices: { big: 2_000_000 },
    taint: { key: 'k', value: 'v', effect: 'NoSchedule' },
  };
  const groups = [{ group, types: [{ name: 'big', vcpus: 64, memoryBytes: 256 * GiB, gpus: 0 }] }];
  const idle = process.memoryUsage().rss;
  const looks: { readonly parse: number; readonly decide: number; readonly cpu: number }[] = [];
  let told = '';
  // What a gateway holds: the last look at the queue and its decisions.
  let kept: unknown;
  for (let i = 0; i < 5; i++) {
    const text = readFileSync(path, 'utf8');
    const used = process.cpuUsage();
    const began = performance.now();
    const { jobs, partial } = readJobs(text, mark);
    const parsed = performance.now();
    const snapshot: Snapshot = {
      ...{ cluster: setup.name, at: now, tookMs: 0, jobs, partitions: [], nodes: [], partial },
    };
    const decided = decideBacklog({
      ...{ snapshot, now, setup, policy, groups, stop: undefined, live: new Set<JobRef>(), liveBursts: 0 },
      returned: new Map(),
      budgets: [{ account: 'account1', left: 1_000_000_000 }],
      beside: { cpuMillis: 0, memoryBytes: 0, extended: {} },
      // Of every other job, so that what is known and what is not both cost.
      forecast: ({ id }) => (expressions && id % 2 === 0 ? startsInADay : undefined),
      queues: [],
      had: new Map(),
      readyIn: () => assumed,
      examined: () => undefined,
    });
    const done = performance.now();
    const { user, system } = process.cpuUsage(used);
    looks.push({ parse: parsed - began, decide: done - parsed, cpu: (user + system) / 1_000 });
    const bursts = decided.filter((d) => d.decision.verdict === 'burst').length;
    told = `${jobs.length} lines, ${decided.length} jobs and array tasks decided on, ${bursts} burst, ${partial.length} lines not read`;
    kept = { snapshot, decided };
  }
  const [first] = looks;
  const ms = (of: number | undefined): string => `${(of ?? 0).toFixed(0)} ms`;
  const sum = looks.map((l) => l.parse + l.decide);
  console.log(told);
  console.log(
    `first look: ${ms(sum[0])} (read ${ms(first?.parse)}, decide ${ms(first?.decide)}); median of five: ${ms(median(sum))} (read ${ms(median(looks.map((l) => l.parse)))}, decide ${ms(median(looks.map((l) => l.decide)))}); CPU, with the collector's threads: first ${ms(first?.cpu)}, median ${ms(median(looks.map((l) => l.cpu)))}`,
  );
  console.log(
    `memory: ${(idle / 2 ** 20).toFixed(0)} MiB before, ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB at most${kept === undefined ? '.' : ''}`,
  );
}
