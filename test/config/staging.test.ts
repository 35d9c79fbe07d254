import { describe, expect, it } from 'vitest';
import { staging } from '../../config/staging.ts';

const least = { bucket: 'hpc1-spillway', region: 'eu-central-1', paths: ['/data'], egressUsdPerGiB: 0.09 };
const wrong = (more: object): string =>
  staging
    .safeParse({ ...least, ...more })
    .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
    .join('\n') ?? '';

describe('staging', () => {
  it('needs a bucket, its region, what may be named and what egress costs', () => {
    expect(staging.parse(least)).toEqual({
      bucket: 'hpc1-spillway',
      prefix: 'spillway/',
      region: 'eu-central-1',
      pathStyle: false,
      paths: ['/data'],
      limits: {
        ...{
          paths: ['/data'],
          maxBytes: 100 * 2 ** 30,
          partBytes: 256 * 2 ** 20,
          assumedBytes: 10 * 2 ** 30,
        },
        ...{ keepMs: 30 * 86_400_000, where: 's3://hpc1-spillway/spillway/' },
        egressMicroUsdPerGiB: 90_000,
      },
      rates: {
        hereBytesPerSecond: 100 * 2 ** 20,
        cloudBytesPerSecond: 200 * 2 ** 20,
        egressMicroUsdPerGiB: 90_000,
      },
    });
  });

  it('has the bucket in the path where a store of the site is named', () => {
    expect(staging.parse({ ...least, endpoint: 'https://s3.example.org' }).pathStyle).toBe(true);
    expect(staging.parse({ ...least, endpoint: 'https://s3.example.org', pathStyle: false }).pathStyle).toBe(
      false,
    );
  });

  it.each<[string, object]>([
    [
      'endpoint: "http://s3.example.org" would carry users\' data for all to read',
      { endpoint: 'http://s3.example.org' },
    ],
    ['endpoint: "https://s3.example.org/x" will not do', { endpoint: 'https://s3.example.org/x' }],
    ['bucket: "A b" will not do', { bucket: 'A b' }],
    ['prefix: "spillway" will not do; write parts that each end with a slash', { prefix: 'spillway' }],
    ['paths: needs at least 1', { paths: [] }],
    ['paths.0: "/data/" will not do', { paths: ['/data/'] }],
    ['paths: has . or .. in a path', { paths: ['/data/../etc'] }],
    ['assumeSize: above maxSize', { maxSize: '1GiB' }],
    ['partSize: is none that a store takes; write from 5MiB to 5GiB', { partSize: '1MiB' }],
    ['bandwidth.here: is none; write what may be expected', { bandwidth: { here: '0MiB' } }],
    ['egressUsdPerGiB: below 0', { egressUsdPerGiB: -1 }],
    ['egressUsdPerGiB: not a number', { egressUsdPerGiB: undefined }],
  ])('is refused with what to write: %s', (said, more) => {
    expect(wrong(more)).toContain(said);
  });

  it('may be a store on this very machine without TLS', () => {
    expect(wrong({ endpoint: 'http://127.0.0.1:9000' })).toBe('');
  });
});
