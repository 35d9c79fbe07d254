/** What was, for whoever checks it: every job with all its runs and moves. */

import { askedOf, priorityOf } from './slurm-figures.ts';
import { type JobRecord, type RunRecord, refOf, stateOf } from './slurm-record.ts';
import type { SlurmState } from './slurm-state.ts';
import type { TrueJob, TrueRun } from './slurm-types.ts';

export function trueJob(job: JobRecord, state: SlurmState): TrueJob {
  const now = askedOf(job, state);
  return {
    id: job.id,
    ref: refOf(job),
    arrayJobId: job.array?.jobId,
    task: job.task,
    user: job.user.name,
    name: job.name,
    submitAt: job.runs[0]?.submitAt ?? job.submitAt,
    state: stateOf(job),
    partition: now.partition,
    timeLimitMs: now.timeLimitMs,
    memory: now.memory,
    minNodes: now.minNodes,
    maxNodes: now.maxNodes,
    comment: now.comment,
    held: job.held,
    priority: priorityOf(job, state),
    restarts: job.restarts,
    asked: job.asked,
    runs: job.runs.map(trueRun),
    moves: [...job.moves],
  };
}

function trueRun(run: RunRecord): TrueRun {
  const { restarts, submitAt, startAt, endAt, partition, nodes, burst, state, exit, process } = run;
  const alive = process?.state ?? 'none';
  return { restarts, submitAt, startAt, endAt, partition, nodes, burst, state, exit, process: alive };
}
