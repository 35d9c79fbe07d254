import { z } from 'zod';
import { paged } from './portal-schemas.ts';
import { by, reason, time } from './schemas.ts';

/** What is asked and answered of policies. */

/** A configuration with thousands of budgets is so long. */
const longestText = 200_000;

const text = z
  .string()
  .min(1)
  .max(longestText)
  .describe('A policy in YAML or JSON: policy, and budgets where it has its own; as in the configuration.');

export const policyText = z.strictObject({ text });
export const keepOrder = z.strictObject({ text, by, reason });

const name = z
  .string()
  .regex(/^(file|[1-9]\d{0,8})$/, 'no policy; write the number of a version, or file')
  .describe("The number of a version, or file: what the gateway's own configuration file says.");
export const policyPath = z.strictObject({ version: name });
export const differencesQuery = z.strictObject({ against: name });

/** The file, or a version. */
const told = z.union([z.literal('file'), z.number()]);

export const keptPolicyView = z.strictObject({
  version: z.number(),
  /** SHA-256 of its text. */
  hash: z.string(),
  by: z.string(),
  since: time,
  reason: z.string().optional(),
  /** The clusters of this gateway in which it decides. */
  decidesIn: z.array(z.string()),
});
export type KeptPolicyView = z.output<typeof keptPolicyView>;

/** A version whose row in the store was damaged. */
export const damagedPolicyView = z.strictObject({
  version: z.number(),
  /** What of it cannot be read. */
  damaged: z.string(),
  todo: z.string(),
});
export type DamagedPolicyView = z.output<typeof damagedPolicyView>;

export const keptPoliciesView = z.strictObject({
  ...paged('policies', keptPolicyView).shape,
  /** Those of the page that cannot be told; absent: none is. */
  damaged: z.array(damagedPolicyView).optional(),
});

export const policyView = z.strictObject({
  ...keptPolicyView.shape,
  /** Absent: of the configuration file. */
  version: z.number().optional(),
  by: z.string().optional(),
  since: time.optional(),
  text: z.string(),
  /** Why this version of Spillway cannot read it; absent: it can. */
  unreadable: z.string().optional(),
});
export type PolicyView = z.output<typeof policyView>;

export const activePolicyView = z.strictObject({
  cluster: z.string(),
  decides: told,
  /** How often somebody has said what decides here; absent of whom: nobody has. */
  revision: z.number(),
  by: z.string().optional(),
  since: time.optional(),
  reason: z.string().optional(),
  /** What decided before. */
  before: told.optional(),
  /** Whether the configuration file says what it said then. */
  file: z.enum(['same', 'changed']),
  /** What it said then. */
  fileThen: z.number().optional(),
  /** Nothing is bought while it is so. */
  unreadable: z.string().optional(),
});
export type ActivePolicyView = z.output<typeof activePolicyView>;

export const activeView = z.strictObject({ clusters: z.array(activePolicyView) });

export const validView = z.strictObject({
  valid: z.literal(true),
  /** SHA-256 of its text. */
  hash: z.string(),
  /** As receipts would name it: of the policy with its budgets, node groups and prices. */
  policy: z.string(),
});

export const differencesView = z.strictObject({
  from: told,
  to: told,
  differences: z.array(
    z.strictObject({
      /** As in policy.or[0].expr. */
      field: z.string(),
      /** As it is written; absent: it does not stand there. */
      from: z.unknown().optional(),
      to: z.unknown().optional(),
    }),
  ),
});
export type DifferencesView = z.output<typeof differencesView>;

const side = z.strictObject({
  burst: z.number(),
  wait: z.number(),
  never: z.number(),
  /** The most that its bursts could cost. */
  heldMicroUsd: z.number(),
  /** Bursts of which nobody knows what they would cost. */
  unpriced: z.number(),
});
const verdict = z.strictObject({
  verdict: z.enum(['burst', 'wait', 'never']),
  text: z.string(),
  group: z.string().optional(),
  heldMicroUsd: z.number().optional(),
});

export const dryRunView = z.strictObject({
  clusters: z.array(
    z.strictObject({
      cluster: z.string(),
      /** When the queue was looked at. */
      at: time,
      running: side,
      proposed: side,
      /** Jobs whose verdict or node group would be another; the first of them are below. */
      changed: z.number(),
      /** Jobs that were read in full and found wanting: they keep that here, and are read anew under another policy. */
      judgedInFull: z.number(),
      changes: z.array(
        z.strictObject({
          job: z.string(),
          user: z.string(),
          account: z.string(),
          from: verdict,
          to: verdict,
        }),
      ),
    }),
  ),
});
export type DryRunView = z.output<typeof dryRunView>;
