/** `nodeGroups`: what may be bought, of which shape, at which price. */
import { z } from 'zod';
import { offers } from './devices.ts';
import { duration, form, list, oneOf, size, taint, text, whole } from './units.ts';

export const nodeGroup = z
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
        spares: whole(
          'At most so many instances are kept warm for what the last two hours let expect; 0 = none. Only in mode auto, and of types with a price.',
          0,
          1_000,
        ).default(0),
        maxAge: duration(
          'An instance that is older gets no new burst, and is given up once it is empty. It and the longest time limit together must be less than MAX_AGE_SECONDS of its user data, when the machine ends whatever runs.',
        ).prefault('7d'),
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
