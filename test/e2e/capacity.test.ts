/** Forty jobs of mixed shapes overflow while the cloud has nothing in one zone, brings up a machine that never joins, and takes another back in mid-job. */
import { appendFileSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { region } from '../../lab/real/ec2-model.ts';
import { clusterName } from '../../lab/real/paths.ts';
import type { CostReport } from '../../src/domain/cost.ts';
import type { Machine } from '../../src/sim/models/cloud-types.ts';
import {
  as,
  ended,
  endGateway,
  fillOnPrem,
  home,
  instances,
  killGateways,
  lab,
  labEnv,
  outputOf,
  pods,
  type RunningGateway,
  sbatch,
  startGateway,
  until,
} from './harness.ts';

/** Dollars an hour on demand, dear enough that ten seconds of one machine are a cent; and what spot is told to cost. */
const onDemand = { 'lab.small': 3.6, 'lab.large': 9 } as const;
const spotMicroUsd = 360_000;

let gateway: RunningGateway;
let full: { release(): Promise<void> };
let began: number;

beforeAll(async () => {
  began = Date.now();
  // Before the gateway reads what spot costs.
  await control('price', { microUsd: spotMicroUsd });
  const group = {
    types: Object.keys(onDemand),
    zones: ['a', 'b', 'c'],
    capacity: { max: 8, idle: '5s', spot: 'allowed' },
    prices: onDemand,
  };
  gateway = await startGateway({
    groups: [group],
    overhead: { usd: 500, per: 'total' },
    ...{ joinTimeout: '20s', backOff: '5s', policy: { or: [{ pendingJobs: 1 }] } },
  });
  full = await fillOnPrem();
});
afterAll(async () => {
  await control('heal', {});
  await full?.release();
  await endGateway(gateway).finally(killGateways);
});

async function control(what: string, body: unknown): Promise<void> {
  const { SPILLWAY_LAB_EC2_ENDPOINT } = await labEnv();
  const sent = { method: 'POST', body: JSON.stringify(body) };
  const answer = await fetch(`${SPILLWAY_LAB_EC2_ENDPOINT}/_lab/${what}`, sent);
  if (!answer.ok) throw new Error(await answer.text());
}

/** What the cloud launched for this test, by its own book. */
async function bought(): Promise<readonly Machine[]> {
  const { SPILLWAY_LAB_EC2_ENDPOINT } = await labEnv();
  const { machines } = (await (await fetch(`${SPILLWAY_LAB_EC2_ENDPOINT}/_lab/state`)).json()) as {
    machines: Machine[];
  };
  return machines.filter(
    ({ launchedAt, tags }) => launchedAt >= began && tags['spillway.dev/cluster'] === clusterName,
  );
}

interface Shape {
  readonly args: readonly string[];
  /** Seconds that it runs. */
  readonly runs: number;
  readonly exit: number;
}

/** Small and large, short and longer, one node and two, of two users, some that must not be requeued, some that fail by themselves. */
const shapes: readonly Shape[] = Array.from({ length: 39 }, (_, i) => ({
  args: [
    ...['-t', i % 3 === 0 ? '5' : '20'],
    ...(i % 13 === 5
      ? ['-N', '2', '--mem', '150']
      : ['-n', `${1 + (i % 4)}`, '--mem', `${[100, 300, 900][i % 3]}`]),
    i % 4 === 3 ? '--no-requeue' : '--requeue',
  ],
  runs: 2 + (i % 5),
  exit: i % 10 === 7 ? 3 : 0,
}));

const userOf = (i: number): 'alice' | 'bob' => (i % 2 === 0 ? 'alice' : 'bob');

/** As a bill is made: by the second, a minute at least, until the cloud was told, or decided itself, to take it down. Micro-dollars. */
function billOf({ launchedAt, history, type, capacityType }: Machine): number {
  const end = history.find(({ state }) => state === 'shutting-down' || state === 'terminated');
  if (end === undefined) throw new Error('it still runs');
  const seconds = Math.max(60, (end.at - launchedAt) / 1000);
  const perHour = capacityType === 'spot' ? spotMicroUsd : 1e6 * onDemand[type as keyof typeof onDemand];
  return (perHour * seconds) / 3600;
}

describe('forty at once', { retry: 0 }, () => {
  it('all end right, no instance is left, and what each cost adds up to what the cloud had', async () => {
    await lab('fault', 'ec2', 'no-capacity', `${region}a`, 'on');
    await lab('fault', 'ec2', 'never-joins', '1', 'on');

    const log = `${home('alice')}/capacity-${process.pid}-${began}`;
    appendFileSync(log, '');
    await as('root', ['chown', 'alice:alice', log]);
    const patient = ['#!/bin/bash', `echo "run \${SLURM_RESTART_COUNT:-0}" >> ${log}`];
    patient.push('[ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] && exit 0', 'sleep 600');
    const victim = await sbatch('alice', ['-p', 'batch', '--requeue', '-t', '15'], patient.join('\n'));
    const ids = await Promise.all(
      shapes.map(({ args, runs, exit }, i) => {
        const script = `echo job ${i} on $SLURM_JOB_NUM_NODES; sleep ${runs}; exit ${exit}`;
        return sbatch(userOf(i), ['-p', 'batch', ...args, '--wrap', script]);
      }),
    );

    await until('the victim to run', async () => readFileSync(log, 'utf8').includes('run 0'), 100_000);
    const place = (await gateway.burstOf(victim))?.instance ?? '';
    const machine = (await bought()).find(({ tags }) => tags['spillway.dev/instance'] === place);
    expect(machine?.capacityType).toBe('spot');
    await lab('fault', 'ec2', 'reclaim', machine?.id ?? '', 'on');

    const ends = await Promise.all(ids.map((id) => ended(id, 200_000)));
    expect(ends.map(({ state, exit, partition }) => `${state} ${exit} in ${partition}`)).toEqual(
      shapes.map(({ exit }) => `${exit === 0 ? 'COMPLETED' : 'FAILED'} ${exit}:0 in burst`),
    );
    ids.forEach((id, i) => {
      const nodes = shapes[i]?.args.includes('-N') === true ? 2 : 1;
      expect(outputOf(userOf(i), id)).toBe(`job ${i} on ${nodes}\n`);
    });
    expect(await ended(victim, 200_000)).toMatchObject({
      state: 'COMPLETED',
      exit: '0:0',
      partition: 'burst',
    });
    expect(readFileSync(log, 'utf8')).toBe('run 0\nrun 1\n');

    await until('no instance to be left', async () => (await instances()).length === 0, 60_000);
    await until('no pod to be left', async () => (await pods()).length === 0, 60_000);
    const machines = await bought();
    expect(machines.filter(({ zone }) => zone === `${region}a`)).toEqual([]);
    expect(machines.filter(({ neverJoins }) => neverJoins)).toHaveLength(1);
    expect(machines.filter(({ spotNoticeAt }) => spotNoticeAt !== undefined)).toHaveLength(1);
    expect(gateway.log()).toContain('which never joined');

    const told = async (by: string): Promise<CostReport> =>
      JSON.parse((await gateway.spillway('cost', '--by', by, '--format', 'json')).stdout);
    const [jobs, groups] = [await told('job'), await told('group')];
    const { jobMicroUsd, bootMicroUsd, idleMicroUsd } = jobs.all;
    // To the micro-dollar among themselves …
    expect(jobs.lines.reduce((sum, l) => sum + l.jobMicroUsd, 0)).toBe(jobMicroUsd);
    expect(groups.lines.map((l) => [l.jobMicroUsd, l.bootMicroUsd, l.idleMicroUsd])).toEqual([
      [jobMicroUsd, bootMicroUsd, idleMicroUsd],
    ]);
    expect(jobs.lines.filter((l) => l.jobMicroUsd > 0)).toHaveLength(shapes.length + 1);
    expect(jobs.all.unpricedMs).toBe(0);
    expect(jobs.sources).toMatchObject({ open: 0, unpriced: 0 });
    // Each launch held money of its own, which is settled by now.
    const { budgets } = JSON.parse((await gateway.spillway('budget', '--json')).stdout) as {
      budgets: { source: string; heldMicroUsd: number; spentMicroUsd: number }[];
    };
    const overhead = budgets.find(({ source }) => source === 'overhead');
    expect(overhead?.heldMicroUsd).toBe(0);
    expect(overhead?.spentMicroUsd).toBeGreaterThan(bootMicroUsd / 2);
    expect(overhead?.spentMicroUsd).toBeLessThan(jobMicroUsd + bootMicroUsd + idleMicroUsd);
    // … and to the cent against the cloud's own book: both round up to the second, and hear of an end a moment apart.
    const bill = machines.reduce((sum, m) => sum + billOf(m), 0);
    const reckoned = jobMicroUsd + bootMicroUsd + idleMicroUsd;
    expect(bill).toBeGreaterThan(100_000);
    expect(Math.abs(reckoned - bill), `${reckoned} reckoned, ${bill} by the cloud's book`).toBeLessThan(
      10_000,
    );
  }, 290_000);
});
