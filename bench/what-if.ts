/**
 * How long the page What if replays: `npm run bench -- what-if [jobs [partitions [log]]]`, the first so many jobs of a real log as a site's accounting
 * would tell them. A log has neither memory, GPUs nor priorities: they are drawn, the same for each run. What the jobs really waited is what
 * the model makes of them, so that a replay must be off by nothing.
 */
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { compile } from '../config/expression.ts';
import { usualForecaster } from '../src/decide/forecast.ts';
import { draws } from '../src/domain/draws.ts';
import type { NodeSum, PastJob, PastNodes } from '../src/domain/past.ts';
import type { PlainPolicy, ReplayOrder } from '../src/engine/replayed.ts';
import { siteOf } from '../src/sim/replay/node-sets.ts';
import { play, usualCloud } from '../src/sim/replay/play.ts';
import { clean } from '../src/sim/trace/job.ts';
import { readTrace } from '../src/sim/trace/read.ts';
import { traceOf, whatIf } from '../src/sim/what-if.ts';
import { heading, mebibytes } from './machine.ts';

const [jobs = '20000', partitions = '2', log = 'SDSC-BLUE-2000-4.2-cln'] = process.argv.slice(2);
const dir = resolve(process.env.SPILLWAY_TRACES ?? '../shared/traces');
const processors = 1_152;
const cpusOfNode = 8;
const nodes = processors / cpusOfNode;
const hour = 3_600_000;
/** As the gateway asks for it: however many days, so many looks. */
const looks = 3_000;

console.log(heading(`npm run bench -- what-if ${process.argv.slice(2).join(' ')}`));
const order = await orderOf(Number(jobs), Number(partitions));
const before = process.cpuUsage();
const began = performance.now();
const made = whatIf(order, compile, () => undefined);
const seconds = (performance.now() - began) / 1_000;
const { user, system } = process.cpuUsage(before);
const { nobody, running, proposed, really, error, course } = made;
const h = (ms: number): string => `${(ms / hour).toFixed(2)} h`;
console.log(
  `${order.jobs.length} jobs in ${((order.untilMs - order.fromMs) / 24 / hour).toFixed(0)} days, ${partitions} partitions: ${seconds.toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s of CPU, ${mebibytes(1_024 * process.resourceUsage().maxRSS)} at most`,
);
console.log(
  `mean wait ${h(nobody.waitMs.mean)}, ${h(running.waitMs.mean)} (${running.bursts} bursts), ${h(proposed.waitMs.mean)} (${proposed.bursts}); off by ${h(error.mean)}`,
);
for (const { partitions: names, binds } of made.nodes)
  console.log(`${names.join(', ')}: ${binds.join(', ')}`);
console.log(
  `SHA-256 of what came of it: ${createHash('sha256').update(JSON.stringify({ nobody, running, proposed, really, error, course })).digest('hex')}`,
);

/** Every partition has the nodes of the ones before it, and some more: the first a fraction, the last all. */
function nodesOf(count: number): PastNodes {
  const sum = (share: number): NodeSum => {
    const some = Math.max(1, Math.round(nodes * share));
    const gpus = Math.ceil(some / 4);
    return { cpus: some * cpusOfNode, memoryMib: some * 16_384, gres: new Map([['gpu', gpus]]) };
  };
  const names = Array.from({ length: count }, (_, i) => `p${i}`);
  return {
    ...sum(1),
    partitions: names.map((name, i) => ({ ...sum((i + 1) / count), name, holds: names.slice(0, i + 1) })),
  };
}

async function orderOf(count: number, parts: number): Promise<ReplayOrder> {
  const { jobs: kept } = clean((await readTrace(join(dir, `${log}.swf.gz`))).jobs, processors);
  const some = kept.slice(0, count);
  const [set, draw] = [nodesOf(parts), draws(1)];
  const fromMs = some[0]?.submitMs ?? 0;
  const drawn = some.map((job): PastJob => {
    const [memory, gpu, part] = [draw() / 2 ** 32, draw() / 2 ** 32, draw() % parts];
    const memoryMib = Math.min(nodes * 16_384, Math.round(job.processors * 4_096 * memory));
    const gres = new Map(gpu < 0.05 ? [['gpu', Math.max(1, Math.floor(job.processors / 32))]] : []);
    const within = set.partitions.findIndex(
      (p, i) =>
        i >= part &&
        p.cpus >= job.processors &&
        p.memoryMib >= memoryMib &&
        (p.gres.get('gpu') ?? 0) >= (gres.get('gpu') ?? 0),
    );
    return {
      ...{ id: job.id, user: job.user, account: job.account, partition: `p${within}`, inCloud: false },
      ...{ submitMs: job.submitMs, startMs: job.submitMs, endMs: job.submitMs + job.runMs },
      ...{ limitMs: job.requestMs, cpus: job.processors, priority: 1_000 + (draw() % 100), memoryMib, gres },
    };
  });
  const policy = { never: [], maxBursts: Number.POSITIVE_INFINITY, maxTimeMs: undefined, backOffMs: 0 };
  const waited = (forMs: number): PlainPolicy => ({
    ...{ ...policy, burstWhen: [{ kind: 'waited', forMs }], returns: 3 },
    budgets: [],
  });
  const days = {
    ...{ fromMs, untilMs: fromMs, nodes: [set], lookMs: 1, forecaster: usualForecaster },
    ...{ running: waited(4 * hour), proposed: waited(hour) },
  };
  const cloud = { bootMs: 180_000, cpus: 640, microUsdPerCpuHour: 48_000, instanceCpus: 16 };
  const { trace } = traceOf({ ...days, cloud, jobs: drawn });
  // As if never two had run at once: all of it binds.
  const alone = drawn.map((job) => ({ ...job, endMs: job.startMs }));
  const site = {
    ...{ processors, nodes: siteOf([set], alone).setsFor(drawn) },
    ...{ cloud: usualCloud, tickMs: 60_000 },
  };
  const { waitMs } = play(trace, site);
  const started = drawn.map((job, i) => {
    const startMs = job.submitMs + (waitMs[i] as number);
    return { ...job, startMs, endMs: startMs + (trace.runMs[i] as number) };
  });
  const untilMs = Math.max(...started.map((j) => j.submitMs));
  return {
    ...{ ...days, untilMs, jobs: started },
    lookMs: Math.max(60_000, Math.ceil((untilMs - fromMs) / looks)),
    cloud,
  };
}
