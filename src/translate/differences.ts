/**
 * What a user can tell between a run on-prem and one in the cloud, beside the environment [environment.ts]. `npm run parity` runs
 * job scripts both ways and fails on any difference that is neither there nor here.
 */

export interface ExpectedDifference {
  readonly name: string;
  /** What a user sees, in words. */
  readonly what: string;
  /** Where it is seen. */
  readonly place: 'accounting' | 'record' | 'environment' | 'output' | 'file' | 'time';
  /** A glob of what is told apart there: a field, a variable, a path. */
  readonly of: string;
  /** True: of every job. False: only of one that does what `why` says; a script of the parity run says so itself. */
  readonly always: boolean;
  readonly why: string;
}

export const differences: readonly ExpectedDifference[] = [
  {
    name: 'partition',
    place: 'record',
    of: 'Partition',
    always: true,
    what: 'the partition that `squeue`, `scontrol show job` and `sacct` show',
    why: 'Slurm runs the stand-in in `burst`; the script sees its own partition in SLURM_JOB_PARTITION',
  },
  {
    name: 'signal-full',
    place: 'output',
    of: '*',
    always: false,
    what: '`scancel --full --signal=SIG`',
    why: 'the script gets the signal, what it started does not: on the burst host it looks like `scancel --batch`. An end of the job (scancel, the time limit) reaches everything',
  },
  {
    name: 'stdout-pipe',
    place: 'output',
    of: '*',
    always: false,
    what: 'what `> /dev/stdout` does',
    why: 'output is a pipe in the pod and a file on-prem: opening it anew for writing empties the file there, and here nothing is lost',
  },
  {
    name: 'own-output',
    place: 'output',
    of: '*',
    always: false,
    what: 'a script that itself writes to the file that its output goes to',
    why: 'output comes through the stand-in some milliseconds later, so what is written past it may stand before it',
  },
  {
    name: 'tmp-mode',
    place: 'output',
    of: '*',
    always: false,
    what: 'the mode of /tmp',
    why: "0777, without the sticky bit: it is the pod's own, in which there is no other user",
  },
  {
    name: 'sbatch-in-the-job',
    place: 'output',
    of: '*',
    always: false,
    what: '`sbatch`, `squeue` and `scancel` in the script',
    why: 'no credentials of the cluster are in the pod; submit on the login node, with --dependency',
  },
];
