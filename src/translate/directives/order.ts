/** When a job may start, in which order, for how long, and how it ends. */
import { signalNumber } from '../signals.ts';
import { type Directive, emulated, exact, key, slurms } from './directive.ts';

const waits = 'Slurm makes the job wait; it may burst once nothing else stands in its way';

/** [agent/signals.go, caught] KILL ends the stand-in, and with it the run. */
const passedOver = new Set([13, 17, 19, 23, 24, 27, 32, 33, 34]);

function unheard(value: string): boolean {
  const [, name = ''] = /^[BR]*B[BR]*:([^@]+)/i.exec(value) ?? [];
  return passedOver.has(signalNumber(name) ?? 0);
}

export const order: readonly Directive[] = [
  exact(
    '-a, --array=<indexes>',
    'each task bursts for itself, under its own id; the throttle %N counts those in the cloud',
    'src/decide/rules/array.ts',
  ),
  exact('-b, --begin=<time>', waits, 'src/decide/rules/reason.ts'),
  exact('-d, --dependency=<list>', waits, 'src/decide/rules/reason.ts'),
  exact('--kill-on-invalid-dep=<yes|no>', "Slurm's own", slurms),
  exact('-H, --hold', `${waits}; one that is held later is given back`, 'src/burst/claim.ts'),
  exact('--deadline=<OPT>', 'slurmctld removes the job that cannot end by then, here as there', slurms, {
    shown: key('Deadline'),
  }),
  exact('--priority=<value>', 'kept, and restored by a give-back', 'test/contract/slurm.contract.moves.ts'),
  exact('--nice[=adjustment]', 'kept, and restored by a give-back', 'test/contract/slurm.contract.moves.ts'),
  exact(
    '-t, --time=<time>',
    "the limit is Slurm's and is enforced by slurmctld; without one, the limit of its own partition is set at the move",
    'src/burst/claim.ts',
  ),
  exact(
    '--time-min=<time>',
    "Slurm's own: backfill may shorten the limit when it starts the job, and Slurm ends it by that; money is held for the whole limit",
    'test/burst/time-min.test.ts',
    {
      shown: key('TimeMin'),
    },
  ),
  emulated(
    '--requeue',
    'a run whose pod is lost runs again where the site says so (clusters[].onLost), once the pod is known to be over',
    'test/e2e/requeue.test.ts',
  ),
  exact('--no-requeue', 'a run that is lost ends the job', 'src/burst/lose.ts'),
  emulated(
    '--signal=[{R|B}:]<sig>[@time]',
    "the steps that srun started get it, of the pod, by the time limit that the job had when it began; said on sbatch's command line it is known by slurmdbd's SubmitLine (from 21.08), by the variable SBATCH_SIGNAL not at all",
    'test/e2e/cancel.test.ts',
    {
      cases: [
        {
          of: 'with B:, and XCPU, PIPE, URG, PROF, CHLD, STOP or 32 to 34',
          holds: unheard,
          mark: 'unsupported',
          why: 'the stand-in, which Slurm signals in place of the script, cannot catch it and pass it on',
          instead: 'ask for USR1, USR2, TERM or another one',
        },
        {
          of: 'with B:',
          holds: (v) => /^[BR]*B[BR]*:/i.test(v),
          mark: 'exact',
          why: 'the script gets it, of Slurm',
          by: 'test/e2e/cancel.test.ts',
        },
      ],
    },
  ),
  exact(
    '-k, --no-kill[=off]',
    'a job of one node has nothing left to go on with when that is lost',
    'src/burst/lose.ts',
    {
      cases: [
        {
          of: 'off',
          holds: (v) => v === 'off' || v === 'no',
          mark: 'exact',
          why: 'as without it: a node that is lost ends the run',
          by: 'src/burst/lose.ts',
        },
        {
          of: 'for several nodes',
          holds: (_, nodes) => nodes > 1,
          mark: 'unsupported',
          why: 'a node that is lost ends the whole run in the cloud, and the rest does not go on without it',
          instead: 'leave it out, or write --no-kill=off',
        },
      ],
    },
  ),
  emulated(
    '--oom-kill-step[={0|1}]',
    "what is killed when memory is used up is the container runtime's choice; the job ends by signal 9 if that was its script",
    'src/burst/run.ts',
    {
      since: '24.11',
      shown: key('OOMKillStep'),
    },
  ),
];
