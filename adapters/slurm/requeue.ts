/** A requeue that was asked twice kills the next run, so it is asked only of the very run that is meant. */
import { PortError } from '../../src/domain/fault.ts';
import type { JobDetail, SeenState } from '../../src/domain/job.ts';

/** On its nodes, or about to leave them. Slurm would also requeue a job that is over. */
const onNodes: ReadonlySet<SeenState> = new Set<SeenState>([
  'RUNNING',
  'COMPLETING',
  'SUSPENDED',
  'CONFIGURING',
  'RESIZING',
  'SIGNALING',
  'STAGE_OUT',
  'STOPPED',
]);

/** Why this is not run `restarts`, or undefined if it is. The count rises with the request, before the old run has ended. */
export function notThatRun(
  { ref, state, restarts: now }: Pick<JobDetail, 'ref' | 'state' | 'restarts'>,
  restarts: number,
): string | undefined {
  if (now === restarts && onNodes.has(state)) return undefined;
  return `job ${ref} is ${state} in run ${now}, not running in run ${restarts}`;
}

/** What the general table of answers would take for something else. Slurm's word for "no requeue" is "presently disabled". */
export function requeueRefusal(error: unknown, at: string): unknown {
  if (!(error instanceof PortError)) return error;
  if (/Job is pending execution/.test(error.message))
    return new PortError('conflict', at, error.message, { cause: error });
  if (/Requested operation is presently disabled/.test(error.message))
    return new PortError('refused', at, error.message, { cause: error });
  return error;
}
