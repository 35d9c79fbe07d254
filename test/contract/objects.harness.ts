/** An object store on the wire for the contract: the far ends' requests are plain HTTP. */
import { request } from 'node:http';
import type { S3Config } from '../../adapters/objects/s3/index.ts';
import type { ObjectsHarness } from './objects.contract.ts';

export const keys = {
  accessKeyId: 'spillway',
  secretAccessKey: 'a secret of the tests',
  region: 'us-east-1',
};

export const s3Config = (endpoint: string): S3Config => ({
  bucket: 'spillway-test',
  prefix: 'stage/',
  region: keys.region,
  endpoint,
  pathStyle: true,
  credentials: keys,
  connectTimeoutMs: 1_000,
  requestTimeoutMs: 10_000,
  maxAttempts: 2,
  // Of several pages even where there is little.
  pageSize: 2,
});

export const overHttp: ObjectsHarness['send'] = (signed, body, range) =>
  new Promise((resolve, reject) => {
    const headers: Record<string, string> = { ...signed.headers };
    // Of what is really sent: a far end that lies about it is to be refused.
    if (signed.method === 'PUT') headers['content-length'] = `${body?.length ?? 0}`;
    if (range !== undefined) headers.range = `bytes=${range.from}-${range.to ?? ''}`;
    const asked = request(signed.url, { method: signed.method, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
