import { z } from 'zod';
import { form, isLoopback, list, size, text } from './units.ts';

const rate = (doc: string) =>
  size(doc).refine((bytes) => bytes > 0, { error: 'is none; write what may be expected, such as 100MiB' });

/**
 * The object store through which a job's data go that lie under no mount (docs/decisions/0027). Without it such a job stays at home.
 */
export const staging = z
  .strictObject({
    bucket: form(
      'The bucket; it is made by whoever runs the store.',
      /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
      'write the name of a bucket, such as hpc1-spillway',
    ),
    prefix: form(
      'In front of every key: nothing else of the bucket is read or written.',
      /^([A-Za-z0-9._-]+\/)*$/,
      'write parts that each end with a slash, such as spillway/',
    ).default('spillway/'),
    region: form('The region that requests are signed for.', /^[a-z0-9-]+$/, 'write such as eu-central-1'),
    endpoint: form(
      "A store's own address, in the place of AWS's. Burst host and pods use it too.",
      /^https?:\/\/[^\s/]+$/,
      'write a URL without a path, such as https://s3.example.org',
    ).optional(),
    pathStyle: z
      .boolean({ error: 'write true or false' })
      .optional()
      .describe('The bucket in the path, not in the host name; if left out, true where endpoint is given.'),
    keyFile: text(
      "Two lines, access key and secret key; the AWS SDK's own places if left out.",
      'write the path of a file',
    ).optional(),
    paths: list(
      'What jobs may name: these and all below.',
      form('A path.', /^(\/[^/\s]+)+$/, 'write an absolute path without a slash at its end, such as /data'),
      1,
      '[/data]',
    ).refine((all) => !all.some((path) => path.split('/').some((part) => part === '.' || part === '..')), {
      error: 'has . or .. in a path; write it without them',
    }),
    maxSize: size(
      'Most of one job, each way; of a job of several nodes, the most that each of them sends back.',
    ).prefault('100GiB'),
    assumeSize: size('What a path is taken for whose owner says no size.').prefault('10GiB'),
    partSize: size(
      'A file that is longer goes to the store in parts of this size, so that what breaks off goes on at the part where it was: from 5MiB to 5GiB. Of a file of more than 10,000 parts they are larger.',
    )
      .refine((bytes) => bytes >= 5 * 2 ** 20 && bytes <= 5 * 2 ** 30, {
        error: 'is none that a store takes; write from 5MiB to 5GiB, such as 256MiB',
      })
      .prefault('256MiB'),
    keepDays: z
      .number({ error: 'not a number; write days, such as 30' })
      .int({ error: 'not a whole number; write days, such as 30' })
      .min(1, { error: 'below 1; write days, such as 30' })
      .max(3650, { error: 'above 3650; write days, such as 30' })
      .default(30)
      .describe('What was staged in stays so long in the store, so that a later job need not send it again.'),
    bandwidth: z
      .strictObject({
        here: rate('In a second, between the burst host and the store.').prefault('100MiB'),
        cloud: rate('In a second, between the store and a pod.').prefault('200MiB'),
      })
      .prefault({})
      .describe('What may be expected: times are reckoned with it.'),
    egressUsdPerGiB: z
      .number({ error: 'not a number; write US dollars for a GiB, such as 0.09' })
      .min(0, { error: 'below 0; write US dollars for a GiB, such as 0.09' })
      .max(100, { error: 'above 100 dollars for a GiB; write such as 0.09' })
      .describe('What the cloud asks for each GiB that leaves it; 0 for a store on-prem.'),
  })
  .superRefine((s, ctx) => {
    if (s.endpoint?.startsWith('http:') === true && !isLoopback(new URL(s.endpoint).hostname))
      ctx.addIssue({
        code: 'custom',
        path: ['endpoint'],
        message: `"${s.endpoint}" would carry users' data for all to read; write https://…`,
      });
    if (s.assumeSize > s.maxSize)
      ctx.addIssue({
        code: 'custom',
        path: ['assumeSize'],
        message: 'above maxSize, so that no job without a size could be carried; write less',
      });
  })
  .transform(({ maxSize, assumeSize, partSize, keepDays, bandwidth, egressUsdPerGiB, pathStyle, ...s }) => ({
    ...s,
    pathStyle: pathStyle ?? s.endpoint !== undefined,
    limits: {
      ...{ paths: s.paths, maxBytes: maxSize, assumedBytes: assumeSize, partBytes: partSize },
      ...{ keepMs: keepDays * 86_400_000, where: `s3://${s.bucket}/${s.prefix}` },
      egressMicroUsdPerGiB: Math.round(egressUsdPerGiB * 1_000_000),
    },
    rates: {
      hereBytesPerSecond: bandwidth.here,
      cloudBytesPerSecond: bandwidth.cloud,
      egressMicroUsdPerGiB: Math.round(egressUsdPerGiB * 1_000_000),
    },
  }));
