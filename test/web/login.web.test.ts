/** Signing in at an identity provider, from the page and back, in a real browser: a provider with real keys, the real API, the page as it is built. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { oidcIdentity } from '../../adapters/identity/oidc.ts';
import { findings, type Life, type Look, look, makeLife, openBrowser } from './bed.ts';
import { clientId, type Issuer, openIssuer } from './issuer.ts';

let issuer: Issuer;
let life: Life;
let browser: Browser;
let open: Look[] = [];
beforeAll(async () => {
  issuer = await openIssuer();
  const groups = { roleClaim: 'groups', operators: ['hpc-ops'], admins: ['hpc-admins'] };
  [life, browser] = await Promise.all([
    makeLife({
      identity: oidcIdentity({
        ...{ issuer: issuer.url, audience: 'spillway', userClaim: 'preferred_username', ...groups },
        ...{ clockSkewMs: 0, timeoutMs: 5_000 },
      }),
      login: {
        ...{ issuer: issuer.url, name: 'Test institute', clientId, scopes: ['openid', 'profile'] },
        ...{ tokenOrigin: undefined, clockSkewMs: 5_000 },
      },
    }),
    openBrowser(),
  ]);
  issuer.register(life.base);
});
afterAll(async () => {
  await browser?.close();
  await life?.close();
  await issuer?.close();
});
afterEach(async () => {
  const seen = open;
  open = [];
  for (const { context } of seen) await context.close();
  issuer.reset();
  expect(seen.flatMap((l) => l.complaints).join('\n')).toBe('');
});

/** Nobody is signed in yet: the browser notes that the API said so. */
async function visit(path: string, ...excused: readonly RegExp[]): Promise<Page> {
  const seen = await look(browser, life.base);
  open.push(seen);
  for (const what of [/401/, ...excused]) seen.excuse(what);
  await seen.page.goto(path);
  return seen.page;
}
const button = (page: Page) => page.getByRole('button', { name: 'Sign in with Test institute' });
/** As far as the provider's own page. */
async function begin(page: Page): Promise<void> {
  await button(page).click();
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

describe('a login', () => {
  it('leads to the provider and back to the address that was opened, as who the claims say', async () => {
    const page = await visit('/jobs?by=account#here');
    await button(page).waitFor();
    expect(await findings(page)).toEqual([]);
    await begin(page);
    expect(issuer.signIns[0]).toMatchObject({
      ...{ response_type: 'code', client_id: clientId, redirect_uri: `${life.base}/login` },
      ...{ scope: 'openid profile', code_challenge_method: 'S256' },
      ...{ state: expect.stringMatching(/^[\w-]{43}$/), nonce: expect.stringMatching(/^[\w-]{43}$/) },
    });
    await as(page, 'olga');
    await page.getByText('olga, operator').waitFor();
    await page.getByText('lattice-qcd').first().waitFor();
    expect(page.url()).toBe(`${life.base}/jobs?by=account#here`);
    const kept = await stored(page);
    expect(Object.keys(kept).sort()).toEqual(['spillway.token', 'spillway.until']);
    expect(await page.context().cookies()).toEqual([]);
    expect(await page.evaluate('Object.values(localStorage).join()')).not.toContain(kept['spillway.token']);
    // Behind it is the form, and no answer of the provider, which would be one for the second time.
    await page.reload();
    await page.getByText('olga, operator').waitFor();
    expect(issuer.asked.map((a) => a.status)).toEqual([200]);
  });

  it('makes nobody an operator whose claims do not', async () => {
    const page = await visit('/');
    await begin(page);
    await as(page, 'alice');
    await page.getByText('alice, user').waitFor();
    await page.getByRole('link', { name: '1003' }).first().waitFor();
    expect(await page.getByRole('button', { name: /Stop|Approve/ }).count()).toBe(0);
  });

  it('may ask the provider, and nobody else', async () => {
    const policy = (await fetch(`${life.base}/jobs`)).headers.get('content-security-policy') ?? '';
    expect(policy.split('; ').filter((p) => p.startsWith('connect-src'))).toEqual([
      `connect-src 'self' ${issuer.url}`,
    ]);
    expect(policy.replace(issuer.url, '')).not.toMatch(/unsafe|\*|https?:/);
  });

  it('fits a phone, and speaks German', async () => {
    const seen = await look(browser, life.base, { locale: 'de-DE', viewport: { width: 375, height: 740 } });
    open.push(seen);
    seen.excuse(/401/);
    await seen.page.goto('/');
    await seen.page.getByRole('button', { name: 'Mit Test institute anmelden' }).waitFor();
    expect(await seen.page.evaluate('document.documentElement.scrollWidth - window.innerWidth')).toBe(0);
  });
});

describe('an answer', () => {
  it('that says no is told, and the person is where he was', async () => {
    const page = await visit('/money');
    await begin(page);
    await as(page, 'nobody');
    await alert(page, 'Test institute did not let you in (access_denied: nobody may not enter).');
    expect(page.url()).toBe(`${life.base}/money`);
    expect(issuer.asked).toEqual([]);
    await begin(page);
    await as(page, 'olga');
    await page.getByText('olga, operator').waitFor();
    expect(page.url()).toBe(`${life.base}/money`);
  });

  it('to a sign-in that nobody began here is not taken: nobody is asked anything', async () => {
    const page = await visit('/login?code=abc&state=theirs');
    await alert(page, 'not begun in this tab');
    expect(page.url()).toBe(`${life.base}/`);
    expect(Object.keys(await stored(page))).toEqual([]);
    expect(issuer.asked).toEqual([]);
  });

  it('with another state is not taken, and the right one is none any more', async () => {
    const page = await visit('/jobs');
    await begin(page);
    const right = issuer.signIns[0]?.state;
    await page.goto('/login?code=abc&state=other');
    await alert(page, 'not begun in this tab');
    expect(page.url()).toBe(`${life.base}/jobs`);
    await page.goto(`/login?code=abc&state=${right}`);
    await alert(page, 'not begun in this tab');
    expect(issuer.asked).toEqual([]);
    expect(Object.keys(await stored(page))).toEqual([]);
  });

  it('that others sent does not sign out who is signed in', async () => {
    const page = await visit('/');
    await begin(page);
    await as(page, 'olga');
    await page.getByText('olga, operator').waitFor();
    await page.goto('/login?error=access_denied&error_description=call+0900&state=theirs');
    await page.getByText('olga, operator').waitFor();
    expect(await page.getByText('0900').count()).toBe(0);
  });

  it('of another issuer is not taken', async () => {
    const page = await visit('/');
    await begin(page);
    await page.goto(`/login?code=abc&state=${issuer.signIns[0]?.state}&iss=https://elsewhere.example.org`);
    await alert(page, /did not work .*iss/);
    expect(issuer.asked).toEqual([]);
  });

  it('with another nonce is not taken', async () => {
    issuer.ways.nonce = 'of-another-sign-in';
    const page = await visit('/');
    await begin(page);
    await as(page, 'olga');
    await alert(page, /did not work .*nonce/);
    expect(Object.keys(await stored(page))).toEqual([]);
  });

  it('whose code was used before is refused by the provider, and that is told', async () => {
    const page = await visit('/jobs', /400/);
    await begin(page);
    const { state = '', nonce = '' } = issuer.signIns[0] ?? {};
    const back = page.waitForRequest(/\/login\?code=/);
    await as(page, 'olga');
    const callback = (await back).url();
    await page.getByText('olga, operator').waitFor();
    const verifier = issuer.asked[0]?.form.code_verifier ?? '';
    await page.getByRole('button', { name: 'Sign out' }).click();
    await button(page).waitFor();
    const begun = JSON.stringify({ state, nonce, verifier, to: '/jobs' });
    await page.evaluate(`sessionStorage.setItem('spillway.login', ${JSON.stringify(begun)})`);
    await page.goto(callback);
    await alert(page, 'Test institute refused this sign-in (invalid_grant: no such code). Try again.');
    expect(issuer.asked.map((a) => a.status)).toEqual([200, 400]);
    expect(Object.keys(await stored(page))).toEqual([]);
  });

  it('to another browser’s challenge is refused by the provider, and that is told', async () => {
    const page = await visit('/jobs', /400/);
    await begin(page);
    await tamper(page, { verifier: 'x'.repeat(43) });
    await as(page, 'olga');
    await alert(page, 'invalid_grant: code_verifier does not match');
    expect(Object.keys(await stored(page))).toEqual([]);
  });

  it.each([
    '//elsewhere.example.org/x',
    'https://elsewhere.example.org/',
    '/login?code=a',
    'javascript:alert(1)',
  ])('leads nowhere but to this page, whatever was kept: %s', async (to) => {
    const page = await visit('/jobs');
    await begin(page);
    await tamper(page, { to });
    await as(page, 'olga');
    await page.getByText('olga, operator').waitFor();
    expect(page.url()).toBe(`${life.base}/`);
  });
});

describe('a provider', () => {
  it('that is away is told, before one goes there and after one comes back', async () => {
    const page = await visit('/capacity', /ERR_EMPTY_RESPONSE|ERR_CONNECTION/);
    issuer.ways.down = true;
    await button(page).click();
    await alert(page, 'Test institute does not answer this page');
    issuer.ways.down = false;
    await begin(page);
    const link = page.getByRole('link', { name: 'olga', exact: true });
    const callback = await fetch(String(new URL((await link.getAttribute('href')) ?? '', issuer.url)), {
      redirect: 'manual',
    });
    issuer.ways.down = true;
    await page.goto(callback.headers.get('location') ?? '');
    await alert(page, 'Test institute does not answer this page');
    expect(page.url()).toBe(`${life.base}/capacity`);
  });

  it('whose clock is hours off is told as that', async () => {
    issuer.ways.aheadSeconds = -7_200;
    const page = await visit('/');
    await begin(page);
    await as(page, 'olga');
    await alert(page, 'by this computer’s clock');
  });

  it('that sends the page elsewhere for tokens is not followed, and what to write is told', async () => {
    issuer.ways.tokensAt = 'https://tokens.example.org/token';
    const page = await visit('/');
    await button(page).click();
    await alert(page, 'https://tokens.example.org is not api.oidc.login.tokenOrigin');
  });

  it('whose token is not for this gateway: the gateway’s own reason is told', async () => {
    issuer.ways.audience = 'another';
    const page = await visit('/');
    await begin(page);
    await as(page, 'olga');
    await alert(page, "does not take this token: the token's aud is not what this gateway takes.");
    await button(page).waitFor();
  });
});

describe('a login’s time', () => {
  it('that is over is told, and a new login leads back to where one was', async () => {
    issuer.ways.lifeSeconds = 3;
    const page = await visit('/decisions?verdict=wait');
    await begin(page);
    await as(page, 'olga');
    await page.getByText('olga, operator').waitFor();
    await page.getByText('Your sign-in is over.').waitFor({ timeout: 30_000 });
    expect(Object.keys(await stored(page))).toEqual([]);
    issuer.ways.lifeSeconds = 300;
    await begin(page);
    await as(page, 'olga');
    await page.getByText('olga, operator').waitFor();
    expect(page.url()).toBe(`${life.base}/decisions?verdict=wait`);
  });

  it('is renewed before it is over, by a token that is in no storage, which is given back at the end', async () => {
    Object.assign(issuer.ways, { lifeSeconds: 4, refreshes: true });
    const page = await visit('/jobs');
    await begin(page);
    await as(page, 'olga');
    await page.getByText('olga, operator').waitFor();
    const first = (await stored(page))['spillway.token'];
    await expect
      .poll(async () => issuer.asked.filter((a) => a.status === 200).length, { timeout: 30_000 })
      .toBeGreaterThan(2);
    const kept = await stored(page);
    expect(kept['spillway.token']).not.toBe(first);
    expect(Object.keys(kept).sort()).toEqual(['spillway.token', 'spillway.until']);
    expect(await page.getByText('Your sign-in is over.').count()).toBe(0);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('At Test institute you may still be signed in.').waitFor();
    expect(Object.keys(await stored(page))).toEqual([]);
    await expect.poll(() => issuer.revoked.length).toBe(1);
  });

  it.each([
    ['at once', false],
    ['after a reload', true],
  ])(
    'ends at the provider, too, where that has a way, %s: the browser goes there and comes back',
    async (_, reloads) => {
      Object.assign(issuer.ways, { ends: true, refreshes: true });
      const page = await visit('/jobs');
      await begin(page);
      await as(page, 'olga');
      await page.getByText('olga, operator').waitFor();
      if (reloads) await page.reload();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await expect.poll(() => issuer.ended.length).toBe(1);
      expect(issuer.ended[0]).toEqual({
        ...{ client_id: clientId, post_logout_redirect_uri: `${life.base}/login` },
        id_token_hint: expect.stringMatching(/^ey[\w-]+\.[\w-]+\.[\w-]+$/),
      });
      await page.waitForURL(`${life.base}/`);
      await button(page).waitFor();
      expect(await stored(page)).toEqual({});
      // What renewed the token was in the page's memory alone.
      if (!reloads) await expect.poll(() => issuer.revoked.length).toBe(1);
    },
  );

  it('that is known to be over is renewed before anything is asked with it', async () => {
    issuer.ways.refreshes = true;
    const page = await visit('/');
    await begin(page);
    await as(page, 'olga');
    await page.getByText('olga, operator').waitFor();
    const refused: string[] = [];
    page.on('response', (r) => void (r.status() === 401 && refused.push(r.url())));
    // As after a night under a shut lid, in which no timer ran.
    await page.evaluate(`sessionStorage.setItem('spillway.until', '1')`);
    await page.getByRole('link', { name: 'Money' }).click();
    await page.getByText('Cost by account').waitFor();
    expect(issuer.asked.map((a) => a.form.grant_type)).toEqual(['authorization_code', 'refresh_token']);
    expect(refused).toEqual([]);
  });

  it.each([
    ['does not answer', undefined],
    ['asks for patience', 429],
  ])('that is over while its provider %s for a moment is renewed after it', async (_, status) => {
    issuer.ways.refreshes = true;
    const page = await visit('/', /ERR_|429/);
    await begin(page);
    await as(page, 'olga');
    await page.getByText('olga, operator').waitFor();
    let away = 0;
    await page.route(/\/token/, async (route) => {
      away += 1;
      const headers = { 'access-control-allow-origin': '*' };
      await (status === undefined ? route.abort() : route.fulfill({ status, headers, body: 'later' }));
    });
    await page.evaluate(`sessionStorage.setItem('spillway.until', '1')`);
    await expect.poll(() => away, { timeout: 30_000 }).toBeGreaterThan(0);
    await page.unroute(/\/token/);
    await expect
      .poll(() => issuer.asked.map((a) => a.form.grant_type), { timeout: 30_000 })
      .toContain('refresh_token');
    expect(await button(page).count()).toBe(0);
    await page.getByText('olga, operator').waitFor();
  });

  it.each(['there', 'away for a moment'])(
    'that was over sooner than was said is renewed once the gateway says so, its provider %s',
    async (where) => {
      Object.assign(issuer.ways, { lifeSeconds: 2, saysSeconds: 3_600, refreshes: true });
      const page = await visit('/jobs', /ERR_/);
      await begin(page);
      await as(page, 'olga');
      await page.getByText('olga, operator').waitFor();
      if (where !== 'there') {
        let away = 0;
        await page.route(/\/token/, async (route) => {
          away += 1;
          await route.abort();
        });
        await expect.poll(() => away, { timeout: 30_000 }).toBeGreaterThan(0);
        await page.unroute(/\/token/);
      }
      await expect
        .poll(() => issuer.asked.map((a) => a.form.grant_type), { timeout: 30_000 })
        .toContain('refresh_token');
      expect(await button(page).count()).toBe(0);
      await page.getByText('olga, operator').waitFor();
    },
  );
});
