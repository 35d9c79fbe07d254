/**
 * Takes docs/screens anew. Without an argument those of a gateway with made-up bursts, quotes among them; with the address of one that
 * runs (`npm run demo -- --keep` prints it) the others.
 */
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { look, makeLife, openBrowser } from './bed.ts';
import { makeWhatIfSite } from './what-if.site.ts';

interface Shot {
  readonly name: string;
  readonly path: string;
  readonly colorScheme?: 'light' | 'dark';
  readonly phone?: boolean;
}

async function take(browser: Browser, base: string, shots: readonly Shot[], token?: string): Promise<void> {
  for (const { name, path, colorScheme = 'light', phone = false } of shots) {
    const viewport = phone ? { width: 390, height: 780 } : { width: 1280, height: 860 };
    const { page, context } = await look(browser, base, {
      ...{ colorScheme, viewport },
      ...(token === undefined ? {} : { token }),
    });
    await page.goto(path);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.waitForLoadState('load');
    await page.getByText('Loading').first().waitFor({ state: 'detached' });
    await page.waitForTimeout(1_500);
    await page.screenshot({
      path: fileURLToPath(new URL(`../../docs/screens/${name}.png`, import.meta.url)),
    });
    await context.close();
  }
}

/** A day of a queue that was too long in the morning, replayed under a policy that spares one account. */
async function takeWhatIf(browser: Browser): Promise<void> {
  const site = await makeWhatIfSite([4, 4, 6, 12, 14, 10, 4, 2, 0, 0, 6, 10, 4, 0, 0, 0, 0, 0, 0, 0]);
  const token = await site.bed.token('olga', 'admin');
  const viewport = { width: 1280, height: 860 };
  const { page, context } = await look(browser, site.bed.base, { token, viewport });
  await page.goto('/what-if');
  await page
    .getByLabel('Your policy')
    .fill('policy:\n  burstWhen: { waitedAtLeast: 90m }\n  maxBursts: 4 # until summer\n');
  await page.getByLabel('Days').selectOption('1');
  await page.getByRole('button', { name: 'Replay', exact: true }).click();
  const figures = page.getByRole('region', { name: /^Replay of/ });
  while (!(await figures.isVisible())) {
    await site.pass(1_000);
    await page.waitForTimeout(20);
  }
  await page.waitForTimeout(1_500);
  await page.screenshot({
    path: fileURLToPath(new URL('../../docs/screens/what-if.png', import.meta.url)),
    fullPage: true,
  });
  await context.close();
  await site.close();
}

async function newest(base: string, path: string, key: string, id: string): Promise<string> {
  const answer = (await (await fetch(`${base}/api/v1/${path}`)).json()) as Record<
    string,
    Record<string, string>[]
  >;
  return answer[key]?.[0]?.[id] ?? '';
}

const browser = await openBrowser();
const [, , running] = process.argv;
if (running === undefined) {
  const life = await makeLife({ jobs: 900 });
  const token = await life.token('olga', 'operator');
  await take(
    browser,
    life.base,
    [
      { name: 'now', path: '/' },
      { name: 'jobs-dark', path: '/jobs?by=account', colorScheme: 'dark' },
      { name: 'now-phone', path: '/', phone: true },
    ],
    token,
  );
  await life.close();
  await takeWhatIf(browser);
} else {
  const job = await newest(running, 'bursts?state=settled&limit=1', 'bursts', 'job');
  const receipt = await newest(running, 'decisions?verdict=wait&limit=1', 'decisions', 'id');
  await take(browser, running, [
    { name: 'job', path: `/jobs/${job}` },
    { name: 'decisions', path: `/decisions?verdict=wait&receipt=${receipt}` },
    { name: 'capacity', path: '/capacity?hours=1' },
  ]);
}
await browser.close();
