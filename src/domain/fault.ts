import type { Missed } from './instance.ts';

/**
 * The closed set of faults a port may answer with. A time-out is never a "no":
 * `unknown` means that the effect may or may not have happened.
 */
export type Fault =
  | 'not_found' // the far side answered that the thing does not exist
  | 'already_exists'
  | 'conflict' // somebody else changed it first; reload and decide again
  | 'refused' // the far side said no for good (admission, job_submit, permissions); retrying does not help
  | 'started' // Slurm: the job is no longer pending, nothing was changed
  | 'no_capacity' // the cloud has none of what was asked, or a quota is used up
  | 'throttled' // ask later; says nothing about capacity
  | 'transient' // failed and nothing changed; try again
  | 'unreachable' // could not even ask; nothing changed
  | 'unknown' // asked, but no answer came: the effect may have happened
  | 'stale' // a newer epoch exists; this process no longer leads
  | 'invalid'; // our own request was malformed: a bug

/** The one error class of all ports. `message` tells an operator what to do where something can be done. */
export class PortError extends Error {
  readonly fault: Fault;
  /** The port and method, such as `slurm.move`. */
  readonly at: string;
  /** Of a launch that got nothing: offer by offer. */
  readonly missed: readonly Missed[] | undefined;
  constructor(
    fault: Fault,
    at: string,
    message: string,
    options?: { cause?: unknown; missed?: readonly Missed[] },
  ) {
    super(message, options);
    this.name = 'PortError';
    this.fault = fault;
    this.at = at;
    this.missed = options?.missed;
  }
}

/** Runs `work` and tolerates exactly the named fault, answering undefined for it. */
export async function ignoring<T>(fault: Fault, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (e) {
    if (e instanceof PortError && e.fault === fault) return undefined;
    throw e;
  }
}

export function faultOf(e: unknown): Fault | undefined {
  return e instanceof PortError ? e.fault : undefined;
}

export function assertNever(x: never): never {
  throw new Error(`unhandled case: ${JSON.stringify(x)}`);
}
