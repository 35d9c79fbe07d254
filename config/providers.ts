/** What each provider of a node group is told, and what is another's. */
import type { z } from 'zod';

export const providers = ['ec2', 'asg', 'static'] as const;
type Provider = (typeof providers)[number];

interface Key {
  readonly of: readonly Provider[];
  /** What to write where it is missing; undefined: it may be. */
  readonly advice?: string;
}

const aws = ['ec2', 'asg'] as const;

/** Keys of a node group that not every provider reads. */
const keys: Readonly<Record<string, Key>> = {
  region: { of: aws, advice: 'write a region, such as eu-central-1' },
  types: { of: aws, advice: 'write a list such as [c7i.4xlarge, m7i.4xlarge]' },
  zones: { of: aws, advice: 'write a list such as [a, b]' },
  endpoint: { of: aws },
  prices: { of: aws },
  launchTemplate: { of: ['ec2'] },
  scalingGroup: { of: ['asg'] },
  selector: { of: ['static'], advice: 'write the labels that its nodes have, such as { pool: hpc }' },
  price: { of: ['static'] },
};

type Given = { readonly provider: Provider } & Readonly<Record<string, unknown>>;

export function keysOfProvider(group: Given, ctx: z.RefinementCtx): void {
  const refuse = (key: string, message: string) => ctx.addIssue({ code: 'custom', path: [key], message });
  for (const [key, { of, advice }] of Object.entries(keys)) {
    const given = group[key] !== undefined;
    const own = of.includes(group.provider);
    if (own && !given && advice !== undefined) refuse(key, `missing; ${advice}`);
    if (!own && given)
      refuse(key, `is for provider ${of.join(' and ')}, and this is ${group.provider}; leave it out`);
  }
}
