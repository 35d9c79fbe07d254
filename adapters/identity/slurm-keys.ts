/** The keys of Slurm's auth/jwt, in files that are read anew when they change. */
import { open } from 'node:fs/promises';
import { createLocalJWKSet, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { PortError } from '../../src/domain/fault.ts';

const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });
const rsaKey = z.looseObject({
  kty: z.literal('RSA'),
  kid: z.string().min(1),
  alg: z.literal('RS256'),
  n: z.base64url(),
  e: z.base64url(),
});

const longest = 1 << 20;
/** Of fewer bytes a MAC with SHA-256 is weaker than it looks [RFC 7518, 3.2]; 32 is what Slurm's manual makes. */
const leastBytes = 32;
/** Of fewer bits no RSA signature is taken. [RFC 7518, 3.3] */
const leastBits = 2048;

interface Read<T> {
  readonly version: string;
  readonly value: T;
}

/** A file's content, parsed once for each of its versions. */
class Watched<T> {
  readonly #file: string;
  /** Of its mode, those bits may not be set. */
  readonly #closed: number;
  readonly #parse: (bytes: Buffer) => T;
  #read: Read<T> | undefined;

  constructor(file: string, closed: number, parse: (bytes: Buffer) => T) {
    this.#file = file;
    this.#closed = closed;
    this.#parse = parse;
  }

  async value(): Promise<T> {
    const handle = await open(this.#file, 'r');
    try {
      // Of what was opened, so that it is what is read.
      const s = await handle.stat({ bigint: true });
      const version = [s.dev, s.ino, s.size, s.mtimeNs, s.ctimeNs].join(' ');
      if (this.#read?.version === version) return this.#read.value;
      this.#read = undefined;
      if (!s.isFile()) throw new Error('no file');
      const own = process.getuid?.() ?? 0;
      if (s.uid !== 0n && s.uid !== BigInt(own))
        throw new Error(`owned by uid ${s.uid}; make a copy that root or the gateway's account owns`);
      const mode = Number(s.mode) & this.#closed;
      if (mode !== 0)
        throw new Error(
          (mode & 0o022) !== 0
            ? 'others than its owner may write it; chmod go-w it'
            : 'others than its owner may read it, and with it be any user; chmod 0400 it, and make a new key in Slurm if they may have',
        );
      if (s.size > BigInt(longest)) throw new Error('longer than 1 MiB, which no key is');
      const value = this.#parse(await handle.readFile());
      this.#read = { version, value };
      return value;
    } finally {
      await handle.close();
    }
  }
}

export interface SlurmKeys {
  readonly keyFile: string | undefined;
  readonly jwks: string | undefined;
}

export class SlurmKeyFiles {
  readonly #secret: Watched<Uint8Array> | undefined;
  readonly #keys: Watched<JWTVerifyGetKey> | undefined;

  constructor({ keyFile, jwks }: SlurmKeys) {
    this.#secret = keyFile === undefined ? undefined : new Watched(keyFile, 0o077, secretOf);
    this.#keys = jwks === undefined ? undefined : new Watched(jwks, 0o022, keysOf);
  }

  /** For HS256; undefined: none is taken. Faults: `unreachable`, with the field and what to do. */
  secret = (): Promise<Uint8Array | undefined> => this.#of('keyFile', this.#secret);

  /** For RS256, by key id; as above. */
  keys = (): Promise<JWTVerifyGetKey | undefined> => this.#of('jwks', this.#keys);

  /** Both, once. */
  async examine(): Promise<void> {
    await this.secret();
    await this.keys();
  }

  async #of<T>(field: string, watched: Watched<T> | undefined): Promise<T | undefined> {
    return watched?.value().catch((e: unknown) => {
      const why = e instanceof Error ? e.message : String(e);
      throw new PortError('unreachable', 'identity.who', `api.slurmJwt.${field}: ${why}`, { cause: e });
    });
  }
}

/** All of the file, as Slurm takes it: a line end is part of the key. */
function secretOf(bytes: Buffer): Uint8Array {
  if (bytes.length < leastBytes)
    throw new Error(`of ${bytes.length} bytes, and can be guessed; make one of ${leastBytes} random bytes`);
  return new Uint8Array(bytes);
}

/** As Slurm, those that are for RS256; others may stand there for others. */
function keysOf(bytes: Buffer): JWTVerifyGetKey {
  const { keys } = keySet.parse(jsonIn(bytes));
  const ours = keys.flatMap((key) => {
    const read = rsaKey.safeParse(key);
    // What is private in a file that others may read would be no key any more; it is not taken on.
    return read.success
      ? [{ kty: 'RSA', kid: read.data.kid, alg: 'RS256', n: read.data.n, e: read.data.e }]
      : [];
  });
  if (ours.length === 0) throw new Error('no key of kty RSA with kid and alg RS256 in it');
  for (const { kid, n } of ours)
    if (bitsOf(n) < leastBits) throw new Error(`key ${kid} is shorter than ${leastBits} bits; make another`);
  return createLocalJWKSet({ keys: ours });
}

const bitsOf = (n: string): number => Buffer.from(n, 'base64url').length * 8;

function jsonIn(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new Error('no JSON; write the file that AuthAltParameters names as jwks');
  }
}
