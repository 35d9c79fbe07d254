import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Listener, type ListenSpec, listenForRelays } from '../../src/stream/listen.ts';
import { cluster, Scene } from './scene.ts';
import { until } from './wire.ts';

const dir = mkdtempSync(join(tmpdir(), 'spill-listen-'));
const path = (name: string): string => join(dir, name);
const pem = (name: string): string => readFileSync(path(name), 'utf8');
const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'pipe' });
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

function authority(name: string): void {
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    path(`${name}.key`),
    '-subj',
    `/CN=${name}`,
    '-days',
    '2',
    '-out',
    path(`${name}.crt`),
  );
}
function certificate(name: string, subject: string, ca: string, days = '2'): void {
  openssl(
    'req',
    '-new',
    ...newKey,
    '-keyout',
    path(`${name}.key`),
    '-subj',
    subject,
    '-out',
    path(`${name}.csr`),
  );
  writeFileSync(path(`${name}.ext`), 'subjectAltName=IP:127.0.0.1\n');
  openssl(
    'x509',
    '-req',
    '-in',
    path(`${name}.csr`),
    '-CA',
    path(`${ca}.crt`),
    '-CAkey',
    path(`${ca}.key`),
    '-CAcreateserial',
    '-days',
    days,
    '-extfile',
    path(`${name}.ext`),
    '-out',
    path(`${name}.crt`),
  );
}

beforeAll(() => {
  authority('ca');
  authority('foreign');
  certificate('gateway', '/CN=gateway', 'ca');
  certificate('relay', '/CN=hpc1', 'ca');
  certificate('stranger', '/CN=hpc9', 'ca');
  certificate('twofold', '/CN=hpc1/CN=hpc2', 'ca');
  certificate('forged', '/CN=hpc1', 'foreign');
  certificate('login', '/OU=login/CN=login1', 'ca');
  certificate('login of a cluster', '/CN=hpc1/OU=login', 'ca');
  certificate('login of nobody', '/CN=login9/OU=login', 'ca');
  certificate('login and more', '/CN=login1/OU=login/OU=hpc', 'ca');
  certificate('login by its look', '/CN=login1/OU=Login', 'ca');
  certificate('login of two', '/CN=login1/CN=alice/OU=login', 'ca');
  certificate('forged login', '/CN=login1/OU=login', 'foreign');
  certificate('login that is over', '/CN=login1/OU=login', 'ca', '-1');
  certificate('relay of a unit', '/CN=hpc1/OU=HPC', 'ca');
});
afterAll(() => rmSync(dir, { recursive: true }));

const closers: (() => unknown)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((c) => c()));
});

async function listen(
  more: Partial<ListenSpec> = {},
): Promise<{ listener: Listener; names: string[]; notes: string[] }> {
  const names: string[] = [];
  const notes: string[] = [];
  const listener = await listenForRelays({
    host: '127.0.0.1',
    port: 0,
    cert: pem('gateway.crt'),
    key: pem('gateway.key'),
    clientCa: pem('ca.crt'),
    knows: (c) => c === cluster,
    accept: (socket, name) => {
      names.push(name);
      socket.on('error', () => {});
      closers.push(() => socket.destroy());
    },
    note: (text, about) => void notes.push(`${text} ${JSON.stringify(about)}`),
    ...more,
  });
  closers.push(() => listener.close());
  return { listener, names, notes };
}

async function withLogins(known: readonly string[]) {
  const hosts: string[] = [];
  const accept = (socket: TLSSocket, host: string): void => {
    hosts.push(host);
    socket.on('error', () => {});
    closers.push(() => socket.destroy());
  };
  return { hosts, ...(await listen({ logins: { knows: (host) => known.includes(host), accept } })) };
}

function call(port: number, who: string | undefined, more: ConnectionOptions = {}): TLSSocket {
  const identity = who === undefined ? {} : { cert: pem(`${who}.crt`), key: pem(`${who}.key`) };
  const socket = connect({ host: '127.0.0.1', port, ca: pem('ca.crt'), ...identity, ...more });
  socket.on('error', () => {});
  closers.push(() => socket.destroy());
  return socket;
}

function callPlain(port: number): Socket {
  const socket = connectPlain(port, '127.0.0.1');
  socket.on('error', () => {});
  // Unread bytes would keep its end from being seen.
  socket.resume();
  closers.push(() => socket.destroy());
  return socket;
}

describe('the door for relays', () => {
  it("takes the cluster from the relay's certificate, over TLS 1.3", async () => {
    const { listener, names } = await listen();
    const socket = call(listener.port, 'relay');
    await until('let in', () => names.length === 1);
    expect(names).toEqual(['hpc1']);
    expect(socket.getProtocol()).toBe('TLSv1.3');
  });

  it.each<[string, string | undefined, ConnectionOptions]>([
    ['without a certificate', undefined, {}],
    ['with a certificate of another authority', 'forged', {}],
    ['of a cluster that is not configured', 'stranger', {}],
    ['whose certificate names two clusters', 'twofold', {}],
    ['that speaks no more than TLS 1.2', 'relay', { maxVersion: 'TLSv1.2' }],
  ])('one %s is turned away', async (_, who, more) => {
    const { listener, names } = await listen();
    const socket = call(listener.port, who, more);
    await until('closed', () => socket.destroyed);
    call(listener.port, 'relay');
    await until('a good one is let in', () => names.length > 0);
    expect(names).toEqual(['hpc1']);
  });

  it('garbage and resets amid the handshake harm nobody', async () => {
    const { listener, names } = await listen();
    for (let i = 0; i < 60; i++) {
      const socket = callPlain(listener.port);
      socket.on('connect', () => {
        socket.write(i % 3 === 0 ? Buffer.from('1603010200010001fc0303', 'hex') : randomBytes(1 + i * 7));
        if (i % 2 === 0) setImmediate(() => socket.resetAndDestroy());
        else socket.end();
      });
      await until('closed', () => socket.destroyed);
    }
    call(listener.port, 'relay');
    await until('a good one is let in', () => names.length === 1);
  });

  it('one that connects and says nothing loses its place in time, and too many such are turned away', async () => {
    const { listener, names, notes } = await listen({ maxHandshakes: 3, handshakeWithinMs: 300 });
    const silent = [1, 2, 3].map(() => callPlain(listener.port));
    await Promise.all(silent.map((s) => new Promise((resolve) => s.once('connect', resolve))));
    const fourth = callPlain(listener.port);
    await until('the fourth is turned away', () => fourth.destroyed);
    expect(notes.some((n) => n.includes('too many in handshake'))).toBe(true);
    await until('the silent ones lose their places', () => silent.every((s) => s.destroyed));
    call(listener.port, 'relay');
    await until('there is room again', () => names.length === 1);
  });

  it('connections that are in take no place among those in handshake, but the whole is bounded', async () => {
    const { listener, names } = await listen({ maxHandshakes: 1, maxConnections: 3 });
    for (let i = 1; i <= 3; i++) {
      call(listener.port, 'relay');
      await until('let in', () => names.length === i);
    }
    const fourth = call(listener.port, 'relay');
    await until('turned away', () => fourth.destroyed);
    expect(names).toHaveLength(3);
  });

  it('a login host is let in by its own certificate, to its own door', async () => {
    const { hosts, listener, names } = await withLogins(['login1', 'hpc1']);
    call(listener.port, 'login');
    await until('let in', () => hosts.length === 1);
    call(listener.port, 'relay of a unit');
    await until('a relay is let in', () => names.length === 1);
    expect([hosts, names]).toEqual([['login1'], ['hpc1']]);
  });

  it.each([
    ['a relay, though a host has its name', 'relay', 1],
    ['one that is not configured', 'login of nobody', 0],
    ['one of another unit too', 'login and more', 0],
    ['one whose unit looks like it', 'login by its look', 0],
    ['one of two names', 'login of two', 0],
    ['one of another authority', 'forged login', 0],
    ['one whose certificate is over', 'login that is over', 0],
    ['one without a certificate', undefined, 0],
  ])('no login host is %s', async (_, who, relays) => {
    const { hosts, listener, names } = await withLogins(['login1', 'hpc1']);
    const socket = call(listener.port, who);
    await until('its end', () => (relays === 1 ? names.length === 1 : socket.destroyed));
    call(listener.port, 'login');
    await until('a good one is let in', () => hosts.length === 1);
    expect([hosts, names.length]).toEqual([['login1'], relays]);
  });

  it('no session is taken up again: a certificate may be over by then', async () => {
    const { hosts, listener } = await withLogins(['login1']);
    const first = call(listener.port, 'login');
    let session: Buffer | undefined;
    first.on('session', (ticket: Buffer) => {
      session = ticket;
    });
    first.resume();
    await until('a ticket', () => hosts.length === 1 && session !== undefined);
    const again = call(listener.port, undefined, { session: session as Buffer });
    let reused = false;
    again.once('secureConnect', () => {
      reused = again.isSessionReused();
    });
    await until('its end', () => again.destroyed);
    expect(reused).toBe(true);
    expect(hosts).toEqual(['login1']);
  });

  it("a login host's certificate is no relay's, and none is let in where none is configured", async () => {
    const { listener, names, notes } = await listen();
    for (const who of ['login of a cluster', 'login']) {
      const socket = call(listener.port, who);
      await until('closed', () => socket.destroyed);
    }
    expect(names).toEqual([]);
    expect(notes.filter((n) => n.startsWith('a login host that is not configured'))).toHaveLength(2);
  });

  it('says why it cannot listen', async () => {
    const { listener } = await listen();
    await expect(listen({ port: listener.port })).rejects.toThrow(/EADDRINUSE/);
  });

  it('a whole job runs over it', async () => {
    const s = new Scene({ size: { 1: 5_000_000, 2: 5_000_000 } });
    closers.push(() => s.end());
    const { listener } = await listen({ accept: (socket, name) => s.board.accept(socket, name) });
    s.standin.connect(call(listener.port, 'relay'));
    await s.until('the end', () => s.keeper.byes > 0);
    expect(s.standin.written).toEqual({ 1: 5_000_000, 2: 5_000_000 });
    expect(s.standin.wrong).toBe(0);
  });
});
