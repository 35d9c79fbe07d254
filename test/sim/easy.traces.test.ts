/** The on-prem half against what was published: EASY on five real logs (Gaussier et al., SC15), average bounded slowdown with τ = 10 s. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Backfill } from '../../src/decide/backfill.ts';
import { Ends } from '../../src/decide/backfill-ends.ts';
import { clean, type TraceJob } from '../../src/sim/trace/job.ts';
import { readTrace } from '../../src/sim/trace/read.ts';

const dir = resolve(process.env.SPILLWAY_TRACES ?? '../shared/traces');
const tau = 10_000;

function slowdown(jobs: readonly TraceJob[], processors: number): number {
  const machine = new Backfill(processors, {
    processors: Int32Array.from(jobs, (j) => j.processors),
    limitMs: Float64Array.from(jobs, (j) => j.requestMs),
  });
  const ends = new Ends();
  let [now, next, sum] = [0, 0, 0];
  const started = (i: number): void => {
    const { submitMs, runMs } = jobs[i] as TraceJob;
    ends.push(i, now + runMs);
    sum += Math.max(1, (now - submitMs + runMs) / Math.max(runMs, tau));
  };
  while (next < jobs.length || ends.length > 0) {
    now = Math.min(jobs[next]?.submitMs ?? Number.POSITIVE_INFINITY, ends.nextAt);
    while (ends.length > 0 && ends.nextAt <= now) machine.end(ends.pop());
    while ((jobs[next]?.submitMs ?? Number.POSITIVE_INFINITY) <= now) machine.submit(next++);
    machine.pass(now, started);
  }
  expect(machine.length).toBe(0);
  return sum / jobs.length;
}

describe('EASY on real logs', () => {
  it('finds them', () => {
    expect(existsSync(dir), `no ${dir}: set SPILLWAY_TRACES to where the logs lie`).toBe(true);
  });

  it.each([
    ['KTH-SP2-1996-2.1-cln', 100, 92.6, 0.03],
    ['CTC-SP2-1996-3.1-cln', 338, 49.6, 0.03],
    ['SDSC-SP2-1998-4.2-cln', 128, 87.9, 0.03],
    ['SDSC-BLUE-2000-4.2-cln', 1_152, 36.5, 0.03],
    ['CEA-Curie-2011-2.1-cln', 80_640, 202.1, 0.1],
  ])('%s on %i processors: %d, within a share of %d', async (name, processors, published, share) => {
    const { jobs } = clean((await readTrace(join(dir, `${name}.swf.gz`))).jobs, processors);
    const ours = slowdown(jobs, processors);
    console.log(`${name}: ${ours.toFixed(2)}, published ${published}`);
    expect(Math.abs(ours / published - 1)).toBeLessThan(share);
  });
});
