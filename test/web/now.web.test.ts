/** What *Now* tells of a queue: how old the look is, when jobs would start, and what it asks for while much happens. */
import type { Browser, Page, Route } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { burstOfJob, putBurst } from '../api/bed.ts';
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
    const aged = async (route: Route): Promise<void> => {
      const answer = await route.fetch();
      const body = (await answer.json()) as { now: string; clusters: object[] };
      const at = new Date(Date.parse(body.now) - ageMs).toISOString();
      const clusters = body.clusters.map((c) => ({ ...c, at, staleAfterMs }));
      await route.fulfill({ response: answer, json: { ...body, clusters } });
    };
    // What was asked by a page that has gone since gets no answer.
    await page.route(/\/api\/v1\/forecast$/, (route) => aged(route).catch(() => undefined));
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

describe('while much happens', () => {
  it('counters follow at once, and long lists are read no more often than every five seconds', async () => {
    seen = await look(browser, life.base, { token: operator });
    const { page } = seen;
    const asked: string[] = [];
    page.on('request', (r) => asked.push(r.url().replace(/^.*\/api\/v1\//, '')));
    await page.goto('/');
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByText('2 on their way').waitFor();
    for (let i = 0; i < 6; i++) {
      await life.write(putBurst(burstOfJob(5000 + i, 'erin'), `begun ${i}`));
      await page.getByText(`begun ${i}`, { exact: true }).waitFor();
      await page.getByText(`${3 + i} on their way`).waitFor();
    }
    expect(asked.filter((path) => path === 'bursts/counts').length).toBeGreaterThanOrEqual(7);
    // To tell when jobs would start, neither the queue nor all decisions are read.
    expect(asked.filter((path) => /^(jobs|decisions)\?/.test(path))).toEqual([]);
    const between = (await page.evaluate(
      `(() => {
        const at = performance.getEntriesByType('resource')
          .filter((e) => e.name.includes('limit=1000') && e.name.includes('bursts')).map((e) => e.startTime);
        return at.slice(1).map((t, i) => t - at[i]);
      })()`,
    )) as readonly number[];
    // But for the first: what happened before the page listened is read anew once.
    for (const ms of between.slice(1)) expect(ms).toBeGreaterThanOrEqual(4_900);
  });
});

describe('when jobs would start', () => {
  it('is told of the newest job of each partition that has a forecast, and of nobody else’s to a user', async () => {
    const { body } = await life.ask(operator, 'forecast');
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
    const alice = await life.ask(await life.token('alice', 'user'), 'forecast');
    const hers = startsOf(alice.body.clusters)?.map(([, job]) => Number(job));
    // Every sixth job is hers, from 1000 on; those at home run.
    for (const job of hers ?? []) expect(Number.isNaN(job) || (job - 1000) % 6 === 0).toBe(true);
    seen = await look(browser, life.base, { token: operator });
    await seen.page.goto('/');
    await seen.page.getByText('in 10 min – 2 h 10 min').first().waitFor();
  });
});
