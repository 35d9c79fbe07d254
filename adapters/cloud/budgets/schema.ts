/** Budgets' and STS's answers as they enter. */
import { z } from 'zod';
import type { BudgetAction } from '../../../src/ports.ts';

export interface Caller {
  /** Twelve digits. */
  readonly account: string;
  /** As an action names those that it attaches a policy to. */
  readonly is: { readonly kind: 'role' | 'user'; readonly name: string } | undefined;
}

/** A role that was assumed, or a user; whoever else asks (root) no action names. [GetCallerIdentity] */
const whoPattern = /^arn:[^:]+:(?:sts|iam)::\d+:(?:assumed-(role)\/([^/]+)\/.+|(user)\/(?:.*\/)?([^/]+))$/;

/** Of a GetCallerIdentity. */
export const parseCaller = (answer: unknown): Caller => {
  const { Account, Arn } = z
    .object({ Account: z.string().regex(/^\d{12}$/), Arn: z.string().default('') })
    .parse(answer);
  const [, role, roleName, user, userName] = whoPattern.exec(Arn) ?? [];
  if (role !== undefined && roleName !== undefined)
    return { account: Account, is: { kind: 'role', name: roleName } };
  if (user !== undefined && userName !== undefined)
    return { account: Account, is: { kind: 'user', name: userName } };
  return { account: Account, is: undefined };
};

const names = z.array(z.string()).default([]);

const action = z.object({
  BudgetName: z.string().min(1),
  NotificationType: z.string().default(''),
  ActionType: z.string(),
  ActionThreshold: z.object({ ActionThresholdValue: z.number(), ActionThresholdType: z.string() }),
  Definition: z.object({
    IamActionDefinition: z
      .object({ PolicyArn: z.string(), Roles: names, Users: names, Groups: names })
      .optional(),
  }),
  ApprovalModel: z.string(),
  Status: z.string(),
});

const page = z.object({ NextToken: z.string().optional(), Actions: z.array(action).default([]) });

/** One page of DescribeBudgetActionsForAccount: of its actions those that attach a policy of IAM, as others keep nobody from launching. */
export function parseActions(
  answer: unknown,
  { is }: Caller,
): { readonly actions: readonly BudgetAction[]; readonly next: string | undefined } {
  const { NextToken, Actions } = page.parse(answer);
  const actions = Actions.flatMap((one): BudgetAction[] => {
    const { IamActionDefinition: iam } = one.Definition;
    if (one.ActionType !== 'APPLY_IAM_POLICY' || iam === undefined) return [];
    const { ActionThresholdValue: value, ActionThresholdType: unit } = one.ActionThreshold;
    const named = is?.kind === 'role' ? iam.Roles : is?.kind === 'user' ? iam.Users : [];
    return [
      {
        budget: one.BudgetName,
        threshold: `${value}${unit === 'PERCENTAGE' ? ' %' : ''} ${one.NotificationType.toLowerCase()}`,
        policy: iam.PolicyArn.replace(/^.*:policy\//, ''),
        on: [
          ...iam.Roles.map((name) => `role ${name}`),
          ...iam.Users.map((name) => `user ${name}`),
          ...iam.Groups.map((name) => `group ${name}`),
        ],
        onCaller: is !== undefined && named.includes(is.name),
        automatic: one.ApprovalModel === 'AUTOMATIC',
        status: one.Status,
      },
    ];
  });
  return { actions, next: NextToken === '' ? undefined : NextToken };
}
