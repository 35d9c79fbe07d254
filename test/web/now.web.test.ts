/** What *Now* tells of a queue: how old the look is, when jobs would start, and what it asks for while much happens. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Life, type Look, leave, look, makeLife, openBrowser } from './bed.ts';

let life: Life;
let browser: Browser;
let operator: string;
let seen: Look | undefined;
beforeAll(async () => {
  [life, browser] = await Promise.all([makeLife({ jobs: 60 }), openBrowser()]);
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

describe('a look at the queue', () => {
  /** As if the look were so old, of a cluster whose looks count for so long. */
  async function visit(ageMs: number, staleAfterMs: number, skewMs = 0): Promise<Page> {
    seen = await look(browser, life.base, { token: operator });
    const { page } = seen;
    await page.addInitScript(`{ const own = Date.now; Date.now = () => own() + ${skewMs}; }`);
    await page.route(/\/api\/v1\/forecast$/, async (route) => {
      const answer = await route.fetch();
      const body = (await answer.json()) as { now: string; clusters: object[] };
      const at = new Date(Date.parse(body.now) - ageMs).toISOString();
      const clusters = body.clusters.map((c) => ({ ...c, at, staleAfterMs }));
      await route.fulfill({ response: answer, json: { ...body, clusters } });
    });
    await page.goto('/');
    await page.getByText('Backlog by partition').waitFor();
    // Both of them stand among what needs somebody.
    await page.getByText('2 quotes wait for an answer').waitFor();
    await page.getByRole('link', { name: 'batch' }).waitFor();
    return page;
  }
  const blind = 'Nothing is begun meanwhile.';

  it('that the gateway still decides on is no alarm, by whatever clock this browser goes', async () => {
    for (const skewMs of [0, 3 * 3_600_000]) {
      const page = await visit(30 * 60_000, 5 * 3_600_000, skewMs);
      expect(await page.getByText(blind).count()).toBe(0);
      await page.context().close();
    }
  });

  it('that it decides on no more is one, with its age by the gateway, though this browser is behind', async () => {
    const page = await visit(10 * 60_000, 150_000, -3_600_000);
    await page.getByText(/The queue of hpc1 was last seen 10 min/).waitFor();
    await page.getByText(blind).waitFor();
  });
});
