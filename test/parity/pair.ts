/** One script, both ways: submitted, its owner's doings, its end on both sides, and the comparison. */
import { readFileSync } from 'node:fs';
import { as, jobFields, until } from '../e2e/harness.ts';
import { compare, type Difference, type Left } from './compare.ts';
import { type Judgement, judge } from './judge.ts';
import { type Accounted, inShell, leftOf, type Run, type Side, sides, submit } from './lab.ts';
import type { JobScript } from './script.ts';

type Seen = { readonly left: Left; readonly accounted: Accounted };

export type Pair = Readonly<Record<Side, Run>>;

/** What `squeue` shows of every job of the cluster, asked once for all who wait. */
export class Queue {
  #states = new Map<string, string[]>();
  #asked: Promise<void> | undefined;
  /** When the answer that is here was asked for. */
  #at = 0;

  /** States of the job, or of its tasks; none once it has left the queue. It was in it at `since`: an older answer does not count. */
  async statesOf(id: string, since: number): Promise<readonly string[]> {
    if (Date.now() - this.#at > 500) await this.#fresh();
    while (this.#at < since) await this.#fresh();
    return this.#states.get(id) ?? [];
  }

  #fresh(): Promise<void> {
    this.#asked ??= this.#ask().finally(() => {
      this.#asked = undefined;
    });
    return this.#asked;
  }

  async #ask(): Promise<void> {
    const at = Date.now();
    const done = await as('root', ['squeue', '-h', '-a', '-r', '-o', '%F %T']);
    // A slurmctld that did not answer says nothing of who is gone.
    if (done.code !== 0) throw new Error(`squeue: ${done.stderr}`);
    const next = new Map<string, string[]>();
    for (const line of done.stdout.split('\n')) {
      const [id = '', state = ''] = line.split(' ');
      next.set(id, [...(next.get(id) ?? []), state]);
    }
    this.#states = next;
    this.#at = at;
  }
}

/** What waits may take, in ms: sixty pods start on two processors, and a time limit is looked at every half minute. */
const patience = 12 * 60_000;

export async function start(job: JobScript, others: ReadonlyMap<string, Pair>): Promise<Pair> {
  const on = (side: Side): string | undefined => {
    if (job.dependsOn === undefined) return undefined;
    const other = others.get(job.dependsOn.job)?.[side === 'onprem' ? 'burst' : 'onprem'];
    if (other?.id === undefined)
      throw new Error(`${job.name} depends on ${job.dependsOn.job}, which was not submitted before it`);
    return `${job.dependsOn.kind}:${other.id}`;
  };
  return {
    onprem: await submit(job, 'onprem', on('onprem')),
    burst: await submit(job, 'burst', on('burst')),
  };
}

/** Its owner's doings and its end, on one side, and what it left: Slurm forgets the record of an ended job after minutes. */
async function see(run: Run, queue: Queue, hosts: () => readonly string[]): Promise<Seen | undefined> {
  const { id } = run;
  if (id === undefined) return undefined;
  const since = Date.now();
  const doings = run.job.hooks.map(async (hook) => {
    if (hook.when === 'before' || hook.when === 'ended') return;
    if (hook.when === 'running')
      await until(
        `${called(run)} to run`,
        async () => (await queue.statesOf(id, since)).includes('RUNNING'),
        patience,
      );
    if (hook.when === 'line')
      await until(`${called(run)} to say "${hook.line}"`, () => saysLine(run, id, hook.line), patience);
    await inShell(run.job, run.dir, hook.run, { JOB: id });
  });
  await Promise.all(doings);
  await until(
    () => `${called(run)} to end`,
    async () => {
      const states = await queue.statesOf(id, since);
      if (states.length > 0) throw new Error(states.join(' '));
      return true;
    },
    patience,
    1_000,
  );
  await until(`${called(run)} to be accounted`, () => accountedEnd(id), 180_000, 1_000);
  for (const hook of run.job.hooks)
    if (hook.when === 'ended') await inShell(run.job, run.dir, hook.run, { JOB: id });
  return leftOf(run, hosts());
}

const called = ({ job, side, id }: Run): string => `${job.name} ${side} (job ${id})`;

async function saysLine(run: Run, id: string, line: string): Promise<boolean> {
  const path = (await jobFields(id))?.StdOut ?? `${run.dir}/slurm-${id}.out`;
  try {
    return readFileSync(path, 'utf8').split('\n').includes(line);
  } catch {
    // Not opened yet.
    return false;
  }
}

/**
 * slurmdbd hears of an end some time after squeue forgot the job, perhaps before the start, which brings the partition, and of an
 * array's tasks one by one: it knows all once it knows as many as slurmctld.
 */
async function accountedEnd(id: string): Promise<boolean> {
  const shown = await as('root', ['scontrol', '-o', 'show', 'job', id]);
  const done = await as('root', ['sacct', '-X', '-n', '-P', '-D', '-j', id, '-o', 'State,Partition']);
  const rows = done.stdout.split('\n').filter((line) => line !== '');
  // An argument of the script may hold a newline.
  const tasks = shown.stdout.split('\n').filter((line) => line.startsWith('JobId=')).length;
  return (
    rows.length >= Math.max(1, tasks) &&
    rows.every((row) => !/^(PENDING|RUNNING|COMPLETING|RESIZING)/.test(row) && !row.endsWith('|'))
  );
}

export interface Verdict extends Judgement {
  readonly job: JobScript;
  readonly ids: string;
  /** What kept it from being compared. */
  readonly fault?: string | undefined;
}

function verdict(pair: Pair, onprem: Seen | undefined, burst: Seen | undefined, tolerance: number): Verdict {
  const { job } = pair.onprem;
  const ids = `${pair.onprem.id ?? 'refused'} and ${pair.burst.id ?? 'refused'}`;
  const refusals: Difference[] = [];
  if (pair.onprem.refused !== pair.burst.refused)
    refusals.push({
      place: 'output',
      name: 'sbatch',
      onprem: pair.onprem.refused,
      burst: pair.burst.refused,
    });
  if (onprem === undefined || burst === undefined) return { job, ids, ...judge(refusals, job.differs) };
  const ran = onprem.accounted.nodes.length > 0;
  // A run that stayed on-prem compares nothing with the cloud.
  const moved = burst.accounted.partitions.includes('burst');
  const fault = ran && !moved ? 'on-prem it ran, and it never was in partition burst' : undefined;
  return { job, ids, fault, ...judge(compare(onprem.left, burst.left, tolerance, job.lines), job.differs) };
}

/** Both sides seen to their end; what did not come to one is cancelled. */
export async function follow(
  pair: Pair,
  queue: Queue,
  hosts: () => readonly string[],
  tolerance: number,
): Promise<Verdict> {
  try {
    const [onprem, burst] = await Promise.all(sides.map((side) => see(pair[side], queue, hosts)));
    return verdict(pair, onprem, burst, tolerance);
  } catch (e) {
    const ids = sides.map((side) => pair[side].id).filter((id) => id !== undefined);
    await as('root', ['scancel', ...ids]);
    const { job } = pair.onprem;
    return { job, ids: ids.join(' and '), fault: (e as Error).message, differences: [], missing: [] };
  }
}
