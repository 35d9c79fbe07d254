/** What `init` found and proposes, in words. */
import { type Survey, settingOf } from '../../domain/survey.ts';
import { tableOf } from '../table.ts';
import { count } from '../words.ts';
import { backlogLines } from './backlog.ts';
import { candidatesOf, type Plan } from './choose.ts';
import { remarksOf } from './odd.ts';
import type { Remark } from './remark.ts';

export function foundLines(survey: Survey): readonly string[] {
  const of = (key: string): string => settingOf(survey, key) || 'none';
  return [
    `Slurm ${of('SLURM_VERSION')}, cluster ${of('ClusterName')}: ${of('SelectType')}, ${of('SchedulerType')}, ${of('PriorityType')}; accounting ${of('AccountingStorageType')}`,
    `${count(survey.partitions.length, 'partition')}, ${nodesOf(survey)}, ${count(survey.snapshot.jobs.length, 'job')} in the queue, read in ${(survey.snapshot.tookMs / 1000).toFixed(1)} s; ${accountsOf(survey)}`,
    '',
    ...backlogLines(survey),
    '',
    ...partitionLines(survey),
  ];
}

function nodesOf({ nodes, snapshot }: Survey): string {
  const all = nodes.ok ? nodes.value : snapshot.nodes;
  const gres = new Set(all.map((n) => n.gres).filter((g) => g !== ''));
  return `${count(all.length, 'node')}${gres.size === 0 ? ' without GRES' : ` (GRES: ${[...gres].join('; ')})`}`;
}

function accountsOf({ associations }: Survey): string {
  if (!associations.ok) return 'accounts not told';
  const accounts = new Set(associations.value.map((a) => a.account));
  const users = new Set(associations.value.map((a) => a.user).filter((u) => u !== ''));
  return `${count(users.size, 'user')} in ${count(accounts.size, 'account')}`;
}

function partitionLines(survey: Survey): readonly string[] {
  const rows = candidatesOf(survey).map((c) => {
    const p = survey.partitions.find((one) => one.name === c.name);
    const defaults = [
      `MaxTime ${p?.maxTimeMs === 'unlimited' ? 'none' : `${Math.round((p?.maxTimeMs ?? 0) / 60_000)} min`}`,
      ...(p?.byDefault === true ? ['default'] : []),
      ...(p?.hidden === true ? ['hidden'] : []),
      ...(p?.narrowed ?? []),
    ];
    const may = c.may ? (c.proposed ? 'may be watched' : 'may be watched, if named') : c.why;
    return [
      c.name,
      p?.state ?? '',
      String(p?.totalNodes ?? 0),
      String(p?.totalCpus ?? 0),
      `${may}; ${defaults.join(', ')}`,
    ];
  });
  return tableOf(['partition', 'state', 'nodes', 'CPUs', ''], rows);
}

const heads: Readonly<Record<Remark['when'], string>> = {
  now: 'Matters now:',
  later: 'Matters before mode approve or auto:',
  note: 'Good to know:',
};

export function oddLines(survey: Survey, plan: Plan | undefined): readonly string[] {
  const remarks = remarksOf(survey, plan);
  if (remarks.length === 0) return ['Nothing odd was found.'];
  return (['now', 'later', 'note'] as const).flatMap((when) => {
    const own = remarks.filter((r) => r.when === when);
    if (own.length === 0) return [];
    const lines = own.flatMap((r) => [`  - ${r.text}`, ...(r.todo === undefined ? [] : [`    → ${r.todo}`])]);
    return [heads[when], ...lines];
  });
}

export function planLines(plan: Plan): readonly string[] {
  const virtual = plan.virtual
    .map((v) => `${v.names} (${v.shape.cpus} CPUs, ${v.shape.memoryMib} MiB)`)
    .join(', ');
  return [
    `Proposed: cluster ${plan.cluster} watches ${plan.watch.join(', ')}, and only observes; a look every ${plan.pollSeconds} s`,
    `  what a burst would run on: ${plan.machine.type} (${plan.machine.vcpus} vCPUs, ${plan.machine.memoryGib} GiB), ${plan.usd === undefined ? 'no price' : `${plan.usd} USD an hour`}, at most ${plan.nodes} at once`,
    `  for later: virtual nodes ${virtual}; partitions ${plan.names.explicit}, ${plan.names.wait}, ${plan.names.burst}`,
  ];
}
