/** What doctor says of the site's own images: each is signed as some job that gets it would ask for. */
import { expect, it } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { examineImages } from '../../src/engine/doctor-images.ts';
import type { RegistryPort } from '../../src/ports.ts';
import type { Images } from '../../src/translate/index.ts';

const images: Images = {
  default: 'r.example.org/base:1',
  accounts: { physics: 'r.example.org/physics:1' },
  partitions: { gpu: 'r.example.org/gpu:1' },
  modules: [{ module: 'openmpi', image: 'r.example.org/mpi:4' }],
  allow: [],
  pullSecrets: [],
};
const keys = new Map(['/k/site.pub', '/k/lab.pub'].map((f) => [f, { name: f.slice(3), pem: f }]));

async function told(signatures: Images['signatures'], signed?: RegistryPort['signed']) {
  const registry: RegistryPort = {
    digest: async () => `sha256:${'a'.repeat(64)}`,
    signed: signed ?? (async (_, __, { keys }) => ({ kind: 'signed', by: keys[0]?.name ?? '' })),
  };
  const found: string[] = [];
  const pods = {
    images: { ...images, signatures },
    signatures: signatures === undefined ? undefined : { registry, keys },
  };
  for await (const { ok, what, text } of examineImages(pods))
    found.push(`${ok ? 'ok' : 'BAD'} ${what}: ${text}`);
  return found;
}

it('asks for each image what its jobs would be asked for', async () => {
  expect(await told(undefined)).toEqual([]);
  expect(await told([{ keys: ['/k/site.pub'], repository: 'same' }])).toHaveLength(4);
  const lab = { keys: ['/k/lab.pub'], repository: 'same', account: 'chemistry' } as const;
  // The account of physics has an image of its own, so nothing is asked of that.
  expect(await told([lab, { keys: ['/k/site.pub'], repository: 'same', image: '**/base' }])).toEqual([
    'ok image r.example.org/base:1: signature: signed by lab.pub, site.pub',
    'ok image r.example.org/mpi:4: signature: signed by lab.pub',
    'ok image r.example.org/gpu:1: signature: signed by lab.pub',
  ]);
});

it('says of one that is not signed why, and of a registry that is away that it is', async () => {
  const every = [{ keys: ['/k/site.pub'], repository: 'same', image: '**/base' }] as const;
  expect(await told(every, async () => ({ kind: 'unsigned', why: 'it carries no signature' }))).toEqual([
    'BAD image r.example.org/base:1: signature: error: it carries no signature',
  ]);
  const away = async () => {
    throw new PortError('unreachable', 'registry.signed', 'r.example.org: ECONNREFUSED');
  };
  expect(await told(every, away)).toEqual([
    'BAD image r.example.org/base:1: signature: unreachable: r.example.org: ECONNREFUSED',
  ]);
});
