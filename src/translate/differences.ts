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

export const elapsedOfKilled = 'Elapsed of a script that is killed';

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
    name: 'signal-steps',
    place: 'output',
    of: '*',
    always: false,
    what: '`scancel --signal=SIG` without `--batch` or `--full`',
    why: 'on-prem the steps get the signal and the script does not; here nobody does, as slurmd signals the steps that it runs itself, and those of a pod are none. A job without steps hears nothing on either side. `--full` reaches everything, `--batch` the script',
  },
  {
    name: 'signal-steps',
    place: 'time',
    of: 'Elapsed',
    always: false,
    what: 'how long a job takes whose steps `scancel --signal=SIG` should end',
    why: 'they go on to their own end',
  },
  {
    name: 'killed',
    place: 'time',
    of: elapsedOfKilled,
    always: true,
    what: 'how long a script takes that ends by TERM or KILL of its own doing (`kill $$`, `exit 143`)',
    why: 'a pod that is taken down ends so too, and is told to have been up to ten seconds later: so long the job does not end, lest one that its node lost is told as failed',
  },
  ...['ReqTRES', 'ReqMem'].map((of) => ({
    ...({ name: 'overcommit', place: 'accounting', of, always: false } as const),
    what: `${of} of a job with \`--overcommit\``,
    why: 'the move to `burst` makes Slurm reckon it anew, by tasks; what it is given (AllocTRES) is the same',
  })),
  {
    name: 'steps',
    place: 'accounting',
    of: 'steps',
    always: false,
    what: 'steps of `srun`',
    why: 'srun in the pod is ours: Slurm knows of no step, so `sacct` shows the job and its batch step alone; a step is bound by the memory of the job, not by a `--mem` of its own',
  },
  {
    name: 'steps',
    place: 'accounting',
    of: 'DerivedExitCode',
    always: false,
    what: 'DerivedExitCode of a job with steps of `srun` that end badly',
    why: "it is the highest exit code of the steps that Slurm knows: 0 here; the job's own State and ExitCode are the same",
  },
  {
    name: 'step-past-the-limit',
    place: 'output',
    of: '*',
    always: false,
    what: 'of a step that the time limit of the job ends: `*** STEP … CANCELLED AT … DUE TO TIME LIMIT ***`',
    why: 'our srun hears that the job is ended and not by what: it leaves the last words out; what is said of the JOB has them',
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
    what: 'a script that itself writes to the file that its output goes to, or reads it',
    why: 'output comes through the stand-in some milliseconds later, so what is written past it may stand before it, and a copy made at once lacks the last of it',
  },
  {
    name: 'script-group',
    place: 'output',
    of: '*',
    always: false,
    what: "the group of the script's own file",
    why: "the user's primary group; on-prem slurmd leaves it root's",
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
    what: '`sbatch`, and `scancel` or `scontrol` of another job than its own, in the script: refused unless `scriptCommands` is `all` on the burst host',
    why: 'the stand-in runs them there as the user, and a stolen gateway could ask it too; what looks at Slurm, and what requeues, cancels or changes the own job, works',
  },
];

/** What it does not measure: it compares scripts without these (a path of the machine's own), or the two sides of a lab are alike in them. */
export const unmeasured: readonly Pick<ExpectedDifference, 'place' | 'what' | 'why'>[] = [
  {
    place: 'output',
    what: '`$0` of the script, and whatever it looks for beside itself',
    why: "Slurm's copy of the script: in slurmd's spool on-prem (`…/job4711/slurm_script`), in the pod `/spill-run/job/slurm_script`; SLURM_SUBMIT_DIR and `scontrol show job` say where it came from",
  },
  {
    place: 'output',
    what: 'what `nproc`, /proc/cpuinfo, `taskset -p` and libraries that count CPUs say, and how many threads OpenMP, MKL or Julia start by default',
    why: 'the pod is given its CPUs as a share and neither a limit nor an affinity, so it may use what its machine has free and all CPUs of the instance are seen; on-prem task/affinity or task/cgroup bind the job to its own. OMP_NUM_THREADS, MKL_NUM_THREADS and their like are as the environment of the job has them, for neither Slurm nor Spillway sets them: write `export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK` in a job with --cpus-per-task',
  },
  {
    place: 'output',
    what: 'the names of other users and of groups that the job is not in: `ls -l`, `id bob`, `~bob`, `getent passwd`',
    why: "numbers: /etc/passwd and /etc/group of the pod have the job's owner and groups, root and nobody; no name service of the site is asked",
  },
  {
    place: 'file',
    what: 'HOME, where no mount covers it',
    why: 'the variable is as on-prem; the directory is there only if the image has it, what is written to it is lost, and where it cannot be made programs that keep settings there may fail. A job may start without one, as it is held at home only by the directory that it was submitted from (rule `directory`); `spillway explain` notes it, and the audit (`spillway why`) says it of a job that has begun',
  },
];
