/** What *Capacity* tells of what is not to be had, and over how many rows its figures are. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { changed, makeWatch } from './bed.ts';

const watch = makeWatch({ jobs: 30 });

type Body = Record<string, unknown>;

/** With what one address of the API answers changed. */
async function visit(
  path?: RegExp,
  change: (body: Body) => Body = (body) => body,
  screen: object = {},
): Promise<Page> {
  const { page } = await watch.open(screen);
  if (path !== undefined) await changed(page, path, change);
  await page.goto('/capacity');
  return page;
}

describe('zones out of capacity', () => {
  it('are told by group, zone and type, with the reason and when it is asked for again', async () => {
    const page = await visit();
    const row = page.getByRole('region', { name: 'Zones out of capacity' }).getByRole('row').nth(1);
    for (const words of ['cpu', 'eu-sim-1a', 'm.large · on demand', 'the cloud had none'])
      await row.getByText(words).waitFor();
    await row.getByText(/in (29|30) min/).waitFor();
  });

  it('fit a phone, however long their words are', async () => {
    const far = new Date(Date.now() + 24 * 3_600_000).toISOString();
    const long = (body: Body): Body => ({
      ...body,
      groups: (body.groups as Body[]).map(({ lacks, ...group }) => ({
        ...group,
        lacks: (lacks as Body[] | undefined)?.map((l) => ({ ...l, zone: 'ap-southeast-1a', until: far })),
      })),
    });
    const phone = { viewport: { width: 375, height: 740 }, hasTouch: true };
    const page = await visit(/\/api\/v1\/groups$/, long, phone);
    await page.getByText('ap-southeast-1a').waitFor();
    const wide = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
    expect(wide).toBeLessThanOrEqual(0);
  });

  it('of a cluster that another gateway leads are told there, and not said to be none', async () => {
    const page = await visit(/\/api\/v1\/groups$/, (body) => ({
      ...body,
      groups: (body.groups as Body[]).map(({ lacks: _, ...group }) => group),
    }));
    await page.getByText('hpc1: another gateway leads, and knows it').waitFor();
  });
});

describe('figures', () => {
  const cut = 'The figures here are over the newest';
  it('over all there is say nothing of it', async () => {
    const page = await visit();
    await page.getByText('i-0a0f7c091d0e2').waitFor();
    expect(await page.getByText(cut).count()).toBe(0);
  });

  it.each(['instances', 'bursts'])('over the newest %s alone say over how many', async (list) => {
    const page = await visit(new RegExp(`/api/v1/${list}\\?limit=1000$`), (body) => ({
      ...{ ...body, next: 'more' },
    }));
    // Five and the one that there was none for; eight bursts and two quotes.
    await page.getByText(`${cut} 6 instances and 10 bursts.`).waitFor();
  });
});
