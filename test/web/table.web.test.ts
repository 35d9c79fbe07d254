/** A queue of a hundred thousand jobs on the page: found, grouped, counted and scrolled through without waiting. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { makeWatch } from './bed.ts';

const jobs = 100_000;
/** Of what a person waits for; a busy machine of two cores has a browser, a database and the gateway on it. */
const soonMs = 3_000;

const watch = makeWatch({ jobs });

async function visit(path: string): Promise<Page> {
  const { page } = await watch.open();
  await page.goto(path);
  return page;
}

const rows = (page: Page) => page.locator('[role=row][aria-rowindex]:not([aria-rowindex="1"])');

const scrollDown = (page: Page) =>
  page.evaluate(`{ const e = document.querySelector('.grid-body'); e.scrollTop = e.scrollHeight; }`);

describe('a hundred thousand jobs', () => {
  it('are there at once, and only those in sight are in the document', async () => {
    const page = await visit('/jobs');
    const began = Date.now();
    await rows(page).first().waitFor();
    await page.getByText('of 100,000 loaded').waitFor();
    expect(Date.now() - began).toBeLessThan(soonMs);
    expect(await rows(page).count()).toBeLessThan(80);
  });

  it('are loaded further as one scrolls to the end of what is loaded', async () => {
    const page = await visit('/jobs');
    await page.getByText('500 of 100,000 loaded').waitFor();
    for (const loaded of ['1,000', '1,500', '2,000']) {
      await scrollDown(page);
      await page.getByText(`${loaded} of 100,000 loaded`).waitFor();
    }
    await scrollDown(page);
    expect(await rows(page).count()).toBeLessThan(80);
  });

  it('are searched by the gateway, and what was sought stands in the address', async () => {
    const page = await visit('/jobs');
    await rows(page).first().waitFor();
    await page.getByRole('searchbox').fill('1042');
    await page.waitForURL(/\?q=1042$/);
    await page.getByRole('link', { name: '1042', exact: true }).waitFor();
    expect(await rows(page).allTextContents()).toSatisfy((all: string[]) =>
      all.every((t) => t.includes('1042')),
    );
    await page.reload();
    await page.getByRole('link', { name: '1042', exact: true }).waitFor();
    expect(await page.getByRole('searchbox').inputValue()).toBe('1042');
  });

  it('are grouped with counts that add up, and a group becomes a filter that goes back', async () => {
    const page = await visit('/jobs?by=account');
    const group = page.getByRole('link', { name: /^physics 33,334/ });
    await group.click();
    await page.waitForURL(/account=physics/);
    await page.getByText('of 33,334 loaded').waitFor();
    await page.goBack();
    await page.getByText('of 100,000 loaded').waitFor();
    await page.getByRole('combobox', { name: 'Group by' }).selectOption('state');
    await page.waitForURL(/by=state/);
    await page.getByRole('link', { name: /^RUNNING\s*33,334/ }).waitFor();
    await page.getByRole('link', { name: /^PENDING\s*66,666/ }).waitFor();
  });
});

describe('decisions', () => {
  it('are counted by verdict and rule over all of the store, however few are loaded', async () => {
    const page = await visit('/');
    await page.route(/\/api\/v1\/decisions\?/, (route) =>
      route.continue({ url: route.request().url().replace('limit=500', 'limit=1') }),
    );
    const counted = page.waitForResponse((r) => r.url().endsWith('/decisions/counts'));
    await page.goto('/decisions');
    const of = (await (await counted).json()) as {
      readonly decisions: number;
      readonly verdicts: { readonly wait: number };
    };
    expect(of.decisions).toBeGreaterThan(1);
    await page.getByText(`in all ${of.decisions} receipts that fit`).waitFor();
    await page.getByRole('link', { name: new RegExp(`^wait\\s*${of.verdicts.wait}$`) }).click();
    await page.waitForURL(/verdict=wait/);
    await page.getByText(`in all ${of.verdicts.wait} receipts that fit`).waitFor();
  });

  it('are grouped by the rule that kept the job, and one says what would have made it yes', async () => {
    const page = await visit('/decisions');
    await page.getByText('What kept jobs at home').waitFor();
    await page.getByRole('link', { name: /^budget \d+/ }).click();
    await page.waitForURL(/rule=budget/);
    await rows(page).first().getByRole('link').click();
    await page.waitForURL(/receipt=/);
    const yes = page.getByText('What would have made it yes').locator('..');
    await yes.waitFor();
    expect(await yes.textContent()).toContain('This rule alone kept it at home:budget: needed');
    await page.getByText('1 of 2 rules do not hold').click();
    await page.getByRole('cell', { name: 'batch or gpu' }).waitFor();
    await page.getByText('The receipt in full').click();
    await page.getByText('"kind": "decision"').waitFor();
    // What is not loaded is counted by the gateway, with the jobs.
    await page.getByRole('link', { name: 'All jobs that wait, by rule' }).click();
    await page.getByRole('link', { name: /^backlog\s*33,333/ }).waitFor();
    await page.getByRole('link', { name: /^budget\s*33,333/ }).waitFor();
    await page.getByText('of 66,666 loaded').waitFor();
  });
});

describe('money', () => {
  it('is summed by whom it was spent for, and leaves as CSV', async () => {
    const page = await visit('/money?by=user');
    const table = page.getByRole('region', { name: 'Cost by user' });
    await table.getByRole('row', { name: /alice 1 \$0\.41/ }).waitFor();
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export CSV' }).click();
    const chunks: Buffer[] = [];
    for await (const chunk of await (await saved).createReadStream()) chunks.push(chunk as Buffer);
    const lines = Buffer.concat(chunks).toString().trim().split('\r\n');
    expect(lines[0]).toBe('at,cluster,account,user,burst,state,usd,group');
    expect(lines).toHaveLength(9);
    expect(lines.filter((l) => l.includes(',settled,'))).toHaveLength(5);
  });
});
