import { z } from 'zod';
import {
  type Burst,
  burstStates,
  type Cause,
  type Exit,
  type Grant,
  type SavedJob,
  type Usage,
} from '../../src/domain/burst.ts';
import type { ToldLeg as CarriedLeg, Told as Carrying } from '../../src/domain/carrying.ts';
import type { Blob, BurstData, DataPath } from '../../src/domain/data.ts';
import type { Basis, Decision, PassedOver, Receipt, RuleVerdict } from '../../src/domain/decision.ts';
import { PortError } from '../../src/domain/fault.ts';
import {
  type Instance,
  instanceStates,
  type LaunchSpec,
  type Lot,
  type MachinePrice,
  type Measured,
  type SpotPool,
} from '../../src/domain/instance.ts';
import type { PodRef } from '../../src/domain/kube.ts';
import type { InstanceHold } from '../../src/domain/overhead.ts';
import type { Answer, Delegation, Quote } from '../../src/domain/quote.ts';
import type { PodOnRecord, Rank } from '../../src/domain/ranks.ts';
import type { Resources } from '../../src/domain/resources.ts';
import type { Turn } from '../../src/domain/switch.ts';
import type { Intent } from '../../src/ports.ts';

/**
 * What the database gives back, as domain values. JSON has no undefined, so a key that was undefined is absent there and is put
 * back here. A field that the domain gains or loses and this reader does not know of does not compile.
 */

/** Exactly the keys of T, optional ones too: what is not named here would be lost. */
const object =
  <T>() =>
  <S extends Record<keyof T, z.ZodType>>(shape: S & Record<Exclude<keyof S, keyof T>, never>) =>
    z.object(shape as S);
/** A branded or literal string or number, taken as it was written. */
const text = <T extends string = string>() => z.custom<T>((v) => typeof v === 'string', 'not text');
const number = <T extends number = number>() => z.custom<T>((v) => typeof v === 'number', 'not a number');
const maybe = <T extends z.ZodType>(inner: T) =>
  inner.optional().transform((v): z.output<T> | undefined => v);
const map = <T extends z.ZodType>(of: T) => z.record(z.string(), of);

type Have<K extends keyof Burst> = NonNullable<Burst[K]>;
const instant = number<Have<'createdAt'>>;

const resources = object<Resources>()({
  cpuMillis: number(),
  memoryBytes: number(),
  extended: map(number()),
  pods: number().optional(),
});
const trouble = object<Have<'trouble'>>()({ since: instant(), text: text() });

const pod = object<PodOnRecord>()({
  ref: object<PodRef>()({ namespace: text(), name: text() }),
  uid: maybe(text()),
});
const exit = object<Exit>()({
  code: number().optional(),
  signal: number().optional(),
  lost: z.boolean().optional(),
  reason: text().optional(),
});

const carriedLeg = object<CarriedLeg>()({
  ...{ bytes: number(), p50Ms: number(), p90Ms: number(), measured: number() },
});
const blob = object<Blob>()({ sha256: text(), size: number() });
const gathered = {
  results: blob.optional(),
  lost: text().optional(),
  tries: number().optional(),
  againAt: instant().optional(),
};

const burst: z.ZodType<Burst> = object<Burst>()({
  id: text<Burst['id']>(),
  cluster: text<Burst['cluster']>(),
  job: text<Burst['job']>(),
  attempt: text<Burst['attempt']>(),
  ref: text<Burst['ref']>(),
  jobId: number(),
  restarts: number(),
  submitAt: instant(),
  firstSubmitAt: instant(),
  name: text(),
  user: text(),
  uid: number(),
  gid: number(),
  account: text(),
  origin: text<Burst['origin']>(),
  receipt: maybe(text<Have<'receipt'>>()),
  state: z.enum(burstStates),
  rev: number(),
  createdAt: instant(),
  enteredAt: instant(),
  group: text(),
  capacityType: text<Have<'capacityType'>>().optional(),
  spotRefused: z.boolean().optional(),
  reclaimedAt: instant().optional(),
  signal: number().optional(),
  reclaims: number().optional(),
  futile: z.boolean().optional(),
  seeking: object<Have<'seeking'>>()({ since: instant(), why: text() }).optional(),
  needs: resources,
  saved: object<SavedJob>()({
    partition: text(),
    timeLimitMs: z.union([number(), z.literal('unlimited')]),
    memory: object<SavedJob['memory']>()({ per: z.enum(['node', 'cpu']), mib: number() }),
    minNodes: number(),
    maxNodes: maybe(number()),
    comment: text(),
    priority: number(),
    nice: number(),
  }),
  instance: maybe(text<Have<'instance'>>()),
  pod: maybe(pod),
  others: z
    .array(
      object<Rank>()({
        rank: number(),
        instance: maybe(text<Have<'instance'>>()),
        pod: maybe(pod),
        machine: text().optional(),
      }),
    )
    .optional(),
  claim: maybe(
    object<Have<'claim'>>()({
      deadline: instant(),
      answered: z.boolean(),
      times: number(),
      moved: z.boolean().optional(),
    }),
  ),
  grant: maybe(
    object<Grant>()({
      burst: text<Burst['id']>(),
      attempt: text<Burst['attempt']>(),
      podUid: text(),
      epoch: number(),
      generation: text<Grant['generation']>(),
    }),
  ),
  startedAt: maybe(instant()),
  endedAt: maybe(instant()),
  exit: maybe(exit),
  stays: text().optional(),
  lostBy: z.enum(['nodeLost', 'podEvicted', 'podLost']).optional(),
  broken: object<Have<'broken'>>()({ at: instant(), exit }).optional(),
  usage: maybe(object<Usage>()({ userMs: number(), systemMs: number(), maxRssBytes: number() })),
  dropped: number(),
  cause: maybe(object<Cause>()({ kind: text<Cause['kind']>(), text: text() })),
  trouble: maybe(trouble),
  predecessor: maybe(text<Burst['id']>()),
  price: object<Have<'price'>>()({ held: number(), rates: map(number()) }).optional(),
  spent: object<Have<'spent'>>()({ microUsd: number(), by: text<Have<'spent'>['by']>() }).optional(),
  quote: object<Quote>()({
    until: instant(),
    microUsd: maybe(number()),
    why: text(),
    cpus: number(),
    timeLimitMs: z.union([number(), z.literal('unlimited')]),
  }).optional(),
  again: object<Turn>()({ by: text(), why: text(), at: instant() }).optional(),
  answer: object<Answer>()({ yes: z.boolean(), by: text(), at: instant(), why: text() }).optional(),
  delegated: object<Delegation>()({ to: text(), until: instant(), by: text(), at: instant() }).optional(),
  image: object<Have<'image'>>()({
    ...{ name: text(), from: text(), id: text().optional() },
    ...{ pinned: text().optional(), unpinned: text().optional(), signedBy: text().optional() },
  }).optional(),
  data: object<BurstData>()({
    paths: z.array(object<DataPath>()({ way: z.enum(['in', 'out']), path: text() })),
    egress: object<NonNullable<BurstData['egress']>>()({ perGiB: number(), held: number() }).optional(),
    since: instant().optional(),
    up: blob.optional(),
    there: instant().optional(),
    inBytes: number().optional(),
    ...gathered,
    others: z
      .array(object<NonNullable<BurstData['others']>[number]>()({ ...gathered, rank: number() }))
      .optional(),
    resultBytes: number().optional(),
    home: z.boolean().optional(),
    homeAt: instant().optional(),
    kept: text().optional(),
    told: z.array(text()).optional(),
  }).optional(),
  machine: text().optional(),
  unknownSince: instant().optional(),
  absent: object<Have<'absent'>>()({ since: instant(), looks: number() }).optional(),
  requeue: object<Have<'requeue'>>()({
    deadline: instant(),
    answered: z.boolean(),
    times: z.number().int().optional(),
  }).optional(),
  cancel: object<Have<'cancel'>>()({ deadline: instant(), answered: z.boolean() }).optional(),
  killBy: maybe(instant()),
});

const instance: z.ZodType<Instance> = object<Instance>()({
  id: text<Instance['id']>(),
  cluster: text<Instance['cluster']>(),
  group: text(),
  state: z.enum(instanceStates),
  rev: number(),
  token: text<Instance['token']>(),
  spec: object<LaunchSpec>()({
    group: text(),
    launchTemplate: text(),
    types: z.array(text()),
    zones: z.array(text()),
    subnets: map(text()).optional(),
    capacityType: text<LaunchSpec['capacityType']>(),
    maxPrices: map(number()).optional(),
    without: z.array(object<SpotPool>()({ type: text(), zone: text() })).optional(),
    placementGroup: text().optional(),
    reservedFirst: z.literal(true).optional(),
    tags: map(text()),
    fixed: object<NonNullable<LaunchSpec['fixed']>>()({ needs: resources, most: resources }).optional(),
    external: object<NonNullable<LaunchSpec['external']>>()({ needs: resources }).optional(),
  }),
  lot: object<Lot>()({
    size: number(),
    seat: number(),
    behind: text<Instance['token']>().optional(),
  }).optional(),
  cloudId: maybe(text<NonNullable<Instance['cloudId']>>()),
  type: maybe(text()),
  zone: maybe(text()),
  node: maybe(text()),
  capacity: resources,
  measured: object<Measured>()({ cpuMillis: number(), memoryBytes: number(), pods: number() }).optional(),
  createdAt: instant(),
  enteredAt: instant(),
  askedAt: instant().optional(),
  askAgainAt: instant().optional(),
  launchedAt: maybe(instant()),
  price: object<MachinePrice>()({
    microUsd: number(),
    from: instant().optional(),
    spot: text<NonNullable<MachinePrice['spot']>>().optional(),
    capMicroUsd: number().optional(),
  }).optional(),
  bootFailed: object<NonNullable<Instance['bootFailed']>>()({
    ...{ at: instant(), why: text(), cause: text().optional(), line: text().optional() },
  }).optional(),
  readyAt: maybe(instant()),
  idleSince: maybe(instant()),
  releasedAt: instant().optional(),
  endedAt: maybe(instant()),
  fenced: text().optional(),
  reclaimedAt: instant().optional(),
  why: maybe(text()),
  withheld: text<NonNullable<Instance['withheld']>>().optional(),
  hold: object<InstanceHold>()({
    perHour: number(),
    from: instant(),
    held: number(),
    rows: number(),
    on: z.array(text<InstanceHold['on'][number]>()),
    relieved: number(),
    short: instant().optional(),
  }).optional(),
  trouble: maybe(trouble),
});

const receipt: z.ZodType<Receipt> = object<Receipt>()({
  id: text<Receipt['id']>(),
  cluster: text<Receipt['cluster']>(),
  job: text<Receipt['job']>(),
  attempt: text<Receipt['attempt']>(),
  ref: text<Receipt['ref']>(),
  user: text(),
  account: text().optional(),
  burst: maybe(text<NonNullable<Receipt['burst']>>()),
  at: instant(),
  snapshotAt: maybe(instant()),
  kind: text<Receipt['kind']>(),
  decision: object<Decision>()({
    verdict: text<Decision['verdict']>(),
    because: z.array(
      object<RuleVerdict>()({ rule: text(), pass: z.boolean(), measured: text(), limit: text() }),
    ),
    group: maybe(text()),
  }),
  basis: object<Basis>()({
    policy: text(),
    policyVersion: number().optional(),
    forecast: object<NonNullable<Basis['forecast']>>()({
      by: text(),
      startsIn: z.union([
        z.literal('never'),
        z.object({ p10Ms: number(), p50Ms: number(), p90Ms: number() }),
      ]),
    }).optional(),
    ready: object<NonNullable<Basis['ready']>>()({
      group: text(),
      p50Ms: number(),
      p90Ms: number(),
      measured: number(),
    }).optional(),
    data: z
      .union([
        z.literal('unknown'),
        object<Carrying>()({
          from: text<Carrying['from']>(),
          jobs: number(),
          in: carriedLeg,
          out: carriedLeg,
        }),
      ])
      .optional(),
    offer: object<NonNullable<Basis['offer']>>()({
      group: text(),
      type: text(),
      zones: z.array(text()),
      capacity: text<NonNullable<Basis['offer']>['capacity']>(),
      perHourMicroUsd: number().optional(),
      expectedMicroUsd: number().optional(),
      worstMicroUsd: number().optional(),
      capMicroUsd: number().optional(),
      spotPriceSince: instant().optional(),
      expectedStartMs: number().optional(),
      expectedEndMs: number().optional(),
      pricedFrom: instant().optional(),
      noCapacity: number(),
      interrupted: number(),
      measured: number(),
      savesMs: z.union([z.literal('never starts here'), number()]).optional(),
    }).optional(),
    passedOver: z
      .array(
        object<PassedOver>()({
          group: text(),
          capacity: text<PassedOver['capacity']>(),
          type: text().optional(),
          expectedMicroUsd: number().optional(),
          why: text(),
        }),
      )
      .optional(),
  }).optional(),
  text: text(),
});

const intent: z.ZodType<Intent> = object<Intent>()({
  id: text<Intent['id']>(),
  subject: text<Intent['subject']>(),
  effect: text(),
  spec: map(z.unknown()),
  epoch: number(),
  at: instant(),
  // A column of its own, so null where JSON has no key.
  deadline: instant()
    .nullable()
    .transform((v) => v ?? undefined),
});

function reader<T>(schema: z.ZodType<T>, what: string): (row: unknown) => T {
  return (row) => {
    const read = schema.safeParse(row);
    if (read.success) return read.data;
    const wrong = read.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ');
    throw new PortError(
      'invalid',
      'store.read',
      `the store holds ${what} that this version cannot read: ${wrong}`,
    );
  };
}

export const readBurst = reader(burst, 'a burst');
export const readInstance = reader(instance, 'an instance');
export const readReceipt = reader(receipt, 'a receipt');
export const readIntent = reader(intent, 'an intent');
