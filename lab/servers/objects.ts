/** The object store model's wire face: the part of S3's protocol that Spillway uses, by path (`/BUCKET/KEY`), on loopback. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../src/ports.ts';
import { ObjectsError, type ObjectsModel, type Range } from '../../src/sim/models/objects.ts';
import { answerOf, type S3Request } from './objects-actions.ts';
import { checkSignature, type Keys, pairsOf } from './signature.ts';
import { xml } from './xml.ts';

/** One part of an upload, and then some. */
const longestBody = 64 * 2 ** 20;

export interface ObjectsServer {
  readonly endpoint: string;
  readonly port: number;
  close(): Promise<void>;
}

export interface ObjectsServerOptions {
  /** 0 = any free one. */
  readonly port: number;
  readonly bucket: string;
  readonly keys: Keys;
  readonly clock: Clock;
  /** One line a request. */
  readonly log?: (line: string) => void;
}

export async function serveObjects(
  model: ObjectsModel,
  options: ObjectsServerOptions,
): Promise<ObjectsServer> {
  const log = options.log ?? (() => undefined);
  const server = createServer((request, response) => {
    answer(model, options, request, response).catch((error: unknown) => {
      const known =
        error instanceof ObjectsError ? error : new ObjectsError('InternalError', 500, 'transient');
      log(`${request.method} ${request.url}: ${error instanceof Error ? error.message : error}`);
      if (response.headersSent) return void response.destroy();
      const body = xml('Error', { Code: known.code, Message: known.message });
      response.writeHead(known.status, { 'content-type': 'application/xml' });
      response.end(request.method === 'HEAD' ? undefined : body);
    });
  });
  await listen(server, options.port);
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  model: ObjectsModel,
  { bucket, keys, clock }: ObjectsServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await read(request);
  const { method = '', url: target = '', headers } = request;
  const checked = checkSignature({ method, target, headers, body }, keys, clock.now());
  if (!checked.ok) throw new ObjectsError(checked.code, 403, 'refused');
  const [path = '', query = ''] = target.split('?', 2);
  const [, of = '', ...key] = decodeURIComponent(path).split('/');
  if (of !== bucket) throw new ObjectsError('NoSuchBucket', 404, 'refused');
  const asked: S3Request = {
    method,
    key: key.join('/'),
    query: new Map(pairsOf(query)),
    sha256: sha256Of(headers['x-amz-checksum-sha256']),
    range: rangeOf(headers.range),
    body,
  };
  const { status, headers: said, body: bytes } = answerOf(model, bucket, asked);
  response.writeHead(status, { ...said, 'content-length': said['content-length'] ?? `${bytes.length}` });
  response.end(method === 'HEAD' ? undefined : bytes);
}

function sha256Of(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString('hex') : undefined;
}

function rangeOf(value: string | undefined): Range | undefined {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(value ?? '') ?? [];
  return from === undefined ? undefined : { from: Number(from), to: to === '' ? undefined : Number(to) };
}

async function read(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    length += chunk.length;
    if (length > longestBody) throw new ObjectsError('EntityTooLarge', 400, 'refused');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
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
