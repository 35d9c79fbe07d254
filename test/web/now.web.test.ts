/** What *Now* tells of a queue: how old the look is, when jobs would start, and what it asks for while much happens. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { cloudId } from '../../src/domain/ids.ts';
import { burstOfJob, cluster, putBurst } from '../api/bed.ts';
import { anInstance, nextInstance, putInstance } from '../contract/samples.ts';
import { changed, makeWatch } from './bed.ts';

/** The issue's: from the step in the store until it can be read. */
const liveMs = 2_000;

const watch = makeWatch({ jobs: 60 });

describe('a look at the queue', () => {
  /** As if the look were so old, of a cluster whose looks count for so long. */
  async function visit(ageMs: number, staleAfterMs: number, skewMs = 0, screen = {}): Promise<Page> {
    const { page } = await watch.open(screen);
    await page.addInitScript(`{ const own = Date.now; Date.now = () => own() + ${skewMs}; }`);
    await changed(page, /\/api\/v1\/forecast$/, (body: { now: string; clusters: object[] }) => {
      const at = new Date(Date.parse(body.now) - ageMs).toISOString();
      return { ...body, clusters: body.clusters.map((c) => ({ ...c, at, staleAfterMs })) };
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

  it('that is old fits a phone all the same, as long as its age is in words', async () => {
    const phone = { viewport: { width: 375, height: 740 }, hasTouch: true };
    const page = await visit(23 * 3_600_000 + 59 * 60_000, 48 * 3_600_000, 0, phone);
    await page
      .locator('.figure')
      .getByText(/23 h 59 min/)
      .first()
      .waitFor();
    const wide = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
    expect(wide).toBeLessThanOrEqual(0);
  });
});

describe('while much happens', () => {
  it('counters follow at once, and no long list is read for them', async () => {
    const { page } = await watch.open();
    const asked: string[] = [];
    page.on('request', (r) => asked.push(r.url().replace(/^.*\/api\/v1\//, '')));
    await page.goto('/');
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByText('2 on their way').waitFor();
    for (let i = 0; i < 6; i++) {
      await watch.life().write(putBurst(burstOfJob(5000 + i, 'erin'), `begun ${i}`));
      await page.getByText(`begun ${i}`, { exact: true }).waitFor();
      await page.getByText(`${3 + i} on their way`).waitFor();
    }
    expect(asked.filter((path) => path === 'bursts/counts').length).toBeGreaterThanOrEqual(7);
    // To tell when jobs would start, neither the queue nor all decisions are read.
    expect(asked.filter((path) => /^(jobs|decisions)\?/.test(path))).toEqual([]);
    // Nor is any list of a thousand rows, to count or to find the one that stands out.
    expect(asked.filter((path) => path.includes('limit=1000'))).toEqual([]);
  });

  it('instances, what an hour of them costs, and the job that may cost most follow within two seconds', async () => {
    const { page } = await watch.open();
    await page.goto('/');
    await page.getByText('Live', { exact: true }).waitFor();
    const figure = (name: string) => page.locator('.figure').filter({ hasText: name });
    await figure('Instances').getByText('5', { exact: true }).waitFor();
    await figure('Spend rate').getByText('$2.00/h').waitFor();
    const wish = anInstance({ cluster });
    await watch.life().write(putInstance(wish, 'wanted'));
    const up = { cloudId: cloudId('i-0dear'), type: 'm.large', launchedAt: wish.createdAt };
    await watch.life().write(putInstance(nextInstance(wish, 'launched', up), 'CreateFleet'));
    await figure('Spend rate').getByText('$2.40/h').waitFor({ timeout: liveMs });
    await figure('Instances').getByText('6', { exact: true }).waitFor({ timeout: liveMs });
    const strange = anInstance({ cluster });
    await watch.life().write(putInstance(strange, 'wanted'));
    const untold = { cloudId: cloudId('i-0strange'), launchedAt: strange.createdAt };
    await watch.life().write(putInstance(nextInstance(strange, 'launched', untold), 'CreateFleet'));
    await figure('Spend rate').getByText('without 1 of no known price').waitFor({ timeout: liveMs });
    const dear = burstOfJob(5100, 'dave', { price: { held: 999e6, rates: {} } });
    await watch.life().write(putBurst(dear, 'the dearest'));
    await page.getByText('$999.00 at most').waitFor({ timeout: liveMs });
  });
});

describe('when jobs would start', () => {
  it('is told of the newest job of each partition that has a forecast, and of nobody else’s to a user', async () => {
    const { body } = await watch.life().ask(watch.operator(), 'forecast');
    const startsOf = (of: unknown) =>
      (of as { backlog: { partition: string; starts?: { job: string } }[] }[])[0]?.backlog.map((b) => [
        b.partition,
        b.starts?.job,
      ]);
    // 1059 waits too, but nothing was forecast of it yet.
    expect(startsOf(body.clusters)).toEqual([
      ['batch', '1058'],
      ['gpu', '1055'],
    ]);
    const alice = await watch.life().ask(await watch.life().token('alice', 'user'), 'forecast');
    const hers = startsOf(alice.body.clusters)?.map(([, job]) => Number(job));
    // Every sixth job is hers, from 1000 on; those at home run.
    for (const job of hers ?? []) expect(Number.isNaN(job) || (job - 1000) % 6 === 0).toBe(true);
    const { page } = await watch.open();
    await page.goto('/');
    await page.getByText('in 10 min – 2 h 10 min').first().waitFor();
  });
});
