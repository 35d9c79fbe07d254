/** How the operator's page is served: its files, what guards them, and what another site's page may not ask. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { app, type Facade } from '../../src/api/app.ts';
import type { Login } from '../../src/api/routes/login.ts';
import { grounds } from './grounds.ts';

const desk = { stops: async () => [] } as Partial<Facade> as Facade;
const dir = mkdtempSync(join(tmpdir(), '.spillway-page-'));
const servers: Server[] = [];

async function listen(page: string | undefined, login?: Login): Promise<string> {
  const server = app(grounds(desk, { page, login })).listen(0, '127.0.0.1');
  servers.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

let base: string;
beforeAll(async () => {
  mkdirSync(join(dir, 'assets'));
  writeFileSync(join(dir, 'index.html'), '<!doctype html><title>Spillway</title>');
  writeFileSync(join(dir, 'assets', 'index-abc.js'), 'export {};');
  base = await listen(dir);
});
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('the page', () => {
  it.each([
    '/',
    '/login',
    '/jobs',
    '/jobs/4711_3',
    '/bursts/b-1',
    '/decisions?verdict=wait',
    '/money',
    '/capacity',
    '/what-if',
  ])('is answered at %s, looked after each time', async (path) => {
    const response = await fetch(`${base}${path}`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/html/);
    expect(response.headers.get('cache-control')).toBe('no-cache');
    expect(await response.text()).toContain('<title>Spillway</title>');
  });

  it('runs its own files only, in no frame, and gives no other site a handle', async () => {
    const { headers } = await fetch(`${base}/`);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('set-cookie')).toBeNull();
  });

  it('has files whose name is their content kept for a year', async () => {
    const response = await fetch(`${base}/assets/index-abc.js`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/javascript/);
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  });

  it('is at no other address, and leads nowhere out of its directory', async () => {
    for (const path of ['/nothing', '/assets/none.js', '/assets/..%2findex.html', '/assets/', '/jobs/1/2'])
      expect((await fetch(`${base}${path}`, { redirect: 'manual' })).status, path).toBe(404);
  });

  it('that was not built says what to do, and the API answers all the same', async () => {
    const bare = await listen(join(dir, 'none'));
    const response = await fetch(`${bare}/`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      code: 'not_available',
      detail: expect.stringContaining('npm run build'),
    });
    expect((await fetch(`${bare}/api/v1/stop`)).status).toBe(200);
  });
});

describe('a login', () => {
  const at: Login = {
    ...{
      issuer: 'https://id.example.org/realms/hpc',
      name: 'Example',
      clientId: 'page',
      clockSkewMs: 60_000,
    },
    ...{ scopes: ['openid'], tokenOrigin: undefined },
  };
  const asks = async (site: string): Promise<string | undefined> => {
    const policy = (await fetch(`${site}/login?code=1`)).headers.get('content-security-policy') ?? '';
    return policy.split('; ').find((p) => p.startsWith('connect-src'));
  };

  it('is told to whoever comes, and opens the page’s policy to its issuer and to nobody else', async () => {
    const site = await listen(dir, at);
    const { tokenOrigin, ...oidc } = at;
    expect(await (await fetch(`${site}/api/v1/login`)).json()).toEqual({ oidc });
    expect(await asks(site)).toBe("connect-src 'self' https://id.example.org");
    const tokens = await listen(dir, { ...at, tokenOrigin: 'https://tokens.example.org:8443' });
    expect(await asks(tokens)).toBe(
      "connect-src 'self' https://id.example.org https://tokens.example.org:8443",
    );
    expect(await (await fetch(`${tokens}/api/v1/login`)).json()).toMatchObject({
      oidc: { tokenOrigin: 'https://tokens.example.org:8443' },
    });
  });

  it('that there is none is told, too, and the page may ask its gateway alone', async () => {
    expect(await (await fetch(`${base}/api/v1/login`)).json()).toEqual({});
    expect(await asks(base)).toBe("connect-src 'self'");
  });

  it('is told to no other site’s page', async () => {
    const site = await listen(dir, at);
    const response = await fetch(`${site}/api/v1/login`, { headers: { 'sec-fetch-site': 'cross-site' } });
    expect(response.status).toBe(403);
  });
});

describe('a page of another site', () => {
  it.each(['cross-site', 'same-site'])('may ask nothing here: %s', async (site) => {
    for (const path of ['/api/v1/stop', '/firecrest/v2/status/systems']) {
      const response = await fetch(`${base}${path}`, { headers: { 'sec-fetch-site': site } });
      expect(response.status, path).toBe(403);
    }
  });

  it('is told from our own, and from a person who types the address', async () => {
    for (const site of ['same-origin', 'none'])
      expect((await fetch(`${base}/api/v1/stop`, { headers: { 'sec-fetch-site': site } })).status).toBe(200);
  });
});
