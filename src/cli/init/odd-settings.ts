/** What slurm.conf says that matters to Spillway. */
import { settingOf } from '../../domain/survey.ts';
import { ownOf } from './choose.ts';
import { type Look, one } from './remark.ts';

/** `22.05.8` as 22.05; undefined for what is no version. */
function releaseOf(version: string): number | undefined {
  const [, year, month] = /^(\d{2})\.(\d{2})/.exec(version) ?? [];
  return year === undefined ? undefined : Number(`${year}.${month}`);
}

export const version: Look = (survey) => {
  const told = settingOf(survey, 'SLURM_VERSION');
  const release = releaseOf(told);
  if (release === undefined)
    return one('note', `Slurm calls its version ${told}, which is none that is known here`);
  if (release < 20.11)
    return one(
      'now',
      `Slurm ${told} is older than 20.11, the oldest that was tried`,
      'observing may work; do not go on to approve or auto before Slurm is newer',
    );
  if (release < 22)
    return one(
      'later',
      `Slurm ${told} does not heed what a TaskProlog ends with: a stand-in cannot keep a script from running by that`,
      'let no user submit to the burst partition (job_submit.lua), and prefer a newer Slurm',
    );
  return [];
};

export const accounting: Look = (survey) => {
  const type = settingOf(survey, 'AccountingStorageType');
  if (type.includes('slurmdbd')) {
    if (survey.adminLevel.ok && survey.clusters.ok) return [];
    const why = survey.adminLevel.ok
      ? survey.clusters.ok
        ? ''
        : survey.clusters.text
      : survey.adminLevel.text;
    return one(
      'now',
      `slurmdbd does not answer this account: ${why}`,
      'run sacctmgr show cluster by hand as that user',
    );
  }
  return [
    ...one(
      'now',
      `no slurmdbd (AccountingStorageType=${type === '' ? 'none' : type}): no history to learn run times from, and the report knows no end of a job`,
      'forecasts then take each time limit at its word; add slurmdbd for better ones',
    ),
    ...one(
      'later',
      'without slurmdbd there are no Operators, and a claim needs one',
      'add slurmdbd before mode approve or auto',
    ),
  ];
};

export const privacy: Look = (survey) => {
  const hidden = settingOf(survey, 'PrivateData')
    .split(',')
    .filter((one) => one !== '');
  if (hidden.length === 0) return [];
  const level = survey.adminLevel.ok ? survey.adminLevel.value.toLowerCase() : '';
  if (level.startsWith('admin') || level === 'operator')
    return one('note', `PrivateData=${hidden.join(',')}: as ${level} this account sees all of it`);
  const blind = hidden.filter((what) => ['jobs', 'nodes', 'partitions', 'usage', 'accounts'].includes(what));
  if (blind.length === 0) return one('note', `PrivateData=${hidden.join(',')}`);
  return one(
    'now',
    `PrivateData=${hidden.join(',')}: this account sees only its own ${blind.join(', ')}, so most of the backlog is missing`,
    'sacctmgr modify user where name=USER set adminlevel=Operator',
  );
};

export const rights: Look = (survey) => {
  if (!survey.adminLevel.ok) return [];
  const level = survey.adminLevel.value;
  if (level.toLowerCase().startsWith('admin'))
    return one(
      'note',
      'the account is Administrator; Operator is enough, and nothing while it only observes',
    );
  return level.toLowerCase() === 'operator'
    ? []
    : one(
        'later',
        'the account is no Operator: enough to observe, too little to claim',
        'sacctmgr modify user where name=USER set adminlevel=Operator',
      );
};

export const clusters: Look = (survey) => {
  if (!survey.clusters.ok) return [];
  const all = survey.clusters.value;
  const own = all.find((c) => c.name === settingOf(survey, 'ClusterName'));
  const others = all.filter((c) => c !== own).map((c) => c.name);
  return [
    ...(own?.federation
      ? one(
          'later',
          `federation ${own.federation}: a job may run on another of its clusters, with an id of its own there`,
          'federated jobs were not tried; watch partitions that take none (squeue --federation)',
        )
      : []),
    ...(others.length > 0
      ? one(
          'note',
          `slurmdbd serves other clusters too: ${others.join(', ')}; each needs an entry of its own under clusters`,
        )
      : []),
  ];
};

export const partLimits: Look = (survey, plan) => {
  const enforced = settingOf(survey, 'EnforcePartLimits').toUpperCase();
  if (enforced !== 'ALL' && enforced !== 'ANY' && enforced !== 'YES') return [];
  const { names } = plan ?? ownOf(survey);
  return one(
    'note',
    `EnforcePartLimits=${enforced}: a job that is larger than its partition is refused when it is submitted, so it never waits`,
    `users who want more than the site has ask for ${names.explicit}: its Nodes are the virtual ones`,
  );
};

export const submission: Look = (survey) => {
  const plugins = settingOf(survey, 'JobSubmitPlugins')
    .split(',')
    .filter((p) => p !== '');
  if (plugins.length === 0) return [];
  return one(
    'later',
    `JobSubmitPlugins=${plugins.join(',')}: it sees every claim (slurm_job_modify, by this account) and may refuse it`,
    plugins.includes('lua')
      ? 'let this account move jobs there; call closed() of deploy/slurm/job_submit.lua from your own functions'
      : 'try one job by hand first: scontrol update jobid=J partition=…',
  );
};

export const selection: Look = (survey) => {
  const type = settingOf(survey, 'SelectType');
  return type === '' || type.endsWith('cons_tres')
    ? []
    : one('later', `SelectType=${type}: only select/cons_tres was tried`, 'try one job of each kind by hand');
};

export const slurmds: Look = (survey, plan) => [
  ...(settingOf(survey, 'SlurmdParameters').includes('config_overrides') || plan?.standing === true
    ? []
    : one(
        'later',
        'SlurmdParameters has no config_overrides: virtual nodes are larger than the host that they stand on',
        'set SlurmdParameters=config_overrides',
      )),
  ...(settingOf(survey, 'MULTIPLE_SLURMD').toLowerCase() === 'no'
    ? one(
        'later',
        'this Slurm was built without --enable-multiple-slurmd: slurmd -N is not there',
        'build the burst host’s slurmd with it; nothing else needs it',
      )
    : []),
  ...(['0', '1'].includes(settingOf(survey, 'ReturnToService'))
    ? one(
        'later',
        `ReturnToService=${settingOf(survey, 'ReturnToService')}: a virtual node that was away stays DOWN`,
        'set ReturnToService=2',
      )
    : []),
  ...(settingOf(survey, 'SlurmctldParameters').includes('enable_configless')
    ? one(
        'later',
        'configless: the burst host’s slurmds need a slurm.conf as a file, for TaskProlog',
        'copy it there, and Include it from burst-host.conf',
      )
    : []),
];

export const scheduling: Look = (survey) => {
  const preempt = settingOf(survey, 'PreemptMode').toUpperCase();
  const topology = settingOf(survey, 'TopologyPlugin');
  const prolog = settingOf(survey, 'TaskProlog');
  const parameters = settingOf(survey, 'SlurmctldParameters');
  return [
    ...(preempt.includes('GANG') || preempt.includes('SUSPEND')
      ? one(
          'later',
          `PreemptMode=${preempt}: a stand-in that is suspended stops, its pod does not`,
          'leave OverSubscribe=NO on the burst partition',
        )
      : []),
    ...(topology.includes('tree')
      ? one(
          'later',
          `TopologyPlugin=${topology}: virtual nodes without a switch are refused (BadConstraints)`,
          'give them a switch of their own in topology.conf',
        )
      : []),
    ...(prolog === ''
      ? []
      : one(
          'later',
          `TaskProlog=${prolog}: virtual nodes have Spillway’s in its place`,
          `write "chainTaskProlog": "${prolog}" into spill.json, and yours is run after it`,
        )),
    ...(settingOf(survey, 'SuspendProgram') === ''
      ? []
      : one(
          'later',
          `SuspendProgram=${settingOf(survey, 'SuspendProgram')}: Slurm would power idle virtual nodes down`,
          'put them into SuspendExcNodes',
        )),
    ...(parameters.includes('rl_enable')
      ? one(
          'note',
          'rl_enable: Slurm lets a user ask twice a second; one look is three questions, after a store of 30',
        )
      : []),
  ];
};
