/** What the last look at the queue says of a burst's job. Pure. */
import type { Burst } from '../domain/burst.ts';
import type { Job, Snapshot } from '../domain/job.ts';

/** As `BurstContext.hint`. */
export function hintOf(look: Snapshot | undefined, burst: Burst): string {
  if (!isSince(look, burst)) return begunOn(look, burst) ? 'PENDING' : 'RUNNING';
  const line = lineOf(look, burst);
  if (line === undefined) return 'ABSENT';
  return line.restarts === burst.restarts ? line.state : 'REQUEUED';
}

/** Undefined: the job is not in a look since the burst came to its state. */
export const lineSince = (look: Snapshot | undefined, burst: Burst): Job | undefined =>
  isSince(look, burst) ? lineOf(look, burst) : undefined;

const isSince = (look: Snapshot | undefined, burst: Burst): look is Snapshot =>
  look !== undefined && look.at > burst.enteredAt;

/** Its job as it pends in the last look, be that from before the burst came to its state; undefined: it does not, or is another run. */
export function lineBegunOn(look: Snapshot | undefined, burst: Burst): Job | undefined {
  const line = look && lineOf(look, burst);
  const { restarts, submitAt } = burst;
  const same = line?.state === 'PENDING' && line.restarts === restarts && line.submitAt === submitAt;
  return same ? line : undefined;
}

/**
 * It waits for its machine, and by the last look, which is older than that, its job waits: the job was read in full when the burst began, and is again at
 * its claim. Until a slow Slurm is looked at again it is not asked for each of them.
 */
function begunOn(look: Snapshot | undefined, burst: Burst): boolean {
  if (burst.state !== 'reserved' && burst.state !== 'provisioning') return false;
  return lineBegunOn(look, burst) !== undefined;
}

/** Of each look at the queue, the first line by id or ref: asked for every burst of every turn, so not searched each time. */
const linesOf = new WeakMap<Snapshot, ReadonlyMap<number | string, number>>();

function lineOf(snapshot: Snapshot, burst: Pick<Burst, 'jobId' | 'ref'>): Job | undefined {
  const { jobs } = snapshot;
  let lines = linesOf.get(snapshot);
  if (lines === undefined) {
    const places = new Map<number | string, number>();
    for (const [at, job] of jobs.entries())
      for (const name of [job.id, job.ref]) if (!places.has(name)) places.set(name, at);
    lines = places;
    linesOf.set(snapshot, lines);
  }
  const byId = lines.get(burst.jobId) ?? jobs.length;
  const byRef = lines.get(burst.ref) ?? jobs.length;
  return jobs[Math.min(byId, byRef)];
}
