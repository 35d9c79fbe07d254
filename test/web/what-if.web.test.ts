/** A what-if in a real browser, from edit to activation, on a gateway whose decisions follow it. */
import type { Browser, Page, Route } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../contract/samples.ts';
import { minute, second } from '../engine/chaos/centre.ts';
import { findings, type Look, leave, look, openBrowser } from './bed.ts';
import { makeWhatIfSite } from './what-if.site.ts';

let site: Awaited<ReturnType<typeof makeWhatIfSite>>;
let browser: Browser;
let seen: Look | undefined;

beforeAll(async () => {
  [site, browser] = await Promise.all([makeWhatIfSite([12, 0, 0, 0]), openBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await site?.close();
});
afterEach(async () => {
  const left = seen;
  seen = undefined;
  await leave(left);
});

async function visit(
  role: 'operator' | 'admin' | 'user',
  options: Parameters<typeof look>[2] = {},
): Promise<Page> {
  seen = await look(browser, site.bed.base, { token: await site.bed.token('olga', role), ...options });
  await seen.page.goto('/what-if');
  return seen.page;
}

/** The models' Slurm answers as its time passes. */
async function until(page: Page, words: string): Promise<void> {
  await expect
    .poll(
      async () => {
        await site.pass(second);
        return page.getByText(words).first().isVisible();
      },
      { timeout: 50_000 },
    )
    .toBe(true);
}

/** Begins one, and tells its id. */
async function replay(page: Page): Promise<string> {
  const begun = page.waitForResponse((r) => r.request().method() === 'POST' && r.url().endsWith('/what-ifs'));
  await page.getByRole('button', { name: 'Replay', exact: true }).click();
  await page.getByRole('progressbar').waitFor();
  return ((await (await begun).json()) as { id: string }).id;
}

/** Until the gateway, too, knows of it. */
async function stop(page: Page): Promise<void> {
  const told = page.waitForResponse((r) => r.request().method() === 'PUT' && r.url().includes('/what-ifs/'));
  await page.getByRole('button', { name: 'Stop the replay' }).click();
  await told;
  await page.getByRole('progressbar').waitFor({ state: 'detached' });
}

const tighter = 'policy:\n  burstWhen: { pendingJobs: 1 }\n  never: [{ account: physics }]\n';

describe('a what-if', () => {
  it('goes from an edit, checked and tried and replayed, to an activation that the gateway follows', async () => {
    const page = await visit('admin');
    await page.getByText('Decides now: the configuration file.').waitFor();
    const editor = page.getByLabel('Your policy');
    expect(await editor.inputValue()).toContain('pendingJobs: 1');
    expect(await page.getByRole('button', { name: 'Activate' }).isDisabled()).toBe(true);

    // What is wrong stands at its line, and leads there.
    seen?.excuse(/400/);
    await editor.fill('policy:\n  maxBursts: 0\n');
    await page.getByRole('button', { name: 'Check' }).click();
    await page.getByText('1 thing is wrong').waitFor();
    await page.getByRole('button', { name: 'Line 2' }).click();
    expect(
      await editor.evaluate(
        'document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd)',
      ),
    ).toBe('  maxBursts: 0');
    expect(await findings(page)).toEqual([]);

    await editor.fill(tighter);
    await page.getByRole('button', { name: 'Check' }).click();
    await page.getByText('This is a policy, and none of its fields is wrong.').waitFor();

    const waits = { alice: site.submit('alice'), bob: site.submit('bob') };
    await site.pass(minute);
    expect((await site.decided(waits.alice))?.decision.verdict).toBe('burst');
    const answered = page.waitForResponse((r) => r.url().endsWith('/policies/dry-run'));
    await page.getByRole('button', { name: 'Try on the queue now' }).click();
    await answered;
    await page.getByText('jobs get another verdict').waitFor();

    await page.getByLabel('Days').selectOption('1');
    await page.getByRole('button', { name: 'Replay', exact: true }).click();
    await page.getByRole('progressbar').waitFor();
    await until(page, 'Replay of sim');
    const figures = page.getByRole('region', { name: /^Replay of sim/ });
    const spent = await figures
      .getByRole('row', { name: /^Spent/ })
      .getByRole('cell')
      .allTextContents();
    const [nobody = '', running = '', proposed = '', difference = ''] = spent;
    expect([nobody, difference]).toEqual(['$0.00', expect.stringMatching(/^−\$/)]);
    expect(Number(running.slice(1))).toBeGreaterThan(Number(proposed.slice(1)));
    for (const plot of [
      'Plot of the average wait against',
      'Line plot of waiting jobs',
      'Line plot of what is spent',
    ])
      await figures
        .getByRole('img', { name: new RegExp(`^${plot}`) })
        .locator('canvas')
        .waitFor();
    await figures.getByText('What the replay goes by').waitFor();
    await page.setViewportSize({ width: 375, height: 740 });
    // The plots are drawn anew a moment later.
    const wide = () => page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
    await expect.poll(wide).toBeLessThanOrEqual(0);
    await page.setViewportSize({ width: 1440, height: 900 });
    expect(await findings(page)).toEqual([]);

    await page.getByRole('button', { name: 'Activate' }).click();
    const dialog = page.getByRole('dialog', { name: 'Let this policy decide?' });
    await dialog.getByText('It takes the place of the configuration file').waitFor();
    await dialog.getByLabel('Reason').fill('summer');
    await dialog.getByRole('button', { name: 'Activate' }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByText('Version 1 decides now.').waitFor();
    await page.getByText('Decides now: version 1.').waitFor();
    const next = { alice: site.submit('alice'), bob: site.submit('bob') };
    await site.pass(minute);
    expect((await site.decided(next.alice))?.decision.verdict).toBe('never');
    expect((await site.decided(next.bob))?.decision.verdict).toBe('burst');
  });

  it('is discarded: what is played ends, and the editor says what decides again', async () => {
    const page = await visit('operator', { locale: 'de-DE' });
    await page.getByRole('heading', { level: 1, name: 'Was wäre wenn' }).waitFor();
    const editor = page.getByLabel('Ihre Policy');
    const before = await editor.inputValue();
    await editor.fill('policy: { maxBursts: 3 }\n');
    await page.getByRole('button', { name: 'Nachspielen', exact: true }).click();
    await page.getByRole('progressbar').waitFor();
    // Written down for this tab: another page in between takes nothing away.
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: 'Geld' }).click();
    await page.getByRole('heading', { level: 1, name: 'Geld' }).waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('w');
    await page.getByRole('progressbar').waitFor();
    expect(await editor.inputValue()).toBe('policy: { maxBursts: 3 }\n');
    const told = page.waitForResponse(
      (r) => r.request().method() === 'PUT' && r.url().includes('/what-ifs/'),
    );
    await page.getByRole('button', { name: 'Verwerfen' }).click();
    await told;
    await page.getByRole('progressbar').waitFor({ state: 'detached' });
    expect(await editor.inputValue()).toBe(before);
  });

  it('of an operator is kept for an admin, and does not decide', async () => {
    const page = await visit('operator');
    await page.getByLabel('Your policy').fill(`${tighter}# for the autumn\n`);
    expect(await page.getByRole('button', { name: 'Activate' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Keep as a version' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Keep as a version' }).click();
    await page.getByText(/^Kept as version \d+\. An admin activates it\.$/).waitFor();
    const { decides } = (await site.policies.states())[0] ?? {};
    expect((await site.store.policyVersion(Number(decides)))?.text).not.toContain('autumn');
  });

  it('does not overwrite unseen what somebody else said meanwhile: it is told, and read again', async () => {
    const page = await visit('admin');
    await page.getByText('Decides now:').waitFor();
    await page.getByLabel('Your policy').fill(`${tighter}# mine\n`);
    const token = await site.bed.token('otto', 'admin');
    const active = await site.bed.ask(token, 'policies/active');
    const headers = { 'if-match': active.headers.get('etag') ?? '' };
    expect((await site.bed.ask(token, 'policies/file/activate', { body: {}, headers })).status).toBe(200);
    seen?.excuse(/412/);
    await page.getByRole('button', { name: 'Activate' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Activate' }).click();
    await page.getByText('Somebody else has said what decides.').waitFor();
    await page.getByText('Decides now: the configuration file.').waitFor();
    expect(await page.getByLabel('Your policy').inputValue()).toContain('# mine');
  });

  it('that was begun on what decides no more does not take its place unseen, also after another page and a reload', async () => {
    const page = await visit('admin');
    await page.getByText('Decides now:').waitFor();
    const mine = `${tighter}# mine, too\n`;
    await page.getByLabel('Your policy').fill(mine);
    const token = await site.bed.token('otto', 'admin');
    const ottos = { text: `${tighter}# ottos\n`, reason: 'autumn' };
    const kept = await site.bed.ask(token, 'policies', { body: ottos });
    const { version } = kept.body.policy as { version: number };
    const active = await site.bed.ask(token, 'policies/active');
    const headers = { 'if-match': active.headers.get('etag') ?? '' };
    const path = `policies/${version}/activate`;
    expect((await site.bed.ask(token, path, { body: {}, headers })).status).toBe(200);
    await page.getByRole('link', { name: 'Money' }).click();
    await page.getByRole('heading', { level: 1, name: 'Money' }).waitFor();
    await page.getByRole('link', { name: 'What if' }).click();
    await page.getByText('Somebody else has said what decides.').waitFor();
    await page.reload();
    await page.getByText('Somebody else has said what decides.').waitFor();
    expect(await page.getByLabel('Your policy').inputValue()).toBe(mine);
    seen?.excuse(/412/);
    const activate = async (status: number): Promise<void> => {
      await page.getByRole('button', { name: 'Activate' }).click();
      const answer = page.waitForResponse((r) => r.url().endsWith('/activate'));
      const again = page.waitForResponse((r) => r.url().endsWith(`/policies/active`));
      await page.getByRole('dialog').getByRole('button', { name: 'Activate' }).click();
      expect((await answer).status()).toBe(status);
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      await (await again).finished();
    };
    await activate(412);
    expect((await site.policies.states())[0]?.decides).toBe(version);
    // Now it was read again before her eyes.
    await page.getByText(`Decides now: version ${version}.`).waitFor();
    const draft = () => page.evaluate(`sessionStorage['spillway.what-if.draft']`);
    await expect.poll(draft).not.toContain(headers['if-match'].replaceAll('"', ''));
    await activate(200);
    await page.getByText(`Decides now: version ${version + 1}.`).waitFor();
  });

  it('goes with the sign-out: it is nobody else’s', async () => {
    const page = await visit('operator');
    await page.getByLabel('Your policy').fill('policy: {} # of olga\n');
    const kept = 'JSON.stringify({ ...sessionStorage })';
    await expect.poll(() => page.evaluate(kept)).toContain('of olga');
    seen?.excuse(/401/);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('API token').waitFor();
    expect(await page.evaluate(kept)).toBe('{}');
  });

  it('goes with a token that the gateway takes no more: who signs in next is perhaps somebody else', async () => {
    const token = await site.bed.token('olga', 'operator');
    const page = await visit('operator', { token });
    await page.getByLabel('Your policy').fill('policy: {} # of olga\n');
    const kept = 'JSON.stringify({ ...sessionStorage })';
    await replay(page);
    await expect.poll(() => page.evaluate(kept)).toMatch(/of olga.*what-if.asked|what-if.asked.*of olga/s);
    seen?.excuse(/401/);
    const [, id] = /^spw_([0-9a-f]+)_/.exec(token) ?? [];
    await site.bed.desk.revokeToken(`token/${id}`, 'root', 'lost');
    await page.getByLabel('API token').waitFor();
    expect(await page.evaluate(kept)).toBe('{}');
  });

  it('is not there for users', async () => {
    const page = await visit('user');
    await page.getByText('This page is for operators.').waitFor();
    expect(await page.getByRole('link', { name: 'What if' }).count()).toBe(0);
  });
});

describe('a replay on the page', () => {
  /** Each question for a replay gets its answer by this; a replay may be done before anybody looks. */
  const answered = (page: Page, by: (route: Route, nth: number) => Promise<void>): Promise<unknown> => {
    let asked = 0;
    return page.route('**/api/v1/what-ifs/*', (route) =>
      route.request().method() === 'GET' ? by(route, asked++) : route.continue(),
    );
  };
  const underWay = async (route: Route): Promise<void> => {
    const answer = await route.fetch();
    const json = (await answer.json()) as object;
    await route.fulfill({
      status: answer.status(),
      json: answer.ok() ? { ...json, state: 'reading' } : json,
    });
  };

  it('that somebody else discarded is told to be gone, and another can be begun', async () => {
    const page = await visit('operator');
    await answered(page, underWay);
    const id = await replay(page);
    seen?.excuse(/404/);
    const otto = await site.bed.token('otto', 'operator');
    const order = { method: 'PUT', body: { discarded: true }, headers: { 'idempotency-key': newId() } };
    expect((await site.bed.ask(otto, `what-ifs/${id}`, order)).status).toBe(200);
    await page.getByText('The replay is not there any more').waitFor();
    expect(await page.getByRole('progressbar').count()).toBe(0);
    expect(await findings(page)).toEqual([]);
    expect(await replay(page)).not.toBe(id);
    expect(await page.getByText('The replay is not there any more').count()).toBe(0);
    await stop(page);
  });

  it('is followed on after a reload where the gateway does not answer the first time', async () => {
    const page = await visit('operator');
    await replay(page);
    seen?.excuse(/503/);
    let asked = 0;
    await answered(page, (route, nth) => {
      asked = nth + 1;
      return nth === 0 ? route.fulfill({ status: 503, json: { code: 'not_available' } }) : underWay(route);
    });
    await page.reload();
    await page.getByRole('progressbar').waitFor();
    expect(asked).toBeGreaterThan(1);
    await stop(page);
  });
});
