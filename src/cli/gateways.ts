/** The gateway's own policy for a replay, as `policy` and `budgets` of its configuration have it. */
import { basename } from 'node:path';
import { z } from 'zod';
import { compile } from '../../config/expression.ts';
import { schema } from '../../config/schema.ts';
import type { Bill } from '../sim/replay/figures.ts';
import { atGateway } from '../sim/replay/gateway-site.ts';
import type { Site } from '../sim/replay/play.ts';
import { makePolicy, type Named, type Written } from '../sim/replay/policies.ts';
import type { Columns, Policy } from '../sim/replay/policy.ts';
import { toldOfPast } from '../sim/what-if.ts';
import { CommandError } from './ask.ts';

const usualPollSeconds = 30;

const form = z.looseObject({
  policy: schema.shape.policy,
  budgets: schema.shape.budgets,
  nodeGroups: z
    .array(
      z.looseObject({
        capacity: z
          .looseObject({
            spot: z.enum(['never', 'allowed']).default('never'),
            spotPercent: z.number().min(1).max(100).default(100),
          })
          .prefault({}),
      }),
    )
    .optional(),
  clusters: z
    .array(z.looseObject({ pollSeconds: z.int().min(1).max(3_600).default(usualPollSeconds) }))
    .default([]),
});

export interface GatewaysPolicy {
  readonly label: string;
  readonly policy: 'gateway';
  readonly settings: z.output<typeof form>;
}

/** A whole configuration, or no more than its `policy`. */
export function gatewaysIn(path: string, raw: unknown): GatewaysPolicy {
  const read = form.safeParse(raw);
  if (read.success) {
    const { policy } = read.data;
    for (const [key, list] of [
      ['burstWhen', policy.burstWhen],
      ['never', policy.never],
    ] as const)
      for (const one of list) if (one.kind === 'cel') mayBePlayed(`${path}: policy.${key}`, one.expr);
    return { label: basename(path), policy: 'gateway', settings: read.data };
  }
  throw new CommandError(
    read.error.issues.map((i) => `${path}: ${i.path.join('.') || 'the file'}: ${i.message}`).join('\n'),
  );
}

function mayBePlayed(where: string, expr: string): void {
  const unseen = compile(expr).names.filter((name) => !toldOfPast.has(name));
  if (unseen.length === 0) return;
  throw new CommandError(
    `${where}: expr: ${expr}: a replay does not know ${unseen.join(', ')}; play a copy of the policy without it. It knows ${[...toldOfPast].join(', ')}`,
  );
}

/** What is played, and where. */
export function madeFor(
  asked: Named | Written | GatewaysPolicy,
  trace: Columns,
  site: Site,
  bill: Bill,
): { readonly policy: Policy; readonly site: Site } {
  if (!('settings' in asked)) return { policy: makePolicy(asked, trace, site, bill), site };
  const { policy, budgets, clusters, nodeGroups } = asked.settings;
  const pollMs = 1_000 * (clusters[0]?.pollSeconds ?? usualPollSeconds);
  const { forecaster } = policy.forecast;
  return atGateway(
    {
      policy: { ...policy, budgets, expressions: compile },
      forecaster,
      pollMs,
      spotPercent: spotPercentIn(nodeGroups),
    },
    trace,
    site,
    bill,
  );
}

/** No more than a policy says nothing of node groups: spot is bought as it comes. Of a whole configuration the most that any group pays. */
function spotPercentIn(groups: GatewaysPolicy['settings']['nodeGroups']): number | undefined {
  if (groups === undefined) return 100;
  const allowed = groups.flatMap(({ capacity }) =>
    capacity.spot === 'allowed' ? [capacity.spotPercent] : [],
  );
  return allowed.length === 0 ? undefined : Math.max(...allowed);
}
