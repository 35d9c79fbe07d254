/** What of a Slurm is not as everywhere, and what that means for Spillway. */
import { type Survey, settingOf } from '../../domain/survey.ts';
import { candidatesOf, ownOf, type Plan } from './choose.ts';

/** `now`: it already matters to observing. `later`: before mode approve or auto. `note`: good to know. */
export interface Remark {
  readonly when: 'now' | 'later' | 'note';
  readonly text: string;
  readonly todo?: string;
}

type Look = (survey: Survey, plan: Plan | undefined) => readonly Remark[];

/** Most urgent first. `plan` undefined: nothing could be proposed. */
export function remarksOf(survey: Survey, plan: Plan | undefined): readonly Remark[] {
  const order = { now: 0, later: 1, note: 2 } as const;
  return looks.flatMap((look) => look(survey, plan)).sort((a, b) => order[a.when] - order[b.when]);
}

const one = (when: Remark['when'], text: string, todo?: string): readonly Remark[] => [
  { when, text, ...(todo === undefined ? {} : { todo }) },
];

/** `22.05.8` as 22.05; undefined for what is no version. */
function releaseOf(version: string): number | undefined {
  const [, year, month] = /^(\d{2})\.(\d{2})/.exec(version) ?? [];
  return year === undefined ? undefined : Number(`${year}.${month}`);
}

const version: Look = (survey) => {
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

const accounting: Look = (survey) => {
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

const privacy: Look = (survey) => {
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

const rights: Look = (survey) => {
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

const clusters: Look = (survey) => {
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

const partLimits: Look = (survey, plan) => {
  const enforced = settingOf(survey, 'EnforcePartLimits').toUpperCase();
  if (enforced !== 'ALL' && enforced !== 'ANY' && enforced !== 'YES') return [];
  const { names } = plan ?? ownOf(survey);
  return one(
    'note',
    `EnforcePartLimits=${enforced}: a job that is larger than its partition is refused when it is submitted, so it never waits`,
    `users who want more than the site has ask for ${names.explicit}: its Nodes are the virtual ones`,
  );
};

const submission: Look = (survey) => {
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

const selection: Look = (survey) => {
  const type = settingOf(survey, 'SelectType');
  return type === '' || type.endsWith('cons_tres')
    ? []
    : one('later', `SelectType=${type}: only select/cons_tres was tried`, 'try one job of each kind by hand');
};

const slurmds: Look = (survey, plan) => [
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

const scheduling: Look = (survey) => {
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
    ...(parameters.includes('rl_enable')
      ? one(
          'note',
          'rl_enable: Slurm lets a user ask twice a second; one look is three questions, after a store of 30',
        )
      : []),
  ];
};

const partitions: Look = (survey, plan) => {
  const { names, standing } = plan ?? ownOf(survey);
  const renamed = (['explicit', 'wait', 'burst'] as const)
    .filter((role) => names[role].startsWith('spillway_'))
    .map((role) => names[role]);
  const hidden = survey.partitions.filter((p) => p.hidden).map((p) => p.name);
  const idle = candidatesOf(survey).flatMap((c) =>
    c.may || c.why.startsWith('is Spill') ? [] : [`${c.name} ${c.why}`],
  );
  const watched = survey.partitions.filter((p) => plan?.watch.includes(p.name));
  const narrowed = watched
    .filter((p) => p.narrowed.length > 0)
    .map((p) => `${p.name} (${p.narrowed.join(' ')})`);
  const billed = watched.filter((p) => p.billingWeights !== undefined).map((p) => p.name);
  const endless = watched
    .filter((p) => p.defaultTimeMs === undefined && p.maxTimeMs === 'unlimited')
    .map((p) => p.name);
  const differing = watched
    .filter((p) => plan !== undefined && p !== plan.home && differs(p, plan.home))
    .map((p) => p.name);
  return [
    ...(standing
      ? one(
          'note',
          `the partitions ${names.burst} and ${names.wait} are there already, and taken as Spillway’s`,
        )
      : []),
    ...(renamed.length > 0
      ? one('note', `names that Spillway usually takes are taken here; its own are ${renamed.join(', ')}`)
      : []),
    ...(hidden.length > 0
      ? one('note', `hidden: ${hidden.join(', ')}; watched only where --watch names them`)
      : []),
    ...(idle.length > 0 ? one('note', `not to be watched: ${idle.join('; ')}`) : []),
    ...(narrowed.length > 0
      ? one(
          'later',
          `not for everybody: ${narrowed.join('; ')}`,
          `leave ${names.burst} open: who may be in it is settled before a job gets there`,
        )
      : []),
    ...(billed.length > 0
      ? one(
          'note',
          `TRESBillingWeights on ${billed.join(', ')}: the snippet bills a burst nothing (charge: cloud); docs/admin.md has the other ways`,
        )
      : []),
    ...(endless.length > 0
      ? one(
          'now',
          `${endless.join(', ')}: neither DefaultTime nor MaxTime, so a job may have no end to reckon with`,
          'such a job has no most that it could cost, and no budget lets it go; set DefaultTime',
        )
      : []),
    ...(differing.length > 0
      ? one(
          'note',
          `other defaults than ${plan?.home.name}: ${differing.join(', ')}; Spillway keeps each job’s own time limit and memory when it moves it`,
        )
      : []),
  ];
};

function differs(a: Plan['home'], b: Plan['home']): boolean {
  const of = (p: Plan['home']): string =>
    JSON.stringify([p.defMemory, p.defaultTimeMs, p.maxTimeMs, p.priorityJobFactor]);
  return of(a) !== of(b);
}

const nodes: Look = (survey, plan) => {
  const gres = (plan?.shapes ?? []).filter((s) => s.shape.gres !== '');
  const rest = (plan?.shapes.length ?? 0) - (plan?.virtual.length ?? 0);
  return [
    ...(survey.nodes.ok
      ? []
      : one(
          'note',
          `nodes could not be read in full (${survey.nodes.text}); their shape is taken from sinfo`,
        )),
    ...(gres.length > 0
      ? one(
          'later',
          `GRES: ${[...new Set(gres.map((s) => s.shape.gres))].join('; ')}: the proposed node group has none, so jobs that ask for one are told so`,
          'add a node group with such machines (docs/admin.md, part 7)',
        )
      : []),
    ...(rest > 0
      ? one(
          'note',
          `the watched nodes have ${plan?.shapes.length} shapes; the snippet has the ${plan?.virtual.length} most frequent`,
        )
      : []),
    ...(plan !== undefined && !plan.fits
      ? one(
          'now',
          `a whole node of ${plan.home.name} is larger than ${plan.machine.type}: jobs that need all of one stay`,
          'put a larger type into nodeGroups, with its shape',
        )
      : []),
  ];
};

const bound: Look = (survey) => {
  if (!survey.associations.ok) return [];
  const found = survey.associations.value.filter((a) => a.partition !== '');
  if (found.length === 0) return [];
  return one(
    'later',
    `${found.length} association${found.length === 1 ? ' is' : 's are'} bound to a partition, such as ${found[0]?.user || found[0]?.account} to ${found[0]?.partition}: with AccountingStorageEnforce=associations a claim of such a job is refused`,
    'their jobs then stay, with the reason; add an association for the burst partition to let them go',
  );
};

const sight: Look = ({ snapshot, skewMs, history }) => [
  ...(snapshot.partial.length > 0
    ? one(
        'now',
        `not all of the queue could be read: ${snapshot.partial.slice(0, 3).join('; ')}`,
        'run squeue -a and sinfo -N by hand as that user',
      )
    : []),
  ...(skewMs !== undefined && Math.abs(skewMs) > 3_000
    ? one(
        'later',
        `the login’s clock is ${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? 'ahead' : 'behind'}: writes that seem late are dropped there`,
        'keep both by NTP',
      )
    : []),
  ...(history?.ok === true && history.value.partial.length > 0
    ? one(
        'note',
        `${history.value.partial.length} lines of the history could not be read, such as ${history.value.partial[0]}`,
      )
    : []),
];

const looks: readonly Look[] = [
  ...[version, accounting, privacy, rights, sight, partitions, nodes],
  ...[clusters, bound, submission, partLimits, selection, slurmds, scheduling],
];
