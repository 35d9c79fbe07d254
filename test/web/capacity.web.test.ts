/** What *Capacity* tells of what is not to be had, and over how many rows its figures are. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import { type Life, type Look, leave, look, makeLife, openBrowser } from './bed.ts';

let life: Life;
let browser: Browser;
let operator: string;
let seen: Look | undefined;
beforeAll(async () => {
  [life, browser] = await Promise.all([makeLife({ jobs: 30 }), openBrowser()]);
  operator = await life.token('olga', 'operator');
});
afterAll(async () => {
  await browser?.close();
  await life?.close();
});
afterEach(async () => {
  const left = seen;
  seen = undefined;
  await leave(left);
});

async function visit(set: (page: Page) => Promise<void> = async () => undefined): Promise<Page> {
  seen = await look(browser, life.base, { token: operator });
  await set(seen.page);
  await seen.page.goto('/capacity');
  return seen.page;
}

describe('zones out of capacity', () => {
  it('are told by group, zone and type, with the reason and when it is asked for again', async () => {
    const page = await visit();
    const row = page.getByRole('region', { name: 'Zones out of capacity' }).getByRole('row').nth(1);
    for (const words of ['cpu', 'eu-sim-1a', 'm.large · on demand', 'the cloud had none'])
      await row.getByText(words).waitFor();
    await row.getByText(/in (29|30) min/).waitFor();
  });

  it('of a cluster that another gateway leads are told there, and not said to be none', async () => {
    const page = await visit(async (p) => {
      await p.route(/\/api\/v1\/groups$/, async (route) => {
        const answer = await route.fetch();
        const body = (await answer.json()) as { groups: Record<string, unknown>[] };
        const groups = body.groups.map(({ lacks: _, ...g }) => g);
        await route.fulfill({ response: answer, json: { ...body, groups } });
      });
    });
    await page.getByText('hpc1: another gateway leads, and knows it').waitFor();
  });
});
