import { describe, expect, test } from 'vitest';
import { failed, readAnswer, writeAnswer } from '../../../adapters/slurm/answers.ts';
import { expiredCode, killedCode } from '../../../adapters/slurm/shell.ts';
import type { Answer } from '../../../adapters/slurm/ssh.ts';
import { type Fault, faultOf } from '../../../src/domain/fault.ts';

const answer = (stderr: string, code: number | undefined = 1, stdout = ''): Answer => ({
  code,
  stdout,
  stderr,
});

function faultIn(work: () => unknown): Fault | 'none' | undefined {
  try {
    work();
    return 'none';
  } catch (error) {
    return faultOf(error);
  }
}

/** Texts seen on 22.05.8, or taken from slurm_errno.c up to 25.11. */
const texts: readonly (readonly [text: string, read: Fault, write: Fault])[] = [
  ['Job is no longer pending execution for job 29', 'refused', 'started'],
  ['Job has already finished for job 24', 'refused', 'started'],
  ['slurm_load_jobs error: Invalid job id specified', 'not_found', 'not_found'],
  ['4_99: Invalid job id specified', 'not_found', 'not_found'],
  ['Job 4_20 not found', 'not_found', 'not_found'],
  [' Nothing modified', 'not_found', 'not_found'],
  [
    "sacctmgr: accounting_storage/slurmdbd: acct_storage_p_modify_job: Request didn't affect anything or your user doesn't have privilege to perform this action",
    'not_found',
    'not_found',
  ],
  ['Resource temporarily unavailable for job 7', 'transient', 'transient'],
  ['slurm_update error: Resource temporarily unavailable', 'transient', 'transient'],
  [
    'Job update not available right now, the DB index is being set, try again in a bit for job 3',
    'transient',
    'transient',
  ],
  ['Job can not be altered now, try again later', 'transient', 'transient'],
  ['Slurm backup controller in standby mode', 'transient', 'transient'],
  ['Rate limit exceeded, please retry momentarily', 'throttled', 'throttled'],
  [
    'slurm_load_jobs error: Unable to contact slurm controller (connect failure)',
    'unreachable',
    'unreachable',
  ],
  ['sacct: error: Problem talking to the database: Connection refused', 'unreachable', 'unreachable'],
  ['slurm_update error: Unable to contact slurm controller (receive failure)', 'unreachable', 'unknown'],
  ['Unable to contact slurm controller (send failure)', 'unreachable', 'unknown'],
  ['Socket timed out on send/recv operation for job 5', 'unreachable', 'unknown'],
  ['Unexpected message received for job 5', 'unreachable', 'unknown'],
  ['Access/permission denied for job 28', 'refused', 'refused'],
  ['Invalid user id for job 28', 'refused', 'refused'],
  ['Unspecified error for job 3', 'transient', 'refused'],
  ['Requested partition configuration not available now for job 3', 'transient', 'refused'],
  ['Invalid partition name specified for job 28', 'transient', 'refused'],
  ['our own job_submit.lua says no', 'transient', 'refused'],
];

describe('what Slurm says', () => {
  test.each(texts)('%s', (text, read, write) => {
    expect(faultIn(() => readAnswer(answer(text), 'x'))).toBe(read);
    expect(faultIn(() => writeAnswer(answer(text), 'x'))).toBe(write);
  });

  test('exit 0 with an error on stderr is an error', () => {
    const lying = answer('slurm_load_jobs error: Socket timed out on send/recv operation', 0);
    expect(failed(lying)).toBe(true);
    expect(faultIn(() => readAnswer(lying, 'x'))).toBe('unreachable');
    expect(faultIn(() => writeAnswer(answer('scontrol: error: no', 0), 'x'))).toBe('refused');
  });

  test('chatter on stderr is not', () => {
    expect(failed(answer('Welcome to login1! Report errors to help@example.org\n', 0))).toBe(false);
    expect(faultIn(() => writeAnswer(answer('Last login: Monday', 0), 'x'))).toBe('none');
  });

  test('a deadline that was over: nothing changed', () => {
    expect(faultIn(() => writeAnswer(answer('', expiredCode), 'x'))).toBe('transient');
  });

  test.each([killedCode, undefined])(
    'killed (%s): a read was not answered, a write may have happened',
    (code) => {
      expect(faultIn(() => readAnswer({ code, stdout: '', stderr: '' }, 'x'))).toBe('unreachable');
      expect(faultIn(() => writeAnswer({ code, stdout: '', stderr: '' }, 'x'))).toBe('unknown');
    },
  );

  test('Slurm’s own words reach the operator', () => {
    expect(() =>
      writeAnswer(answer('scontrol: error: Access/permission denied for job 28\n'), 'slurm.move'),
    ).toThrow('Access/permission denied for job 28');
  });

  test('a login without Slurm on its PATH is told what to do', () => {
    expect(() => readAnswer(answer('sh: 1: squeue: not found', 127), 'x')).toThrow("on the login's PATH");
  });
});
