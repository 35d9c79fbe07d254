/** What is told of a job that bursts besides its line of the queue: when it starts in the cloud, and the most that it costs. */
import { z } from 'zod';
import type { QueueJobView } from '../api/portal-schemas.ts';
import { type StoryView, storyView } from '../api/schemas.ts';
import { ask, type Gateway, toldIn } from './ask.ts';
import type { Loose } from './loose.ts';

const answered = z.object({ jobs: z.array(storyView) });

export interface CloudSide {
  readonly group: string;
  /** Until it has started: the even chance, and nine in ten, as ISO 8601. */
  readonly starts?: { readonly p50: string; readonly p90: string };
  readonly started?: string;
  /** Held of the budgets: more it cannot cost. Absent: no price is configured. */
  readonly heldMicroUsd?: number;
  /** What it waits for, where something is wrong. */
  readonly trouble?: string;
}

export type JobWithCloud = Loose<QueueJobView> & { readonly cloud?: CloudSide };

/** Each is a question to the gateway. */
const askedAtMost = 50;

/** Of the first 50 that burst. */
export async function withCloud(
  gateway: Gateway,
  jobs: readonly Loose<QueueJobView>[],
): Promise<readonly JobWithCloud[]> {
  const told: JobWithCloud[] = [];
  let asked = 0;
  for (const job of jobs) {
    const may = job.burst !== undefined && asked < askedAtMost;
    if (may) asked += 1;
    const cloud = may ? await cloudSide(gateway, job) : undefined;
    told.push(cloud === undefined ? job : { ...job, cloud });
  }
  return told;
}

async function cloudSide(gateway: Gateway, job: Loose<QueueJobView>): Promise<CloudSide | undefined> {
  const said = await ask(gateway, `why/${job.job}`);
  // It may have gone since the list was made.
  if (said.status === 404) return undefined;
  const story = toldIn(said, answered).jobs.find((j) => j.cluster === job.cluster && j.job === job.job);
  return story === undefined ? undefined : sideOf(story, job.burst?.id);
}

/** Of the job’s burst with this id. */
export function sideOf(
  { decision, bursts }: Loose<StoryView>,
  id: string | undefined,
): CloudSide | undefined {
  const burst = bursts.find((b) => b.id === id);
  if (burst === undefined) return undefined;
  const { group, started, heldMicroUsd, trouble } = burst;
  const ready = decision?.verdict === 'burst' ? decision.basis?.ready : undefined;
  // Reckoned from when the burst began, as the decision did from its own look.
  const after = (ms: number): string => new Date(Date.parse(burst.created) + ms).toISOString();
  return {
    group,
    ...(started !== undefined ? { started } : {}),
    ...(started === undefined && ready !== undefined
      ? { starts: { p50: after(ready.p50Ms), p90: after(ready.p90Ms) } }
      : {}),
    ...(heldMicroUsd === undefined ? {} : { heldMicroUsd }),
    ...(trouble === undefined ? {} : { trouble: trouble.text }),
  };
}
