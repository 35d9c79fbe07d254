/** The rules that can be asked of a script alone: those of the queue, the cloud's types and the tenant come when it pends. */
import { rules } from '../decide/decide.ts';
import type { ShapeContext } from '../decide/rule.ts';
import type { RuleVerdict } from '../domain/decision.ts';
import type { FactName } from '../domain/expression.ts';
import { clusterName, instant } from '../domain/ids.ts';
import type { NeverRule } from '../domain/policy.ts';
import { isThere, placesOf } from '../translate/places.ts';
import type { Asked } from '../translate/script/asked.ts';
import { lineOf } from '../translate/script/line.ts';
import { type Script, written } from '../translate/script/script.ts';
import type { Site } from './explain-site.ts';

export interface Who {
  readonly user: string;
  readonly account: string | undefined;
  readonly partition: string | undefined;
  readonly name: string;
}

/** Those that fail. */
export function rulesOf(script: Script, asked: Asked, who: Who, site: Site): readonly RuleVerdict[] {
  return [...policyRules(script, asked, who, site), ...directory(written(script, 'chdir'), site)];
}

/** Of each never-expression that looks at what is known only when the job pends, in words; it is not asked. */
export function unasked(script: Script, asked: Asked, who: Who, { policy }: Site): readonly string[] {
  return policy.never.flatMap((rule) => {
    const lacks = unknownTo(rule, policy, factsIn(script, asked, who));
    return lacks.length === 0 || rule.kind !== 'cel'
      ? []
      : [
          `Never-rule ${rule.expr} was not asked: ${lacks.join(', ')} ${lacks.length === 1 ? 'is' : 'are'} known when it pends.`,
        ];
  });
}

function unknownTo(
  rule: NeverRule,
  { expressions }: Site['policy'],
  told: ReadonlySet<FactName>,
): FactName[] {
  if (rule.kind !== 'cel') return [];
  return (expressions?.(rule.expr).names ?? []).filter((name) => !told.has(name));
}

/** What a script tells of its job; Slurm fills in defaults for the rest. */
function factsIn(script: Script, asked: Asked, who: Who): ReadonlySet<FactName> {
  const told = new Set<FactName>([
    'job.gres',
    'job.features',
    'job.licenses',
    'job.name',
    'job.user',
    'job.cpus',
    'job.nodes',
    'job.restarts',
    'job.array',
  ]);
  if (who.account !== undefined) told.add('job.account');
  if (who.partition !== undefined) told.add('job.partition').add('job.partitions');
  if (asked.timeMs !== undefined) told.add('job.timeLimitMinutes');
  if (written(script, 'qos') !== undefined) told.add('job.qos');
  return told;
}

/** What they look at is in a script; `nodes`, and node lists, are told by the marks already. */
const ofScripts = ['partition', 'batch', 'never', 'placement', 'time'];

function policyRules(
  script: Script,
  asked: Asked,
  who: Who,
  { setup, policy: whole, from, groups }: Site,
): readonly RuleVerdict[] {
  if (setup === undefined || from === undefined) return [];
  const at = instant(0);
  const told = factsIn(script, asked, who);
  const never = whole.never.filter((rule) => unknownTo(rule, whole, told).length === 0);
  const policy = { ...whole, never };
  const snapshot = {
    cluster: clusterName(setup.name),
    at,
    tookMs: 0,
    jobs: [],
    partitions: [],
    nodes: [],
    partial: [],
  };
  const partition = who.partition ?? setup.watch[0] ?? setup.explicit ?? '';
  const context: ShapeContext = {
    ...{ now: at, snapshot, setup, policy, stop: undefined },
    groups: groups.map((group) => ({ group, types: [] })),
    // What the marks tell already is not told twice.
    job: {
      ...lineOf(script, asked, { ...who, partition }),
      ...{ hetJob: false, requiredNodes: '', reservation: '' },
    },
  };
  return rules.flatMap((rule) => {
    if (rule.of !== 'shape' || !ofScripts.includes(rule.name)) return [];
    const said = rule.judge(context);
    return said.pass ? [] : [{ rule: rule.name, ...said }];
  });
}

function directory(chdir: string | undefined, { mounts, from }: Site): readonly RuleVerdict[] {
  if (chdir === undefined || !chdir.startsWith('/') || from === undefined) return [];
  if (isThere(chdir, mounts)) return [];
  return [
    {
      rule: 'directory',
      pass: false,
      measured: chdir,
      limit: `under ${placesOf(mounts).join(', ')}: it must be the same place in the pod`,
    },
  ];
}
