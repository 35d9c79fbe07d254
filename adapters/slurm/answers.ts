/** What Slurm's commands say when something is wrong. Their texts are those of slurm_errno.c, 20.11 to 25.11. */
import { type Fault, PortError } from '../../src/domain/fault.ts';
import { expiredCode, killedCode } from './shell.ts';
import type { Answer } from './ssh.ts';
import { Unreadable } from './time.ts';

type Kind = 'read' | 'write';

interface Meaning {
  readonly text: RegExp;
  readonly read: Fault;
  readonly write: Fault;
}

const meanings: readonly Meaning[] = [
  {
    text: /Job is no longer pending execution|Job has already (started|finished)|already completing or completed|Job is not pending nor running/i,
    read: 'refused',
    write: 'started',
  },
  {
    // sacctmgr says the same of a job that slurmdbd does not have and of one that we may not touch.
    text: /Invalid job id specified|\bJob \S+ not found|Invalid job array id|didn't affect anything|Nothing modified/i,
    read: 'not_found',
    write: 'not_found',
  },
  { text: /Rate limit exceeded/i, read: 'throttled', write: 'throttled' },
  // slurmctld looked at the request and did not act on it.
  {
    text: /Resource temporarily unavailable|DB index is being set|cannot be altered now|can not be altered now|standby mode|Requested operation is presently disabled/i,
    read: 'transient',
    write: 'transient',
  },
  // The connection was never made, so nothing was asked.
  {
    text: /\(connect failure\)|Connection refused|Communication connection failure|No route to host|Unable to resolve/i,
    read: 'unreachable',
    write: 'unreachable',
  },
  // Asked, and then silence. 22.05 also says "Unexpected message received" when it could not connect for an update.
  {
    text: /timed out|\((send|receive|shutdown) failure\)|Message (send|receive) failure|Communication shutdown failure|Zero Bytes|zero length message|Unexpected message|Unable to contact slurm|connection reset|broken pipe|Protocol authentication error/i,
    read: 'unreachable',
    write: 'unknown',
  },
  {
    text: /Access\/permission denied|Invalid user id|don't have (the )?privilege|This user doesn't have/i,
    read: 'refused',
    write: 'refused',
  },
];

export function meaningOf(text: string, kind: Kind): Fault | undefined {
  return meanings.find((m) => m.text.test(text))?.[kind];
}

/** The words of an answer, in one line, without the program's own prefixes. */
export function wordsOf(answer: Pick<Answer, 'stdout' | 'stderr'>): string {
  return (answer.stderr.trim() || answer.stdout.trim())
    .split('\n')
    .map((line) => line.trim().replace(/^\w+: (error|fatal): /, ''))
    .filter((line) => line !== '')
    .join('; ')
    .slice(0, 500);
}

/** Slurm's commands may exit 0 and fail: an error on stderr is one. Harmless chatter there is not. */
export function failed(answer: Answer): boolean {
  return answer.code !== 0 || /^(\w+: )?(\w+ )?(error|fatal):|unable to contact slurm/im.test(answer.stderr);
}

/** The answer itself when it was one, else the fault that it means. */
export function readAnswer(answer: Answer, at: string): Answer {
  if (!failed(answer)) return answer;
  const words = wordsOf(answer);
  if (answer.code === killedCode || answer.code === undefined)
    throw new PortError('unreachable', at, `Slurm's command did not end in time${words && `: ${words}`}`);
  if (answer.code === 127)
    throw new PortError('refused', at, `${words}; Slurm's commands must be on the login's PATH`);
  throw new PortError(meaningOf(words, 'read') ?? 'transient', at, words || `exit code ${answer.code}`);
}

/** Throws the fault that a write's answer means; returns when the write was made. */
export function writeAnswer(answer: Answer, at: string): void {
  if (answer.code === expiredCode)
    throw new PortError(
      'transient',
      at,
      `not sent to Slurm: the write's deadline was over on the far side; if this repeats, compare the clocks`,
    );
  if (!failed(answer)) return;
  const words = wordsOf(answer);
  if (answer.code === killedCode || answer.code === undefined)
    throw new PortError('unknown', at, `Slurm did not answer the write in time${words && `: ${words}`}`);
  if (answer.code === 127)
    throw new PortError('unreachable', at, `${words}; Slurm's commands must be on the login's PATH`);
  throw new PortError(meaningOf(words, 'write') ?? 'refused', at, words || `exit code ${answer.code}`);
}

/** An answer that cannot be read is a fault of Slurm's, not a bug of ours. */
export function readable<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    throw new PortError('transient', name, `Slurm's answer cannot be read: ${error.message}`, {
      cause: error,
    });
  }
}
