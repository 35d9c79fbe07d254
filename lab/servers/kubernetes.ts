/**
 * The Kubernetes model's wire face: the core API over HTTPS on loopback, with watches and port-forward, and client
 * certificates made at start. Slow answers, lost ones and broken streams are the model's faults, switched on there.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { KubernetesModel } from '../../src/sim/models/kubernetes.ts';
import type { Who } from '../../src/sim/models/kubernetes-rights.ts';
import { ApiError, badRequest, NoAnswer } from '../../src/sim/models/kubernetes-types.ts';
import { callerOf, kubeconfig, makeKeys } from './kubernetes-access.ts';
import { Forwarder } from './kubernetes-forward.ts';
import { type Asked, answer, asking, doesOf, isWatch, resourceOf, unsupported } from './kubernetes-routes.ts';
import { type Answer, failure, unauthorized } from './kubernetes-status.ts';
import { watch } from './kubernetes-watch.ts';

export interface KubernetesServer {
  readonly endpoint: string;
  readonly port: number;
  /** The gateway's, as text: complete in itself. */
  readonly kubeconfig: string;
  /** An admin's, who may do everything. */
  readonly adminKubeconfig: string;
  close(): Promise<void>;
}

export interface KubernetesServerOptions {
  /** 0 = any free one. */
  readonly port: number;
  /** One line a request. */
  readonly log?: (line: string) => void;
}

const longestBody = 3 * 1024 * 1024;

export async function serveKubernetes(
  model: KubernetesModel,
  options: KubernetesServerOptions,
): Promise<KubernetesServer> {
  const log = options.log ?? (() => undefined);
  const keys = makeKeys();
  const forwarder = new Forwarder(model);
  const server = createServer({
    key: keys.server.keyPem,
    cert: keys.server.certPem,
    ca: keys.caPem,
    requestCert: true,
    // Who shows none is told so, as by a real one.
    rejectUnauthorized: false,
    // As the API server's: clients that reuse an idle connection must be the ones to close it.
    keepAliveTimeout: 90_000,
  });
  const sockets = new Set<Socket>();
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  // Before TLS: whoever is away does not even shake hands.
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (model.on('away')) socket.destroy();
  });
  const switched = model.onSwitch(() => {
    if (model.on('away')) cut();
  });
  server.on('tlsClientError', () => undefined);
  server.on('request', (request, response) => {
    handle(model, request, response, log).catch((error: unknown) => {
      refuse(request, response, error, log);
    });
  });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    upgrade(forwarder, request, socket, head).catch((error: unknown) => {
      if (!(error instanceof ApiError)) log(`${request.method} ${request.url}: ${error}`);
      if (error instanceof NoAnswer) socket.destroy();
      else write(socket, error instanceof ApiError ? failure(error) : internal);
    });
  });
  await listen(server, options.port);
  const { port } = server.address() as AddressInfo;
  const endpoint = `https://127.0.0.1:${port}`;
  return {
    endpoint,
    port,
    kubeconfig: kubeconfig(endpoint, keys.caPem, 'gateway', keys.gateway),
    adminKubeconfig: kubeconfig(endpoint, keys.caPem, 'admin', keys.admin),
    close: () => {
      switched.cancel();
      return new Promise((resolve) => {
        server.close(() => resolve());
        cut();
      });
    },
  };
}

async function handle(
  model: KubernetesModel,
  request: IncomingMessage,
  response: ServerResponse,
  log: (line: string) => void,
): Promise<void> {
  const who = callerOf(request);
  const asked = who === undefined ? undefined : await read(request, who);
  if (asked === undefined) {
    say(response, unauthorized);
    return;
  }
  if (isWatch(asked)) {
    const wanted = await model.request('read', () => asking(model, asked, 'watch'));
    watch(model, wanted, asked.query, response);
    log(`WATCH ${request.url}`);
    return;
  }
  const said = await model.request(doesOf(asked), () => answer(model, asked));
  say(response, said);
  log(`${asked.method} ${asked.path}: ${said.code}`);
}

async function upgrade(
  forwarder: Forwarder,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const who = callerOf(request);
  if (who === undefined) {
    write(socket, unauthorized);
    return;
  }
  const url = new URL(request.url ?? '/', 'https://model');
  const { kind, namespace, name, sub } = resourceOf(url.pathname) ?? {};
  if (kind !== 'pods' || name === undefined || sub !== 'portforward')
    throw badRequest('there is nothing to upgrade to here');
  await forwarder.forward(who, { namespace: namespace ?? '', name }, request, url.searchParams, socket, head);
}

async function read(request: IncomingMessage, who: Who): Promise<Asked> {
  const url = new URL(request.url ?? '/', 'https://model');
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    length += chunk.length;
    if (length > longestBody) throw new ApiError(413, 'RequestEntityTooLarge', 'the request is too large');
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  const contentType = request.headers['content-type'] ?? '';
  let body: unknown;
  try {
    body = text === '' ? undefined : JSON.parse(text);
  } catch {
    if (!contentType.includes('json')) throw unsupported(contentType);
    throw badRequest('the body of the request is not JSON');
  }
  return {
    who,
    method: request.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    contentType,
    body,
  };
}

const internal = failure({ code: 500, reason: 'InternalError', message: 'an internal error' });

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  log: (line: string) => void,
): void {
  log(`${request.method} ${request.url}: ${error instanceof Error ? error.message : error}`);
  // The caller sees its connection break after it has asked.
  if (error instanceof NoAnswer || response.headersSent) request.socket.destroy();
  else if (error instanceof ApiError) say(response, failure(error));
  else {
    log(`internal error: ${error instanceof Error ? error.stack : error}`);
    say(response, internal);
  }
}

function say(response: ServerResponse, { code, body, headers }: Answer): void {
  const plain = typeof body === 'string';
  const text = plain ? body : `${JSON.stringify(body)}\n`;
  response
    .writeHead(code, { 'Content-Type': plain ? 'text/plain' : 'application/json', ...headers })
    .end(text);
}

/** An answer in place of an upgrade. */
function write(socket: Duplex, { code, body }: Answer): void {
  const text = JSON.stringify(body);
  const head = [`HTTP/1.1 ${code} Refused`, 'Content-Type: application/json', 'Connection: close'];
  socket.end(`${head.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
