import { z } from 'zod';
import { burstStates } from '../domain/burst.ts';
import { roles } from '../domain/caller.ts';
import { jobFlags, jobStates } from '../domain/job.ts';
import { problemCodes } from './problem.ts';
import { burstView, shownAs, time } from './schemas.ts';

/** What portals ask for and are answered. */

/** A name as Slurm or this gateway has it, in a query. */
const name = shownAs(
  z
    .string()
    .min(1)
    .max(256)
    .regex(/^\P{Cc}+$/u, 'holds a control character'),
  { type: 'string', pattern: '^[^\\x00-\\x1f\\x7f-\\x9f]{1,128}$' },
);

const limit = shownAs(
  z
    .string()
    .regex(/^\d{1,4}$/, 'write a whole number from 1 to 1000')
    .transform(Number)
    .refine((n) => n >= 1 && n <= 1000, 'write a whole number from 1 to 1000')
    .default(100),
  { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
);

const instantAsked = z.iso.datetime({
  offset: true,
  error: 'no time; write one such as 2026-01-05T08:00:00Z',
});
const flag = z.enum(['true', 'false']).optional();

/** `next` of the page before. */
const cursor = z.string().min(1).max(2048).optional();
const page = { limit, cursor };
const span = { from: instantAsked.optional(), to: instantAsked.optional() };
const whose = { cluster: name.optional(), user: name.optional(), account: name.optional() };

export const pageQuery = z.strictObject(page);

export const burstsQuery = z.strictObject({
  ...page,
  ...whose,
  ...span,
  live: flag,
  state: z.enum(burstStates).optional(),
});

const decisionFilters = {
  ...whose,
  ...span,
  verdict: z.enum(['burst', 'wait', 'never']).optional(),
  kind: z.enum(['decision', 'outcome']).optional(),
  rule: name.optional().describe('A rule that did not hold.'),
  job: z
    .string()
    .regex(/^\d{1,10}(_\d{1,10})?$/, 'write 4711 or 4711_3')
    .optional(),
};
export const decisionsQuery = z.strictObject({ ...page, ...decisionFilters });
export const decisionCountsQuery = z.strictObject(decisionFilters);

const byVerdict = { burst: z.number(), wait: z.number(), never: z.number() };
export const decisionCountsView = z.strictObject({
  /** Whether a list of them would be one page or a thousand. */
  decisions: z.number(),
  since: z
    .string()
    .optional()
    .describe('More fit than are counted at once: these are the newest 200,000, all from this moment on.'),
  verdicts: z.strictObject(byVerdict),
  /** Rules that did not hold, the most frequent first; a decision counts with each of its own. */
  rules: z.array(z.strictObject({ rule: z.string(), ...byVerdict })),
});
export type DecisionCountsView = z.output<typeof decisionCountsView>;

export const ledgerQuery = z.strictObject({
  ...page,
  ...whose,
  ...span,
  burst: name.optional().describe('The id of a burst.'),
  state: z.enum(['held', 'settled']).optional(),
});

export const auditQuery = z.strictObject({
  ...page,
  ...span,
  subject: name
    .optional()
    .describe(
      'A burst, an instance, stop/CLUSTER, ramp/CLUSTER, policy/CLUSTER, policy-version/N, token/ID or order/UUID.',
    ),
});

export const instancesQuery = z.strictObject({ ...page, cluster: name.optional(), live: flag });

const seenStates = [...jobStates, ...jobFlags, 'UNKNOWN'] as const;

const ofQueue = {
  ...whose,
  partition: name.optional(),
  state: z.enum(seenStates).optional(),
  rule: name.optional().describe('A rule that kept it here, by the newest decision on it.'),
  burst: z.enum(burstStates).optional().describe('The state of its burst under way.'),
  q: name.optional().describe('Text that stands in its number, name, user or account, whatever the case.'),
};

export const jobsQuery = z.strictObject({ ...page, ...ofQueue });

export const countsQuery = z.strictObject({
  ...ofQueue,
  by: z.enum(['account', 'partition', 'rule', 'state', 'user']),
});

const jobNumber = z.string().regex(/^\d{1,10}(_\d{1,10})?$/, 'no job id; write 4711 or 4711_3');

/** So many jobs are asked about at once. */
export const costsAtMost = 500;

export const costsOrder = z.strictObject({
  jobs: z
    .array(z.strictObject({ cluster: z.string().min(1).max(200), job: jobNumber }))
    .max(costsAtMost)
    .describe('As `GET /jobs` names them; an array by its bare id stands for its tasks.'),
});

export const jobPath = z.strictObject({
  id: jobNumber.describe('4711, or 4711_3 for an array task.'),
});

export const burstPath = z.strictObject({
  id: z
    .string()
    .regex(/^[\w-]{1,64}$/, 'no burst id; see /api/v1/bursts')
    .describe('The id of a burst.'),
});

export const decisionPath = z.strictObject({ id: z.uuid({ error: 'no id of a receipt' }) });

/** One line of the queue, as the last look saw it. */
export const queueJobView = z.strictObject({
  cluster: z.string(),
  job: z.string(),
  jobId: z.number(),
  arrayTask: z.string().optional(),
  user: z.string(),
  account: z.string(),
  name: z.string(),
  partition: z.string(),
  qos: z.string(),
  /** Slurm's own word; none is folded into another. */
  state: z.enum(seenStates),
  /** Slurm's word for why it waits. */
  reason: z.string(),
  submitted: time,
  eligible: time.optional(),
  started: time.optional(),
  cpus: z.number(),
  nodes: z.number(),
  /** Absent: unlimited, or its partition's. */
  timeLimitMs: z.number().optional(),
  restarts: z.number(),
  nodeList: z.string(),
  burst: z.strictObject({ id: z.string(), state: z.enum(burstStates) }).optional(),
});
export type QueueJobView = z.output<typeof queueJobView>;

/** Jobs of the last look that have something in common. */
export const jobCountView = z.strictObject({
  cluster: z.string(),
  /** The account, partition, rule, state or user. */
  key: z.string(),
  jobs: z.number(),
  pending: z.number(),
  running: z.number(),
  cpus: z.number(),
  /** The one that could have run for longest and waits still. */
  oldest: z.strictObject({ job: z.string(), user: z.string(), since: time }).optional(),
});
export type JobCountView = z.output<typeof jobCountView>;

/** A burst under way and what it would cost. */
export const burstCostView = z.strictObject({
  ...{ burst: z.string(), cluster: z.string(), job: z.string(), user: z.string(), account: z.string() },
  ...{ name: z.string(), state: z.enum(burstStates) },
  /** It waits for a person's word. */
  open: z.boolean(),
  /** By the decision that began it; absent: that tells none. */
  expectedMicroUsd: z.number().optional(),
  /** What it was offered at, or holds; absent: no price is known. */
  maxMicroUsd: z.number().optional(),
});
export type BurstCostView = z.output<typeof burstCostView>;

/** Bursts under way of a cluster in one state. */
export const burstCountView = z.strictObject({
  ...{ cluster: z.string(), state: z.enum(burstStates), bursts: z.number() },
});
export type BurstCountView = z.output<typeof burstCountView>;

/** A burst that stands out among all under way. */
const notable = { cluster: z.string(), job: z.string(), user: z.string(), account: z.string() };
export const burstCountsView = z.strictObject({
  counts: z.array(burstCountView),
  /** Whose script has run longest and runs still. */
  longest: z.strictObject({ ...notable, started: time }).optional(),
  /** The most that it can cost; absent: none holds anything. */
  costliest: z.strictObject({ ...notable, heldMicroUsd: z.number() }).optional(),
});
export type BurstCountsView = z.output<typeof burstCountsView>;

/** How old what is told of a cluster is. Without `at` this gateway has not looked at its queue. */
export const sightView = z.strictObject({
  cluster: z.string(),
  at: time.optional(),
  partial: z.array(z.string()),
});
export type SightView = z.output<typeof sightView>;

export const stepView = z.strictObject({
  at: time,
  from: z.string().optional(),
  to: z.string(),
  why: z.string(),
  /** In that state until the next step; absent: it is there still. */
  forMs: z.number().optional(),
});
export type StepView = z.output<typeof stepView>;

export const burstFactsView = z.strictObject({
  ...burstView.shape,
  /** When this run of its job was submitted, or requeued, by Slurm's clock. */
  submitted: time.optional(),
  /** The most that it can cost, held before anything was bought. */
  heldMicroUsd: z.number().optional(),
  image: z
    .strictObject({
      name: z.string(),
      from: z.string(),
      pinned: z.string().optional(),
      unpinned: z.string().optional(),
      signedBy: z.string().optional(),
      id: z.string().optional(),
    })
    .optional(),
  machine: z.string().optional(),
  /** How Slurm says that the run ended: FAILED, CANCELLED, TIMEOUT, OUT_OF_MEMORY… stay what they are. */
  end: z.strictObject({ state: z.string(), code: z.number(), signal: z.number() }).optional(),
  timeline: z.array(stepView),
});
export type BurstFactsView = z.output<typeof burstFactsView>;

export const jobFactsView = z.strictObject({
  cluster: z.string(),
  job: z.string(),
  /** Slurm's word: of the queue while it is there, of the run's end after. UNKNOWN: neither is known here. */
  state: z.string(),
  exit: z.strictObject({ code: z.number(), signal: z.number() }).optional(),
  /** In words, where there is something to say. */
  reason: z.string().optional(),
  queue: queueJobView.optional(),
  /** Newest first. */
  bursts: z.array(burstFactsView),
});
export type JobFactsView = z.output<typeof jobFactsView>;

export const ledgerView = z.strictObject({
  burst: z.string(),
  cluster: z.string(),
  account: z.string(),
  user: z.string().optional(),
  /** The node group; absent: the burst or instance is kept no more. */
  group: z.string().optional(),
  /** The most that it can still cost while `held`, what it cost once `settled`. */
  microUsd: z.number(),
  state: z.enum(['held', 'settled']),
  at: time,
});
export type LedgerView = z.output<typeof ledgerView>;

export const groupView = z.strictObject({
  name: z.string(),
  cluster: z.string(),
  types: z.array(z.string()),
  zones: z.array(z.string()),
  maxInstances: z.number(),
  /** Of those that live, by state. */
  instances: z.record(z.string(), z.number()),
  bursts: z.number(),
  /** Micro-dollars an hour by type; a type without one is not bought under a budget. */
  microUsdPerHour: z.record(z.string(), z.number()),
  /** What the cloud had none of a moment ago, or took back, and is not asked for until then; absent: another gateway leads the cluster, and knows. */
  lacks: z
    .array(
      z.strictObject({
        ...{ type: z.string(), zone: z.string(), capacity: z.enum(['spot', 'on-demand']), until: time },
        why: z
          .enum(['none', 'quota', 'full', 'reclaimed'])
          .describe(
            'The cloud had none; the quota of the account did not hold more; the subnet of the zone has no address left; one was taken back.',
          ),
      }),
    )
    .optional(),
});
export type GroupView = z.output<typeof groupView>;

/** Instances that may cost something, all of them. */
export const upView = z.strictObject({
  instances: z.number(),
  /** Micro-dollars an hour, by the node groups' list prices. */
  microUsdPerHour: z.number(),
  /** Of those instances, the ones that no list price is known of: they count nothing above. */
  unpriced: z.number(),
});
export type UpView = z.output<typeof upView>;

/** What waits in one partition. */
export const backlogView = z.strictObject({
  partition: z.string(),
  pending: z.number(),
  running: z.number(),
  pendingCpus: z.number(),
  /** Since when the job that has waited longest could have run. */
  oldest: time.optional(),
  /** When the newest job there that waits, that the asker sees, and that has a forecast would start here: in ms from `at`, when that was decided. */
  starts: z
    .strictObject({
      job: z.string(),
      at: time,
      startsIn: z.union([
        z.literal('never'),
        z.strictObject({ p10Ms: z.number(), p50Ms: z.number(), p90Ms: z.number() }),
      ]),
    })
    .optional(),
});

export const forecastView = z.strictObject({
  ...sightView.shape,
  /** On a look that is older, by the answer's `now`, nothing is begun. */
  staleAfterMs: z.number(),
  backlog: z.array(backlogView),
  /** What came of earlier forecasts of starts here, as drawn. */
  accuracy: z.strictObject({
    known: z.number(),
    /** Of those, which started within what was forecast (10 to 90 %). */
    within: z.number(),
    medianErrorMs: z.number().optional(),
  }),
});
export type ForecastView = z.output<typeof forecastView>;

export const eventView = z.strictObject({
  at: time,
  kind: z.enum(['burst', 'instance', 'stop', 'ramp', 'token', 'drain', 'breaker', 'order', 'policy']),
  subject: z.string(),
  cluster: z.string().optional(),
  job: z.string().optional(),
  user: z.string().optional(),
  from: z.string().optional(),
  to: z.string(),
  why: z.string(),
});
export type EventView = z.output<typeof eventView>;

export const deadDeliveriesQuery = z.strictObject({
  ...page,
  hook: name.optional().describe('The name of a webhook.'),
});

export const deliveryPath = z.strictObject({ id: z.uuid({ error: 'no id of a delivery' }) });

export const hookView = z.strictObject({
  name: z.string(),
  /** Without its query. */
  url: z.string(),
  waiting: z.number(),
  /** Given up. */
  dead: z.number(),
  /** Since when the oldest waits. */
  oldest: time.optional(),
  /** Of the last that failed and waits. */
  why: z.string().optional(),
});

export const deadDeliveryView = z.strictObject({
  id: z.string(),
  webhook: z.string(),
  /** The event's id, as in the event stream. */
  event: z.string(),
  body: z.string(),
  tries: z.number(),
  first: time,
  /** When it was given up. */
  since: time,
  why: z.string().optional(),
});

export const auditView = z.strictObject({
  ...eventView.shape,
  seq: z.number(),
  /** Of the chain: `spillway audit verify` holds the store against them. */
  prev: z.string(),
  hash: z.string(),
});
export type AuditView = z.output<typeof auditView>;

export const meView = z.strictObject({
  name: z.string(),
  role: z.enum(roles),
  /** open: nobody is asked who he is, and only this host comes by; slurm: by a token of Slurm's. */
  by: z.enum(['open', 'token', 'oidc', 'slurm']),
  token: z.string().optional(),
  /** read: the token gives no orders; absent: it does what its role may. */
  scope: z.literal('read').optional(),
  /** Accounts whose jobs he sees beside his own, by the slurmdbd of each cluster; absent: none. */
  coordinates: z.array(z.strictObject({ cluster: z.string(), accounts: z.array(z.string()) })).optional(),
});
export type MeView = z.output<typeof meView>;

/** What a page must know to sign somebody in at the identity provider: by authorization code with PKCE, as a client without a secret. */
export const loginView = z.strictObject({
  /** Absent: none is configured, and a token is all there is. */
  oidc: z
    .strictObject({
      issuer: z.string(),
      name: z.string(),
      clientId: z.string(),
      scopes: z.array(z.string()),
      /** What the provider is to ask each time. */
      prompt: z.string().optional(),
      /** Where the token endpoint may be besides the issuer's own origin. */
      tokenOrigin: z.string().optional(),
      clockSkewMs: z.number(),
    })
    .optional(),
});
export type LoginView = z.output<typeof loginView>;

/** RFC 9457. */
export const problemView = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  code: z.enum(Object.keys(problemCodes) as [keyof typeof problemCodes]),
  detail: z.string().optional(),
  field: z.string().optional(),
  request: z.string().optional(),
  /** bad_policy: all that is wrong with it; lines and columns count from 1. */
  problems: z
    .array(
      z.strictObject({
        field: z.string(),
        text: z.string(),
        line: z.number().optional(),
        column: z.number().optional(),
      }),
    )
    .optional(),
});

export const paged = <T extends z.ZodType, K extends string>(key: K, of: T) =>
  z.strictObject({ [key]: z.array(of), next: z.string().optional() } as Record<K, z.ZodArray<T>> & {
    next: z.ZodOptional<z.ZodString>;
  });
