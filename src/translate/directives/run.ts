/** Files, environment and container of the script. */
import { type Directive, exact, key, said, unsupported } from './directive.ts';

const files =
  'slurmstepd opens it on the burst host, and the stand-in writes there what the script writes, byte by byte';
const environment = 'the script has the environment that Slurm made for it, less what names the virtual node';
const handed = 'test/translate/environment.test.ts';

export const run: readonly Directive[] = [
  exact(
    '-D, --chdir=<directory>',
    'the same path in the pod; one that is under no mount (mounts, /tmp, /var/tmp, /dev/shm) stays',
    'src/engine/propose.ts',
  ),
  exact('-o, --output=<pattern>', files, 'test/e2e/job.test.ts'),
  exact('-e, --error=<pattern>', files, 'test/e2e/job.test.ts'),
  exact('--open-mode={append|truncate}', files, 'test/e2e/job.test.ts'),
  unsupported(
    '-i, --input=<pattern>',
    'the stand-in does not hand a file over as the input of the script',
    'open it in the script: program < FILE',
    {
      shown: ({ raw }) => (raw.StdIn === '/dev/null' ? undefined : said(raw.StdIn)),
      cases: [
        {
          of: '/dev/null',
          holds: (v) => v === '/dev/null',
          mark: 'exact',
          why: 'as without it',
          by: 'agent/podscript.go',
        },
      ],
    },
  ),
  exact('--export={[ALL,]<variables>|ALL|NIL|NONE}', environment, handed),
  exact('--export-file={<filename>|<fd>}', environment, handed),
  exact('--get-user-env[=timeout][mode]', `${environment}; the login shell runs on the burst host`, handed),
  unsupported(
    '--container=<path>',
    "an OCI bundle on the site's disk is not run in a pod",
    'name an image: #SPILLWAY image=…',
    { shown: key('Container') },
  ),
  unsupported(
    '--container-id=<id>',
    'an OCI container of the site is not run in a pod',
    'name an image: #SPILLWAY image=…',
    {
      since: '23.02',
      shown: key('ContainerID'),
    },
  ),
];
