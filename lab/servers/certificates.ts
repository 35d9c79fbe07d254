/**
 * A certificate authority in plain Node, for servers and clients of the lab: X.509 v3 with ECDSA on P-256, in DER by
 * hand (RFC 5280; X.690), so that a demo needs neither openssl nor a package. Keys live as long as the process.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

export interface Subject {
  readonly commonName: string;
  readonly organization?: string;
  /** DNS names and IP addresses that a server answers to. */
  readonly hosts?: readonly string[];
  readonly usage: 'server' | 'client';
}

export interface Issued {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface Authority {
  readonly caPem: string;
  issue(subject: Subject): Issued;
}

export interface AuthorityOptions {
  /** From a minute before now on; default a year. */
  readonly days?: number;
  /** Milliseconds since the epoch. */
  readonly now?: number;
}

const day = 24 * 3_600_000;

export function authority(name: string, options: AuthorityOptions = {}): Authority {
  const now = options.now ?? Date.now();
  const validity = sequence(time(now - 60_000), time(now + (options.days ?? 365) * day));
  const own = newKey();
  const issuer = distinguished({ commonName: name });
  const keyId = keyIdOf(own.publicKey);

  function certificate(subject: Buffer, key: KeyObject, extensions: readonly Buffer[]): string {
    const body = sequence(
      explicit(0, integer(Buffer.from([2]))),
      // Positive, and not to be guessed.
      integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
      ecdsaWithSha256,
      issuer,
      validity,
      subject,
      key.export({ type: 'spki', format: 'der' }),
      explicit(3, sequence(...extensions)),
    );
    const signature = sign('sha256', body, own.privateKey);
    return pem('CERTIFICATE', sequence(body, ecdsaWithSha256, bits(signature)));
  }

  const caPem = certificate(issuer, own.publicKey, [
    extension(oids.basicConstraints, sequence(boolean(true)), 'critical'),
    // keyCertSign and cRLSign.
    extension(oids.keyUsage, bits(Buffer.from([0b0000_0110]), 1), 'critical'),
    extension(oids.subjectKeyId, octets(keyId)),
  ]);

  return {
    caPem,
    issue({ commonName, organization, hosts, usage }) {
      const key = newKey();
      const subject = { commonName, ...(organization === undefined ? {} : { organization }) };
      const certPem = certificate(distinguished(subject), key.publicKey, [
        extension(oids.basicConstraints, sequence(), 'critical'),
        // digitalSignature.
        extension(oids.keyUsage, bits(Buffer.from([0b1000_0000]), 7), 'critical'),
        extension(oids.extendedKeyUsage, sequence(usage === 'server' ? oids.serverAuth : oids.clientAuth)),
        extension(oids.subjectKeyId, octets(keyIdOf(key.publicKey))),
        extension(oids.authorityKeyId, sequence(tagged(0x80, keyId))),
        ...(hosts === undefined || hosts.length === 0
          ? []
          : [extension(oids.subjectAltName, sequence(...hosts.map(generalName)))]),
      ]);
      return { certPem, keyPem: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
    },
  };
}

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** RFC 7093, method 1: any digest of the key will do, as long as both certificates say the same. */
function keyIdOf(key: KeyObject): Buffer {
  const spki = key.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest().subarray(0, 20);
}

function distinguished({ commonName, organization }: Pick<Subject, 'commonName' | 'organization'>): Buffer {
  const part = (oid: Buffer, value: string) => tagged(0x31, sequence(oid, tagged(0x0c, Buffer.from(value))));
  return sequence(
    ...(organization === undefined ? [] : [part(oids.organization, organization)]),
    part(oids.commonName, commonName),
  );
}

function generalName(host: string): Buffer {
  const family = isIP(host);
  if (family === 0) return tagged(0x82, Buffer.from(host, 'ascii'));
  return tagged(0x87, family === 4 ? Buffer.from(host.split('.').map(Number)) : ipv6(host));
}

function ipv6(text: string): Buffer {
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = new Array<number>(tail === undefined ? 0 : 8 - before.length - after.length).fill(0);
  return Buffer.from([...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]));
}

function extension(oid: Buffer, value: Buffer, critical?: 'critical'): Buffer {
  return sequence(oid, ...(critical === undefined ? [] : [boolean(true)]), octets(value));
}

/** UTCTime up to 2049, GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5). */
function time(at: number): Buffer {
  const digits = `${new Date(at).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
  const short = new Date(at).getUTCFullYear() < 2050;
  return tagged(short ? 0x17 : 0x18, Buffer.from(short ? digits.slice(2) : digits));
}

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  const head = length < 128 ? [tag, length] : [tag, 0x80 | bytes.length, ...bytes];
  return Buffer.concat([Buffer.from(head), content]);
}

const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, Buffer.concat(parts));
const explicit = (n: number, content: Buffer): Buffer => tagged(0xa0 + n, content);
const octets = (content: Buffer): Buffer => tagged(0x04, content);
const boolean = (value: boolean): Buffer => tagged(0x01, Buffer.from([value ? 0xff : 0]));
const bits = (content: Buffer, unused = 0): Buffer =>
  tagged(0x03, Buffer.concat([Buffer.from([unused]), content]));
const integer = (bytes: Buffer): Buffer => tagged(0x02, bytes);

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const base128 = (n: number): number[] => {
    const digits = [n % 128];
    for (let left = Math.floor(n / 128); left > 0; left = Math.floor(left / 128))
      digits.unshift((left % 128) | 0x80);
    return digits;
  };
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

const oids = {
  commonName: oid('2.5.4.3'),
  organization: oid('2.5.4.10'),
  subjectKeyId: oid('2.5.29.14'),
  keyUsage: oid('2.5.29.15'),
  subjectAltName: oid('2.5.29.17'),
  basicConstraints: oid('2.5.29.19'),
  authorityKeyId: oid('2.5.29.35'),
  extendedKeyUsage: oid('2.5.29.37'),
  serverAuth: oid('1.3.6.1.5.5.7.3.1'),
  clientAuth: oid('1.3.6.1.5.5.7.3.2'),
} as const;

const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'));

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').replace(/.{1,64}/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}
