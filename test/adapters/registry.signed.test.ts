/** Signatures of real keys on a server that speaks the distribution API, as cosign leaves them there; and what is none, though it looks like one. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { publicKey } from '../../adapters/registry/cosign.ts';
import { distributionRegistry } from '../../adapters/registry/index.ts';
import { faultOf } from '../../src/domain/fault.ts';
import type { SignatureDemand } from '../../src/ports.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

const image = { host: 'registry.example.org', path: 'hpc/base' };
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const digest = `sha256:${sha256(Buffer.from('the image'))}`;
const tag = `${digest.replace(':', '-')}.sig`;

interface Pair {
  readonly name: string;
  readonly privateKey: KeyObject;
  readonly pem: string;
}
const pair = (
  name: string,
  { publicKey: own, privateKey }: { publicKey: KeyObject; privateKey: KeyObject },
) => ({
  ...{ name, privateKey },
  pem: own.export({ type: 'spki', format: 'pem' }).toString(),
});
const ecdsa = pair('site.pub', generateKeyPairSync('ec', { namedCurve: 'prime256v1' }));
const other = pair('other.pub', generateKeyPairSync('ec', { namedCurve: 'prime256v1' }));
const ed25519 = pair('ed.pub', generateKeyPairSync('ed25519'));
const rsa = pair('rsa.pub', generateKeyPairSync('rsa', { modulusLength: 2048 }));

const signature = ({ privateKey }: Pair, data: Buffer): string =>
  sign(privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256', data, privateKey).toString('base64');

const payload = (over: { of?: string; repository?: string; type?: string } = {}): Buffer =>
  Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': over.repository ?? 'registry.example.org/hpc/base' },
        image: { 'docker-manifest-digest': over.of ?? digest },
        type: over.type ?? 'cosign container image signature',
      },
      optional: null,
    }),
  );

/** A repository as a registry holds it; `log` is what it was asked. */
function scene() {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, Buffer>();
  const referrers: object[] = [];
  const log: string[] = [];
  const how = { knowsReferrers: true, unknownAs: 404, status: 0, blobsElsewhere: '', storeSends: false };
  const blob = (bytes: Buffer): string => {
    const name = `sha256:${sha256(bytes)}`;
    blobs.set(name, bytes);
    return name;
  };
  const layers: object[] = [];
  const layer = (bytes: Buffer, text: string): object => ({
    ...{ mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json', size: bytes.length },
    ...{ digest: blob(bytes), annotations: { 'dev.cosignproject.cosign/signature': text } },
  });
  const manifest = (of: readonly object[]): Buffer =>
    Buffer.from(
      JSON.stringify({ schemaVersion: 2, config: { digest: blob(Buffer.from('{}')) }, layers: of }),
    );
  return {
    ...{ blobs, manifests, referrers, log, how },
    /** Hangs it behind the others under the digest's tag, as cosign 1 and 2 do. */
    hang(bytes: Buffer, text: string) {
      layers.push(layer(bytes, text));
      manifests.set(tag, manifest(layers));
    },
    /** As an artifact that names the image as its subject, as cosign 3 does. */
    refer(artifactType: string, of: readonly object[]) {
      const bytes = manifest(of);
      const name = `sha256:${sha256(bytes)}`;
      manifests.set(name, bytes);
      referrers.push({ mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: name, artifactType });
    },
    ...{ blob, layer },
    async asks(demand: Partial<SignatureDemand> = {}, host = image.host) {
      const server = createServer((request, response) => {
        const path = new URL(request.url ?? '', 'http://x').pathname;
        log.push(`${path}${request.headers.authorization === undefined ? '' : ' signed in'}`);
        const found = (bytes: Buffer | undefined): void => {
          if (bytes === undefined) response.writeHead(404).end();
          else response.end(bytes);
        };
        const [, which = '', away = ''] = /^\/(store2?)\/(.+)$/.exec(path) ?? [];
        const [, kind = '', reference = ''] =
          /^\/v2\/hpc\/base\/(manifests|blobs|referrers)\/(.+)$/.exec(path) ?? [];
        if (how.status !== 0) response.writeHead(how.status).end();
        else if (which === 'store' && how.storeSends)
          response.writeHead(307, { location: `/store2/${away}` }).end();
        else if (away !== '') found(blobs.get(away));
        else if (request.headers.authorization === undefined)
          response.writeHead(401, { 'www-authenticate': `Basic realm="x"` }).end();
        else if (kind === 'manifests') found(manifests.get(reference));
        else if (kind === 'blobs' && how.blobsElsewhere !== '')
          response.writeHead(307, { location: how.blobsElsewhere.replace('DIGEST', reference) }).end();
        else if (kind === 'blobs') found(blobs.get(reference));
        else if (kind === 'referrers' && how.knowsReferrers && reference === digest)
          response.end(JSON.stringify({ schemaVersion: 2, manifests: referrers }));
        else response.writeHead(kind === 'referrers' ? how.unknownAs : 404).end();
      });
      servers.push(server);
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const registry = distributionRegistry([{ host, url, username: 'u', passwordFile }]);
      return registry.signed({ ...image, host }, digest, {
        keys: [ecdsa, other],
        repository: 'same',
        ...demand,
      });
    },
  };
}

const dir = mkdtempSync(join(tmpdir(), 'spillway-signed-'));
const passwordFile = join(dir, 'password');
writeFileSync(passwordFile, 's3cret');
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('an image that is signed', () => {
  it.each([
    ['ECDSA P-256', ecdsa],
    ['Ed25519', ed25519],
    ['RSA', rsa],
  ] as const)('by a key of %s, under the tag of its digest', async (_, key) => {
    const s = scene();
    s.hang(payload(), signature(key, payload()));
    expect(await s.asks({ keys: [other, key] })).toEqual({ kind: 'signed', by: key.name });
  });

  it('by one of several who have signed it', async () => {
    const s = scene();
    s.hang(payload(), signature(rsa, payload()));
    s.hang(payload(), signature(ecdsa, payload()));
    s.hang(payload(), signature(ed25519, payload()));
    expect(await s.asks()).toEqual({ kind: 'signed', by: 'site.pub' });
  });

  it('as an artifact that names it as its subject, where there is no such tag', async () => {
    const s = scene();
    const artifact = 'application/vnd.dev.cosign.artifact.sig.v1+json';
    s.refer('application/spdx+json', [s.layer(Buffer.from('an SBOM'), 'x')]);
    s.refer(artifact, [s.layer(payload(), signature(ecdsa, payload()))]);
    expect(await s.asks()).toEqual({ kind: 'signed', by: 'site.pub' });
    // A registry that does not know the question has the list under the digest's tag.
    s.how.knowsReferrers = false;
    s.manifests.set(tag.replace(/\.sig$/, ''), Buffer.from(JSON.stringify({ manifests: s.referrers })));
    for (const unknownAs of [404, 400, 405, 501]) {
      s.how.unknownAs = unknownAs;
      expect(await s.asks()).toEqual({ kind: 'signed', by: 'site.pub' });
    }
  });

  it('where the registry keeps blobs elsewhere: asked there without the password', async () => {
    const s = scene();
    s.hang(payload(), signature(ecdsa, payload()));
    s.how.blobsElsewhere = '/store/DIGEST';
    expect(await s.asks()).toEqual({ kind: 'signed', by: 'site.pub' });
    expect(s.log.at(-1)).toMatch(/^\/store\/sha256:[a-f0-9]{64}$/);
  });

  it('in another repository, if that was asked for; Docker Hub has two names', async () => {
    const s = scene();
    const elsewhere = payload({ repository: 'ghcr.io/vendor/base:1' });
    s.hang(elsewhere, signature(ecdsa, elsewhere));
    expect(await s.asks({ repository: 'any' })).toEqual({ kind: 'signed', by: 'site.pub' });
    expect(await s.asks()).toMatchObject({
      kind: 'unsigned',
      why: expect.stringContaining('1 about ghcr.io/vendor/base, not registry.example.org/hpc/base'),
    });
    const named = payload({ repository: 'registry.example.org/hpc/base:1.2@sha256:abc' });
    s.hang(named, signature(ecdsa, named));
    expect(await s.asks()).toEqual({ kind: 'signed', by: 'site.pub' });
    const hub = scene();
    const old = payload({ repository: 'index.docker.io/hpc/base' });
    hub.hang(old, signature(ecdsa, old));
    expect(await hub.asks({}, 'docker.io')).toEqual({ kind: 'signed', by: 'site.pub' });
  });
});

describe('a bundle of cosign 3', () => {
  const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
  const sign1 = 'https://sigstore.dev/cosign/sign/v1';
  function bundled(key: Pair, of = digest, predicateType = sign1) {
    const s = scene();
    const body = Buffer.from(
      JSON.stringify({
        ...{ _type: 'https://in-toto.io/Statement/v1', predicateType, predicate: {} },
        subject: [{ digest: { sha256: of.slice(7) }, annotations: {} }],
      }),
    );
    const intoto = 'application/vnd.in-toto+json';
    const signed = Buffer.concat([Buffer.from(`DSSEv1 ${intoto.length} ${intoto} ${body.length} `), body]);
    const envelope = {
      payload: body.toString('base64'),
      payloadType: intoto,
      signatures: [{ sig: signature(key, signed) }],
    };
    const bytes = Buffer.from(JSON.stringify({ mediaType: type, dsseEnvelope: envelope }));
    s.refer(type, [{ mediaType: type, digest: s.blob(bytes), size: bytes.length }]);
    return s.asks();
  }

  it('is one, about this digest, by a key of them', async () => {
    expect(await bundled(ecdsa)).toEqual({ kind: 'signed', by: 'site.pub' });
    expect(await bundled(rsa)).toMatchObject({ why: expect.stringContaining('1 by none of the keys') });
    const another = `sha256:${sha256(Buffer.from('another'))}`;
    expect(await bundled(ecdsa, another)).toMatchObject({
      why: expect.stringContaining('1 about another digest'),
    });
  });

  it('that is an SBOM or a provenance is no word that the image may run', async () => {
    expect(await bundled(ecdsa, digest, 'https://slsa.dev/provenance/v1')).toMatchObject({
      ...{ kind: 'unsigned', why: expect.stringContaining('no statement about an image') },
    });
  });
});

describe('an image that is not signed', () => {
  it('carries nothing', async () => {
    expect(await scene().asks()).toEqual({
      ...{ kind: 'unsigned', why: 'it carries no signature (asked for: site.pub, other.pub)' },
    });
  });

  it.each([
    ['is by another key', payload(), (bytes: Buffer) => signature(rsa, bytes), 'by none of the keys'],
    ['is no signature', payload(), () => 'bm8=', 'by none of the keys'],
    [
      'is about another digest',
      payload({ of: `sha256:${'0'.repeat(64)}` }),
      (bytes: Buffer) => signature(ecdsa, bytes),
      'about another digest',
    ],
    [
      'is of another kind',
      payload({ type: 'a promise' }),
      (bytes: Buffer) => signature(ecdsa, bytes),
      'no statement about an image',
    ],
    [
      'is of no claim at all',
      Buffer.from('hello'),
      (bytes: Buffer) => signature(ecdsa, bytes),
      'no statement about an image',
    ],
  ] as const)('though what hangs there %s', async (_, bytes, text, why) => {
    const s = scene();
    s.hang(bytes, text(bytes));
    expect(await s.asks()).toMatchObject({ kind: 'unsigned', why: expect.stringContaining(`1 ${why}`) });
  });

  it('where the payload was changed after it was signed, with and without its name', async () => {
    const s = scene();
    const before = payload({ of: `sha256:${'0'.repeat(64)}` });
    // Named by its new digest, and signed as before.
    s.hang(payload(), signature(ecdsa, before));
    expect(await s.asks()).toMatchObject({ why: expect.stringContaining('by none of the keys') });
    const t = scene();
    t.hang(payload(), signature(ecdsa, payload()));
    t.blobs.set(`sha256:${sha256(payload())}`, Buffer.concat([payload(), Buffer.from(' ')]));
    expect(await t.asks()).toMatchObject({
      why: expect.stringContaining('1 of a payload that is not what its manifest says'),
    });
    t.blobs.delete(`sha256:${sha256(payload())}`);
    expect(await t.asks()).toMatchObject({ why: expect.stringContaining('1 without what was signed') });
  });

  it('where its signature stands for another image: a tag can be made by whoever may write there', async () => {
    const s = scene();
    const theirs = payload({ of: `sha256:${'1'.repeat(64)}`, repository: 'registry.example.org/hpc/base' });
    s.hang(theirs, signature(ecdsa, theirs));
    expect((await s.asks({ repository: 'any' })).kind).toBe('unsigned');
  });

  it('and of a thousand that hang there some are looked at', async () => {
    const s = scene();
    for (let i = 0; i < 100; i++) {
      const bytes = Buffer.concat([payload(), Buffer.from(' '.repeat(i))]);
      s.hang(bytes, signature(rsa, bytes));
    }
    expect(await s.asks()).toMatchObject({ why: expect.stringContaining('32 by none of the keys') });
    expect(s.log.filter((line) => line.includes('/blobs/'))).toHaveLength(32);
  });
});

describe('a registry that does not tell', () => {
  const failing = (work: Promise<unknown>): Promise<string> =>
    work.then(
      (answer) => JSON.stringify(answer),
      (e: unknown) => `${faultOf(e)}: ${(e as Error).message}`,
    );

  it('says nothing of the image', async () => {
    for (const [status, fault] of [
      [403, 'refused'],
      [429, 'throttled'],
      [503, 'transient'],
    ] as const) {
      const s = scene();
      s.how.status = status;
      expect(await failing(s.asks())).toMatch(new RegExp(`^${fault}: .*${status}`));
    }
    const keys = [ecdsa];
    const away = distributionRegistry([{ host: image.host, url: 'http://127.0.0.1:1' }]);
    const asked = { keys, repository: 'same' } as const;
    expect(await failing(away.signed(image, digest, asked))).toMatch(/^unreachable: /);
    expect(await failing(distributionRegistry([]).signed(image, digest, asked))).toMatch(
      /^refused: .*images\.registries/,
    );
  });

  it('nor one that answers nonsense, or sends elsewhere by a worse way', async () => {
    const s = scene();
    s.manifests.set(tag, Buffer.from('<html>'));
    expect(await failing(s.asks())).toMatch(/^invalid: .*is no manifest/);
    const t = scene();
    t.hang(payload(), signature(ecdsa, payload()));
    t.how.blobsElsewhere = 'ftp://elsewhere/DIGEST';
    expect(await failing(t.asks())).toMatch(/^refused: .*sends elsewhere/);
    // Once, and not round and round.
    Object.assign(t.how, { blobsElsewhere: '/store/DIGEST', storeSends: true });
    expect(await failing(t.asks())).toMatch(/^unreachable: /);
    const long = Buffer.alloc((1 << 20) + 1);
    const v = scene();
    v.hang(long, signature(ecdsa, long));
    expect(await failing(v.asks())).toMatch(/^invalid: .*more than 1048576 bytes/);
    const u = scene();
    u.refer('application/vnd.dev.cosign.artifact.sig.v1+json', [s.layer(payload(), 'x')]);
    for (const name of u.manifests.keys()) u.manifests.set(name, Buffer.from('{}'));
    expect(await failing(u.asks())).toMatch(/^invalid: .*is not what it is asked for/);
  });
});

it('a key is a public one of a kind that cosign makes', () => {
  const pem = (of: { publicKey: KeyObject }) => pair('k', of as never).pem;
  expect(publicKey(ecdsa.pem).asymmetricKeyType).toBe('ec');
  expect(() => publicKey(pem(generateKeyPairSync('rsa', { modulusLength: 1024 })))).toThrow('1024 bits');
  expect(() => publicKey(pem(generateKeyPairSync('ec', { namedCurve: 'secp384r1' })))).toThrow('P-256');
  expect(() => publicKey(pem(generateKeyPairSync('x25519')))).toThrow('x25519');
  const own = ecdsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  expect(() => publicKey(own)).toThrow('cosign.pub');
  expect(() => publicKey(ecdsa.pem + own)).toThrow('cosign.pub');
});
