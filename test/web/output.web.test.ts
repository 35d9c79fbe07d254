/** What a job writes, on its page in a real browser: as it is written, harmless, and for its owner. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type BurstId, burstId } from '../../src/domain/ids.ts';
import { type Life, type Look, leave, look, makeLife, openBrowser } from './bed.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** alice's, which runs, and one of hers that is over. */
const [job, past] = ['1023', '1005'];

let life: Life;
let browser: Browser;
let burst: BurstId;
let seen: Look | undefined;
const tokens: Record<string, string> = {};
beforeAll(async () => {
  [life, browser] = await Promise.all([makeLife({ jobs: 60 }), openBrowser()]);
  for (const [name, role] of [
    ['alice', 'user'],
    ['olga', 'operator'],
    ['ada', 'admin'],
  ] as const)
    tokens[name] = await life.token(name, role);
  const { jobs } = (await life.ask(tokens.alice, `jobs/${job}`)).body as {
    jobs: { bursts: { id: string }[] }[];
  };
  burst = burstId(jobs[0]?.bursts[0]?.id ?? '');
});
afterAll(async () => {
  await browser?.close();
  await life?.close();
});
afterEach(async () => {
  const left = seen;
  seen = undefined;
  life.tails.moved(burst);
  await leave(left);
});

async function visit(who: string, id = job, options: Parameters<typeof look>[2] = {}): Promise<Page> {
  seen = await look(browser, life.base, { token: tokens[who] ?? '', ...options });
  await seen.page.goto(`/jobs/${id}`);
  return seen.page;
}
const say = (text: string, channel: 1 | 2 = 1): void =>
  life.tails.passed(burst, channel, life.tails.tail(burst, channel)?.end ?? 0, Buffer.from(text));
const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join('');
/** How far above its end it stands, in pixels. */
const above = (page: Page): Promise<number> =>
  page.getByRole('log', { name: 'Output' }).evaluate((e) => {
    const { scrollHeight, scrollTop, clientHeight } = e as unknown as Record<string, number>;
    return (scrollHeight ?? 0) - (scrollTop ?? 0) - (clientHeight ?? 0);
  });

it('is there while it is written, and is followed unless somebody scrolls up', async () => {
  say(lines(0, 200));
  const page = await visit('alice');
  const log = page.getByRole('log', { name: 'Output' });
  await log.getByText('line 199').waitFor();
  expect(await log.getAttribute('aria-live')).toBe('off');
  expect(await above(page)).toBeLessThan(24);
  say(lines(200, 400));
  await log.getByText('line 399').waitFor();
  await expect.poll(() => above(page)).toBeLessThan(24);
  await log.focus();
  await page.keyboard.press('Home');
  await page.getByRole('button', { name: 'To the end' }).waitFor();
  say(lines(400, 500));
  await log.getByText('line 499').waitFor();
  expect(await above(page)).toBeGreaterThan(1_000);
  await page.getByRole('button', { name: 'To the end' }).click();
  await expect.poll(() => above(page)).toBeLessThan(24);
  await page.evaluate(axe);
  const found = (await page.evaluate(
    `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then((r) => r.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical').map((v) => v.id + ': ' + v.nodes.map((n) => n.html)))`,
  )) as readonly string[];
  expect(found).toEqual([]);
});

it('is text: what would be markup, steer a terminal or write over itself is none', async () => {
  say('<img src=x onerror="window.hurt = 1"><script>window.hurt = 2</script>\n');
  say('\x1b[31mred\x1b[0m\x1b]0;title\x07 ä€😀\n10 %\r50 %\r100 %\n');
  const page = await visit('alice');
  const log = page.getByRole('log', { name: 'Output' });
  await log.getByText('100 %').waitFor();
  expect(await log.textContent()).toBe(
    '<img src=x onerror="window.hurt = 1"><script>window.hurt = 2</script>\nred ä€😀\n100 %\n',
  );
  expect(await page.evaluate('window.hurt')).toBeUndefined();
});

it('says where it begins, has both streams, and begins anew behind a gap', async () => {
  say(lines(0, 20_000));
  say('careful\n', 2);
  const page = await visit('alice');
  const panel = page.getByRole('region', { name: 'Output' });
  await panel.getByText(/Begins at byte [\d,]+: only the last of it is kept here/).waitFor();
  await panel.getByText('output file on the cluster has all').waitFor();
  await panel.getByLabel('Stream').selectOption('stderr');
  await panel.getByText('careful').waitFor();
  expect(await panel.getByText(/Begins at byte/).count()).toBe(0);
  await panel.getByLabel('Stream').selectOption('stdout');
  await panel.getByText('line 19999').waitFor();
  const at = life.tails.tail(burst, 1)?.end ?? 0;
  life.tails.moved(burst);
  life.tails.passed(burst, 1, at + 5_000, Buffer.from('after a failover\n'));
  await panel.getByText('this gateway carries the job since then').waitFor();
  expect(await page.getByRole('log', { name: 'Output' }).textContent()).toBe('after a failover\n');
});

it('of a job that is over, and forgotten, says that', async () => {
  const page = await visit('alice', past);
  const panel = page.getByRole('region', { name: 'Output' });
  await panel.getByText('Nothing of it is kept here any more.').waitFor();
  await panel.getByText('The job is over.').waitFor();
});

it('is not shown to an operator, who is not even asked for it; to an admin once he asks', async () => {
  say('secret\n');
  const asked: string[] = [];
  let page = await visit('olga');
  page.on('request', (r) => void asked.push(r.url()));
  await page.reload();
  await page.getByText('What a job writes is for its owner, alice.').waitFor();
  await page.getByRole('heading', { name: 'Cost' }).waitFor();
  expect(asked.filter((url) => url.includes('/output'))).toEqual([]);
  expect(await page.getByRole('button', { name: 'Show it' }).count()).toBe(0);
  await seen?.context.close();
  page = await visit('ada');
  await page.getByText('stands in the audit').waitFor();
  expect(await page.getByText('secret').count()).toBe(0);
  await page.getByRole('button', { name: 'Show it' }).click();
  await page.getByRole('log', { name: 'Output' }).getByText('secret').waitFor();
});

it('fits a phone, however long a line is', async () => {
  say(`${'x'.repeat(3_000)}\n`);
  const page = await visit('alice', job, { viewport: { width: 375, height: 740 }, hasTouch: true });
  await page.getByRole('log', { name: 'Output' }).getByText('xxx').waitFor();
  expect(await page.evaluate('document.documentElement.scrollWidth - window.innerWidth')).toBeLessThanOrEqual(
    0,
  );
});

it('stays while a gateway that has just started does not carry the job yet, and goes on after', async () => {
  say(lines(0, 50));
  const page = await visit('alice');
  const panel = page.getByRole('region', { name: 'Output' });
  await panel.getByText('line 49').waitFor();
  await page.route(/\/output\?/, async (route) => {
    const after = Number(new URL(route.request().url()).searchParams.get('after'));
    const where = { burst, cluster: 'hpc1', job, stream: 'stdout', offset: after, next: after };
    const nothing = { text: '', ends: { stdout: 0, stderr: 0 }, missing: 'elsewhere', over: false };
    await route.fulfill({ json: { output: { ...where, ...nothing } } });
  });
  await panel.getByText(/Another gateway/i).waitFor();
  await panel.getByText('line 49').waitFor();
  await page.unroute(/\/output\?/);
  say('line 50\n');
  await panel.getByText('line 50').waitFor();
  expect(await panel.getByText(/Another gateway/i).count()).toBe(0);
  await panel.getByText('line 49').waitFor();
});

it('is told in German', async () => {
  const page = await visit('alice', job, { locale: 'de-DE' });
  await page.getByRole('region', { name: 'Ausgabe' }).getByText('Es kam noch nichts.').waitFor();
  say('hallo\n');
  await page.getByRole('log', { name: 'Ausgabe' }).getByText('hallo').waitFor();
});
