/** What each provider of a node group is told, and what is another's. */
import type { z } from 'zod';

export const providers = ['ec2', 'static'] as const;

/** Keys of a node group that only one provider reads: what to write where it is missing, or that it may be left out. */
const keys = {
  ec2: {
    region: 'write a region, such as eu-central-1',
    types: 'write a list such as [c7i.4xlarge, m7i.4xlarge]',
    zones: 'write a list such as [a, b]',
    launchTemplate: undefined,
    endpoint: undefined,
    prices: undefined,
  },
  static: {
    selector: 'write the labels that its nodes have, such as { pool: hpc }',
    price: undefined,
  },
} as const satisfies Record<(typeof providers)[number], Readonly<Record<string, string | undefined>>>;

type Given = { readonly provider: (typeof providers)[number] } & Readonly<Record<string, unknown>>;

export function keysOfProvider(group: Given, ctx: z.RefinementCtx): void {
  const refuse = (key: string, message: string) => ctx.addIssue({ code: 'custom', path: [key], message });
  for (const provider of providers)
    for (const [key, advice] of Object.entries(keys[provider])) {
      const given = group[key] !== undefined;
      if (provider === group.provider && !given && advice !== undefined) refuse(key, `missing; ${advice}`);
      if (provider !== group.provider && given)
        refuse(key, `is for provider ${provider}, and this is ${group.provider}; leave it out`);
    }
}
