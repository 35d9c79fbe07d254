/** The rules that can be asked of a script alone: those of the queue, the cloud's types and the tenant come when it pends. */
import { rules } from '../decide/decide.ts';
import type { ShapeContext } from '../decide/rule.ts';
import type { RuleVerdict } from '../domain/decision.ts';
import { clusterName, instant, jobRef } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';
import type { Asked } from '../translate/script/asked.ts';
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
  return [...policyRules(asked, who, site), ...directory(written(script, 'chdir'), site)];
}

/** What they look at is in a script; `nodes` and `placement` are told by the marks already. */
const ofScripts = ['partition', 'batch', 'never', 'time'];

function policyRules(asked: Asked, who: Who, { setup, policy, from }: Site): readonly RuleVerdict[] {
  if (setup === undefined || from === undefined) return [];
  const at = instant(0);
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
    ...{ now: at, snapshot, setup, policy, groups: [], stop: undefined },
    job: jobOf(asked, { ...who, partition }),
  };
  return rules.flatMap((rule) => {
    if (rule.of !== 'shape' || !ofScripts.includes(rule.name)) return [];
    const said = rule.judge(context);
    return said.pass ? [] : [{ rule: rule.name, ...said }];
  });
}

/** As the queue would show it. */
function jobOf(asked: Asked, who: Who & { readonly partition: string }): Job {
  const at = instant(0);
  return {
    ...{ ref: jobRef('1'), id: 1, arrayJobId: undefined, arrayTask: undefined },
    ...{ name: who.name, user: who.user, account: who.account ?? '', qos: '', partition: who.partition },
    ...{
      state: 'PENDING',
      reason: 'Priority',
      submitAt: at,
      eligibleAt: at,
      startAt: undefined,
      priority: 1,
    },
    timeLimitMs: asked.timeMs ?? 'partition',
    ...{ minNodes: asked.nodes, maxNodes: undefined, cpus: asked.cpus, batch: true, hetJob: false },
    ...{ dependency: '', features: '', licenses: '', reservation: '', requiredNodes: '', gres: '' },
    ...{ restarts: 0, nodeList: '' },
  };
}

function directory(chdir: string | undefined, { mounts, from }: Site): readonly RuleVerdict[] {
  if (chdir === undefined || !chdir.startsWith('/') || from === undefined) return [];
  const seen = [...mounts.map((m) => m.path), '/tmp', '/var/tmp', '/dev/shm'];
  if (seen.some((path) => chdir === path || chdir.startsWith(`${path.replace(/\/$/, '')}/`))) return [];
  return [
    {
      rule: 'directory',
      pass: false,
      measured: chdir,
      limit: `under ${seen.join(', ')}: it must be the same place in the pod`,
    },
  ];
}
