/**
 * What planning buys against one instance for each job and against the lower bound, on real logs, and how long it takes for 5,000 that wait: `npm run
 * bench -- plan [NAME...] [--jobs N] [--whole]`: the logs whose name begins so, the first N of each; they lie where SPILLWAY_TRACES says, or in ../shared/traces.
 * All jobs of up to one node burst when they are submitted. The logs tell no memory: each user's jobs ask for 1.5, 3 or 6 GiB for each CPU, by his name. Run times
 * are expected as the gateway does it, from what ended before. `--whole`: with the bound that cuts no job as well, which takes minutes.
 */
import { join, resolve } from 'node:path';
import { type PlanGroup, podCapacity } from '../src/decide/group.ts';
import { type PlanBurst, plan } from '../src/decide/plan.ts';
import { burstId } from '../src/domain/ids.ts';
import type { InstanceType } from '../src/domain/instance.ts';
import type { NodeGroup } from '../src/domain/policy.ts';
import { fits, GiB, MiB, plus, type Resources } from '../src/domain/resources.ts';
import { clean, type TraceJob } from '../src/sim/trace/job.ts';
import { readTrace } from '../src/sim/trace/read.ts';
import { keeperNeeds } from '../src/translate/index.ts';
import { heading, quantile } from './machine.ts';
import { wholeBound } from './plan-bound.ts';
import {
  bound,
  type Fleet,
  naive,
  type Parts,
  partsOf,
  repacked,
  type Shaped,
  type Spent,
  through,
} from './plan-cloud.ts';

const dir = resolve(process.env.SPILLWAY_TRACES ?? '../shared/traces');
const logs = [
  { name: 'KTH', file: 'KTH-SP2-1996-2.1-cln' },
  { name: 'CTC', file: 'CTC-SP2-1996-3.1-cln' },
  { name: 'SDSC-SP2', file: 'SDSC-SP2-1998-4.2-cln' },
  { name: 'BLUE', file: 'SDSC-BLUE-2000-4.2-cln' },
  { name: 'Curie', file: 'CEA-Curie-2011-2.1-cln' },
];
/** On demand in eu-central-1 a while ago; each size costs twice the one before. */
const families = { c7i: [2, 0.1018], m7i: [4, 0.1211], r7i: [8, 0.1596] } as const;
const sizes = { large: 2, xlarge: 4, '2xlarge': 8, '4xlarge': 16, '8xlarge': 32, '16xlarge': 64 } as const;

const types: InstanceType[] = [];
const prices: Record<string, number> = {};
for (const [family, [gib, usd]] of Object.entries(families))
  for (const [size, vcpus] of Object.entries(sizes)) {
    const name = `${family}.${size}`;
    types.push({ name, vcpus, memoryBytes: vcpus * gib * GiB, gpus: 0 });
    prices[name] = Math.round((usd * 1_000_000 * vcpus) / 2);
  }
const group: NodeGroup = {
  ...{ name: 'cpu', launchTemplate: 't', types: types.map((t) => t.name), zones: ['a', 'b'], vcpuPerCpu: 1 },
  overhead: { cpuMillis: 100, memoryBytes: 512 * MiB, extended: {} },
  ...{
    capacityType: 'on-demand',
    max: 100_000,
    idleMs: 60_000,
    joinTimeoutMs: 900_000,
    lostAfterMs: 600_000,
  },
  ...{ prices, taint: { key: 'k', value: 'v', effect: 'NoSchedule' } },
};
const offered: PlanGroup = { group, types };
const perCpu = [1.5, 3, 6];

const needsOf = ({ processors, user }: Pick<TraceJob, 'processors' | 'user'>, vcpuPerCpu = 1): Resources =>
  plus(keeperNeeds, {
    cpuMillis: Math.round(processors * vcpuPerCpu * 1000),
    memoryBytes: Math.round(
      processors * (perCpu[[...user].reduce((n, c) => n + c.charCodeAt(0), 0) % perCpu.length] ?? 3) * GiB,
    ),
    extended: {},
  });

const holdsIt = (needs: Resources): boolean => types.some((t) => fits(needs, podCapacity(t, group)));

function planTime(): void {
  const wishes: PlanBurst[] = Array.from({ length: 5_000 }, (_, n) => {
    const processors = 1 + ((n * 7) % 16);
    return {
      ...{ id: burstId(`b${n}`), group: 'cpu', needs: needsOf({ processors, user: `user${n % 200}` }) },
      ...{ limitMs: (1 + ((n * 13) % 48)) * 1_800_000, nodes: n % 50 === 0 ? 4 : 1 },
    };
  });
  for (const [what, of] of [
    ['room for all', offered],
    ['room for a tenth', { ...offered, group: { ...group, max: 80 } }],
  ] as const) {
    const runs: number[] = [];
    let launches = 0;
    for (let run = 0; run < 7; run++) {
      const began = performance.now();
      launches = plan(wishes, [], [], [of]).launch.length;
      runs.push(performance.now() - began);
    }
    console.log(
      `5,000 approved bursts, ${types.length} types, ${what}: ${launches} instances; median ${quantile(runs, 0.5).toFixed(0)} ms, slowest ${Math.max(...runs).toFixed(0)} ms`,
    );
  }
}

async function compare(file: string, name: string, most: number, vcpuPerCpu: number): Promise<void> {
  const { jobs } = clean((await readTrace(join(dir, `${file}.swf.gz`))).jobs, 1_000_000);
  const shaped: Shaped[] = [];
  for (const job of jobs) {
    if (shaped.length === most) break;
    const needs = needsOf(job, vcpuPerCpu);
    if (job.runMs > 0 && holdsIt(needs))
      shaped.push({
        ...{ needs, submitMs: job.submitMs, runMs: job.runMs },
        ...{ user: job.user, processors: job.processors },
        limitMs: Math.max(job.runMs, job.requestMs),
      });
  }
  console.log(`\n${name}, vcpuPerCpu ${vcpuPerCpu}: ${shaped.length} jobs of up to one node`);
  const usd = (micro: number): string => `$ ${(micro / 1e6).toFixed(0).padStart(8)}`;
  const line = (what: string, { microUsd, instances }: Spent, least: number): void =>
    console.log(
      `  ${what.padEnd(28)} ${usd(microUsd)}  ${(100 * (microUsd / least - 1)).toFixed(1).padStart(6)} % over the bound  ${instances} instances`,
    );
  const fleet: Fleet = { offered, bootMs: 45_000, everyMs: 30_000 };
  const planned = through(shaped, fleet, 'expected');
  const least = bound(planned.ran, fleet);
  const known = through(shaped, fleet, 'known');
  for (const [what, spent] of [
    ['planned', planned],
    ['planned, run times known', known],
  ] as const) {
    line(what, spent, least);
    console.log(`  ${''.padEnd(28)} ${inWords(partsOf(spent.gone, bound(spent.ran, fleet), fleet), least)}`);
  }
  line('one instance for each job', naive(shaped, fleet), least);
  line('packed anew at each moment', { microUsd: repacked(planned.ran, fleet), instances: 0 }, least);
  if (whole) {
    const tight = wholeBound(planned.ran, fleet);
    const over = (100 * (planned.microUsd / tight - 1)).toFixed(1);
    line('bound with whole jobs', { microUsd: tight, instances: 0 }, least);
    console.log(`  ${'planned'.padEnd(28)} ${over} % over the bound with whole jobs`);
  }
  console.log(`  ${'lower bound'.padEnd(28)} ${usd(least)}`);
}

function inWords({ empty, outlived, sizes, ratios }: Parts, least: number): string {
  const percent = (part: number): string => `${((100 * part) / least).toFixed(1)} %`;
  return `of it empty ${percent(empty)}, larger than what is left on it ${percent(outlived)}, sizes ${percent(sizes)}, ratios of memory ${percent(ratios)}`;
}

const asked = process.argv.slice(2);
const whole = asked.includes('--whole');
const args = asked.filter((a) => a !== '--whole');
const flag = args.indexOf('--jobs');
const most = flag < 0 ? 10_000 : Number(args[flag + 1]);
const wanted = args.filter((_, i) => flag < 0 || (i !== flag && i !== flag + 1));
console.log(heading(`npm run bench -- plan ${asked.join(' ')}`));
planTime();
for (const { file, name } of logs)
  if (wanted.length === 0 || wanted.some((w) => name.startsWith(w)))
    for (const vcpuPerCpu of [1, 0.94]) await compare(file, name, most, vcpuPerCpu);
