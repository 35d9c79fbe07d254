import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { describe, expect, it } from 'vitest';
import { authority } from '../../lab/servers/certificates.ts';

const ca = authority('Test authority');
const server = ca.issue({
  commonName: 'api',
  usage: 'server',
  hosts: ['localhost', 'api.example.org', '127.0.0.1', '2001:db8::ff:1', '::1'],
});
const client = ca.issue({ commonName: 'gw', organization: 'system:masters', usage: 'client' });

const root = new X509Certificate(ca.caPem);
const leaf = new X509Certificate(server.certPem);

describe('a certificate', () => {
  it('of the authority signs itself and may sign others', () => {
    expect(root.subject).toBe('CN=Test authority');
    expect(root.issuer).toBe(root.subject);
    expect(root.ca).toBe(true);
    expect(root.verify(root.publicKey)).toBe(true);
  });

  it('that it issued is signed by it, with the subject that was asked for, and may sign none', () => {
    expect(leaf.verify(root.publicKey)).toBe(true);
    expect(leaf.checkIssued(root)).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(new X509Certificate(client.certPem).subject).toBe('O=system:masters\nCN=gw');
    expect(leaf.checkPrivateKey(createPrivateKey(server.keyPem))).toBe(true);
    expect(leaf.checkPrivateKey(createPrivateKey(client.keyPem))).toBe(false);
  });

  it('bears its names and addresses', () => {
    expect(leaf.checkHost('localhost')).toBe('localhost');
    expect(leaf.checkHost('api.example.org')).toBe('api.example.org');
    expect(leaf.checkHost('other.example.org')).toBeUndefined();
    expect(leaf.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(leaf.checkIP('2001:db8::ff:1')).toBe('2001:db8::ff:1');
    expect(leaf.checkIP('::1')).toBe('::1');
    expect(leaf.checkIP('127.0.0.2')).toBeUndefined();
  });

  it('is valid from now for as long as was asked, past 2050 too', () => {
    const now = Date.UTC(2026, 0, 2, 3, 4, 5);
    const of = (days: number) => new X509Certificate(authority('x', { now, days }).caPem);
    expect(Date.parse(of(1).validFrom)).toBe(now - 60_000);
    expect(Date.parse(of(1).validTo)).toBe(Date.UTC(2026, 0, 3, 3, 4, 5));
    expect(Date.parse(of(10_000).validTo)).toBe(now + 10_000 * 86_400_000);
    expect(of(10_000).validTo).toContain('2053');
  });

  it('has a serial number that no other has', () => {
    const serials = new Set([root, leaf, new X509Certificate(client.certPem)].map((one) => one.serialNumber));
    expect(serials.size).toBe(3);
  });

  it('of another authority of the same name is not this one’s', () => {
    const other = authority('Test authority');
    const stranger = new X509Certificate(other.issue({ commonName: 'gw', usage: 'client' }).certPem);
    expect(stranger.verify(root.publicKey)).toBe(false);
  });
});

describe('TLS with both sides’ certificates', () => {
  type Issued = typeof server;

  /** What the server says to this client, or why the client does not listen to it. */
  async function greet(by: Issued | undefined, as: Issued, name: string) {
    const asks = { ca: ca.caPem, requestCert: true, rejectUnauthorized: false };
    const listener = tls.createServer({ key: as.keyPem, cert: as.certPem, ...asks }, (socket) =>
      socket.end(socket.authorized ? `hello ${socket.getPeerCertificate().subject.CN}` : 'who are you?'),
    );
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    const own = by === undefined ? {} : { cert: by.certPem, key: by.keyPem };
    const socket = tls.connect({ host: '127.0.0.1', port, servername: name, ca: ca.caPem, ...own });
    try {
      let heard = '';
      for await (const chunk of socket) heard += chunk;
      return heard;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    } finally {
      socket.destroy();
      listener.close();
    }
  }

  it('is trusted both ways', async () => {
    expect(await greet(client, server, 'localhost')).toBe('hello gw');
  });

  it('is not where the server does not bear the name, or the client has no certificate of this authority', async () => {
    expect(await greet(client, server, 'example.com')).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(await greet(undefined, server, 'localhost')).toBe('who are you?');
    const stranger = authority('Test authority').issue({ commonName: 'gw', usage: 'client' });
    expect(await greet(stranger, server, 'localhost')).toBe('who are you?');
  });

  it('is not where a certificate is used for what it is not meant for', async () => {
    expect(await greet(client, client, 'localhost')).toBe('INVALID_PURPOSE');
    expect(await greet(server, server, 'localhost')).toBe('who are you?');
  });
});
