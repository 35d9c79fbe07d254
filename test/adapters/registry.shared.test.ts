import { expect, it } from 'vitest';
import { shared } from '../../adapters/registry/shared.ts';
import { type Fault, PortError } from '../../src/domain/fault.ts';
import { instant } from '../../src/domain/ids.ts';

const image = { host: 'registry.example.org', path: 'lab/base', reference: '1' };

function scene(fault?: Fault) {
  let now = 1_000;
  const asked: string[] = [];
  const registry = {
    digest: async ({ host, path }: typeof image) => {
      asked.push(`${host}/${path}`);
      if (fault !== undefined && host === image.host) throw new PortError(fault, 'registry.digest', 'no');
      return `sha256:${asked.length}`;
    },
    signed: async ({ host, path }: Pick<typeof image, 'host' | 'path'>) => {
      asked.push(`${host}/${path} signed`);
      return { kind: 'signed', by: `${asked.length}` } as const;
    },
  };
  const port = shared(registry, { now: () => instant(now) });
  return {
    asked,
    digest: (over: Partial<typeof image> = {}) => port.digest({ ...image, ...over }),
    signed: (digest: string, pem: string, repository: 'same' | 'any' = 'same') =>
      port.signed(image, digest, { keys: [{ name: 'k', pem }], repository }),
    pass: (ms: number) => {
      now += ms;
    },
  };
}

it('the bursts of an array ask once, and a minute later anew', async () => {
  const s = scene();
  expect(await Promise.all([s.digest(), s.digest(), s.digest()])).toEqual(Array(3).fill('sha256:1'));
  s.pass(59_999);
  expect(await s.digest()).toBe('sha256:1');
  expect(await s.digest({ reference: '2' })).toBe('sha256:2');
  s.pass(1);
  expect(await s.digest()).toBe('sha256:3');
});

it.each(['unreachable', 'throttled', 'transient'] as const)(
  'a host that is %s is left alone for ten seconds',
  async (fault) => {
    const s = scene(fault);
    for (const path of ['a', 'b', 'c']) await expect(s.digest({ path })).rejects.toMatchObject({ fault });
    expect(s.asked).toEqual(['registry.example.org/a']);
    expect(await s.digest({ host: 'other.example.org' })).toBe('sha256:2');
    s.pass(10_000);
    await expect(s.digest()).rejects.toMatchObject({ fault });
    expect(s.asked).toHaveLength(3);
  },
);

it('an image that is not there says nothing of the host, and is asked for again', async () => {
  const s = scene('not_found');
  for (let i = 0; i < 2; i++) await expect(s.digest()).rejects.toMatchObject({ fault: 'not_found' });
  expect(s.asked).toHaveLength(2);
});

it('so it is with signatures, of one digest, by the same keys and for the same repositories', async () => {
  const s = scene();
  expect(await Promise.all([s.signed('a', 'k'), s.signed('a', 'k')])).toEqual([
    { kind: 'signed', by: '1' },
    { kind: 'signed', by: '1' },
  ]);
  expect(await s.signed('b', 'k')).toMatchObject({ by: '2' });
  expect(await s.signed('a', 'l')).toMatchObject({ by: '3' });
  expect(await s.signed('a', 'k', 'any')).toMatchObject({ by: '4' });
});
