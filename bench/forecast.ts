/**
 * How long a forecast of the whole queue takes, and how true it is. `npm run bench -- forecast`: speed. `npm run bench -- forecast TRACE PROCESSORS
 * [every]`: an EASY machine plays the trace; of the jobs that must wait every nth is forecast when it comes and held against its start.
 */
import { Backfill } from '../src/decide/backfill.ts';
import { Ends } from '../src/decide/backfill-ends.ts';
import { Calibration } from '../src/decide/calibrate.ts';
import {
  byLimits,
  forecastStarts,
  learnedRunTimes,
  type QueueView,
  usualForecaster,
} from '../src/decide/forecast.ts';
import { Predictor } from '../src/decide/predict.ts';
import type { StartRange } from '../src/domain/forecast.ts';
import { Chance } from '../src/sim/chance.ts';
import { clean } from '../src/sim/trace/job.ts';
import { readTrace } from '../src/sim/trace/read.ts';
import { heading } from './machine.ts';

const [file, processors, every] = process.argv.slice(2);
console.log(heading(`npm run bench -- forecast ${process.argv.slice(2).join(' ')}`));
if (file === undefined) speed();
else await truth(file, Number(processors), Number(every ?? 1));

function speed(): void {
  const chance = new Chance(1);
  const random = () => chance.random();
  const predictor = new Predictor();
  const job = () => ({
    user: `user${Math.floor(random() * 200)}`,
    account: 'a',
    processors: 1 + Math.floor(random() * 64),
    limitMs: (1 + Math.floor(random() * 24)) * 3_600_000,
  });
  for (let i = 0; i < 20_000; i++) {
    const { user, processors, limitMs } = job();
    predictor.learn({ user, processors, requestMs: limitMs }, limitMs * random());
  }
  for (const count of [1_000, 10_000]) {
    const view: QueueView = {
      processors: 4_096,
      running: Array.from({ length: 120 }, () => ({ ...job(), ageMs: 1_800_000 })),
      waiting: Array.from({ length: count }, job),
    };
    const took: number[] = [];
    for (let i = 0; i < 5; i++) {
      const began = performance.now();
      forecastStarts(view, learnedRunTimes(predictor), usualForecaster, random);
      took.push(performance.now() - began);
    }
    took.sort((a, b) => a - b);
    console.log(
      `${count} jobs wait, 120 run, ${usualForecaster.draws} draws: median ${took[2]?.toFixed(0)} ms, slowest ${took[4]?.toFixed(0)} ms`,
    );
  }
}

async function truth(path: string, processors: number, nth: number): Promise<void> {
  const { jobs } = clean((await readTrace(path)).jobs, processors);
  const columns = {
    processors: Int32Array.from(jobs, (j) => j.processors),
    limitMs: Float64Array.from(jobs, (j) => j.requestMs),
  };
  const machineOf = new Backfill(processors, columns);
  const ends = new Ends();
  const startedAt = new Float64Array(jobs.length).fill(Number.NaN);
  const predictor = new Predictor();
  const calibration = new Calibration();
  const said = new Map<number, { raw: StartRange; told: StartRange; slurm: number }>();
  const held: { range: StartRange; actual: number; slurm: number; raw: StartRange }[] = [];
  const chance = new Chance(7);
  const random = () => chance.random();
  let now = 0;
  let waited = 0;
  const began = performance.now();
  const started = (i: number): void => {
    startedAt[i] = now;
    ends.push(i, now + (jobs[i] as (typeof jobs)[number]).runMs);
    const before = said.get(i);
    if (before === undefined) return;
    said.delete(i);
    const actual = now - (jobs[i] as (typeof jobs)[number]).submitMs;
    calibration.learn(before.raw, actual);
    held.push({ range: before.told, actual, slurm: before.slurm, raw: before.raw });
  };
  const play = (to: number): void => {
    while (ends.length > 0 && ends.nextAt <= to) {
      now = ends.nextAt;
      while (ends.length > 0 && ends.nextAt <= now) {
        const i = ends.pop();
        const j = jobs[i] as (typeof jobs)[number];
        machineOf.end(i);
        predictor.learn(j, j.runMs);
      }
      machineOf.pass(now, started);
    }
  };
  for (let i = 0; i < jobs.length; i++) {
    const job = jobs[i] as (typeof jobs)[number];
    play(job.submitMs);
    now = job.submitMs;
    machineOf.submit(i);
    machineOf.pass(now, started);
    if (!Number.isNaN(startedAt[i] as number) || waited++ % nth !== 0) continue;
    const as = (k: number) => {
      const { user, account, processors, requestMs } = jobs[k] as (typeof jobs)[number];
      return { user, account, processors, limitMs: requestMs };
    };
    const waiting = Array.from({ length: machineOf.length }, (_, k) => machineOf.at(k));
    const view: QueueView = {
      processors,
      running: Array.from({ length: machineOf.running }, (_, k) => {
        const at = machineOf.runningAt(k);
        return { ...as(at), ageMs: now - (startedAt[at] as number) };
      }),
      waiting: waiting.map(as),
    };
    const at = waiting.indexOf(i);
    const starts = forecastStarts(view, learnedRunTimes(predictor), usualForecaster, random);
    const raw = {
      p10: starts.p10[at] as number,
      p50: starts.p50[at] as number,
      p90: starts.p90[at] as number,
    };
    const slurm = forecastStarts(view, byLimits, { ...usualForecaster, draws: 1 }, random).p50[at] as number;
    said.set(i, { raw, told: calibration.correct(raw), slurm });
  }
  play(Number.POSITIVE_INFINITY);
  const after = held.slice(Math.floor(held.length / 10));
  const share = (holds: (h: (typeof held)[number]) => boolean): string =>
    `${((100 * after.filter(holds).length) / after.length).toFixed(1)} %`;
  const median = (of: (h: (typeof held)[number]) => number): string => {
    const sorted = after.map(of).sort((a, b) => a - b);
    return `${((sorted[sorted.length >> 1] ?? 0) / 60_000).toFixed(0)} min`;
  };
  console.log(
    `${path}: ${jobs.length} jobs, ${waited} had to wait, ${after.length} forecasts after a warm-up of ${held.length - after.length}, ${((performance.now() - began) / 1_000).toFixed(0)} s`,
  );
  console.log(
    `  p90 holds for ${share((h) => h.actual <= h.range.p90)} (as drawn: ${share((h) => h.actual <= h.raw.p90)}); p10 for ${share((h) => h.actual <= h.range.p10)}; p50 for ${share((h) => h.actual <= h.range.p50)}`,
  );
  console.log(
    `  median absolute error: ${median((h) => Math.abs(h.actual - h.range.p50))} (as drawn ${median((h) => Math.abs(h.actual - h.raw.p50))}; limits, no draws: ${median((h) => Math.abs(h.actual - h.slurm))}); median wait ${median((h) => h.actual)}`,
  );
}
