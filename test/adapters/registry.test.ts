/** A server that speaks the distribution API, with token authentication as registries have it, and others that misbehave. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { distributionRegistry } from '../../adapters/registry/index.ts';
import { faultOf } from '../../src/domain/fault.ts';

const servers: Server[] = [];
const dir = mkdtempSync(join(tmpdir(), 'spillway-registry-'));
writeFileSync(join(dir, 'password'), 's3cret\n');
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function serve(answer: (request: IncomingMessage, response: ServerResponse, base: string) => void) {
  let base = '';
  const server = createServer((request, response) => answer(request, response, base));
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return base;
}

const manifest = JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json' });
const digest = `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
const image = { host: 'registry.example.org', path: 'hpc/base', reference: '1' };
const at = (url: string, more: object = {}) =>
  distributionRegistry([{ host: 'registry.example.org', url, ...more }]);
const failing = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no fault',
    (e: unknown) => `${faultOf(e)}: ${(e as Error).message}`,
  );

/** `hpc/base:1`, and `hpc/mine:1` for who signs in. */
async function registry(tellsDigest = true) {
  const log: string[] = [];
  const base = await serve((request, response, here) => {
    const url = new URL(request.url ?? '', here);
    log.push(`${request.method} ${url.pathname}`);
    if (url.pathname === '/token') {
      const known =
        request.headers.authorization === `Basic ${Buffer.from('reader:s3cret').toString('base64')}`;
      const scope = url.searchParams.get('scope');
      if (url.searchParams.get('service') !== 'the-registry') response.writeHead(400).end();
      else response.end(JSON.stringify({ token: `${scope} ${known ? 'known' : 'anybody'}` }));
      return;
    }
    const [, path = '', tag] = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(url.pathname) ?? [];
    const token = request.headers.authorization;
    if (token === undefined) {
      const challenge = `Bearer realm="${here}/token",service="the-registry",scope="repository:${path}:pull"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
    } else if (
      !token.startsWith(`Bearer repository:${path}:pull `) ||
      (path === 'hpc/mine' && !token.endsWith('known'))
    )
      response.writeHead(403).end();
    else if (tag !== '1') response.writeHead(404).end();
    else if (!request.headers.accept?.includes('application/vnd.oci.image.index.v1+json'))
      response.writeHead(406).end();
    else {
      if (tellsDigest) response.setHeader('docker-content-digest', digest);
      response.end(request.method === 'HEAD' ? undefined : manifest);
    }
  });
  return { base, log };
}

describe('what a tag stands for', () => {
  it('is what the registry says, with a token of the server that it names', async () => {
    const { base, log } = await registry();
    expect(await at(base).digest(image)).toBe(digest);
    const manifests = '/v2/hpc/base/manifests/1';
    expect(log).toEqual([`HEAD ${manifests}`, 'GET /token', `HEAD ${manifests}`]);
  });

  it('is reckoned from the manifest where the registry tells no digest', async () => {
    const { base } = await registry(false);
    expect(await at(base).digest(image)).toBe(digest);
  });

  it('of an image that is not for everyone, with the password of the file', async () => {
    const { base } = await registry();
    const mine = { ...image, path: 'hpc/mine' };
    expect(await failing(at(base).digest(mine))).toMatch(/^refused: .*403/);
    const known = at(base, { username: 'reader', passwordFile: join(dir, 'password') });
    expect(await known.digest(mine)).toBe(digest);
    const lost = at(base, { username: 'reader', passwordFile: join(dir, 'none') });
    expect(await failing(lost.digest(mine))).toMatch(/^refused: images.registries\[\].passwordFile/);
  });

  it('of a digest is that, and nobody is asked', async () => {
    const reference = `sha256:${'c'.repeat(64)}`;
    expect(await distributionRegistry([]).digest({ ...image, reference })).toBe(reference);
  });
});

describe('no answer', () => {
  it('a registry that is not in the configuration is not asked', async () => {
    const { log, base } = await registry();
    const other = new URL(base).host;
    expect(await failing(at(base).digest({ ...image, host: other }))).toMatch(
      /^refused: .*images\.registries/,
    );
    expect(log).toEqual([]);
  });

  it('no such tag, nobody there, too often, broken', async () => {
    const { base } = await registry();
    expect(await failing(at(base).digest({ ...image, reference: '2' }))).toMatch(/^not_found: /);
    expect(await failing(at('http://127.0.0.1:1').digest(image))).toMatch(/^unreachable: /);
    for (const [status, fault] of [
      [429, 'throttled'],
      [503, 'transient'],
      [400, 'refused'],
    ] as const) {
      const broken = await serve((_, response) => response.writeHead(status).end());
      expect(await failing(at(broken).digest(image))).toMatch(new RegExp(`^${fault}: .*${status}`));
    }
  });

  it('a redirect is not followed, and no other way to sign in is tried', async () => {
    const { base, log } = await registry();
    const away = await serve((_, response) => response.writeHead(307, { location: `${base}/v2/` }).end());
    expect(await failing(at(away).digest(image))).toMatch(/^unreachable: /);
    const negotiates = await serve((_, response) =>
      response.writeHead(401, { 'www-authenticate': 'Negotiate' }).end(),
    );
    expect(await failing(at(negotiates).digest(image))).toMatch(/^refused: .*Negotiate/);
    expect(log).toEqual([]);
  });

  it('a token server that answers nonsense', async () => {
    const base = await serve((request, response, here) => {
      if (request.url?.startsWith('/token')) response.end('{"nothing": 1}');
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="${here}/token"` }).end();
    });
    expect(await failing(at(base).digest(image))).toMatch(/^invalid: /);
    const html = await serve((request, response, here) => {
      if (request.url?.startsWith('/token')) response.end('<html>');
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="${here}/token"` }).end();
    });
    expect(await failing(at(html).digest(image))).toMatch(/^invalid: /);
  });
});
