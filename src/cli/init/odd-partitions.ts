/** What partitions, nodes, accounts and the queue are like that matters to Spillway. */
import { candidatesOf, ownOf, type Plan } from './choose.ts';
import { type Look, one } from './remark.ts';

export const partitions: Look = (survey, plan) => {
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

export const nodes: Look = (survey, plan) => {
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

export const bound: Look = (survey) => {
  if (!survey.associations.ok) return [];
  const found = survey.associations.value.filter((a) => a.partition !== '');
  if (found.length === 0) return [];
  return one(
    'later',
    `${found.length} association${found.length === 1 ? ' is' : 's are'} bound to a partition, such as ${found[0]?.user || found[0]?.account} to ${found[0]?.partition}: with AccountingStorageEnforce=associations a claim of such a job is refused`,
    'their jobs then stay, with the reason; add an association for the burst partition to let them go',
  );
};

export const sight: Look = ({ snapshot, skewMs, history }) => [
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
