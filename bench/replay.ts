/**
 * The default policy against the baselines on real logs, at each baseline's own share of core-hours. `npm run bench -- replay [NAME...]`: those
 * of the logs whose name begins so; they lie where SPILLWAY_TRACES says, or in ../shared/traces. `--halves`: each half of a log by itself, and the
 * knob that was found on the first on the second, which it has not seen.
 */
import { join, resolve } from 'node:path';
import { type Figures, figuresOf } from '../src/sim/replay/figures.ts';
import { type AtKnob, type Point, pointAt, pointForShare } from '../src/sim/replay/front.ts';
import { play, type Site, usualCloud, usualTickMs } from '../src/sim/replay/play.ts';
import { makePolicy, type Named } from '../src/sim/replay/policies.ts';
import { type Columns, columnsOf } from '../src/sim/replay/policy.ts';
import { clean, type TraceJob } from '../src/sim/trace/job.ts';
import { readTrace } from '../src/sim/trace/read.ts';
import { heading } from './machine.ts';

const dir = resolve(process.env.SPILLWAY_TRACES ?? '../shared/traces');
const hour = 3_600_000;

interface Log {
  readonly name: string;
  readonly file: string;
  readonly processors: number;
  /** What a sketch with fluid queues had at the rows "over 24 h", "over 4 h" and "request up to 1 h", in percent of the row's mean wait. */
  readonly sketch: readonly [string, string, string];
}

const logs: readonly Log[] = [
  { name: 'KTH', file: 'KTH-SP2-1996-2.1-cln', processors: 100, sketch: ['-43', '-77', '-13'] },
  { name: 'CTC', file: 'CTC-SP2-1996-3.1-cln', processors: 338, sketch: ['-56', '-77', '-16'] },
  { name: 'SDSC-SP2', file: 'SDSC-SP2-1998-4.2-cln', processors: 128, sketch: ['-49', '-78', '-8'] },
  { name: 'BLUE', file: 'SDSC-BLUE-2000-4.2-cln', processors: 1_152, sketch: ['-59', '-82', '-29'] },
  { name: 'Curie', file: 'CEA-Curie-2011-2.1-cln', processors: 80_640, sketch: ['-60', '?', '-41'] },
];

const row = (label: string, policy: Named['policy'], parameters: Named['parameters'] = {}): Named => ({
  label,
  policy,
  parameters,
});
const aims: readonly Named[] = [
  row('waited over 24 h', 'waited', { waitedMs: 24 * hour }),
  row('waited over 4 h', 'waited', { waitedMs: 4 * hour }),
  row('request up to 1 h', 'short-request', { requestMs: hour }),
];
const others: readonly Named[] = [
  row('none', 'none'),
  row('no jobs wait', 'no-jobs-wait'),
  row('waited over 1 h', 'waited', { waitedMs: hour }),
  row('runs up to 3 min, known', 'short-run-knowing', { runMs: 180_000, waitedMs: 24 * hour }),
  row('long jobs wait: 1 h', 'long-jobs-wait', { runMs: hour }),
  row('short waits wait: 4 h', 'short-waits-wait', { waitedMs: 4 * hour }),
  row('compound: 1 h, 4 h', 'compound', { runMs: hour, waitedMs: 4 * hour }),
];
const sweep = [1, 3, 10, 30, 100, 300, 1_000];

const line = (label: string, f: Figures, more = ''): void => {
  const h = (ms: number): string => (ms / hour).toFixed(3).padStart(7);
  console.log(
    `  ${label.padEnd(34)}${h(f.waitMs.mean)} h ${h(f.waitMs.p95)} h ${f.slowdown.mean.toFixed(1).padStart(7)} ${(100 * f.cloudShare).toFixed(2).padStart(6)} % ${more}`,
  );
};
const less = (f: Figures, than: Figures): string =>
  [
    [f.waitMs.mean, than.waitMs.mean],
    [f.waitMs.p95, than.waitMs.p95],
    [f.slowdown.mean, than.slowdown.mean],
  ]
    .map(([a = 0, b = 0]) => (b > 0 ? `${(100 * (a / b - 1)).toFixed(0)} %` : '-'))
    .join(', ');

const halves = process.argv.includes('--halves');
const wanted = process.argv.slice(2).filter((a) => a !== '--halves');
console.log(heading(`npm run bench -- replay ${process.argv.slice(2).join(' ')}`));
console.log('  policy, mean wait, p95 wait, mean bounded slowdown, cloud share of core-hours');
for (const log of logs)
  if (wanted.length === 0 || wanted.some((w) => log.name.startsWith(w)))
    await (halves ? compareHalves : compare)(log);

async function jobsOf({ file, processors }: Log): Promise<readonly TraceJob[]> {
  return clean((await readTrace(join(dir, `${file}.swf.gz`))).jobs, processors).jobs;
}

/** Nothing of the first half is known to the second: it begins with an empty machine and without history. */
async function compareHalves(log: Log): Promise<void> {
  const jobs = await jobsOf(log);
  const middle = Math.floor(jobs.length / 2);
  const site: Site = { processors: log.processors, cloud: usualCloud, tickMs: usualTickMs };
  const parts = [jobs.slice(0, middle), jobs.slice(middle)].map(columnsOf);
  console.log(`\n${log.name}: halves of ${middle} jobs`);
  for (const aim of aims) {
    const found = parts.map((trace, i) => {
      const base = figuresOf(trace, play(trace, site, makePolicy(aim, trace, site)), site);
      line(`${aim.label}, half ${i + 1}`, base);
      const { point } = solve(trace, site, knob('worth', trace, site), base.cloudShare);
      line(`  worth ${point.leastWorth.toPrecision(3)}`, point.figures, less(point.figures, base));
      return { base, point, trace };
    });
    const [first, second] = found;
    if (first === undefined || second === undefined) continue;
    const { trace, base } = second;
    const held = pointAt(trace, site, knob('worth', trace, site), first.point.leastWorth);
    line(`  the first half's knob on half 2`, held.figures, less(held.figures, base));
  }
}

async function compare(log: Log): Promise<void> {
  const { name, processors, sketch } = log;
  const jobs = await jobsOf(log);
  const trace = columnsOf(jobs);
  const site: Site = { processors, cloud: usualCloud, tickMs: usualTickMs };
  const run = (of: Named): Figures => figuresOf(trace, play(trace, site, makePolicy(of, trace, site)), site);
  const began = performance.now();
  play(trace, site);
  const speed = jobs.length / ((performance.now() - began) / 1_000);
  console.log(
    `\n${name}: ${jobs.length} jobs, ${processors} processors; plain EASY ${Math.round(speed)} jobs/s`,
  );
  for (const other of others) line(other.label, run(other));
  for (const [i, aim] of aims.entries()) {
    const base = run(aim);
    line(aim.label, base);
    const { point, seconds } = solve(trace, site, knob('worth', trace, site), base.cloudShare);
    line(
      `  worth ${point.leastWorth.toPrecision(3)}`,
      point.figures,
      `${less(point.figures, base)}; sketch ${sketch[i]} %; a run took ${seconds.toFixed(1)} s`,
    );
    const knows = solve(trace, site, knob('worth-knowing', trace, site), base.cloudShare).point;
    line(`  run times known ${knows.leastWorth.toPrecision(3)}`, knows.figures, less(knows.figures, base));
  }
  console.log('  the front:');
  for (const leastWorth of sweep) {
    const { figures } = pointAt(trace, site, knob('worth', trace, site), leastWorth);
    line(`  worth ${leastWorth}`, figures);
  }
}

function knob(policy: 'worth' | 'worth-knowing', trace: Columns, site: Site): AtKnob {
  return (leastWorth) => makePolicy(row(policy, policy, { leastWorth }), trace, site);
}

function solve(trace: Columns, site: Site, make: AtKnob, share: number): { point: Point; seconds: number } {
  let runs = 0;
  const began = performance.now();
  const counted: AtKnob = (leastWorth) => {
    runs += 1;
    return make(leastWorth);
  };
  const point = pointForShare(trace, site, counted, share);
  return { point, seconds: (performance.now() - began) / 1_000 / runs };
}
