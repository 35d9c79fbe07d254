/** Signing in at a provider that others made and that is certified, from the page and back, in a real browser. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { oidcIdentity } from '../../adapters/identity/oidc.ts';
import { audience, type Certified, clientId, openCertified } from '../certified.ts';
import { type Life, type Look, look, makeLife, openBrowser } from './bed.ts';

let provider: Certified;
let life: Life;
let browser: Browser;
let open: Look[] = [];
beforeAll(async () => {
  provider = await openCertified();
  const claims = { userClaim: 'preferred_username', roleClaim: 'groups' };
  [life, browser] = await Promise.all([
    makeLife({
      identity: oidcIdentity({
        ...{ issuer: provider.url, audience, ...claims, operators: ['hpc-ops'], admins: [] },
        ...{ clockSkewMs: 0, timeoutMs: 5_000 },
      }),
      login: {
        ...{ issuer: provider.url, name: 'Test institute', clientId, tokenOrigin: undefined },
        ...{ scopes: ['openid', 'profile', 'offline_access'], prompt: 'consent', clockSkewMs: 5_000 },
      },
    }),
    openBrowser(),
  ]);
  provider.register(life.base);
});
afterAll(async () => {
  await browser?.close();
  await life?.close();
  await provider?.close();
});
afterEach(async () => {
  const seen = open;
  open = [];
  for (const { context } of seen) await context.close();
  provider.reset();
  expect(seen.flatMap((l) => l.complaints).join('\n')).toBe('');
});

async function visit(path: string, ...excused: readonly RegExp[]): Promise<Page> {
  const seen = await look(browser, life.base);
  open.push(seen);
  for (const what of [/401/, ...excused]) seen.excuse(what);
  await seen.page.goto(path);
  return seen.page;
}
async function begin(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign in with Test institute' }).click();
  await page.getByRole('heading', { name: 'Test institute' }).waitFor();
}
const as = (page: Page, who: string) => page.getByRole('link', { name: who, exact: true }).click();
const alert = (page: Page, words: string | RegExp) =>
  page.getByRole('alert').filter({ hasText: words }).waitFor();
const stored = (page: Page) =>
  page.evaluate('({ ...sessionStorage })') as Promise<Readonly<Record<string, string>>>;
/** What the page holds of a sign-in, changed while the browser is at the provider. */
async function tamper(page: Page, change: Readonly<Record<string, string>>): Promise<void> {
  const at = page.url();
  await page.goto('/healthz');
  const begun = { ...JSON.parse((await stored(page))['spillway.login'] ?? ''), ...change };
  await page.evaluate(`sessionStorage.setItem('spillway.login', ${JSON.stringify(JSON.stringify(begun))})`);
  await page.goto(at);
}
const tokensAsked = (): number => provider.asked.filter((path) => path === '/token').length;

it('a login at a certified provider leads back to the address that was opened, and a sign-out ends it there', async () => {
  const page = await visit('/jobs?by=account#here');
  await begin(page);
  await as(page, 'olga');
  await page.getByText('olga, operator').waitFor();
  expect(page.url()).toBe(`${life.base}/jobs?by=account#here`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  // It asks whether that is meant.
  await page.getByRole('button', { name: 'Leave' }).click();
  await page.waitForURL(`${life.base}/`);
  expect(await stored(page)).toEqual({});
  await expect.poll(() => provider.asked.includes('/token/revocation')).toBe(true);
  // It knows nobody by now.
  await begin(page);
  await as(page, 'alice');
  await page.getByText('alice, user').waitFor();
});

it('who is signed in at a certified provider is in again by one click', async () => {
  const page = await visit('/jobs');
  await begin(page);
  await as(page, 'olga');
  await page.getByText('olga, operator').waitFor();
  await page.evaluate('sessionStorage.clear()');
  await page.reload();
  await page.getByRole('button', { name: 'Sign in with Test institute' }).click();
  await page.getByText('olga, operator').waitFor();
});

it('who does not get in at a certified provider is told', async () => {
  const page = await visit('/money');
  await begin(page);
  await as(page, 'nobody');
  await alert(page, 'Test institute did not let you in (access_denied: nobody may not enter).');
  expect(page.url()).toBe(`${life.base}/money`);
});

it.each<[string, Record<string, string>, RegExp, RegExp[]]>([
  ['another state', { state: 'other' }, /not begun in this tab/, []],
  ['another nonce', { nonce: 'other' }, /did not work .*nonce/, []],
  ['another verifier', { verifier: 'x'.repeat(43) }, /refused this sign-in \(invalid_grant/, [/400/]],
])('an answer of a certified provider to %s is not taken', async (_, change, words, excused) => {
  const page = await visit('/jobs', ...excused);
  await begin(page);
  await tamper(page, change);
  await as(page, 'olga');
  await alert(page, words);
  expect(await stored(page)).toEqual({});
});

it('a certified provider renews a login by a token that is good once', async () => {
  provider.ways.lifeSeconds = 4;
  const page = await visit('/jobs');
  await begin(page);
  await as(page, 'olga');
  await page.getByText('olga, operator').waitFor();
  await expect.poll(tokensAsked, { timeout: 30_000 }).toBeGreaterThan(3);
  expect(await page.getByText('Your sign-in is over.').count()).toBe(0);
  await page.getByRole('link', { name: 'Money' }).click();
  await page.getByText('Cost by account').waitFor();
});

it('a certified provider that is away is told, and a login goes on where it was', async () => {
  const page = await visit('/capacity', /ERR_EMPTY_RESPONSE|ERR_CONNECTION/);
  provider.ways.down = true;
  await page.getByRole('button', { name: 'Sign in with Test institute' }).click();
  await alert(page, 'Test institute does not answer this page');
  provider.ways.down = false;
  await begin(page);
  await as(page, 'olga');
  await page.getByText('olga, operator').waitFor();
  expect(page.url()).toBe(`${life.base}/capacity`);
});
