/**
 * `npm run parity -- [--tolerance SECONDS] [NAME… | path/to/job.sh…]`: each script of `test/parity/jobs`, or those named, runs on-prem and in the cloud, on
 * the lab's Slurm and Kubernetes. What differs is printed with the reason that is documented for it; anything else fails the run.
 * `--tolerance`: how much longer a burst may take, on a machine that others use as well.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { endGateway, instances, killGateways, startGateway } from '../e2e/harness.ts';
import { follow, type Pair, Queue, start, type Verdict } from './pair.ts';
import { faultsOf, reportOf, tellAll, tellOne } from './report.ts';
import { inTurn, type JobScript, type Need, readJob } from './script.ts';

const root = new URL('../..', import.meta.url).pathname;
const jobsDir = new URL('jobs/', import.meta.url).pathname;

/** All of them, or those that are named by number, by name or by path. */
function chosen(names: readonly string[]): JobScript[] {
  const all = readdirSync(jobsDir).sort();
  const files =
    names.length === 0
      ? all.map((name) => `${jobsDir}${name}`)
      : names.flatMap((name) => {
          if (name.includes('/') || existsSync(name)) return [name];
          const fit = all.filter((file) => file === name || file.startsWith(name));
          if (fit.length === 0)
            throw new Error(`no script ${name} in test/parity/jobs, and no file of that name`);
          return fit.map((file) => `${jobsDir}${file}`);
        });
  const jobs = files.map((file) => readJob(file, readFileSync(file, 'utf8')));
  // What another waits for comes with it.
  const missing = jobs
    .map((job) => job.dependsOn?.job)
    .filter((name) => name !== undefined && !jobs.some((job) => job.name === name));
  return missing.length === 0 ? jobs : chosen([...new Set([...files, ...missing.map((name) => `${name}`)])]);
}

/** What a script may need of the agent that it may not have. */
const has: Readonly<Record<Need, () => boolean>> = {
  srun: () => /^\s*"srun":/m.test(readFileSync(`${root}/agent/main.go`, 'utf8')),
  names: () => existsSync(`${root}/agent/etc.go`),
};

async function run(jobs: readonly JobScript[], tolerance: number): Promise<Verdict[]> {
  // More at a time than two processors take would only make each slower, and jobs with a short time limit miss their minute.
  const gateway = await startGateway({
    max: 4,
    idle: '20s',
    policy: { maxBursts: 16, backOff: '10s' },
    // As TmpDisk in the lab's slurm.conf: without it a job with --tmp stays. Every node has the label of the feature.
    groups: [{ disk: '10000MiB', licenses: ['matlab'], features: { fast: 'kubernetes.io/os=linux' } }],
  });
  const hosts = new Set<string>();
  const watch = setInterval(() => {
    instances().then(
      (seen) => {
        for (const { dnsName } of seen) hosts.add(dnsName);
      },
      () => undefined,
    );
  }, 1_000);
  try {
    const queue = new Queue();
    const pairs = new Map<string, Pair>();
    const verdicts: Promise<Verdict>[] = [];
    for (const job of inTurn(jobs)) {
      const pair = await start(job, pairs);
      pairs.set(job.name, pair);
      const one = follow(pair, queue, () => [...hosts], tolerance);
      one.then((v) => {
        tellOne(v, console.log);
      });
      verdicts.push(one);
    }
    return await Promise.all(verdicts);
  } finally {
    clearInterval(watch);
    await endGateway(gateway).finally(killGateways);
  }
}

/** So few may be tried once more, as a machine of two processors may be late: what is the same then is told, and counts. More is a fault of ours. */
const mostAgain = 6;

async function twice(jobs: readonly JobScript[], tolerance: number): Promise<readonly Verdict[]> {
  const verdicts = await run(jobs, tolerance);
  const odd = verdicts.filter((v) => faultsOf(v).length > 0);
  if (odd.length === 0 || odd.length > mostAgain) return verdicts;
  console.log(`\nonce more: ${odd.map(({ job }) => job.name).join(' ')}`);
  const again = new Map<string, Verdict>();
  // With what one of them waits for.
  const needed = new Set(odd.flatMap(({ job }) => [job.name, job.dependsOn?.job]));
  const some = jobs.filter((job) => needed.has(job.name));
  for (const v of await run(some, tolerance)) again.set(v.job.name, v);
  return verdicts.map((v) => {
    const second = odd.includes(v) ? again.get(v.job.name) : undefined;
    if (second === undefined || faultsOf(second).length > 0) return v;
    console.log(`unsteady: ${v.job.name}: the first time, ${faultsOf(v).join('; ')}`);
    return second;
  });
}

async function main(): Promise<number> {
  if (process.getuid?.() !== 0) throw new Error('parity needs root: it runs on the lab (npm run lab -- up)');
  const { values, positionals } = parseArgs({
    options: { tolerance: { type: 'string', default: '20' } },
    allowPositionals: true,
  });
  const tolerance = Number(values.tolerance);
  if (!Number.isSafeInteger(tolerance) || tolerance < 0)
    throw new Error(`--tolerance ${values.tolerance}: write whole seconds`);
  const jobs = chosen(positionals);
  const able = jobs.filter(({ needs }) => needs === undefined || has[needs]());
  for (const { name, needs } of jobs.filter((job) => !able.includes(job)))
    console.log(`left out: ${name}: the agent does not give a pod ${needs} yet`);
  const began = Date.now();
  const verdicts = await twice(able, tolerance);
  const { SPILLWAY_REPORT: report } = process.env;
  if (report !== undefined) writeFileSync(report, JSON.stringify(reportOf(verdicts)));
  return tellAll(verdicts, Math.round((Date.now() - began) / 1000), console.log);
}

// Who breaks it off leaves no gateway behind, which would block the next.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    killGateways();
    process.exit(130);
  });
process.exitCode = await main().catch((e: unknown) => {
  console.error(`parity: ${(e as Error).message}`);
  return 2;
});
