/** What a cosign signature says, once a key of the site's has made it. Nothing of it is read before. [sigstore/cosign: specs/SIGNATURE_SPEC.md] */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { z } from 'zod';
import type { ImageName, SignatureDemand } from '../../src/ports.ts';

export interface SignatureKey {
  readonly name: string;
  readonly key: KeyObject;
}

/** Why this one does not make the image a signed one; few kinds, as they are counted. */
export type Judged = { readonly by: string } | { readonly not: string };

const leastRsaBits = 2048;

/** Of PEM, as cosign writes its public keys. Throws an Error that says what to write instead. */
export function publicKey(pem: string): KeyObject {
  // A private key or a certificate would do for node, and neither is what was meant.
  if (!/^-----BEGIN PUBLIC KEY-----$/m.test(pem) || /PRIVATE KEY/.test(pem))
    throw new Error(
      'is no public key in PEM; write the file that cosign made beside the private one (cosign.pub)',
    );
  const key = createPublicKey(pem);
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return key;
    case 'rsa':
      if (modulusLength >= leastRsaBits) return key;
      throw new Error(`is an RSA key of ${modulusLength} bits; use one of ${leastRsaBits} or more`);
    case 'ec':
      if (namedCurve === 'prime256v1') return key;
      throw new Error(`is of the curve ${namedCurve}; use one of P-256`);
    default:
      throw new Error(`is of the kind ${key.asymmetricKeyType}; use ECDSA P-256, Ed25519 or RSA`);
  }
}

const claims = z.object({
  critical: z.object({
    type: z.literal('cosign container image signature'),
    // Either is written: the specification's example has a capital letter, cosign has not.
    image: z.union([
      z.object({ 'docker-manifest-digest': z.string() }),
      z
        .object({ 'Docker-manifest-digest': z.string() })
        .transform((i) => ({ 'docker-manifest-digest': i['Docker-manifest-digest'] })),
    ]),
    identity: z.object({ 'docker-reference': z.string().optional() }).optional(),
  }),
});

/** A payload of simple signing, and what is written beside it in base64. */
export function simpleSigning(
  payload: Buffer,
  signature: string,
  keys: readonly SignatureKey[],
  image: Pick<ImageName, 'host' | 'path'>,
  digest: string,
  repository: SignatureDemand['repository'],
): Judged {
  const by = madeBy(keys, payload, signature);
  if (by === undefined) return { not: notOurs };
  const said = claims.safeParse(json(payload));
  if (!said.success) return { not: 'no statement about an image' };
  const { image: of, identity } = said.data.critical;
  if (of['docker-manifest-digest'] !== digest) return { not: 'about another digest' };
  const named = identity?.['docker-reference'] ?? '';
  const own = `${image.host}/${image.path}`;
  if (repository === 'same' && named !== '' && repositoryIn(named) !== own)
    return { not: `about ${repositoryIn(named)}, not ${own}` };
  return { by };
}

const intoto = 'application/vnd.in-toto+json';
const bundled = z.object({
  dsseEnvelope: z.object({
    payload: z.base64(),
    payloadType: z.literal(intoto),
    signatures: z.array(z.object({ sig: z.base64() })).max(8),
  }),
});
const statement = z.object({
  subject: z.array(z.object({ digest: z.record(z.string(), z.string()) })),
  // An SBOM or a provenance is signed by the same key, and is no word that the image may run.
  predicateType: z.literal('https://sigstore.dev/cosign/sign/v1'),
});

/** What cosign 3 writes: a statement of in-toto in an envelope of DSSE, in a bundle of sigstore's. It names no repository. [secure-systems-lab/dsse: protocol.md] */
export function bundle(bytes: Buffer, keys: readonly SignatureKey[], digest: string): Judged {
  const read = bundled.safeParse(json(bytes));
  if (!read.success) return { not: 'a bundle without a signed statement' };
  const { payload, signatures } = read.data.dsseEnvelope;
  const body = Buffer.from(payload, 'base64');
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${intoto.length} ${intoto} ${body.length} `), body]);
  const by = signatures.map(({ sig }) => madeBy(keys, signed, sig)).find((name) => name !== undefined);
  if (by === undefined) return { not: notOurs };
  const said = statement.safeParse(json(body));
  if (!said.success) return { not: 'no statement about an image' };
  const hex = digest.slice('sha256:'.length);
  if (!said.data.subject.some((s) => s.digest.sha256 === hex)) return { not: 'about another digest' };
  return { by };
}

const notOurs = 'by none of the keys';

function madeBy(keys: readonly SignatureKey[], data: Buffer, signature: string): string | undefined {
  const bytes = Buffer.from(signature, 'base64');
  return keys.find(({ key }) => holds(key, data, bytes))?.name;
}

function holds(key: KeyObject, data: Buffer, signature: Buffer): boolean {
  try {
    return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', data, key, signature);
  } catch {
    return false;
  }
}

function json(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

/** Without tag and digest; cosign calls Docker Hub by its old name. */
function repositoryIn(reference: string): string {
  const bare = reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  return bare.replace(/^index\.docker\.io\//, 'docker.io/');
}
