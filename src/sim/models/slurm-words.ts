/** What Slurm says instead of doing something, in the words of slurm_errno.c, and what each of them means to the port. */
import type { Fault } from '../../domain/fault.ts';

const errors = {
  no_job: ['Invalid job id specified', 'not_found'],
  not_pending: ['Job is no longer pending execution', 'started'],
  pending: ['Job is pending execution', 'conflict'],
  over: ['Job has already finished', 'started'],
  disabled: ['Requested operation is presently disabled', 'refused'],
  batch_only: ['Only batch jobs are accepted or processed', 'refused'],
  denied: ['Access/permission denied', 'refused'],
  not_yours: ['Invalid user id', 'refused'],
  no_partition: ['Invalid partition name specified', 'refused'],
  part_config: ['Requested partition configuration not available now', 'refused'],
  node_config: ['Requested node configuration is not available', 'refused'],
  node_count: ['Node count specification invalid', 'refused'],
  array: ['Invalid job array specification', 'refused'],
  account: ['Invalid account or account/partition combination specified', 'refused'],
  qos: ['Invalid qos specification', 'refused'],
  plugin: ['Unspecified error', 'refused'],
  busy: ['Resource temporarily unavailable', 'transient'],
  no_row: [
    "Request didn't affect anything or your user doesn't have privilege to perform this action",
    'not_found',
  ],
} as const satisfies Record<string, readonly [words: string, fault: Fault]>;
export type SlurmError = keyof typeof errors;

/** Slurm looked at it and said no. `message` is what its commands print. */
export class SlurmRefused extends Error {
  readonly code: SlurmError;
  readonly fault: Fault;
  constructor(code: SlurmError, about?: string, words?: string) {
    const [known, fault] = errors[code];
    super(`${words ?? known}${about === undefined ? '' : ` for job ${about}`}`);
    this.name = 'SlurmRefused';
    this.code = code;
    this.fault = fault;
  }
}

/** No answer came. `asked`: the request was sent, so what it asks for may have been done. */
export class SlurmSilent extends Error {
  readonly asked: boolean;
  constructor(asked: boolean, words: string) {
    super(words);
    this.name = 'SlurmSilent';
    this.asked = asked;
  }
}

export const controllerAway = (): SlurmSilent =>
  new SlurmSilent(false, 'Unable to contact slurm controller (connect failure)');
export const dbdAway = (): SlurmSilent =>
  new SlurmSilent(false, 'Problem talking to the database: Connection refused');

/** The login node looked at its clock and asked nothing: the write's deadline was over. */
export class SlurmLate extends Error {
  constructor() {
    super("the write's deadline was over on the far side");
    this.name = 'SlurmLate';
  }
}
