import { z } from 'zod';
import { burstStates } from '../domain/burst.ts';
import { unixName } from '../domain/caller.ts';
import type { Instant } from '../domain/ids.ts';
import { instanceStates } from '../domain/instance.ts';
import { periods } from '../domain/money.ts';

/** Times as the API tells them. */
export const iso = (at: Instant): string => new Date(at).toISOString();

/** ISO 8601, UTC. */
export const time = z.iso.datetime();

/** Shown in the document as what it means, where that says more than what is checked. */
export const shownAs = <T extends z.ZodType>(schema: T, shown: object): T => schema.meta({ shown });

/** One burst as the API shows it: times in ISO 8601, resources in the units that their names say. */
export const burstView = z.strictObject({
  id: z.string(),
  cluster: z.string(),
  job: z.string(),
  jobId: z.number(),
  restarts: z.number(),
  user: z.string(),
  account: z.string(),
  name: z.string(),
  state: z.enum(burstStates),
  since: time,
  created: time,
  started: time.optional(),
  ended: time.optional(),
  group: z.string(),
  instance: z.string().optional(),
  pod: z.string().optional(),
  /** Of a job of several nodes: the nodes besides the first, on which the script runs. */
  others: z
    .array(z.strictObject({ rank: z.number(), instance: z.string().optional(), pod: z.string().optional() }))
    .optional(),
  exit: z
    .strictObject({
      code: z.number().optional(),
      signal: z.number().optional(),
      lost: z.boolean().optional(),
      reason: z.string().optional(),
    })
    .optional(),
  maxRssBytes: z.number().optional(),
  droppedBytes: z.number().optional(),
  cause: z.strictObject({ kind: z.string(), text: z.string() }).optional(),
  trouble: z.strictObject({ since: time, text: z.string() }).optional(),
  /** Mode approve: what was offered; without `maxMicroUsd` no price is known. */
  quote: z.strictObject({ until: time, maxMicroUsd: z.number().optional(), why: z.string() }).optional(),
  /** What a person said to it. */
  answer: z
    .strictObject({
      approved: z.boolean(),
      by: z.string(),
      at: time,
      reason: z.string().optional(),
    })
    .optional(),
  /** Who else was let answer it, and by whom. */
  delegated: z.strictObject({ to: z.string(), until: time, by: z.string() }).optional(),
});
export type BurstView = z.output<typeof burstView>;

/** `measured`: from so many of this site's own transfers; 0: by the configured bandwidths. */
const carriedLeg = z.strictObject({
  ...{ bytes: z.number(), p50Ms: z.number(), p90Ms: z.number(), measured: z.number() },
});

/** One receipt: a decision, "no" included, or what became of a burst. */
export const decisionView = z.strictObject({
  id: z.string(),
  cluster: z.string(),
  job: z.string(),
  user: z.string(),
  /** Receipts of older versions tell none. */
  account: z.string().optional(),
  at: time,
  kind: z.enum(['decision', 'outcome']),
  verdict: z.enum(['burst', 'wait', 'never']),
  /** In one sentence. */
  text: z.string(),
  burst: z.string().optional(),
  group: z.string().optional(),
  because: z.array(
    z.strictObject({ rule: z.string(), pass: z.boolean(), measured: z.string(), limit: z.string() }),
  ),
  /** What it was made from; decisions of older versions tell none. */
  basis: z
    .strictObject({
      /** SHA-256 of the policy with its budgets, node groups and prices. */
      policy: z.string(),
      /** The version that it is; absent: the configuration file's. */
      policyVersion: z.number().optional(),
      /** When it would have started here, in ms from the look at the queue. */
      forecast: z
        .strictObject({
          by: z.string(),
          startsIn: z.union([
            z.literal('never'),
            z.strictObject({ p10Ms: z.number(), p50Ms: z.number(), p90Ms: z.number() }),
          ]),
        })
        .optional(),
      /** When the node group would have had it running; `measured`: from so many of this site's own bursts. */
      ready: z
        .strictObject({ group: z.string(), p50Ms: z.number(), p90Ms: z.number(), measured: z.number() })
        .optional(),
      /** What carrying its data takes, within `ready` and the offer's cost; absent: nothing is carried. */
      data: z
        .union([
          z.literal('unknown'),
          z.strictObject({
            from: z.enum(['script', 'earlier']),
            jobs: z.number(),
            in: carriedLeg,
            out: carriedLeg,
          }),
        ])
        .optional(),
      /** What is bought where it bursts [domain/decision.ts, OfferTold]. */
      offer: z
        .strictObject({
          ...{ group: z.string(), type: z.string(), zones: z.array(z.string()).readonly() },
          capacity: z.enum(['spot', 'on-demand']),
          perHourMicroUsd: z.number().optional(),
          expectedMicroUsd: z.number().optional(),
          worstMicroUsd: z.number().optional(),
          capMicroUsd: z.number().optional(),
          /** ms since 1970. */
          spotPriceSince: z.number().optional(),
          expectedStartMs: z.number().optional(),
          expectedEndMs: z.number().optional(),
          /** ms since 1970. */
          pricedFrom: z.number().optional(),
          noCapacity: z.number(),
          interrupted: z.number(),
          measured: z.number(),
          savesMs: z.union([z.number(), z.literal('never starts here')]).optional(),
        })
        .optional(),
      /** What else would have held it, and why it was not taken. */
      passedOver: z
        .array(
          z.strictObject({
            group: z.string(),
            capacity: z.enum(['spot', 'on-demand']),
            type: z.string().optional(),
            expectedMicroUsd: z.number().optional(),
            why: z.string(),
          }),
        )
        .readonly()
        .optional(),
    })
    .optional(),
});
export type DecisionView = z.output<typeof decisionView>;

/** One budget and what counts against it now. Money is in whole micro-dollars, so that sums are exact. */
export const budgetView = z.strictObject({
  cluster: z.string(),
  /** Absent: of all accounts together. */
  account: z.string().optional(),
  /** Absent: of all users together. */
  user: z.string().optional(),
  /** Where it is written: `policy`, `csv budgets.csv line 4`, `ColdFront host allocation 17`. */
  source: z.string(),
  per: z.enum(periods),
  since: time,
  hard: z.boolean(),
  limitMicroUsd: z.number(),
  /** The most that bursts under way can still cost. */
  heldMicroUsd: z.number(),
  spentMicroUsd: z.number(),
});
export type BudgetView = z.output<typeof budgetView>;

/** One machine in the cloud, from the wish for it to its end. */
export const instanceView = z.strictObject({
  id: z.string(),
  cluster: z.string(),
  group: z.string(),
  state: z.enum(instanceStates),
  since: time,
  created: time,
  ready: time.optional(),
  ended: time.optional(),
  cloudId: z.string().optional(),
  type: z.string().optional(),
  zone: z.string().optional(),
  capacity: z.enum(['spot', 'on-demand']),
  /** Since when the cloud takes it back. */
  reclaimed: time.optional(),
  node: z.string().optional(),
  why: z.string().optional(),
  trouble: z.strictObject({ since: time, text: z.string() }).optional(),
});
export type InstanceView = z.output<typeof instanceView>;

export const nothingAsked = z.strictObject({});

/** One cluster's stop switch. */
export const stopView = z.strictObject({
  cluster: z.string(),
  stopped: z.boolean(),
  by: z.string().optional(),
  since: time.optional(),
  reason: z.string().optional(),
});
export type StopView = z.output<typeof stopView>;

/** A node group of one cluster; `drained`: nothing is launched in it and nothing new goes there. */
export const capacityView = z.strictObject({
  cluster: z.string(),
  group: z.string(),
  /** Most instances at a time. */
  max: z.number(),
  /** Those that are not gone, by state. */
  instances: z.record(z.string(), z.number()),
  /** Of them past their maximum age. */
  old: z.number(),
  /** Its last instances all failed to boot: nothing is launched, until its time is over or somebody resumes it. */
  halted: z.strictObject({ since: time, reason: z.string() }).optional(),
  drained: z.boolean(),
  by: z.string().optional(),
  since: time.optional(),
  reason: z.string().optional(),
});
export type CapacityView = z.output<typeof capacityView>;

/** One cluster's ramp: `limits` says whether it holds mode auto back now. */
export const rampView = z.strictObject({
  cluster: z.string(),
  limits: z.boolean(),
  /** Absent: none is configured. */
  day: z
    .strictObject({
      jobs: z.number(),
      jobsAtMost: z.number(),
      /** The most that today's bursts under way can cost, and what those that ran did cost. */
      microUsd: z.number(),
      microUsdAtMost: z.number(),
    })
    .optional(),
  lifted: z.strictObject({ by: z.string(), since: time, reason: z.string().optional() }).optional(),
});
export type RampView = z.output<typeof rampView>;

/** Text for the audit: so many characters, none of them a control character. */
const words = (most: number, description: string) =>
  shownAs(
    z
      .string()
      .refine((v) => [...v].length <= most, `longer than ${most} characters`)
      .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'holds a control character')
      .trim(),
    { type: 'string', maxLength: most, pattern: '^[^\\x00-\\x1f\\x7f-\\x9f]*$', description },
  );

/** Who gives an order; only an API without authentication asks for it, with it the caller is who acts. Stands in the audit, as the reason does. */
export const by = words(
  100,
  'Who acts, where the API has no authentication; with it, whoever asks, and this counts for nothing.',
).optional();
export const reason = words(500, 'Stands in the audit.').default('');

/** Turns the switch of all clusters. */
export const stopOrder = z.strictObject({ stopped: z.boolean(), by, reason });

/** Drains a node group, or all of them, in every cluster; or takes that back. */
export const capacityOrder = z.strictObject({
  drained: z.boolean(),
  group: z.string().min(1).max(200).optional(),
  by,
  reason,
});

/** Lifts the ramp of all clusters, or puts it back. */
export const rampOrder = z.strictObject({ lifted: z.boolean(), by, reason });

/** A person's word on a quote. */
export const approvalOrder = z.strictObject({ approved: z.boolean(), by, reason });

/** An order whose address says what is ordered. */
export const plainOrder = z.strictObject({ by, reason });

/** Lets somebody else answer one quote. */
export const delegateOrder = z.strictObject({
  to: z
    .string()
    .regex(unixName, 'no Unix name; write who may answer it')
    .describe('Who may answer it, by his Unix name: somebody of its account in Slurm.'),
  until: z.iso
    .datetime({ offset: true, error: 'no time; write one such as 2026-01-05T08:00:00Z' })
    .optional()
    .describe(
      'Until then, or until the quote ends, whichever is first. A time that is over takes back what he was given.',
    ),
  by,
  reason,
});

/** What a user orders of a job of his in Slurm. */
export const jobOrder = z.strictObject({
  cluster: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('Where several clusters have a job of that number.'),
  reason,
});

/** An order that Slurm has carried out. */
export const jobOrderView = z.strictObject({
  ...{ cluster: z.string(), job: z.string(), ordered: z.enum(['hold', 'release']) },
  /** As whom. */
  user: z.string(),
  at: time,
});

/** A job that came back, and who let it burst again. */
export const againView = z.strictObject({
  cluster: z.string(),
  job: z.string(),
  by: z.string(),
  since: time,
  reason: z.string().optional(),
});
export type AgainView = z.output<typeof againView>;

/** All that is known of one job. */
export const storyView = z.strictObject({
  cluster: z.string(),
  job: z.string(),
  decision: z
    .strictObject({
      ...decisionView.shape,
      /** How often the same verdict came again, and when last. */
      seenAgain: z.number(),
      lastSeen: time,
    })
    .optional(),
  bursts: z.array(
    z.strictObject({
      ...burstView.shape,
      heldMicroUsd: z.number().optional(),
      steps: z.array(z.strictObject({ at: time, to: z.string(), why: z.string() })),
    }),
  ),
});
export type StoryView = z.output<typeof storyView>;

const spans = { h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;
const longestSpan = 400;

/** How far back a report looks. */
export const reportQuery = z.strictObject({
  since: shownAs(
    z
      .string()
      .regex(/^[1-9]\d{0,4}[hdw]$/, 'no span; write one such as 12h, 30d or 4w')
      .transform((text) => Number(text.slice(0, -1)) * spans[text.slice(-1) as keyof typeof spans])
      .refine((ms) => ms <= longestSpan * spans.d, `longer than ${longestSpan} days`),
    {
      type: 'string',
      // Up to 400 days, in each of them.
      pattern: `^(([1-9]\\d{0,2}|[1-8]\\d{3}|9[0-5]\\d{2}|9600)h|([1-9]\\d?|[1-3]\\d{2}|400)d|([1-9]|[1-4]\\d|5[0-7])w)$`,
    },
  ),
});

const number = z.number();

/** What a span of one cluster's decisions came to. Numbers of jobs and bursts, unless the name says otherwise. */
export const reportView = z.strictObject({
  cluster: z.string(),
  mode: z.enum(['observe', 'approve', 'auto']),
  since: time,
  until: time,
  /** Decisions to burst that nobody carried out, held against what the jobs did here. */
  would: z.strictObject({
    decided: number,
    /** Of those, whom the cloud would have had before they started here. */
    bursts: number,
    savedMs: number,
    /** At most: on the dearest type that may come. */
    microUsd: number,
    tooSoon: number,
    unfinished: number,
    /** Of how many something is not known: how long the cloud takes, a price, a forecast, today's policy. */
    unknown: z.strictObject({ ready: number, price: number, forecast: number, policy: number }),
    forecasts: z.strictObject({ known: number, within: number, medianErrorMs: number.optional() }),
    accounts: z.array(
      z.strictObject({ account: z.string(), jobs: number, savedMs: number, microUsd: number }),
    ),
  }),
  /** Bursts that were begun. What they saved is by the forecasts of the day. */
  done: z.strictObject({
    ...{ begun: number, ran: number, running: number, back: number, waitedMs: number, savedMs: number },
    ...{ withoutForecast: number, microUsd: number, withoutPrice: number, more: z.boolean() },
  }),
  /** Rows of sacct that could not be read. */
  unread: number,
});
export type ReportView = z.output<typeof reportView>;
