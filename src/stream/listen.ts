/**
 * Where relays call, and login hosts: TLS 1.3, a client certificate of our CA required. A relay's CN is its cluster. A certificate whose
 * OU is `login` is a login host's: it is no relay's, and without it nobody is one.
 */
import type { Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { type ClusterName, clusterName } from '../domain/ids.ts';

export interface ListenSpec {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** PEM. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  readonly clientCa: string | Buffer;
  /** More are turned away; a relay makes one connection per job. */
  readonly maxConnections?: number;
  /** More that are still in their handshake are turned away. */
  readonly maxHandshakes?: number;
  readonly handshakeWithinMs?: number;
  /** Whether a cluster of that name is configured. */
  knows(cluster: ClusterName): boolean;
  accept(socket: TLSSocket, cluster: ClusterName): void;
  /** Undefined: no login host is let in. */
  readonly logins?: LoginHosts | undefined;
  note?(text: string, about: Readonly<Record<string, unknown>>): void;
}

export interface LoginHosts {
  /** Whether a login host of that name is configured. */
  knows(host: string): boolean;
  accept(socket: TLSSocket, host: string): void;
}

export interface Listener {
  readonly port: number;
  /** Stops listening and drops what is still in its handshake. */
  close(): Promise<void>;
}

/** The OU of a login host's certificate. */
const loginUnit = 'login';
const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** Rejects if the address cannot be had. */
export function listenForRelays(spec: ListenSpec): Promise<Listener> {
  const server = createServer({
    cert: spec.cert,
    key: spec.key,
    ca: spec.clientCa,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
    handshakeTimeout: spec.handshakeWithinMs ?? 10_000,
    noDelay: true,
  });
  server.maxConnections = spec.maxConnections ?? 4_096;
  const maxHandshakes = spec.maxHandshakes ?? 256;
  const shaking = new Set<Socket>();

  server.on('connection', (raw: Socket) => {
    if (shaking.size >= maxHandshakes) {
      spec.note?.('a relay connection was turned away: too many in handshake', { from: raw.remoteAddress });
      raw.destroy();
      return;
    }
    shaking.add(raw);
    raw.once('close', () => shaking.delete(raw));
  });
  server.on('tlsClientError', (e, socket) => {
    spec.note?.('a relay connection failed its handshake', { error: e.message, from: socket.remoteAddress });
    socket.destroy();
  });
  server.on('secureConnection', (socket) => {
    settle(shaking, socket);
    // A ticket of an earlier connection would bring a certificate that nobody looked at again; relays and login hosts ask for none.
    const caller = socket.authorized && !socket.isSessionReused() ? callerOf(socket) : undefined;
    const enter = caller && doorFor(spec, caller);
    if (enter === undefined) {
      const what = caller?.login ? 'a login host that is not configured' : 'a relay of no configured cluster';
      spec.note?.(`${what} was turned away`, { name: caller?.name, from: socket.remoteAddress });
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    socket.setKeepAlive(true, 30_000);
    enter(socket);
  });

  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(spec.port, spec.host, () => {
      server.off('error', reject);
      server.on('error', (e) => spec.note?.('the relay listener had an error', { error: e.message }));
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : spec.port,
        close: async () => {
          // Not awaited: it ends with the last connection, and those belong to who accepted them.
          server.close();
          for (const raw of shaking) raw.destroy();
        },
      });
    });
  });
}

interface CallerName {
  readonly name: string;
  readonly login: boolean;
}

function callerOf(socket: TLSSocket): CallerName | undefined {
  const { CN, OU }: { CN?: unknown; OU?: unknown } = socket.getPeerCertificate().subject ?? {};
  // Several CNs come as a list: such a certificate names nobody. One that is a login host's and something else is neither.
  if (typeof CN !== 'string' || !namePattern.test(CN)) return undefined;
  return Array.isArray(OU) && OU.includes(loginUnit) ? undefined : { name: CN, login: OU === loginUnit };
}

/** Undefined: it is turned away. */
function doorFor(spec: ListenSpec, { name, login }: CallerName): ((socket: TLSSocket) => void) | undefined {
  const { logins } = spec;
  if (login) return logins?.knows(name) ? (socket) => logins.accept(socket, name) : undefined;
  const cluster = clusterName(name);
  return spec.knows(cluster) ? (socket) => spec.accept(socket, cluster) : undefined;
}

/** The handshake is over: the connection counts no longer as one that might never say anything. */
function settle(shaking: Set<Socket>, socket: TLSSocket): void {
  for (const raw of shaking)
    if (raw.remotePort === socket.remotePort && raw.remoteAddress === socket.remoteAddress)
      shaking.delete(raw);
}
