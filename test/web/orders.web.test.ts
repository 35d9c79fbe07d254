/** What an operator does on the page, and how soon he sees what happens: orders reach the store, steps of the store reach the page. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { burstOfJob, putBurst } from '../api/bed.ts';
import { findings, makeWatch } from './bed.ts';

/** The issue's: from the step in the store until it can be read. */
const liveMs = 2_000;

const watch = makeWatch({ jobs: 60 });

async function visit(path: string): Promise<Page> {
  const { page } = await watch.open();
  await page.goto(path);
  await page.getByText('Live', { exact: true }).waitFor();
  return page;
}

const burstOf = async (id: string) =>
  (await watch.life().ask(watch.operator(), `bursts/${id}`)).body.burst as {
    answer?: { approved: boolean; by: string; reason?: string };
  };

describe('a quote', () => {
  it('is approved with a reason, after its cost and what follows were read', async () => {
    const page = await visit('/');
    await page.getByText('2 quotes wait for an answer').waitFor();
    await page.getByRole('button', { name: 'Approve: 1003' }).click();
    const dialog = page.getByRole('dialog', { name: 'Let job 1003 run in the cloud?' });
    await dialog.getByText('$2.50 at most').waitFor();
    expect(await findings(page)).toEqual([]);
    await dialog.getByLabel('Reason').fill('paper deadline');
    await dialog.getByRole('button', { name: 'Approve' }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByText('1 quote waits for an answer').waitFor();
    const [first] = watch.life().quoted;
    expect((await burstOf(String(first?.id))).answer).toMatchObject({
      approved: true,
      by: expect.stringContaining('olga'),
      reason: 'paper deadline',
    });
  });

  it('that somebody else answered meanwhile is refused with the reason, and the page says so', async () => {
    const page = await visit('/');
    await page.getByRole('button', { name: 'Approve: 1004' }).click();
    const [, second] = watch.life().quoted;
    await watch
      .life()
      .ask(watch.operator(), `bursts/${second?.id}/decline`, { body: { reason: 'too dear' } });
    watch.excuse(/409/);
    // The page has heard of it, and the dialog stands.
    await page.getByText('quote waits for an answer').waitFor({ state: 'detached' });
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Approve' }).click();
    await dialog.getByRole('alert').waitFor();
    expect(await dialog.getByRole('alert').textContent()).toMatch(/It was not done:.*declined/);
    await dialog.getByRole('button', { name: 'Cancel' }).click();
  });
});

describe('the stop switch', () => {
  it('says what it does, stops only when that is confirmed, and is taken back the same way', async () => {
    const page = await visit('/');
    const stops = async () => (await watch.life().ask(watch.operator(), 'stop')).body.clusters;
    await page.getByRole('button', { name: 'Stop bursting' }).click();
    const dialog = page.getByRole('dialog', { name: 'Stop bursting in all clusters?' });
    await dialog.getByText('3 jobs that run in the cloud go on to their end.').waitFor();
    expect(await findings(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect(await stops()).toMatchObject([{ stopped: false }]);
    await page.getByRole('button', { name: 'Stop bursting' }).click();
    await dialog.getByLabel('Reason').fill('budget talk');
    await dialog.getByRole('button', { name: 'Stop bursting' }).click();
    await page.getByText('Bursting is stopped in hpc1').waitFor();
    expect(await stops()).toMatchObject([
      { stopped: true, by: expect.stringContaining('olga'), reason: 'budget talk' },
    ]);
    await page.getByRole('button', { name: 'Resume bursting' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Resume bursting' }).click();
    await page.getByRole('button', { name: 'Stop bursting' }).waitFor();
    expect(await stops()).toMatchObject([{ stopped: false }]);
  });
});

describe('what happens', () => {
  it('is on the page within two seconds', async () => {
    const page = await visit('/');
    await page.getByText('What happens').waitFor();
    const burst = burstOfJob(4711, 'erin');
    await watch.life().write(putBurst(burst, 'bursts: the backlog is long'));
    const began = Date.now();
    await page.getByText('bursts: the backlog is long').waitFor({ timeout: liveMs });
    expect(Date.now() - began).toBeLessThanOrEqual(liveMs);
    await page.goto('/jobs/4711');
    await page.getByText('bursts: the backlog is long').waitFor();
    const running = watch.life().through(burst, 'running', { startedAt: burst.createdAt });
    const script = page.getByRole('list', { name: 'Timeline' }).getByText('the script began');
    await running;
    await script.waitFor({ timeout: liveMs });
  });

  it('while the line was cut is caught up with, from where it was cut', async () => {
    const page = await visit('/');
    await page.getByText('What happens').waitFor();
    const resumed = page.waitForRequest(
      (r) => r.url().endsWith('/events') && r.headers()['last-event-id'] !== undefined,
    );
    watch.excuse(/net::ERR_|Failed to load/);
    watch.life().cut();
    await page.getByText('Reconnecting').waitFor();
    await watch.life().write(putBurst(burstOfJob(4712, 'frank'), 'bursts while nobody heard it'));
    await resumed;
    await page.getByText('bursts while nobody heard it').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
  });
});
