/** `nodeGroups`: what may be bought, of which shape, at which price. */
import { z } from 'zod';
import { offers } from './devices.ts';
import { externalSays, keysOfProvider, placesOf, providers, zoneIn } from './providers.ts';
import { duration, form, list, oneOf, size, taint, text, whole } from './units.ts';

export const nodeGroup = z
  .strictObject({
    name: form(
      'As in labels, receipts and reports.',
      /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/,
      'write up to 40 small letters, digits and -, such as cpu',
    ),
    provider: oneOf(
      'Who makes its nodes. ec2 = launched by the gateway and terminated; asg = the same within an auto scaling group; external = somebody else scales them (Karpenter, cluster-autoscaler, GKE, AKS), for pods that hold places; static = they are there, it takes them and gives them back.',
      providers,
    ),
    region: form(
      'ec2, asg: the AWS region.',
      /^[a-z0-9-]+$/,
      'write a region, such as eu-central-1',
    ).optional(),
    endpoint: form(
      "ec2, asg: instead of AWS's own address.",
      /^https?:\/\/\S+$/,
      'write a URL, such as http://127.0.0.1:4566',
    ).optional(),
    interruptionQueue: form(
      'ec2: the URL of an SQS queue that EventBridge fills with notices of spot (deploy/aws), one for a gateway; they come sooner than by the poll of spot requests, which goes on.',
      /^https?:\/\/[^\s/?#]+\/[^\s?#]+$/,
      'write its URL, such as https://sqs.eu-central-1.amazonaws.com/123456789012/spillway-interruptions',
    ).optional(),
    launchTemplate: text(
      'ec2: boots a node that joins the cluster by itself; mode observe needs none.',
      'write the name of a launch template',
    ).optional(),
    placementGroup: text(
      'ec2: the cluster placement group that all its instances are put into, as MPI over EFA wants it; then zones names one.',
      'write the name of a placement group',
    ).optional(),
    scalingGroup: text(
      'asg: the name of the auto scaling group; mode observe needs none.',
      'write the name of an auto scaling group',
    ).optional(),
    types: list(
      'ec2: instance types, best first. asg: those that the group may launch, all of one size. external: those that may come, as the label node.kubernetes.io/instance-type of a node says.',
      text('An instance type.', 'write an instance type, such as c7i.4xlarge'),
      1,
      '[c7i.4xlarge, m7i.4xlarge]',
    ).optional(),
    zones: list(
      'ec2, asg: zones, by letter or in full.',
      form('A zone.', /^[a-z0-9-]+$/, 'write a zone, such as a'),
      1,
      '[a, b]',
    ).optional(),
    subnets: z
      .record(
        form('A zone.', /^[a-z0-9-]+$/, 'write a zone, such as a'),
        form(
          'Its subnet.',
          /^subnet-[a-z0-9-]{1,64}$/,
          'write the id of a subnet, such as subnet-0123456789abcdef0',
        ),
      )
      .refine((of) => Object.keys(of).length > 0, {
        error:
          'empty; write a subnet for each zone, such as { a: subnet-0123456789abcdef0 }, or leave it out',
      })
      .optional()
      .describe(
        'ec2: in the place of zones, the subnet of each, all of one VPC: { a: subnet-…, b: subnet-… }. Left out: the default VPC, or the subnet that the launch template names.',
      ),
    selector: z
      .record(
        form('A label.', /^[a-zA-Z0-9._/-]{1,316}$/, 'write the name of a label, such as pool'),
        text('Its value.', 'write its value as text, such as hpc'),
      )
      .refine((labels) => Object.keys(labels).length > 0, {
        error: 'empty, which would be every node; write a label, such as { pool: hpc }',
      })
      .optional()
      .describe(
        'external: the node pool, by labels that all its nodes have. static: its nodes have all these labels, and node-restriction.kubernetes.io/spillway-static=true. They count as alike: what the smallest has counts for each.',
      ),
    pauseImage: text(
      'external: of the pods that hold places; it only waits. registry.k8s.io/pause:3.10 if left out.',
      'write the name of an image, such as registry.example.org/pause:3.10',
    ).optional(),
    price: z
      .number({ error: 'not a number; write US dollars an hour, such as 0.35, or 0' })
      .min(0, { error: 'below 0; write US dollars an hour, such as 0.35, or 0' })
      .optional()
      .describe('static: US dollars that an hour of one node counts as; 0 if left out.'),
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
    cpuOverhead: form(
      'What a node keeps of its CPU for kubelet and system, in thousandths of a vCPU; what its DaemonSets ask for is found when it is Ready. static: of what is allocatable, for the pods of others.',
      /^\d{1,6}m$/,
      'write thousandths of a vCPU, such as 100m',
    ).default('100m'),
    memoryOverhead: size(
      'What a node keeps of its memory for kubelet, system and DaemonSets. static: of what is allocatable, for the pods of others.',
    ).prefault('512MiB'),
    capacity: z
      .strictObject({
        max: whole(
          'Most instances at a time; external: most nodes asked for at a time; static: most nodes taken at a time, so at most as many as there are.',
          1,
          100_000,
        ),
        spot: oneOf(
          'allowed = bought as spot where that is expected to cost less, and on demand where there is none; never = on demand alone.',
          ['never', 'allowed'],
        ).default('never'),
        spotPercent: whole(
          'The most that is paid for spot, in percent of the price of the type on demand.',
          1,
          100,
        ).default(100),
        reservations: oneOf(
          'ec2: first = capacity that is reserved (open, or named by the launch template) is used before cheaper types; matching = the cheapest type is taken, reserved or not.',
          ['first', 'matching'],
        ).default('matching'),
        idle: duration(
          'An instance without work is given up after this, a static node given back, an external one left to whoever scales it.',
        ).prefault('5m'),
        lease: duration(
          'ec2, asg: an instance powers itself off when no gateway was heard for this long and no burst runs there: LEASE_SECONDS of its user data. external: a pod that holds a place ends by itself after so long, whether a gateway lives or not.',
        ).prefault('30m'),
        bootFailures: whole(
          'After so many instances in a row that did not become a node, nothing more is launched in this group.',
          1,
          1_000,
        ).default(10),
        bootRetry: duration(
          'So long nothing is launched then, unless somebody says `spillway capacity resume`; after it, the next one that fails ends it again.',
        ).prefault('30m'),
        waitForRoom: duration(
          'A job that gets no instance for so long (the group is full, or the cloud has none) goes back to its partition with the reason.',
        ).prefault('10m'),
        soldOutFor: duration(
          'What the cloud had none of, by type, zone and whether it is spot, is not asked for again for so long; nor is a zone whose subnet is full.',
        ).prefault('3m'),
        spares: whole(
          'At most so many instances are kept warm for what the last two hours let expect; 0 = none. Only in mode auto, and of types with a price.',
          0,
          1_000,
        ).default(0),
        maxAge: duration(
          'ec2, asg, external: an instance that is older gets no new burst, and is given up once it is empty. It and the longest time limit together must be less than MAX_AGE_SECONDS of its user data, when the machine ends whatever runs.',
        ).prefault('7d'),
      })
      .transform(
        ({
          bootRetry,
          idle,
          lease,
          maxAge,
          reservations,
          soldOutFor,
          spot,
          spotPercent,
          waitForRoom,
          ...c
        }) => ({
          ...c,
          bootRetryMs: bootRetry,
          idleMs: idle,
          leaseMs: lease,
          maxAgeMs: maxAge,
          soldOutMs: soldOutFor,
          roomMs: waitForRoom,
          ...(spot === 'allowed' ? { spot: { capPercent: spotPercent } } : {}),
          ...(reservations === 'first' ? { reservedFirst: true as const } : {}),
        }),
      ),
    prices: z
      .record(
        form('An instance type.', /^[A-Za-z0-9._-]+$/, 'write a type, such as c7i.4xlarge'),
        z
          .number({ error: 'not a number; write US dollars an hour, such as 0.714' })
          .positive({ error: 'must be above 0; write US dollars an hour, such as 0.714' }),
      )
      .optional()
      .describe('US dollars an hour by instance type. Under a budget nothing without a price is bought.'),
    shapes: z
      .record(
        form('An instance type.', /^[A-Za-z0-9._-]+$/, 'write a type, such as c7i.4xlarge'),
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
        'What a type is, by type (static: by the name of the group): for provider external, and for mode observe without Kubernetes, where no cloud is asked.',
      ),
    joinTimeout: duration(
      'From the launch until its node is Ready; after it the instance is terminated.',
    ).prefault('15m'),
    lostAfter: duration(
      'A pod of which nothing can be known for this long counts as lost: its instance is terminated; a static node must be Ready again, or off by a person’s word, an external one may also be taken away (docs/operator.md).',
    ).prefault('10m'),
    taint: taint('The taint of its nodes, which our pods tolerate.').prefault(
      'spillway.dev/burst=true:NoSchedule',
    ),
    ...offers,
  })
  .superRefine(keysOfProvider)
  .superRefine(externalSays)
  .superRefine(placesOf)
  .superRefine((g, ctx) => {
    if (g.provider !== 'ec2' && g.capacity.spot !== undefined)
      ctx.addIssue({
        code: 'custom',
        path: ['capacity', 'spot'],
        message: `is for provider ec2, and this is ${g.provider}; leave it out`,
      });
    if (g.provider !== 'ec2' && g.capacity.reservedFirst === true)
      ctx.addIssue({
        code: 'custom',
        path: ['capacity', 'reservations'],
        message: `is for provider ec2, and this is ${g.provider}; leave it out`,
      });
    if (g.placementGroup !== undefined && (g.zones ?? Object.keys(g.subnets ?? {})).length !== 1)
      ctx.addIssue({
        code: 'custom',
        path: ['zones'],
        message: 'a cluster placement group is in one zone; write it alone, such as [a]',
      });
  })
  .transform(
    ({
      cpuOverhead,
      disk,
      joinTimeout,
      lostAfter,
      memoryOverhead,
      prices,
      price,
      subnets,
      types,
      zones,
      ...g
    }) => ({
      ...g,
      ...(subnets === undefined
        ? {}
        : {
            subnets: Object.fromEntries(Object.entries(subnets).map(([z, id]) => [zoneIn(z, g.region), id])),
          }),
      ...(disk === undefined ? {} : { diskBytes: disk }),
      // Fixed nodes are of one type, which has the group's name.
      types: g.provider === 'static' ? [g.name] : (types ?? []),
      zones:
        g.provider === 'static' || g.provider === 'external'
          ? [g.provider]
          : (zones ?? Object.keys(subnets ?? {})).map((z) => zoneIn(z, g.region)),
      joinTimeoutMs: joinTimeout,
      lostAfterMs: lostAfter,
      prices: g.provider === 'static' ? { [g.name]: microUsd(price ?? 0) } : prices && microUsdOf(prices),
      cpuOverheadMillis: Number.parseInt(cpuOverhead, 10),
      memoryOverheadBytes: memoryOverhead,
    }),
  );

const microUsd = (usd: number): number => Math.round(usd * 1_000_000);
const microUsdOf = (prices: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(prices).map(([type, usd]) => [type, microUsd(usd)]));
