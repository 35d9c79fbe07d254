/**
 * What a user can tell between a run on-prem and one in the cloud, beside the environment [environment.ts]. `npm run parity` runs
 * job scripts both ways and fails on any difference that is neither there nor here.
 */

export interface ExpectedDifference {
  readonly name: string;
  /** Where it is seen. */
  readonly place: 'accounting' | 'record' | 'environment' | 'output' | 'file' | 'time';
  /** A glob of what is told apart there: a field, a variable, a path. */
  readonly of: string;
  /** True: of every job. False: only of one that does what `why` says; a script of the parity run says so itself. */
  readonly always: boolean;
  readonly why: string;
}

export const differences: readonly ExpectedDifference[] = [];
