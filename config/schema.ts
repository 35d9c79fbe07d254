import { z } from 'zod';
import { api, proxy, tls } from './api.ts';
import { budget, budgetsFrom, pricesFrom } from './budgets.ts';
import { offers } from './devices.ts';
import { compile, ExpressionError, longestExpression } from './expression.ts';
import { images } from './images.ts';
import { audit, queue, retention, store } from './keeping.ts';
import { scheduling } from './scheduling.ts';
import { staging } from './staging.ts';
import { tenants } from './tenants.ts';
import {
  address,
  duration,
  form,
  isLoopback,
  list,
  oneOf,
  shown,
  size,
  taint,
  text,
  whole,
} from './units.ts';

/**
 * The configuration: this schema is its types, its documentation and its JSON Schema. What it accepts works; what a later
 * version will add is named in `notYet` (problems.ts) and refused with words of its own. Times become milliseconds, sizes bytes.
 */

const partition = (doc: string) =>
  form(doc, /^[A-Za-z0-9_.-]+$/, 'write the name of one Slurm partition, such as batch');

const slurm = z.strictObject({
  via: oneOf('How the gateway speaks to Slurm.', ['ssh']),
  host: text('A host with the Slurm commands.', 'write its name or address, such as login1'),
  port: whole('Its SSH port.', 1, 65535).default(22),
  user: text(
    'A Slurm Operator; watching (mode: observe) needs no rights.',
    'write the account, such as spillway',
  ),
  hostKey: form(
    "The host's key, pinned by its SHA-256 fingerprint.",
    /^SHA256:[A-Za-z0-9+/]{43}$/,
    'run ssh-keyscan HOST | ssh-keygen -lf - and write the fingerprint, SHA256:…',
  ),
  keyFile: text("The account's private key.", 'write the path of a private key'),
  env: z
    .record(
      form(
        'A variable.',
        /^[A-Za-z_][A-Za-z0-9_]*$/,
        'write the name of an environment variable, such as SLURM_CONF',
      ),
      z.string({ error: 'not text; put it in quotes' }),
    )
    .default({})
    .describe('Put before every command, such as SLURM_CONF.'),
});

const cluster = z
  .strictObject({
    name: form(
      "The cluster's name in Spillway; also in the relay's certificate.",
      /^[a-z0-9]([a-z0-9_-]{0,38}[a-z0-9])?$/,
      'write up to 40 small letters, digits, - and _, such as hpc1',
    ),
    slurm,
    watch: list(
      'Partitions whose backlog may overflow.',
      partition('A partition.'),
      0,
      '[batch, gpu]',
    ).default([]),
    explicit: partition(
      'A partition that is DOWN, through which users ask for the cloud: sbatch -p cloud.',
    ).optional(),
    waitPartition: partition('A partition that is DOWN, where a requeued attempt waits.').default(
      'burst_wait',
    ),
    burstPartition: partition('The partition of the virtual nodes, where a burst runs.').default('burst'),
    claim: oneOf('When a job is moved: late = when its pods wait for it.', ['late', 'early']).default('late'),
    mode: oneOf(
      'observe = decide and record, touch nothing; approve = a person says yes to each burst; auto = what the policy decides is done.',
      ['observe', 'approve', 'auto'],
    ).default('observe'),
    ramp: z
      .union(
        [
          z.literal('off'),
          z.strictObject({
            jobsPerDay: whole('Most bursts in a day (UTC).', 1, 1_000_000).default(5),
            usdPerDay: z
              .number({ error: 'not a number; write US dollars a day, such as 50' })
              .positive({ error: 'must be above 0; write US dollars a day, such as 50' })
              .max(1_000_000_000, { error: 'above a thousand million dollars a day; write ramp: off' })
              .default(50)
              .describe('Most dollars in a day (UTC), by the most that bursts under way can cost.'),
          }),
        ],
        { error: 'write { jobsPerDay: 5, usdPerDay: 50 }, or off' },
      )
      .prefault({})
      .describe(
        'Mode auto: what may be done in a day until a named person lifts it (spillway ramp lift). off: a site that knows what it does.',
      ),
    charge: oneOf(
      "What a burst is charged to: cloud = budgets in dollars alone, allocation = the account's Slurm allocation and fairshare alone, both. Slurm does its part by TRESBillingWeights of burstPartition; doctor compares.",
      ['cloud', 'allocation', 'both'],
    ).default('cloud'),
    onLost: oneOf(
      'A job whose pod was lost, once its instance is terminated: fail = it ends as FAILED, requeue = it runs again where its --requeue allows.',
      ['fail', 'requeue'],
    ).default('fail'),
    onFailure: z
      .strictObject({
        nodeLost: oneOf('Its node was lost, or out of sight for lostAfter.', ['fail', 'requeue']).optional(),
        podEvicted: oneOf('Its kubelet evicted it.', ['fail', 'requeue']).optional(),
        podLost: oneOf('Somebody deleted or killed it.', ['fail', 'requeue']).optional(),
      })
      .prefault({})
      .describe('The same by how it was lost; onLost where one is left out.'),
    pollSeconds: whole('How often the queue is looked at.', 1, 3600).default(30),
  })
  .superRefine((c, ctx) => {
    const refuse = (path: (string | number)[], message: string) =>
      ctx.addIssue({ code: 'custom', path, message });
    if (c.claim === 'early') refuse(['claim'], 'early is not built yet; write late, or leave it out');
    if (c.watch.length === 0 && c.explicit === undefined)
      refuse([], 'neither watch nor explicit is given, so no job could ever burst; write watch: [batch]');
    if (c.waitPartition === c.burstPartition)
      refuse(['waitPartition'], `the same as burstPartition; jobs run in one and wait in the other`);
    if (c.explicit !== undefined && (c.explicit === c.burstPartition || c.explicit === c.waitPartition))
      refuse(
        ['explicit'],
        `"${c.explicit}" is where bursts run or wait; write a partition of its own, such as cloud`,
      );
    c.watch.forEach((p, i) => {
      if (p === c.burstPartition || p === c.waitPartition)
        refuse(['watch', i], `"${p}" is where bursts run or wait; take it out of watch`);
      else if (p === c.explicit) refuse(['watch', i], `"${p}" is explicit already; take it out of watch`);
    });
  })
  .transform(({ pollSeconds, ramp, ...c }) => ({
    ...c,
    claim: 'late' as const,
    pollMs: pollSeconds * 1000,
    ramp:
      ramp === 'off'
        ? undefined
        : { jobsPerDay: ramp.jobsPerDay, microUsdPerDay: Math.round(ramp.usdPerDay * 1_000_000) },
  }));

const file = (doc: string) => text(doc, 'write the path of a file');

const listen = z
  .strictObject({
    http: address(
      'API, health and metrics. Beyond loopback only with authentication (api) and with tls or behind a trustedProxy.',
      '127.0.0.1:8080',
    ).prefault('127.0.0.1:8080'),
    relay: address("Where the burst hosts' relays connect, by mutual TLS.", '0.0.0.0:8443').prefault(
      '0.0.0.0:8443',
    ),
    cert: file("The gateway's certificate for relays (PEM); mode observe needs none.").optional(),
    key: file('Its private key.').optional(),
    clientCa: file(
      "The CA that signs the relays' certificates; a relay's common name is its cluster.",
    ).optional(),
    tls: tls.optional().describe('listen.http speaks HTTPS.'),
    trustedProxy: list(
      'Proxies in front of listen.http that speak HTTPS with the outside; only they and loopback are answered.',
      proxy,
      1,
      '[10.0.0.5]',
    ).optional(),
  })
  .superRefine((l, ctx) => {
    if (l.tls !== undefined && l.trustedProxy !== undefined)
      ctx.addIssue({
        code: 'custom',
        path: ['trustedProxy'],
        message: 'tls is given too; leave one of them out: who ends the TLS is asked for nothing more',
      });
  });

const kubernetes = z.strictObject({
  kubeconfig: file("The gateway's service account."),
  context: text('A context in it; its current one if left out.', 'write the name of a context').optional(),
  namespaces: z
    .enum(['per-user'], {
      error: (e) =>
        e.input === 'per-account'
          ? 'per-account would let admission know only that a pod is of somebody in the account (docs/decisions/0026); write per-user, or leave it out'
          : `${shown(e.input)} is none; write per-user, or leave it out`,
    })
    .default('per-user')
    .describe('One tenant namespace per user.'),
  tenants: tenants
    .optional()
    .describe(
      'For `spillway tenants`: whom it sets up a namespace for. The gateway itself reads none of it.',
    ),
  agentImage: text(
    'The image of keeper and agent.',
    'write an image, such as registry.example.org/spillway/agent:1',
  ),
  imagePullPolicy: oneOf('As in Kubernetes.', ['Always', 'IfNotPresent', 'Never']).default('IfNotPresent'),
  keeperPort: whole("The keeper's port in each pod.", 1, 65535).default(7701),
  scheduling: scheduling
    .optional()
    .describe('For clusters that have another scheduler, priority classes, pod groups or queues.'),
});

const mount = z.strictObject({
  path: form('Where it is seen, as on the cluster.', /^\/[^\s]*$/, 'write an absolute path, such as /home'),
  claim: text("A PersistentVolumeClaim in the user's namespace.", 'write the name of a claim, such as home'),
});

const nodeGroup = z
  .strictObject({
    name: form(
      'As in labels, receipts and reports.',
      /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/,
      'write up to 40 small letters, digits and -, such as cpu',
    ),
    provider: oneOf('Who makes its nodes.', ['ec2']),
    region: form('The AWS region.', /^[a-z0-9-]+$/, 'write a region, such as eu-central-1'),
    endpoint: form(
      "Instead of AWS's own address.",
      /^https?:\/\/\S+$/,
      'write a URL, such as http://127.0.0.1:4566',
    ).optional(),
    launchTemplate: text(
      'Boots a node that joins the cluster by itself; mode observe needs none.',
      'write the name of a launch template',
    ).optional(),
    types: list(
      'Instance types, best first.',
      text('An instance type.', 'write an instance type, such as c7i.4xlarge'),
      1,
      '[c7i.4xlarge, m7i.4xlarge]',
    ),
    zones: list(
      'Zones, by letter or in full.',
      form('A zone.', /^[a-z0-9-]+$/, 'write a zone, such as a'),
      1,
      '[a, b]',
    ),
    vcpuPerCpu: z
      .number({
        error: (e) =>
          `${e.input === undefined ? 'missing' : 'not a number'}; write how many vCPU one Slurm CPU needs: 2 where a Slurm CPU is a core, 1 where it is a hyper-thread`,
      })
      .positive({
        error: 'must be above 0; write 2 where a Slurm CPU is a core, 1 where it is a hyper-thread',
      })
      .max(64, { error: 'above 64 vCPU for one Slurm CPU; write 2 or 1' })
      .describe('How many vCPU of this group one Slurm CPU needs.'),
    memoryOverhead: size('What a node keeps of its memory for kubelet, system and DaemonSets.').prefault(
      '512MiB',
    ),
    capacity: z
      .strictObject({
        max: whole('Most instances at a time.', 1, 100_000),
        spot: oneOf(
          'allowed = bought as spot where that is expected to cost less, and on demand where there is none; never = on demand alone.',
          ['never', 'allowed'],
        ).default('never'),
        spotPercent: whole(
          'The most that is paid for spot, in percent of the price of the type on demand.',
          1,
          100,
        ).default(100),
        idle: duration('An instance without work is given up after this.').prefault('5m'),
        lease: duration(
          'An instance powers itself off when no gateway was heard for this long and no burst runs there: LEASE_SECONDS of its user data.',
        ).prefault('30m'),
        maxAge: duration(
          'An instance that is older gets no new burst, and is given up once it is empty; left out: none is for its age.',
        ).optional(),
      })
      .transform(({ idle, lease, maxAge, spot, spotPercent, ...c }) => ({
        ...c,
        idleMs: idle,
        leaseMs: lease,
        maxAgeMs: maxAge,
        ...(spot === 'allowed' ? { spot: { capPercent: spotPercent } } : {}),
      })),
    prices: z
      .record(
        form('An instance type.', /^[a-z0-9.-]+$/, 'write a type, such as c7i.4xlarge'),
        z
          .number({ error: 'not a number; write US dollars an hour, such as 0.714' })
          .positive({ error: 'must be above 0; write US dollars an hour, such as 0.714' }),
      )
      .optional()
      .describe('US dollars an hour by instance type. Under a budget nothing without a price is bought.'),
    shapes: z
      .record(
        form('An instance type.', /^[a-z0-9.-]+$/, 'write a type, such as c7i.4xlarge'),
        z
          .strictObject({
            vcpus: whole('Its vCPUs.', 1, 10_000),
            memory: size('Its memory.'),
            gpus: whole('Its GPUs.', 0, 1_000).default(0),
          })
          .transform(({ memory, ...t }) => ({ ...t, memoryBytes: memory })),
      )
      .optional()
      .describe(
        'What a type is, by type: for mode observe without Kubernetes, where the cloud is not asked.',
      ),
    joinTimeout: duration(
      'From the launch until its node is Ready; after it the instance is terminated.',
    ).prefault('15m'),
    lostAfter: duration(
      'A pod of which nothing can be known for this long counts as lost: its instance is terminated.',
    ).prefault('10m'),
    taint: taint('The taint of its nodes, which our pods tolerate.').prefault(
      'spillway.dev/burst=true:NoSchedule',
    ),
    ...offers,
  })
  .transform(({ disk, joinTimeout, lostAfter, memoryOverhead, prices, zones, ...g }) => ({
    ...g,
    ...(disk === undefined ? {} : { diskBytes: disk }),
    zones: zones.map((z) => (/^[a-z]$/.test(z) ? `${g.region}${z}` : z)),
    joinTimeoutMs: joinTimeout,
    lostAfterMs: lostAfter,
    prices:
      prices &&
      Object.fromEntries(Object.entries(prices).map(([type, usd]) => [type, Math.round(usd * 1_000_000)])),
    memoryOverheadBytes: memoryOverhead,
  }));

export type Condition =
  | { readonly kind: 'backlog'; readonly pendingJobs: number; readonly forMs: number }
  | {
      readonly kind: 'race';
      readonly startsAtLeastMs: number;
      readonly laterThan: 'cloud' | undefined;
      readonly confidence: number;
    }
  | { readonly kind: 'waited'; readonly forMs: number }
  | { readonly kind: 'short'; readonly timeLimitMs: number }
  | { readonly kind: 'worth'; readonly atLeast: number }
  | { readonly kind: 'deadline'; readonly confidence: number }
  | { readonly kind: 'cel'; readonly expr: string };

/** What each kind of condition is told by, and what belongs to it. */
const conditionKeys = {
  backlog: ['pendingJobs', 'forMinutes'],
  race: ['startsAtLeast', 'laterThan', 'confidence'],
  waited: ['waitedAtLeast'],
  short: ['timeLimitAtMost'],
  worth: ['worthAtLeast'],
  deadline: ['missesDeadline'],
  cel: ['expr'],
} as const;

/** Checked here, so that what is loaded can be told. */
const expression = (doc: string) =>
  text(`${doc} CEL over job, forecast and offer.`, 'write such as job.cpus <= 4')
    .max(longestExpression, { error: `longer than ${longestExpression} characters; write several entries` })
    .superRefine((expr, ctx) => {
      try {
        compile(expr);
      } catch (e) {
        if (!(e instanceof ExpressionError)) throw e;
        ctx.addIssue({ code: 'custom', message: e.message });
      }
    });

const condition = z
  .strictObject({
    pendingJobs: whole('At least this many jobs pend for want of resources.', 1).optional(),
    forMinutes: whole('Of those only jobs count that have pended this long.', 0, 525_600).optional(),
    startsAtLeast: duration('The start race: it would not start here for so long.').optional(),
    laterThan: oneOf('And not before the cloud is ready either.', ['cloud']).optional(),
    confidence: z
      .number({ error: 'not a number; write how sure that must be, from 0.5 to 0.99, such as 0.8' })
      .min(0.5, { error: 'below 0.5 the cloud would lose the race more often than not; write 0.8' })
      .max(0.99, { error: 'above 0.99, of which no forecast is sure; write 0.8' })
      .optional()
      .describe('How sure the start race or a missed deadline must be; 0.8 if left out.'),
    waitedAtLeast: duration('It has waited for so long since it could run.').optional(),
    timeLimitAtMost: duration('Short jobs first: it asks for no more time.').optional(),
    worthAtLeast: z
      .number({ error: 'not a number; write how much it must be worth, such as 10' })
      .positive({ error: 'must be above 0; the less, the more cloud is used; write 10' })
      .optional()
      .describe(
        'What it would still wait here, for each core-hour that it needs, is at least so much; `spillway replay` tells what a number does.',
      ),
    missesDeadline: z
      .literal(true, { error: 'write true, or leave it out' })
      .optional()
      .describe('It has a deadline (--deadline) that it would miss here and make in the cloud.'),
    expr: expression('What must be true.').optional(),
  })
  .transform((c, ctx): Condition => {
    const refuse = (message: string) => {
      ctx.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    const given = Object.entries(conditionKeys).filter(([kind, keys]) =>
      // Two kinds take a confidence.
      keys.some(
        (k) => c[k] !== undefined && !(kind === 'race' && k === 'confidence' && c.missesDeadline === true),
      ),
    );
    if (given.length > 1)
      return refuse(
        `one condition an entry, and here are ${given.map(([, keys]) => keys[0]).join(' and ')}; put each into an entry of policy.or`,
      );
    if (c.pendingJobs !== undefined)
      return { kind: 'backlog', pendingJobs: c.pendingJobs, forMs: (c.forMinutes ?? 0) * 60_000 };
    if (c.startsAtLeast !== undefined)
      return {
        kind: 'race',
        startsAtLeastMs: c.startsAtLeast,
        laterThan: c.laterThan,
        confidence: c.confidence ?? 0.8,
      };
    if (c.waitedAtLeast !== undefined) return { kind: 'waited', forMs: c.waitedAtLeast };
    if (c.timeLimitAtMost !== undefined) return { kind: 'short', timeLimitMs: c.timeLimitAtMost };
    if (c.worthAtLeast !== undefined) return { kind: 'worth', atLeast: c.worthAtLeast };
    if (c.missesDeadline !== undefined) return { kind: 'deadline', confidence: c.confidence ?? 0.8 };
    if (c.expr !== undefined) return { kind: 'cel', expr: c.expr };
    const [kind] = given[0] ?? [];
    if (kind === 'backlog')
      return refuse('pendingJobs is missing; write how many jobs must pend, such as 10');
    if (kind === 'race')
      return refuse('startsAtLeast is missing; write how far off its start must be, such as 30m');
    return refuse(
      'empty; write pendingJobs: 10, startsAtLeast: 30m, waitedAtLeast: 24h, timeLimitAtMost: 1h, worthAtLeast: 10, missesDeadline: true or expr: job.cpus <= 4',
    );
  });

export type NeverRule =
  | { readonly kind: 'nodesAbove'; readonly nodes: number }
  | { readonly kind: 'account'; readonly account: string }
  | { readonly kind: 'partition'; readonly partition: string }
  | { readonly kind: 'cel'; readonly expr: string };

const never = z
  .strictObject({
    nodesAbove: whole('Jobs on more nodes.', 1).optional(),
    account: text('Jobs of this account.', 'write an account').optional(),
    partition: partition('Jobs of this partition.').optional(),
    expr: expression('Jobs of which it is true; where it cannot be told, they wait.').optional(),
  })
  .transform((n, ctx): NeverRule => {
    if (Object.keys(n).length === 1) {
      if (n.nodesAbove !== undefined) return { kind: 'nodesAbove', nodes: n.nodesAbove };
      if (n.account !== undefined) return { kind: 'account', account: n.account };
      if (n.partition !== undefined) return { kind: 'partition', partition: n.partition };
      if (n.expr !== undefined) return { kind: 'cel', expr: n.expr };
    }
    ctx.addIssue({
      code: 'custom',
      message:
        'one rule an entry; write - nodesAbove: 16, - account: restricted, - partition: debug or - expr: job.cpus > 64',
    });
    return z.NEVER;
  });

/** Measured: 4 to 10 s for a look at 10,000 jobs on two busy cores, ten times the default. */
const mostPlayed = 500_000;

const policy = z
  .strictObject({
    burstWhen: condition.optional().describe('When a job of a watched partition may burst.'),
    or: list('More of them; any one is enough.', condition, 0, '[{ pendingJobs: 100 }]').default([]),
    never: list('Jobs that stay, whatever the backlog.', never, 0, '[{ nodesAbove: 16 }]').default([]),
    maxBursts: whole(
      'Most bursts of a cluster at a time; a job of several nodes counts for each.',
      1,
      100_000,
    ).default(100),
    maxTime: duration('Jobs with a longer time limit stay.').optional(),
    limitMargin: duration(
      'Money is held for so long beyond a time limit: Slurm looks at limits every 30 s, and KillWait comes after.',
    ).prefault('10m'),
    staleAfterPolls: whole(
      'Nothing is begun on a look at the queue that is older than so many times pollSeconds (10 s at least).',
      1,
      1000,
    ).default(5),
    translation: oneOf(
      'What may burst: emulated = jobs whose options mean the same in the cloud or have the same results there, exact = only the former (docs/directives.md).',
      ['exact', 'emulated'],
    ).default('emulated'),
    spot: oneOf(
      'Which jobs may go on spot (nodeGroups[].capacity.spot): requeueable = those that Slurm may run again, any = also those with --no-requeue, which fail where their instance is taken back.',
      ['requeueable', 'any'],
    ).default('requeueable'),
    backOff: duration(
      'A job that was given back, or whose quote was declined or ran out, is left alone this long; who comes back again twice as long each time, and must gain twice as much by a burst.',
    ).prefault('30m'),
    returns: whole('A job that was given back so often stays, unless it is submitted anew.', 1, 100).default(
      3,
    ),
    quote: duration('Mode approve: how long a burst may be approved after it was offered.')
      .refine((ms) => ms >= 60_000, { error: 'shorter than a minute, in which nobody answers; write 1h' })
      .prefault('1h'),
    forecast: z
      .strictObject({
        draws: whole('So many times the queue is played forward.', 1, 1_000).default(100),
        exact: whole('So many jobs of a queue with backfill; behind them work flows.', 1, 10_000).default(
          500,
        ),
        history: duration('How far back run times are learned from sacct.').prefault('30d'),
      })
      .superRefine(({ draws, exact }, ctx) => {
        if (draws * exact > mostPlayed)
          ctx.addIssue({
            code: 'custom',
            message: `draws × exact is ${draws * exact}, above ${mostPlayed}: each look at the queue would hold up everything else for many seconds; write such as draws: 100, exact: 500`,
          });
      })
      .transform(({ draws, exact, history }) => ({ forecaster: { draws, exact }, historyMs: history }))
      .prefault({})
      .describe('How it is forecast when a job would start.'),
  })
  .transform(({ burstWhen, or, maxTime, limitMargin, backOff, quote, ...p }) => ({
    ...p,
    burstWhen: burstWhen === undefined ? or : [burstWhen, ...or],
    maxTimeMs: maxTime,
    limitMarginMs: limitMargin,
    backOffMs: backOff,
    quoteMs: quote,
  }));

interface Needing {
  readonly clusters: readonly { readonly mode: 'observe' | 'approve' | 'auto' }[];
  readonly kubernetes?: unknown;
  readonly images?: unknown;
  readonly listen: { readonly cert?: unknown; readonly key?: unknown; readonly clientCa?: unknown };
  readonly nodeGroups: readonly {
    readonly types: readonly string[];
    readonly launchTemplate?: string | undefined;
    readonly shapes?: Readonly<Record<string, unknown>> | undefined;
  }[];
}

/** Only looking needs an SSH account and what a type is; whatever makes an effect, or looked after one, needs all of it. */
function needsOf(c: Needing, refuse: (path: readonly (string | number)[], message: string) => void): void {
  const hands = c.kubernetes !== undefined;
  const acts = c.clusters.some((x) => x.mode !== 'observe');
  if (!hands && !acts) {
    c.nodeGroups.forEach((g, i) => {
      const bare = g.types.filter((t) => g.shapes?.[t] === undefined);
      if (bare.length > 0)
        refuse(
          ['nodeGroups', i],
          `without kubernetes the cloud is not asked what ${bare.join(', ')} is; write shapes: { ${bare[0]}: { vcpus: 16, memory: 32GiB } }`,
        );
    });
    return;
  }
  const why = acts ? 'missing, and mode approve or auto needs it' : 'missing, and kubernetes is configured';
  if (!hands) refuse(['kubernetes'], `${why}; write its keys below it: kubeconfig, agentImage, …`);
  if (c.images === undefined) refuse(['images'], `${why}; write images: { default: … }`);
  for (const key of ['cert', 'key', 'clientCa'] as const)
    if (c.listen[key] === undefined) refuse(['listen', key], `${why}; write the path of a file`);
  c.nodeGroups.forEach((g, i) => {
    if (g.launchTemplate === undefined)
      refuse(['nodeGroups', i, 'launchTemplate'], `${why}; write the name of a launch template`);
  });
}

interface Reachable {
  readonly listen: Pick<ListenConfig, 'http' | 'tls' | 'trustedProxy'>;
  readonly api?: unknown;
}

/** Whoever is not on this host proves who he is, and nobody in between reads it. */
function reachable({ listen, api }: Reachable, refuse: (path: readonly string[], message: string) => void) {
  const { host, port } = listen.http;
  if (isLoopback(host)) return;
  if (api === undefined)
    refuse(
      ['listen', 'http'],
      `"${host}" is not loopback, and there is no authentication; write api: {} and make tokens with spillway token create, or write 127.0.0.1:${port} and reach it through a tunnel`,
    );
  else if (listen.tls === undefined && listen.trustedProxy === undefined)
    refuse(
      ['listen', 'http'],
      `"${host}" is not loopback, and tokens would pass in the clear; write listen.tls: { cert, key }, or listen.trustedProxy: [ADDRESS] where a proxy speaks HTTPS`,
    );
}

export const schema = z
  .strictObject({
    clusters: list('The Slurm clusters.', cluster, 1, '[{ name: hpc1, … }]'),
    dataDir: text('Holds the embedded Postgres.', 'write a directory').default('/var/lib/spillway'),
    store: store.optional(),
    listen: listen.prefault({}),
    api: api.optional(),
    kubernetes: kubernetes.optional(),
    images: images.optional(),
    mounts: list('Shared file systems that pods see.', mount, 0, '[{ path: /home, claim: home }]').default(
      [],
    ),
    staging: staging
      .optional()
      .describe('For data under no mount. So far doctor checks it and explain reckons with it.'),
    nodeGroups: list('Where capacity comes from.', nodeGroup, 1, '[{ name: cpu, provider: ec2, … }]'),
    policy: policy.prefault({}),
    queue: queue.optional(),
    audit: audit.prefault({}),
    retention: retention.prefault({}),
    budgets: list(
      'What accounts may spend on bursts.',
      budget,
      0,
      '[{ account: physics, usd: 5000, per: month }]',
    ).default([]),
    pricesFrom: pricesFrom.optional(),
    budgetsFrom: budgetsFrom.optional(),
  })
  .superRefine((c, ctx) => {
    const twice = (key: 'clusters' | 'nodeGroups' | 'mounts', field: string, names: readonly string[]) => {
      names.forEach((name, i) => {
        if (names.indexOf(name) !== i)
          ctx.addIssue({
            code: 'custom',
            path: [key, i, field],
            message: `"${name}" is taken; write another`,
          });
      });
    };
    const [first] = c.nodeGroups;
    c.nodeGroups.forEach((g, i) => {
      if (first === undefined || (g.region === first.region && g.endpoint === first.endpoint)) return;
      ctx.addIssue({
        code: 'custom',
        path: ['nodeGroups', i, 'region'],
        message: `another region or endpoint than the first group's; one gateway serves one region, write ${first.region}`,
      });
    });
    c.nodeGroups.forEach((g, i) => {
      const bare = g.types.filter((type) => g.prices?.[type] === undefined);
      if (g.capacity.spot === undefined || c.pricesFrom !== undefined || bare.length === 0) return;
      ctx.addIssue({
        code: 'custom',
        path: ['nodeGroups', i, 'capacity', 'spot'],
        message: `the most that is paid for spot comes from the price on demand, and ${bare.join(', ')} has none; write prices: { ${bare[0]}: 0.714 }, or pricesFrom`,
      });
    });
    reachable(c, (path, message) => ctx.addIssue({ code: 'custom', path: [...path], message }));
    const claims = c.kubernetes?.tenants?.claims.map(({ claim }) => claim);
    c.mounts.forEach((m, i) => {
      if (claims !== undefined && !claims.includes(m.claim))
        ctx.addIssue({
          code: 'custom',
          path: ['mounts', i, 'claim'],
          message: `"${m.claim}" is none of kubernetes.tenants.claims, so no user would have it; write it there too`,
        });
    });
    const source = c.kubernetes?.tenants?.users.slurm?.cluster;
    if (source !== undefined && !c.clusters.some((x) => x.name === source))
      ctx.addIssue({
        code: 'custom',
        path: ['kubernetes', 'tenants', 'users', 'slurm', 'cluster'],
        message: `"${source}" is no cluster here; there are ${c.clusters.map((x) => x.name).join(', ')}`,
      });
    needsOf(c, (path, message) => ctx.addIssue({ code: 'custom', path: [...path], message }));
    c.clusters.forEach((x, i) => {
      if (x.charge === 'allocation' && (c.budgets.length > 0 || c.budgetsFrom !== undefined))
        ctx.addIssue({
          code: 'custom',
          path: ['clusters', i, 'charge'],
          message:
            'allocation leaves no dollars to count, and there are budgets; write both, or take them out',
        });
    });
    twice(
      'clusters',
      'name',
      c.clusters.map((x) => x.name),
    );
    twice(
      'nodeGroups',
      'name',
      c.nodeGroups.map((x) => x.name),
    );
    twice(
      'mounts',
      'path',
      c.mounts.map((x) => x.path),
    );
  });

export type Config = z.output<typeof schema>;
export type ClusterConfig = z.output<typeof cluster>;
export type SlurmConfig = z.output<typeof slurm>;
export type ListenConfig = z.output<typeof listen>;
export type KubernetesConfig = z.output<typeof kubernetes>;
export type { ApiConfig, OidcConfig } from './api.ts';
export type TenantsConfig = z.output<typeof tenants>;
export type ImagesConfig = z.output<typeof images>;
export type MountConfig = z.output<typeof mount>;
export type StagingConfig = z.output<typeof staging>;
export type NodeGroupConfig = z.output<typeof nodeGroup>;
export type BudgetsFromConfig = z.output<typeof budgetsFrom>;
export type PolicyConfig = z.output<typeof policy>;

/** For editors and documentation: what may be written, before parsing. */
export function jsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(schema, { io: 'input' });
}
