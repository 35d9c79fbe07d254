/** Every page of the operator's page in a real browser, as it is built and served. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findings, type Life, type Look, look, makeLife, openBrowser } from './bed.ts';

let life: Life;
let browser: Browser;
let operator: string;
let open: Look[] = [];
beforeAll(async () => {
  [life, browser] = await Promise.all([makeLife(), openBrowser()]);
  operator = await life.token('olga', 'operator');
});
afterAll(async () => {
  await browser?.close();
  await life?.close();
});
afterEach(async () => {
  const seen = open;
  open = [];
  for (const { context } of seen) await context.close();
  expect(seen.flatMap((l) => l.complaints).join('\n')).toBe('');
});

async function visit(path: string, options: Parameters<typeof look>[2] = {}): Promise<Page> {
  const seen = await look(browser, life.base, { token: operator, ...options });
  open.push(seen);
  await seen.page.goto(path);
  return seen.page;
}

/** Each page, and what stands on it once its data are there. */
const pages = [
  ['/', 'Now', 'Cloud capacity'],
  ['/jobs?by=account', 'Jobs', 'lattice-qcd'],
  ['/jobs?view=bursts', 'Jobs', 'settled'],
  ['/jobs/1005', 'Job 1005', 'the script began'],
  ['/decisions', 'Decisions', 'wait: backlog'],
  ['/money', 'Money', 'Cost by account'],
  ['/capacity', 'Capacity', 'i-0a0f7c091d0e2'],
  ['/what-if', 'What if', 'Decides now: the configuration file.'],
] as const;

describe('every page', () => {
  it.each(pages)(
    '%s shows its data, in light and in dark, with nothing serious for axe',
    async (path, title, words) => {
      for (const colorScheme of ['light', 'dark'] as const) {
        const page = await visit(path, { colorScheme });
        await page.getByRole('heading', { level: 1, name: title, exact: true }).waitFor();
        await page.getByText(words).locator('visible=true').first().waitFor();
        expect(await findings(page), `${path} ${colorScheme}`).toEqual([]);
      }
    },
  );

  it.each(pages)('%s fits a phone: nothing is wider than it', async (path, _title, words) => {
    const page = await visit(path, { viewport: { width: 375, height: 740 }, hasTouch: true });
    await page.getByText(words).locator('visible=true').first().waitFor();
    const wide = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
    expect(wide).toBeLessThanOrEqual(0);
    expect(await findings(page)).toEqual([]);
  });

  it('that there is not says so', async () => {
    const page = await visit('/');
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.evaluate(
      `history.pushState(null, '', '/nothing'); dispatchEvent(new PopStateEvent('popstate'))`,
    );
    await page.getByText('There is no such page.').waitFor();
  });
});

describe('who looks', () => {
  it('signs in with a token, which stands in no cookie and is gone with the tab', async () => {
    const page = await visit('/jobs', { token: undefined as never });
    open.at(-1)?.excuse(/401/);
    await page.getByLabel('API token').fill('spillway_wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('does not take this token: that is no API token of this gateway.').waitFor();
    // None is configured here.
    expect(await page.getByRole('button', { name: /Sign in with/ }).count()).toBe(0);
    expect(await findings(page)).toEqual([]);
    await page.getByLabel('API token').fill(operator);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('lattice-qcd').first().waitFor();
    expect(await page.context().cookies()).toEqual([]);
    expect(await page.evaluate('Object.values(localStorage).join()')).not.toContain(operator);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('API token').waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
  });

  it('is shown what is his own, and no switch that he may not turn', async () => {
    const page = await visit('/', { token: await life.token('alice', 'user') });
    await page.getByText('alice, user').waitFor();
    await page.getByText('Waiting for your word').waitFor();
    await page.getByRole('link', { name: '1003' }).first().waitFor();
    expect(await page.getByRole('button', { name: /Stop|Approve/ }).count()).toBe(0);
    expect(await page.getByText('bob').count()).toBe(0);
  });
});

describe('jobs that have ended', () => {
  it('are no states of the queue, which says where they are: bursts, with how they ended', async () => {
    const page = await visit('/jobs');
    await page.getByText('lattice-qcd').first().waitFor();
    const filter = page.locator('label', { has: page.getByText('State', { exact: true }) });
    expect(await filter.locator('option').allTextContents()).toEqual([
      'all',
      'PENDING',
      'RUNNING',
      'SUSPENDED',
      'COMPLETING',
    ]);
    await page.getByRole('link', { name: 'Those that ran in the cloud, and how they ended' }).click();
    await page.waitForURL(/view=bursts&live=false/);
    const row = page.getByRole('row').filter({ hasText: '1005' });
    await row.getByText('settled').waitFor();
    await row.getByText('0', { exact: true }).waitFor();
  });
});

describe('money', () => {
  const cut = 'Only the newest 10,000 rows are counted.';
  it('is summed up by node group, and says nothing of a cut where there is none', async () => {
    const page = await visit('/money?by=group');
    const costs = page.getByRole('region', { name: 'Cost by node group' });
    await costs.getByRole('rowheader', { name: 'cpu', exact: true }).waitFor();
    expect(await page.getByText('Only the newest').count()).toBe(0);
  });

  it('that is of the newest rows alone says so on the plot, on the table and on the ledger', async () => {
    const page = await visit('/');
    await page.route(/\/api\/v1\/ledger\?.*limit=1000/, async (route) => {
      const now = Date.now();
      const cursor = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0);
      const ledger = Array.from({ length: 1_000 }, (_, i) => ({
        ...{ burst: `b-${cursor}-${i}`, cluster: 'hpc1', account: 'physics', user: 'alice', group: 'cpu' },
        ...{ microUsd: 1_000, state: 'settled', at: new Date(now - (cursor * 1_000 + i) * 60).toISOString() },
      }));
      await route.fulfill({ json: { ledger, next: String(cursor + 1) } }).catch(() => undefined);
    });
    await page.goto('/money');
    for (const part of ['Spent over time', 'Cost by account', 'Ledger'])
      await page.getByRole('region', { name: part, exact: true }).getByText(cut).waitFor();
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export CSV' }).click();
    expect((await saved).suggestedFilename()).toBe('spillway-ledger-newest-10000-rows.csv');
  });
});

describe('the timeline of a job', () => {
  it('begins where it was submitted', async () => {
    const page = await visit('/jobs/1005');
    const first = page.getByRole('list', { name: 'Timeline' }).first().getByRole('listitem').first();
    await first.getByText('submitted', { exact: true }).waitFor();
    await first.getByText('handed to Slurm').waitFor();
  });
});

describe('what a job cost', () => {
  it('is asked of the ledger by burst, not sought in the newest rows of its user', async () => {
    const asked: string[] = [];
    const page = await visit('/');
    page.on('request', (r) => asked.push(r.url().replace(/^.*\/api\/v1\//, '')));
    await page.goto('/jobs/1005');
    const cost = page.getByRole('region', { name: 'Cost' });
    await cost.getByText('$0.41').waitFor();
    await cost.getByText('settled').waitFor();
    const ledger = asked.filter((path) => path.startsWith('ledger'));
    expect(ledger.length).toBeGreaterThan(0);
    expect(ledger.filter((path) => !path.startsWith('ledger?burst='))).toEqual([]);
  });
});

describe('a link to a receipt', () => {
  const receiptOf = async (query: string) =>
    ((await life.ask(operator, `decisions?${query}`)).body.decisions as { id: string; job: string }[])[0];

  it('that the list does not have is followed all the same', async () => {
    const receipt = await receiptOf('verdict=burst&limit=1');
    // None of these is to burst.
    const page = await visit(`/decisions?verdict=never&receipt=${receipt?.id}`);
    const told = page.getByRole('region', { name: `Job ${receipt?.job}` });
    await told.getByRole('link', { name: receipt?.job ?? '' }).waitFor();
    expect(await findings(page)).toEqual([]);
  });

  it('that is not there says so', async () => {
    const page = await visit('/decisions');
    open.at(-1)?.excuse(/404/);
    await page.goto('/decisions?receipt=00000000-0000-4000-8000-000000000000');
    await page.getByText('there is no receipt 00000000-0000-4000-8000-000000000000').waitFor();
  });
});

describe('the page by keyboard, and in another language', () => {
  it('goes from page to page, searches, walks down the rows and opens one', async () => {
    const page = await visit('/');
    await page.getByText('Cloud capacity').waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('j');
    await page.getByRole('heading', { level: 1, name: 'Jobs' }).waitFor();
    await page.getByText('lattice-qcd').first().waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('qcd-0');
    await page.waitForURL(/q=qcd-0/);
    await page.keyboard.press('Tab');
    await page.locator('h1').click();
    await page.getByText('lattice-qcd-0').first().waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/jobs\/\d+$/);
    await page.goBack();
    await page.waitForURL(/q=qcd-0/);
    await page.locator('h1').click();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });

  it('speaks German to a German browser, and keeps what was chosen', async () => {
    const page = await visit('/', { locale: 'de-DE' });
    await page.getByRole('heading', { level: 1, name: 'Jetzt' }).waitFor();
    expect(await page.getAttribute('html', 'lang')).toBe('de');
    await page.getByLabel('Sprache').selectOption('en');
    await page.getByRole('heading', { level: 1, name: 'Now' }).waitFor();
    await page.getByLabel('Theme').selectOption('dark');
    await page.reload();
    await page.getByRole('heading', { level: 1, name: 'Now' }).waitFor();
    expect(await page.getAttribute('html', 'data-theme')).toBe('dark');
  });
});
