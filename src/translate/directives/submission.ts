/** Who submits, under which name and account, and what sbatch does before there is a job. */
import { type Directive, emulated, exact, key, slurms, unsupported } from './directive.ts';

const login = 'sbatch does it on the login node, before or beside the job';

export const submission: readonly Directive[] = [
  exact(
    '-A, --account=<account>',
    "Slurm's accounting charges it; budgets are counted by it",
    'src/decide/purse.ts',
  ),
  exact(
    '-p, --partition=<names>',
    'squeue shows burst while it runs there; the script sees its own partition, and a give-back restores the list',
    'test/e2e/job.test.ts',
  ),
  exact(
    '-q, --qos=<qos>',
    "Slurm's own: limits and priority of the QOS hold in the burst partition as well",
    slurms,
  ),
  exact(
    '-J, --job-name=<jobname>',
    "Slurm's own; a name with sys/, dev/ or usr/ in it is a portal's interactive session and stays",
    'src/decide/rules/batch.ts',
  ),
  exact(
    '--comment=<string>',
    "Slurm's own; a line is added only where a burst failed",
    'src/burst/giveback.ts',
  ),
  exact('--extra=<string>', "Slurm's own", slurms, { since: '23.02' }),
  exact('--wckey=<wckey>', "Slurm's own", slurms),
  exact('--uid=<user>', "the pod has the job's uid, whoever submitted it", 'src/translate/pod.ts'),
  exact(
    '--gid=<group>',
    "the pod has the job's gid, whoever submitted it; one that the tenant's record does not list stays",
    'src/translate/pod.ts',
  ),
  exact('-M, --clusters=<string>', 'the job is of the cluster that it was submitted to', slurms, {
    same: ['cluster'],
  }),
  unsupported(
    '--cluster-constraint=[!]<list>',
    'a job of a federation has siblings on other clusters that a move does not reach',
    'submit to one cluster with --clusters',
    {
      shown: (job) => key('ClusterFeatures')(job) ?? key('FedOrigin')(job),
    },
  ),
  unsupported(
    '--mcs-label=<mcs>',
    'the label separates jobs on nodes of the site; nothing separates machines in the cloud by it',
    'leave it out where the job may share a machine',
    {
      shown: key('MCS_label'),
    },
  ),
  unsupported('--context=<context>', 'pods run under the SELinux context of their node', 'leave it out', {
    shown: key('SELinuxContext'),
  }),
  exact('--mail-type=<type>', "slurmctld's own mails, at the job's own begin and end", slurms),
  exact('--mail-user=<user>', "slurmctld's own mails", slurms),
  exact(
    '--wrap=<command>',
    'a script of /bin/sh like any other; the image must have /bin/sh',
    'agent/podscript.go',
  ),
  exact('-W, --wait', login, slurms),
  exact('--parsable', login, slurms),
  exact('--test-only', `${login}: no job is made`, slurms),
  exact('--ignore-pbs', login, slurms),
  exact('--autocomplete=<option>', `${login}: no job is made`, slurms, { since: '23.02' }),
  exact('-h, --help', `${login}: no job is made`, slurms),
  exact('--usage', `${login}: no job is made`, slurms),
  exact('-V, --version', `${login}: no job is made`, slurms),
  exact('-v, --verbose', login, slurms),
  exact('-Q, --quiet', login, slurms),
  emulated(
    '--acctg-freq=<datatype>=<interval>',
    "Slurm samples the stand-in; memory and CPU time come from the pod when it ends, in the job's AdminComment",
    'src/burst/settle.ts',
  ),
  unsupported(
    '--profile=<type>',
    "the profile would be the stand-in's, with nothing of the job in it",
    "measure in the script, with the program's own tools",
  ),
];
